"""`twinwire top`: figures of a real service, rates between two looks, and nothing hostile on a terminal."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.command.commands import main
from service.command.top import Look, lines, parse, tell_look
from service.core.errors import TwinwireError
from service.core.words import TRANSPORTS
from tests.support import api
from tests.support.bearers import KEYS, ask, token
from tests.support.clients import open_stream
from tests.support.server import ROOT, ServerProcess, command, environment, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("open"), env={"TWINWIRE_APPS": "none"}) as process:
        yield process
        assert process.faults() == []


@pytest.fixture(autouse=True)
def service(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", server.url)
    for name in ("TWINWIRE_TOKEN", "TWINWIRE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["top", *args])


def looks(*args: str) -> list[dict[str, Any]]:
    result = run(*args)
    assert result.exit_code == 0, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_a_look_is_a_line_of_json(server: ServerProcess) -> None:
    topic = api.unique("top")
    await api.publish_many(server.url, topic, range(7))
    async with open_stream(server.url, "sse", topic) as stream:
        await stream.control("caught_up")
        first, second = looks(topic, "--interval", "0.1", "--count", "2")
    assert first["seconds"] is None
    assert set(first["rates"].values()) == {None}
    assert first["topics"] == [{"topic": topic, "count": 7, "subscribers": 1, "rate": None}]
    assert list(first["streams"]) == list(TRANSPORTS)
    assert (first["streams"]["websocket"], first["streams"]["sse"]) == (0, 1)
    assert first["head"] >= 7
    assert first["memory_bytes"] > 1 << 20
    assert (first["places"], first["more"]) == (1, False)
    assert second["seconds"] >= 0.1
    assert second["rates"]["published"] == 0.0
    assert second["topics"][0]["rate"] == 0.0
    assert None not in [second[name] for name in ("places_max", "commit_seconds", "wal_bytes", "tail_bytes")]


async def test_every_metric_that_is_asked_for_is_there(server: ServerProcess) -> None:
    """But for what has not happened: a counter with labels has no line before its first."""
    (look,) = looks("--count", "1")
    assert [name for name, value in look.items() if value is None] == ["seconds"]
    await api.publish(server.url, api.unique("top"), 1)
    _, second = looks("--count", "2", "--interval", "0.1")
    assert {name for name, rate in second["rates"].items() if rate is None} <= {"opened", "ended", "refused"}


def figures(started: float = 1.0, **values: float) -> dict[str, dict[str, float]]:
    return {
        "twinwire_start_time_seconds": {"": started},
        **{f"twinwire_events_{name}_total": {"": value} for name, value in values.items()},
    }


async def test_a_filter_that_matches_few_of_many_is_looked_for_to_the_end(server: ServerProcess) -> None:
    """The service looks at 3,000 names for an answer, which may hold none that matches."""
    first = api.unique("many")
    names = [f"{first}/{n:04}" for n in range(5_200)]
    drafts = [{"topic": name, "type": "log", "data": 1} for name in (*names, f"{first}/9999/last")]
    assert (await ask(server.url, "POST", "/api/events", None, drafts)).status == 201
    [one] = looks("*/*/*/last", "--count", "1")
    assert ([topic["topic"] for topic in one["topics"]], one["more"]) == ([f"{first}/9999/last"], False)


def look(at: float, figures: Any, *topics: Any) -> Look:
    from service.command.top import _Topic

    return Look(at, 1_700_000_000_000, figures, [_Topic(*topic, {"sse": 2}) for topic in topics], more=False)


def test_rates_are_of_the_time_between_two_looks() -> None:
    before = look(10.0, figures(published=100), ("a", 5, "x-5"), ("trimmed", 50, "x-9"), ("still", 3, "x-1"))
    after = look(
        14.0, figures(published=300), ("a", 9, "x-20"), ("trimmed", 10, "x-21"), ("still", 3, "x-1"), ("new", 2, "x-3")
    )
    told = tell_look(after, before)
    assert told["seconds"] == 4.0
    assert (told["rates"]["published"], told["rates"]["delivered"]) == (50.0, None)
    assert {one["topic"]: one["rate"] for one in told["topics"]} == {
        "a": 1.0,
        "trimmed": None,
        "still": 0.0,
        "new": 0.5,
    }
    assert all(one["subscribers"] == 2 for one in told["topics"])


def test_a_service_that_was_started_anew_counts_anew() -> None:
    told = tell_look(look(14.0, figures(2.0, published=30)), look(10.0, figures(1.0, published=100)))
    assert (told["seconds"], told["rates"]["published"]) == (None, None)
    same = look(10.0, figures(published=100))
    assert tell_look(same, same)["rates"]["published"] is None, "no time has passed"


def test_a_scrape_is_read_as_far_as_it_is_one() -> None:
    text = "\n".join(
        [
            "# HELP twinwire_commits_total Group commits.",
            "twinwire_commits_total 7.0",
            'twinwire_subscriptions{transport="sse"} 3',
            'twinwire_subscriptions{transport="poll"} 4 1700000000000',
            'twinwire_odd{a="}"} 1',
            "twinwire_log_head NaN",
            "twinwire_places +Inf",
            "twinwire_places_max seven",
            "\x1b[2J 8",
            "twinwire_tail_bytes",
        ]
    )
    assert parse(text) == {
        "twinwire_commits_total": {"": 7.0},
        "twinwire_subscriptions": {'transport="sse"': 3.0, 'transport="poll"': 4.0},
    }


def test_what_people_see_is_ascii_and_busiest_first() -> None:
    hostile = {"twinwire_subscriptions": {'transport="\x1b[2J"': 1.0}, **figures(published=1)}
    before = look(1.0, hostile, ("quiet", 1_000, "x-1"), ("busy", 1, "x-2"), ("\x9b2J漢", 1, "x-3"))
    after = look(2.0, hostile, ("quiet", 1_000, "x-1"), ("busy", 9, "x-9"), ("\x9b2J漢", 1, "x-3"))
    text = list(lines(tell_look(after, before), "http://a\x1b[2J"))
    assert all(line.isascii() and line.isprintable() for line in text)
    assert [line.split()[-1] for line in text[-3:]] == ["busy", "quiet", "\\u009b2J\\u6f22"]
    assert "8.0" in text[-3]


def test_a_terminal_is_drawn_anew(server: ServerProcess) -> None:
    """Cut to its size: fewer lines than there are topics, and no line is wrapped."""
    ours, theirs = pty.openpty()
    env = environment({"COLUMNS": "60", "LINES": "12", "TERM": "xterm"})
    process = subprocess.run(
        command("top", "--interval", "0.1", "--count", "2", "--url", server.url),
        env=env,
        cwd=ROOT,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    text = b""
    while chunk := _read(ours):
        text += chunk
    os.close(ours)
    assert process.returncode == 0, process.stderr
    drawn = text.decode().split("\x1b[H")[1:]
    assert len(drawn) == 2
    for one in drawn:
        shown = [line.removesuffix("\x1b[K") for line in one.partition("\x1b[J")[0].replace("\r", "").splitlines()]
        assert len(shown) <= 11
        assert all(len(line) < 60 for line in shown)
        assert shown[0].startswith(server.url)
    assert "published ?" in drawn[0]
    assert "published 0.0/s" in drawn[1]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end was closed
        return b""


def test_nobody_there_is_told_and_waited_for() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run("--url", url, "--count", "2", "--interval", "0.1")
    assert isinstance(result.exception, TwinwireError)
    assert result.stdout == ""
    assert result.stderr.count("trying again") == 1


async def test_with_keys_it_takes_a_right(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        body = {"topic": "a", "type": "log", "data": 1}
        assert (await ask(process.url, "POST", "/api/events", token("root", admin=True), body)).status == 201
        monkeypatch.setenv("TWINWIRE_URL", process.url)
        assert isinstance(run("--count", "1").exception, TwinwireError)
        monkeypatch.setenv("TWINWIRE_TOKEN", token("ada", subscribe=["**"]))
        assert "403" in str(run("--count", "5").exception)
        monkeypatch.setenv("TWINWIRE_TOKEN", token("prometheus", metrics=True))
        assert looks("--count", "1")[0]["topics"] == []
        monkeypatch.setenv("TWINWIRE_TOKEN", token("root", admin=True))
        assert [one["topic"] for one in looks("--count", "1")[0]["topics"]] == ["a"]
