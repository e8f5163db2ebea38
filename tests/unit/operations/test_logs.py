"""Log lines as an operator's tools get them: the configuration is the process's, so each test has one of its own."""

import errno
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from service.operations import logs
from service.operations.logs import KINDS_MAX, REPEAT, Lines, Repeats

PROGRAM = """
import logging, structlog, time
from service.operations.logs import configure_logs
configure_logs({level!r}, {style!r}, time.monotonic)
logger = structlog.get_logger("ours")
logger.debug("quiet")
logger.info("opened", head=3)
logging.getLogger("theirs").warning("odd %s", "thing")
logging.getLogger("asyncio").info("chatter")
logging.getLogger("hpack.hpack").debug("Decoded %s", (b"authorization", b"Bearer secret"))
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("broken")
"""


def lines(level: str, style: str) -> list[str]:
    return output(PROGRAM.format(level=level, style=style))


def output(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "", "what a command prints is for its caller"
    return done.stderr.splitlines()


@pytest.mark.parametrize("style", ["json", "auto"])
def test_one_line_an_event_for_machines(style: str) -> None:
    opened, theirs, broken = (json.loads(line) for line in lines("info", style))
    assert (opened["event"], opened["head"], opened["level"]) == ("opened", 3, "info")
    assert opened["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("odd thing", "warning")
    assert broken["event"] == "broken"
    assert "ZeroDivisionError" in broken["exception"], "the traceback is a field of the same line"


def test_people_get_text() -> None:
    text = lines("info", "console")
    assert "opened" in text[0]
    with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
        json.loads(text[0])


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["quiet", "opened", "odd thing", "broken"]),
        ("warning", ["odd thing", "broken"]),
        ("error", ["broken"]),
    ],
)
def test_the_level_is_everybodys_and_libraries_are_heard_from_warnings_on(level: str, events: list[str]) -> None:
    told: list[dict[str, Any]] = [json.loads(line) for line in lines(level, "json")]
    assert [line["event"] for line in told] == events


class Now:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def passed(repeats: Repeats, **event: Any) -> dict[str, Any] | None:
    try:
        return dict(repeats(None, "warning", event))
    except structlog.DropEvent:
        return None


def test_the_same_line_is_written_once_and_counted() -> None:
    now = Now()
    repeats = Repeats(now)
    line = {"event": "lost", "reason": "reset"}
    assert passed(repeats, **line) == line
    assert [passed(repeats, **line) for _ in range(5)] == [None] * 5
    assert passed(repeats, event="lost", reason="other") == {"event": "lost", "reason": "other"}
    now.seconds += REPEAT
    assert passed(repeats, **line) == {**line, "repeated": 5}
    now.seconds += REPEAT
    assert passed(repeats, **line) == line


def test_what_was_counted_is_told_though_it_never_comes_again() -> None:
    now = Now()
    repeats = Repeats(now)
    for _ in range(6):
        passed(repeats, event="lost", reason="reset")
    passed(repeats, event="once")
    assert repeats.due() == []
    now.seconds += REPEAT
    told = {"event": "lost", "reason": "reset", "level": "warning", "repeated": 5}
    assert repeats.due() == [told]
    assert repeats.due() == []
    assert passed(repeats, event="lost", reason="reset") is None, "it is one line of REPEAT seconds, while it lasts"
    assert repeats.due() == []
    assert repeats.due(everything=True) == [{**told, "repeated": 1}]
    assert repeats.due(everything=True) == []


FLOOD = """
import logging, structlog, time
from service.operations.logs import configure_logs
configure_logs("info", "json", time.monotonic)
for n in range(100):
    structlog.get_logger("ours").warning("ours", reason="reset")
    logging.getLogger("theirs").warning("theirs %d", 1)
logging.getLogger("theirs").warning("odd %d", "thing")
"""


