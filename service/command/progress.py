"""How far a command is, on standard error: on a terminal one line that is drawn anew, else a line for each tenth."""

import sys
from typing import Any, Final

from service.clock import SystemClock
from twinwire.command.output import harmless, redraw_line, write_line

EVERY: Final = 0.1
"""Seconds between two drawings on a terminal."""


class Progress:
    """In a `with`, at whose end the line on the terminal stands. Called with what is done, how far, and out of what."""

    def __init__(self, stream: Any = None, clock: SystemClock | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock or SystemClock()
        self._is_terminal = self._stream is not None and self._stream.isatty()
        self._told: tuple[str, int] = ("", -1)
        """What was done at the last line, and how many tenths of it were."""
        self._next = 0.0
        self._line = ""
        """On the terminal, and not ended."""

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._line:
            write_line("", self._stream)
            self._line = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._stream is None:
            return
        is_new = what != self._told[0]
        if self._is_terminal:
            now = self._clock.monotonic()
            if not is_new and now < self._next and done < total:
                return
            if is_new:
                self._end()
            self._told, self._next = (what, 0), now + EVERY
            self._line = line(what, done, total)
            redraw_line(self._line, self._stream)
            return
        tenth = 10 * done // total if total > 0 else 0
        if is_new or tenth > self._told[1]:
            self._told = what, tenth
            write_line(f"twinwire: {line(what, done, total)}", self._stream)


def line(what: str, done: int, total: int) -> str:
    """In words."""
    if total <= 0:
        return harmless(f"{what}: {done:,}" if done else what)
    return harmless(f"{what}: {min(100, 100 * done // total)} %, {done:,} of {total:,}")
