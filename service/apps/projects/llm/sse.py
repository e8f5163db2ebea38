"""Server-Sent Events from bytes as they come (HTML standard, 9.2.6), of which only `data` says anything here.

Why not `httpx2.EventSource`: it reads what is not UTF-8 as replacement characters, in whatever charset the answer
names, and what a model writes becomes code. Here that is an error. It holds one event, of a bounded size.
"""

import codecs
from collections.abc import Iterator
from typing import Final

EVENT_MAX: Final = 1 << 20
"""Bytes of one event: a token has a few hundred."""


class EventTooLongError(Exception):
    """One event has more than EVENT_MAX bytes."""


class Events:
    """Feed it what comes. Raises UnicodeDecodeError for what is no UTF-8, EventTooLongError."""

    def __init__(self) -> None:
        self._line = b""
        """The beginning of a line that is not complete."""
        self._data: list[str] = []
        self._size = 0
        self._is_first = True

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of each event that is complete with it."""
        lines = (self._line + chunk).split(b"\n")
        self._line = lines.pop()
        for line in lines:
            yield from self._take(line.removesuffix(b"\r"))
        self._check(len(self._line))

    def _take(self, line: bytes) -> Iterator[str]:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line:
            if self._data:
                yield "\n".join(self._data)
            self._data.clear()
            self._size = 0
        elif line.startswith(b"data"):
            self._check(len(line))
            name, _, value = line.decode("utf-8").partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
                self._size += len(line)
        else:
            line.decode("utf-8")  # a comment or a field that is not ours has to be text all the same

    def _check(self, more: int) -> None:
        if self._size + more > EVENT_MAX:
            raise EventTooLongError