def test_a_flood_is_counted_whoevers_it_is() -> None:
    told: list[dict[str, Any]] = [json.loads(line) for line in output(FLOOD)]
    counts = {line["event"]: 0 for line in told}
    for line in told:
        counts[line["event"]] += line.get("repeated", 1)
        assert line["level"] == "warning"
        assert line["timestamp"].endswith("Z")
    assert counts == {"ours": 100, "theirs 1": 100, "'odd %d' with ('thing',)": 1}
    assert len(told) == 5


def test_an_exception_is_the_same_wherever_it_was_raised() -> None:
    repeats = Repeats(Now())
    assert passed(repeats, event="broken", exc_info=ValueError("a"))
    assert passed(repeats, event="broken", exc_info=ValueError("a")) is None
    assert passed(repeats, event="broken", exc_info=ValueError("b"))


def test_what_is_remembered_of_lines_is_bounded() -> None:
    repeats = Repeats(Now())
    for n in range(3 * KINDS_MAX):
        assert passed(repeats, event="odd", number=n)
    assert len(repeats._known) <= KINDS_MAX


class Stuck(io.StringIO):
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def write(self, text: str) -> int:
        assert self.gate.wait(20)
        return super().write(text)


def test_who_logs_never_waits_and_what_is_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LINES_MAX", 10)
    stream = Stuck()
    handler = Lines(stream)
    for n in range(100):
        handler.emit(logging.LogRecord("a", logging.INFO, "", 0, f"line {n}", None, None))
    stream.gate.set()
    while not handler._lines.empty():
        time.sleep(0.001)
    handler.emit(logging.LogRecord("a", logging.INFO, "", 0, "last", None, None))
    handler.flush_for(20)
    written = stream.getvalue()
    assert "line 0" in written
    assert "line 99" not in written
    assert "last" in written
    assert "log_lines_dropped" in written
    dropped = sum(int(found) for found in re.findall(r'"lines": (\d+)', written))
    assert dropped + len(re.findall(r"line \d", written)) == 100


def emitted(handler: Lines, *texts: str) -> None:
    for text in texts:
        handler.emit(logging.LogRecord("a", logging.INFO, "", 0, text, None, None))


def test_a_pipe_that_takes_no_more_at_once_gets_every_line() -> None:
    """Whoever has the other end may have set it not to wait: a line that did not fit was lost, and not counted."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    texts = [f"line {n} {'x' * 1_000}" for n in range(500)]
    got: list[str] = []
    with os.fdopen(reading, "r") as file:
        reader = threading.Thread(target=lambda: got.extend(file), daemon=True)
        with os.fdopen(writing, "w") as stream:
            handler = Lines(stream)
            emitted(handler, *texts)
            reader.start()
            handler.flush_for(20)
        reader.join(20)
    assert [line.rstrip("\n") for line in got] == texts


def test_lines_for_which_there_is_no_room_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write, room = os.write, threading.Event()
    full = iter([3, None, None])  # a piece of a line, and then nothing

    def writing(descriptor: int, data: Any) -> int:
        if room.is_set():
            return write(descriptor, data)
        piece = next(full, None)
        if piece is None:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data[:piece])

    monkeypatch.setattr(os, "write", writing)
    with (tmp_path / "log").open("w") as stream:
        handler = Lines(stream)
        emitted(handler, "line 1", "line 2")
        for _ in range(10_000):
            if handler._lines.empty() and handler._dropped == 2:
                break
            time.sleep(0.001)
        room.set()
        emitted(handler, "line 3")
        handler.flush_for(20)
    cut, *rest = (tmp_path / "log").read_text().splitlines()
    assert cut == "lin"
    assert sorted(rest) == ["line 3", '{"event": "log_lines_dropped", "level": "warning", "lines": 2}']


def test_a_stream_that_fails_ends_nothing() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    handler = Lines(Broken())
    for _ in range(3):
        handler.emit(logging.LogRecord("a", logging.INFO, "", 0, "line", None, None))
    handler.flush_for(20)
    nowhere = Lines(None)
    nowhere.emit(logging.LogRecord("a", logging.INFO, "", 0, "line", None, None))
