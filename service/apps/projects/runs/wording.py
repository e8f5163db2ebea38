"""What people read of a run: why it failed, who has cancelled it, and where it waits."""

import re
from typing import Final

from service.apps.projects.runs.limits import PLACES_TOLD

_NAME: Final = r"""[^\s/\\'":,;()<>]+"""
_PATH: Final = re.compile(rf"(?<![\w.:/\\])(?:[A-Za-z]:\\(?:{_NAME}\\)+|/(?:{_NAME}/)+)(?=[^\s/\\])")
"""The folders of an absolute path of two segments or more; of a URL or a relative path there is none."""

_TENS: Final = 10
_TEENS: Final = range(11, 14)
_ENDS: Final = {1: "st", 2: "nd", 3: "rd"}


def without_folders(text: str) -> str:
    """`text` without the folders of absolute paths in it: where things lie on the server is nobody's business."""
    return _PATH.sub("…/", text)


def unexpected(agent: str, error: BaseException) -> str:
    """Of an error that was not written for people; its text is told as a detail."""
    return f"The {agent} agent failed unexpectedly ({type(error).__name__}): the log of this run has the details"


def details(error: BaseException) -> str:
    return without_folders(f"Details: {type(error).__name__}: {error}")


def cancelled(by: str | None, stage: int) -> str:
    """`stage` is the number of the one that was at work, 0 for none."""
    return cancelled_command(by, f"stage {stage}" if stage else None)


def cancelled_command(by: str | None, stage: str | None) -> str:
    """The same of a command, whose stages have names that people have given."""
    who = "Cancelled" if by is None else f"Cancelled by {by}"
    return f"{who} at {stage}" if stage else who


def ordinal(number: int) -> str:
    end = "th" if number % 100 in _TEENS else _ENDS.get(number % _TENS, "th")
    return f"{number}{end}"


def place(number: int) -> str:
    """In the queue, from 1. Behind the first ones nobody counts: what is told of them stays true as they move up."""
    if number > PLACES_TOLD:
        return f"In the queue, behind at least {PLACES_TOLD} others"
    return "Next in the queue" if number == 1 else f"{ordinal(number)} in the queue"
