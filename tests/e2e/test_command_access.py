"""The command where there are keys, as a shell runs it: whom it comes as, and what it says of a refusal."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import api
from tests.support.bearers import KEYS, revoke, token
from tests.support.http import request
from tests.support.server import HOST, ROOT, ServerProcess, command, environment, free_port, run_command
from tests.support.tokens import OTHER_SECRET, entry


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.faults() == []


@pytest.fixture
def url(server: ServerProcess) -> str:
    return server.url


def test_publish_and_tail_come_with_the_token_of_the_environment(url: str) -> None:
    topic = api.unique("command")
    env = {"TWINWIRE_URL": url, "TWINWIRE_TOKEN": token("ada", subscribe=[topic], publish=[topic])}
    published = run_command("publish", topic, "note", "1", env=env)
    assert published.returncode == 0, published.stderr
    tailed = run_command("tail", "--after", "earliest", "--once", "--json", env=env)
    assert [json.loads(line)["id"] for line in tailed.stdout.splitlines()] == [published.stdout.strip()]


def test_a_refusal_is_one_line_that_says_what_is_missing(url: str, tmp_path: Path) -> None:
    text = token("ada", subscribe=["a"])
    (tmp_path / "token").write_text(text)
    with_file = ("--token-file", str(tmp_path / "token"))
    for args, told in (
        (("publish", "a", "note", "1"), "401 Unauthorized: no right to publish to 'a' without a token; TWINWIRE_TOKEN"),
        (("publish", "a", "note", "1", *with_file), "403 Right missing: no right to publish to 'a'"),
        (("tail", "b", *with_file), "403 Right missing: no right to read 'b'"),
        (("tail", "a"), "401 Unauthorized: no right to read 'a' without a token; TWINWIRE_TOKEN"),
        (("revoke", "--all", *with_file), "403 Right missing: this takes the right admin"),
    ):
        result = run_command(*args, "--url", url)
        assert (result.returncode, result.stdout) == (1, ""), args
        assert result.stderr.startswith(f"twinwire: {told}"), result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert text not in result.stderr


def test_a_bad_token_is_one_line(url: str) -> None:
    for text, told in (("a.b.c", "401 Invalid token: "), ("two words", "no token"), ("é", "no token")):
        result = run_command("tail", "a", "--url", url, env={"TWINWIRE_TOKEN": text})
        assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
        assert told in result.stderr
        assert text not in result.stderr


async def test_tail_goes_on_with_a_rotated_file(url: str, tmp_path: Path) -> None:
    """The token that it began with is revoked meanwhile; the file holds another one by then."""
    topic, file = api.unique("rotated"), tmp_path / "token"
    ids = [api.unique("jti") for _ in range(2)]
    first, second = (token("ada", jti=jti, subscribe=[topic]) for jti in ids)
    writer = {"TWINWIRE_TOKEN": token("bob", publish=[topic]), "TWINWIRE_URL": url}
    file.write_text(first)
    args = command("tail", topic, "--after", "earliest", "--json", "--url", url)
    env = environment({"TWINWIRE_TOKEN_FILE": str(file)})
    with subprocess.Popen(args, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        try:
            seen = []
            for number in range(2):
                published = run_command("publish", topic, "note", str(number), env=writer)
                assert published.returncode == 0, published.stderr
                seen.append(json.loads(tail.stdout.readline())["data"])
                if number == 0:
                    file.write_text(second)
                    await revoke(url, jti=ids[0])
            assert seen == [0, 1]
            await revoke(url, jti=ids[1])
            assert tail.wait(30) == 1
            told = tail.stderr.read()
            assert told.startswith("twinwire: 401 Token revoked: ")
            assert second not in told
        finally:
            tail.kill()


async def test_a_link_signs_in_once(url: str) -> None:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS}
    for args, more in ((("--link", url), {}), (("--link",), {"TWINWIRE_URL": url})):
        made = run_command("token", "--sub", "ada", "--subscribe", "a", *args, env={**env, **more})
        assert (made.returncode, made.stderr) == (0, "")
        page, _, ticket = made.stdout.strip().partition("#ticket=")
        assert page == f"{url}/login"
        begun = await request(url, "POST", "/api/session", json_body={"ticket": ticket})
        assert begun.json()["subject"] == "ada"
        (await request(url, "POST", "/api/session", json_body={"ticket": ticket})).problem(401)


def test_without_a_service_there_is_no_link(url: str) -> None:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS}
    gone = run_command("token", "--sub", "ada", "--link", f"http://{HOST}:{free_port()}", env=env)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("twinwire: no answer from")
    other = {"TWINWIRE_TOKEN_KEYS": json.dumps([entry("b", OTHER_SECRET)])}
    refused = run_command("token", "--sub", "ada", "--link", url, env=other)
    assert (refused.returncode, "eyJ" in refused.stderr) == (1, False)
    assert "401" in refused.stderr
