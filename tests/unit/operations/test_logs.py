"""Log lines as an operator's tools get them: the configuration is the process's, so each test has one of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import logging, structlog
from service.operations.logs import configure_logs
configure_logs({level!r}, {style!r})
logger = structlog.get_logger("ours")
logger.debug("quiet")
logger.info("opened", head=3)
logging.getLogger("theirs").warning("odd %s", "thing")
logging.getLogger("asyncio").info("chatter")
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("broken")
"""


def lines(level: str, style: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level, style=style)],
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
