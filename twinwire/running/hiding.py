"""Secrets are starred out before anything is written to a disk or sent.

A byte is covered if it lies in an occurrence of any secret, also one that overlaps another; each row of covered bytes
becomes `***`, however long it was, so that neither its length nor a piece of it is seen.

Output comes in pieces, and a secret may lie across two. What is held back is the longest end of the output that could
be the beginning of a secret, less than the longest of them, until it is known what follows. What was decided stays in
the buffer for as long as an occurrence that began there may go on, and is not given out twice.
"""

from collections.abc import Iterable, Iterator
from typing import Final

STARS: Final = b"***"

LINE_MIN: Final = 4
"""Bytes from which on a line of a value with several lines is hidden alone: a brace or a dash is in every output."""

_HEAD: Final = 8
"""Bytes by which the beginning of a secret is looked for."""


def secrets_of(value: str) -> set[bytes]:
    """What is hidden of a variable's value: all of it, and each of its lines, since others indent or wrap it. A
    terminal writes the ends of lines in another way."""
    whole = value.encode("utf-8", "surrogateescape").strip(b"\r\n")
    lines = [line.strip() for line in whole.splitlines()]
    found = {line for line in lines if len(line) >= LINE_MIN} if len(lines) > 1 else set()
    return {one for one in (*found, whole, b"\n".join(whole.splitlines()), b"\r\n".join(whole.splitlines())) if one}


class Hider:
    """Of one stream of output."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets: Final = tuple(sorted({one for one in secrets if one}, key=len, reverse=True))
        self._longest: Final = max(map(len, self._secrets), default=1)
        self._buffer = b""
        self._given = 0
        """Of its bytes, how many were given out."""
        self._is_covered = False
        """Whether the last of those was: its stars are out."""

    def feed(self, piece: bytes) -> bytes:
        """What can be shown by now."""
        if not self._secrets:
            return piece
        self._buffer += piece
        return self._take(self._open())

    def flush(self) -> bytes:
        """The rest: nothing follows."""
        return self._take(len(self._buffer))

    def text(self, text: str) -> str:
        """A text by itself. It is no part of the stream."""
        other = Hider(self._secrets)
        hidden = other.feed(text.encode("utf-8", "surrogateescape")) + other.flush()
        return hidden.decode("utf-8", "replace")

    def _take(self, end: int) -> bytes:
        out: list[bytes] = []
        at = self._given
        for start, stop in _merged(self._occurrences()):
            if stop <= at or start >= end:
                continue
            if start > at:
                out.append(self._buffer[at:start])
                self._is_covered = False
            if not self._is_covered:
                out.append(STARS)
                self._is_covered = True
            at = min(stop, end)
        if at < end:
            out.append(self._buffer[at:end])
            self._is_covered = False
        kept = max(0, end - self._longest + 1)
        self._buffer, self._given = self._buffer[kept:], end - kept
        return b"".join(out)

    def _occurrences(self) -> Iterator[tuple[int, int]]:
        for secret in self._secrets:
            at = self._buffer.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = self._buffer.find(secret, at + 1)

    def _open(self) -> int:
        """Where the longest end begins that may be the beginning of a secret."""
        found = len(self._buffer)
        for secret in self._secrets:
            start = max(self._given, len(self._buffer) - len(secret) + 1)
            found = min(found, next(self._begun(secret, start), found))
        return found

    def _begun(self, secret: bytes, start: int) -> Iterator[int]:
        """Ends of the buffer that are beginnings of this one, the longest first."""
        short = max(start, len(self._buffer) - _HEAD + 1)
        at = self._buffer.find(secret[:_HEAD], start)
        while 0 <= at < short:
            if secret.startswith(self._buffer[at:]):
                yield at
            at = self._buffer.find(secret[:_HEAD], at + 1)
        yield from (at for at in range(short, len(self._buffer)) if secret.startswith(self._buffer[at:]))


def _merged(found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """As rows that neither overlap nor touch, in order."""
    first, last = 0, -1
    for start, stop in sorted(found):
        if start > last:
            if last > first:
                yield first, last
            first, last = start, stop
        else:
            last = max(last, stop)
    if last > first:
        yield first, last
