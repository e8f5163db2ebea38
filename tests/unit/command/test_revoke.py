"""`twinwire revoke` against a real service: what it ends, says, lifts, and refuses."""

import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from service.command import revoke as module
from service.command.commands import main
from service.core.errors import TwinwireError
from tests.support import api
from tests.support.bearers import KEYS, ask, bearer, token
from tests.support.clients import open_stream
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.faults() == []


@pytest.fixture(autouse=True)
def admin(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", server.url)
    monkeypatch.setenv("TWINWIRE_TOKEN", token("root", admin=True))
    monkeypatch.delenv("TWINWIRE_TOKEN_FILE", raising=False)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["revoke", *args])


def done(*args: str) -> str:
    result = run(*args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


async def may_read(url: str, text: str) -> bool:
    status = (await ask(url, "GET", "/api/events?topic=a", text)).status
    assert status in (200, 401)
    return status == 200


@pytest.mark.parametrize("by", ["sub", "jti"])
async def test_it_ends_streams_and_refuses_tokens_until_it_is_lifted(server: ServerProcess, by: str) -> None:
    name = api.unique(by)
    text = token(name, jti=name, subscribe=["a"])
    async with open_stream(server.url, "sse", "a", headers=bearer(text)) as stream:
        await stream.control("caught_up")
        assert done(f"--{by}", name) == "ended 1 stream\n"
        assert (await stream.control("goodbye")).value["detail"] == "revoked"
    assert not await may_read(server.url, text)
    (line,) = [line for line in done("--list").splitlines() if name in line]
    assert f" {by} {name}" in line
    assert (", issued before 20" in line) is (by == "sub")
    assert done(f"--{by}", name, "--lift") == "lifted\n"
    assert name not in done("--list")
    assert await may_read(server.url, text)


async def test_a_connection_is_ended_and_its_token_stays_good(server: ServerProcess) -> None:
    text = token(api.unique("user"), subscribe=["a"])
    async with open_stream(server.url, "sse", "a", headers=bearer(text)) as stream:
        await stream.control("caught_up")
        assert done("--connection", stream.connection["connection"]) == "ended 1 stream\n"
    assert done("--connection", "00000000-0000-4000-8000-000000000000") == "ended 0 streams\n"
    assert await may_read(server.url, text)


async def test_with_grace_the_streams_are_told_first(server: ServerProcess) -> None:
    name = api.unique("user")
    async with open_stream(server.url, "sse", "a", headers=bearer(token(name, subscribe=["a"]))) as stream:
        await stream.control("caught_up")
        assert done("--sub", name, "--grace", "1m") == "1 stream will end within 60 s\n"
        told = (await stream.control("auth")).value
        assert told["state"] == "expiring"
        assert 50 <= told["in"] <= 60


async def test_what_was_issued_later_stays_good(server: ServerProcess) -> None:
    name = api.unique("user")
    old, new = (token(name, subscribe=["a"], iat=time.time() - ago) for ago in (3_000, 1_000))
    between = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2_000))
    assert done("--sub", name, "--issued-before", between) == "ended 0 streams\n"
    assert not await may_read(server.url, old)
    assert await may_read(server.url, new)


async def test_all_means_whoever_asks_too(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    text = token("ada", subscribe=["a"], iat=time.time() - 10)
    assert done("--all", "--issued-before", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))) == (
        "ended 0 streams\n"
    )
    assert not await may_read(server.url, text)
    assert " all, issued before " in done("--list")
    assert done("--all", "--lift") == "lifted\n"
    assert await may_read(server.url, text)


def error_of(*args: str) -> TwinwireError:
    error = run(*args).exception
    assert isinstance(error, TwinwireError), error
    return error


def test_a_refusal_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "404" in error_of("--sub", "nobody", "--lift").detail
    assert "issued_before is a time" in error_of("--all", "--issued-before", "yesterday").detail
    monkeypatch.setenv("TWINWIRE_TOKEN", token("ada", subscribe=["**"], publish=["**"]))
    assert error_of("--sub", "bob").detail == "403 Right missing: this takes the right admin"
    assert "403" in error_of("--list").detail
    monkeypatch.delenv("TWINWIRE_TOKEN")
    assert "without a token; TWINWIRE_TOKEN, or --token-file FILE, brings one" in error_of("--list").detail


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--sub", "a", "--jti", "b"],
        ["--all", "--list"],
        ["--list", "--lift"],
        ["--list", "--grace", "1s"],
        ["--connection", "c", "--lift"],
        ["--sub", "a", "--lift", "--issued-before", "2026-01-01T00:00:00Z"],
        ["--sub", "a", "--grace", "soon"],
    ],
)
def test_what_makes_no_sense_is_not_sent(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", "http://127.0.0.1:1")
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert "--ttl" not in result.output


def test_a_list_of_several_pages_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [api.unique("page") for _ in range(3)]
    for name in names:
        done("--jti", name)
    monkeypatch.setattr(module, "PAGE", 2)
    listed = done("--list")
    assert [listed.count(f"jti {name}") for name in names] == [1, 1, 1]


def test_names_reach_the_service_as_they_are() -> None:
    name = 'a"b\\é'
    assert done("--sub", name) == "ended 0 streams\n"
    assert f" sub {name}, " in done("--list")
