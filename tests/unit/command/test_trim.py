"""`twinwire trim` against a real service; what it does with odd answers is in test_client."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from service.command.commands import main
from service.core.errors import TwinwireError
from tests.support import api
from tests.support.bearers import KEYS, ask, token
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("trimmed"), env=env) as process:
        yield process
        assert process.faults() == []


@pytest.fixture(autouse=True)
def admin(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", server.url)
    monkeypatch.setenv("TWINWIRE_TOKEN", token("root", admin=True))
    monkeypatch.delenv("TWINWIRE_TOKEN_FILE", raising=False)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["trim", *args])


async def publish(url: str, topic: str, events: int) -> None:
    body = [{"topic": topic, "type": "log", "data": n} for n in range(events)]
    assert (await ask(url, "POST", "/api/events", token("root", admin=True), body)).status == 201


async def test_the_newest_stay(server: ServerProcess) -> None:
    topic = api.unique("trim")
    for n in range(3):
        await publish(server.url, f"{topic}/{n}", 20)
    result = run(f"{topic}/*", "--keep", "5")
    assert (result.exit_code, result.stdout) == (0, "removed 45 events\n"), result.exception
    assert run(f"{topic}/*", "--keep", "5").stdout == "removed 0 events\n"
    assert run(f"{topic}/0", "--keep", "4").stdout == "removed 1 event\n"
    answer = await ask(server.url, "GET", f"/api/events?topic={topic}/1&after=earliest", token("root", admin=True))
    assert [event["data"] for event in answer.json()["events"]] == [15, 16, 17, 18, 19]


async def test_a_long_one_is_followed(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes longer than its first answer waits: 20,000 topics, in steps beside each other's commits."""
    topic = api.unique("many")
    for first in (0, 10_000):
        body = [{"topic": f"{topic}/{n}", "type": "log", "data": n} for n in range(first, first + 10_000)]
        assert (await ask(server.url, "POST", "/api/events", token("root", admin=True), body)).status == 201
    result = run(f"{topic}/*", "--keep", "0")
    assert (result.exit_code, result.stdout) == (0, "removed 20,000 events\n"), result.exception


def error_of(*args: str) -> TwinwireError:
    error = run(*args).exception
    assert isinstance(error, TwinwireError), error
    return error


def test_a_refusal_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "422" in error_of("a//b", "--keep", "1").detail
    assert "403" in error_of("twinwire/**", "--keep", "1").detail
    monkeypatch.setenv("TWINWIRE_TOKEN", token("ada", subscribe=["**"], publish=["**"]))
    assert error_of("a", "--keep", "1").detail == "403 Right missing: this takes the right admin"
    monkeypatch.delenv("TWINWIRE_TOKEN")
    assert "TWINWIRE_TOKEN, or --token-file FILE, brings one" in error_of("a", "--keep", "1").detail


@pytest.mark.parametrize("args", [["a"], ["a", "--keep", "-1"], ["a", "--keep", "all"], ["--keep", "1"]])
def test_what_makes_no_sense_is_not_sent(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", "http://127.0.0.1:1")
    assert run(*args).exit_code == 2
