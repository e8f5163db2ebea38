"""What the writer does one after the other, and how much of it waits; a publish is an `Append`, in commit.py."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from service.log.sqlite.database import WriterConnection

COMMIT_EVENTS: Final = 2_000
"""Events in one group commit, so that one fan-out and one fsync stay short; a larger request still commits whole."""

COMMIT_PUBLISHES: Final = 128
"""Publishes in one: their answers are one turn of the event loop, of some milliseconds."""

QUEUE_EVENTS: Final = 50_000
"""Events that may wait for the writer, about half a second of them; beyond, publishers are told to come back."""

SMALL: Final = 100
"""Events of a publish up to which it is a small one."""

SPARE: Final = 1 / 10
"""Of the queue, kept for small ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A call between two commits, on the writer's thread and connection."""

    call: Callable[[WriterConnection], Any]
    done: "asyncio.Future[Any]"


def fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
