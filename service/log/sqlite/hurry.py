"""The log's thread gets the interpreter, however busy the event loop is.

CPython lets a thread demand the interpreter after `sys.getswitchinterval()` seconds of waiting in vain. But a loop that
is busy gives it up at each call of the kernel and takes it again before the other is awake; and who is woken in vain
begins to wait anew (`take_gil` in CPython's ceval_gil.c). So a commit can wait for a tenth of a second.

A short interval for good would end that, but the thread would then take the interpreter in the middle of each round of
the fan-out, which costs a sixth of it. So the interval is short only while a job of the log's is late.
"""

import asyncio
import sys
from typing import Final

LATE: Final = 0.005
"""Seconds after which a job on the thread is late: commits take less, unless the disk is slow."""

SHORT: Final = 0.0001
"""Seconds of the interval then: less than what the loop does between two calls of the kernel."""


class Hurry:
    """A context manager around each job, on the event loop. One job at a time, and one of these in a process."""

    __slots__ = ("_late", "_usual")

    def __init__(self) -> None:
        self._late: asyncio.TimerHandle | None = None
        self._usual = 0.0
        """The interval to go back to, while it is short; else 0."""

    def __enter__(self) -> None:
        self._late = asyncio.get_running_loop().call_later(LATE, self._shorten)

    def __exit__(self, *_: object) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if self._usual:
            sys.setswitchinterval(self._usual)
            self._usual = 0.0

    def _shorten(self) -> None:
        usual = sys.getswitchinterval()
        if usual > SHORT:
            self._usual = usual
            sys.setswitchinterval(SHORT)
