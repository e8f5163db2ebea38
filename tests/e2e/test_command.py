"""`twinwire publish` and `twinwire tail` against a real server, and the application under plain Hypercorn."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, open_stream
from tests.support.http import request
from tests.support.server import HOST, ROOT, STOP_DEADLINE, ServerProcess, command, environment, free_port, run_command


async def test_publish_prints_the_id_and_tail_shows_the_event(url: str) -> None:
    """`publish TOPIC TYPE JSON`, then `tail TOPIC --after CURSOR --json`: the frame as on the wire."""
    topic = api.unique("command")
    ids = []
    for data in ('{"n": 12345678901234567890}', '"two"'):
        published = run_command("publish", topic, "note", data, "--url", url)
        assert published.returncode == 0, published.stderr
        ids.append(published.stdout.strip())
    tailed = run_command("tail", topic, "--after", "earliest", "--once", "--json", "--url", url)
    assert [json.loads(line) for line in tailed.stdout.splitlines()] == await api.history(url, [topic])
    rest = run_command("tail", topic, "--after", ids[0], "--once", "--json", "--url", url)
    assert [json.loads(line)["id"] for line in rest.stdout.splitlines()] == ids[1:]


async def test_tail_for_people(url: str) -> None:
    """`tail` without `--json`: one line an event, with what a person looks for."""
    topic = api.unique("people")
    cursor = await api.publish(url, topic, {"a": "grüße"}, type="note")
    (line,) = run_command("tail", topic, "--after", "earliest", "--once", "--url", url).stdout.splitlines()
    assert all(part in line for part in (cursor, topic, "note", "grüße"))


def test_a_key_makes_publish_repeatable(url: str) -> None:
    """`publish --key`: a repeat prints the first id."""
    topic = api.unique("key")
    first, again = (run_command("publish", topic, "note", "1", "--key", "k", "--url", url) for _ in range(2))
    assert first.returncode == again.returncode == 0
    assert first.stdout == again.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("publish", "a//b", "note", "1"),
        ("publish", "a", "gap", "1"),
        ("publish", "a", "note", "{"),
        ("tail", "a//b", "--once"),
    ],
)
def test_a_refusal_is_one_line_and_an_exit_code(url: str, args: tuple[str, ...]) -> None:
    """What the service refuses, the command says in one line, and a script notices."""
    result = run_command(*args, "--url", url)
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_nobody_there_is_one_line_and_an_exit_code() -> None:
    """No service at the URL: said, with the URL's host and port."""
    port = free_port()
    result = run_command("publish", "a", "note", "1", "--url", f"http://{HOST}:{port}")
    assert result.returncode != 0
    assert str(port) in result.stderr
    assert "Traceback" not in result.stderr


async def test_tail_follows_across_a_kill(serve: Serve) -> None:
    """`tail` goes on after kill -9 from its own cursor: every event once, in order."""
    server = serve()
    args = command("tail", "a", "--after", "earliest", "--json", "--url", server.url)
    with subprocess.Popen(args, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        try:
            ids = await api.publish_many(server.url, "a", range(5))
            seen = [json.loads(tail.stdout.readline())["id"] for _ in range(5)]
            server.kill9()
            server.start()
            ids += await api.publish_many(server.url, "a", range(5))
            seen += [json.loads(tail.stdout.readline())["id"] for _ in range(5)]
        finally:
            tail.kill()
    assert seen == ids


async def test_hypercorn_serves_the_application_too(tmp_path: Path) -> None:
    """`hypercorn -c hypercorn.toml "service:create_app()"`: the streams work, and a stop ends the process."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    args = ["-c", str(ROOT / "hypercorn.toml"), "--bind", f"{HOST}:{port}", "service:create_app()"]
    with subprocess.Popen(
        [sys.executable, "-m", "hypercorn", *args],
        env=environment({"TWINWIRE_DATABASE": str(tmp_path / "x.db")}),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            lines: list[str] = []
            while "Running on" not in (lines or [""])[-1]:
                lines.append(process.stderr.readline())
                assert lines[-1], "".join(lines)
            for transport in STREAMING:
                async with open_stream(url, transport, "a") as stream:
                    cursor = await api.publish(url, "a")
                    assert (await stream.events(1))[0].id == cursor
            assert (await request(url, "GET", "/api/ready")).status == 200
            process.terminate()
            process.communicate(timeout=STOP_DEADLINE)
        finally:
            process.kill()


@pytest.mark.parametrize("variable", ["TWINWIRE_HEARTBEET", "twinwire_max_stream"])
def test_a_variable_that_is_none_is_told_at_the_start(tmp_path: Path, variable: str) -> None:
    server = ServerProcess(tmp_path / "odd", env={variable: "5", "TWINWIRE_URL": "http://a", "TWINWIRE_APPS": "none"})
    with server:
        server.stop()
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if "setting_unknown" in line]
    nearest = {"TWINWIRE_HEARTBEET": "TWINWIRE_HEARTBEAT", "twinwire_max_stream": "TWINWIRE_MAX_STREAMS"}[variable]
    assert [(line["variable"], line["nearest"], line["level"]) for line in lines] == [(variable, nearest, "warning")]
