"""What the next request says of a run: which part of its output, with what the command said meanwhile.

The service takes so many bytes of a run. As long as there is less, everything is sent as it comes, but for the last
64 KiB of that: they are kept for the end. Where the output is longer, its beginning is sent, stages and progress go on
live, and at the end comes what is left out, as one item that names the file with all of it, and the last 64 KiB.

A request's items follow from the parts of the files that it is about (`items`), so that they are the same whenever it
is sent. Output is UTF-8 where it can be; no character is torn.
"""

import base64
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from twinwire.running.journal import Position, Sent
from twinwire.running.spool import OUTPUT, Extent, Mark, Spool, read_lines

TAIL: Final = 64 << 10
"""Bytes of the end that are sent of what is too long."""

NOTE: Final = 4 << 10
"""Bytes for the line in which the service tells that something was left out: it counts too."""

PIECE: Final = 48 << 10
"""Bytes of an item: in Base64 it has 64 KiB, more than which no item may have."""

REQUEST: Final = 192 << 10
"""Bytes of output in a request."""

MARKS: Final = 32 << 10
"""Bytes of the marks' file that are read for a request."""

SLACK: Final = 4 << 10
"""Bytes before the place of a cut in which the end of a line is looked for."""

SMALLEST: Final = 1 << 10
"""Bytes of output that any request takes."""

Item = dict[str, Any]


class Limits(msgspec.Struct, frozen=True):
    """What the service takes: bytes of output of a run, items of a request, bytes of its body."""

    bytes: int
    items: int
    body: int


class Planner:
    def __init__(self, spool: Spool, limits: Limits) -> None:
        self._spool: Final = spool
        self.limits = limits

    def next(self, at: Position, extent: Extent) -> Sent | None:
        """What comes at this position; None if there is nothing yet."""
        room = self.limits.bytes - (NOTE if at.cut else 0) - (at.output - at.cut)
        is_long = extent.output - at.output > max(0, room)
        if extent.has_ended and not is_long:
            return self._part(at, extent, extent.output, extent.output)
        if not at.cut and self._head - at.output >= SLACK:
            stop = min(extent.output, self._head)
            return self._part(at, extent, stop, stop)
        if not is_long:
            return None
        start = self._tail(at, extent) if extent.has_ended else extent.output
        told = self._part(at, extent, at.output, start - 1 if extent.has_ended else start)
        if told is not None or not extent.has_ended:
            return told
        lines = self._spool.lines(at.output, start)
        return Sent(at.number, 1, (at.output, start), (at.marks, at.marks), cut_lines=lines)

    @property
    def _head(self) -> int:
        """Bytes of the beginning that are sent, whatever there is."""
        return self.limits.bytes - TAIL - NOTE

    def items(self, sent: Sent) -> list[Item]:
        """What it says."""
        start, stop = sent.output
        if sent.is_alive:
            return [{"alive": True}]
        if sent.cut_lines is not None:
            return [self._cut(stop - start, sent.cut_lines)]
        return list(self._told(self._spool.read(start, stop), start, self._marks(*sent.marks)))

    def _part(self, at: Position, extent: Extent, stop: int, until: int) -> Sent | None:
        """Output up to `stop`, and marks that count in it; where there is no output to send, marks up to `until`. What
        is too much for a request is halved."""
        most = REQUEST
        while True:
            end = self._whole(at.output, min(stop, at.output + most), extent)
            end, marks = self._fitting(at, extent, end, until if stop <= at.output else end)
            if end == at.output and marks == at.marks:
                return None
            sent = Sent(at.number, 0, (at.output, end), (at.marks, marks))
            items = self.items(sent)
            if not self._is_too_much(items) or most <= SMALLEST:
                return msgspec.structs.replace(sent, count=len(items))
            most //= 2

    def _is_too_much(self, items: list[Item]) -> bool:
        return len(items) > self.limits.items or len(msgspec.json.encode(items)) + 100 > self.limits.body

    def _fitting(self, at: Position, extent: Extent, end: int, bound: int) -> tuple[int, int]:
        """Up to which byte of output, and of marks, where some count at `bound` at most: as many as a request takes, of
        which each may be two items more."""
        most = max(1, self.limits.items // 2 - REQUEST // PIECE - 2)
        found, _ = read_lines(self._spool.read_marks(at.marks, min(extent.marks, at.marks + MARKS)), Mark)
        where = at.marks
        is_last = extent.has_ended and bound >= extent.output  # what lies beyond the end counts there
        for count, (mark, size) in enumerate(found):
            if mark.at > bound and not is_last:
                return end, where
            if count == most:
                return min(end, max(mark.at, at.output)), where
            where += size
        if where < extent.marks and found:  # there are more, at or behind the last of these
            return min(end, max(found[-1][0].at, at.output)), where
        return end, where

    def _whole(self, start: int, end: int, extent: Extent) -> int:
        """The end before it that tears no character; and no line, where the output may be cut."""
        if end <= start or (extent.has_ended and end == extent.output):
            return max(start, end)
        tail = self._spool.read(max(start, end - SLACK), end)
        if end == self._head and b"\n" in tail:
            return end - len(tail) + tail.rfind(b"\n") + 1
        return end - unfinished(tail)

    def _tail(self, at: Position, extent: Extent) -> int:
        """Where the end begins that is sent: with a line, if it can."""
        room = max(0, min(TAIL, self.limits.bytes - NOTE - (at.output - at.cut)))
        start = extent.output - room
        text = self._spool.read(start, extent.output)
        line = text.find(b"\n", 0, room // 2)
        if line >= 0:
            return start + line + 1
        return start + next((n for n in range(min(3, room)) if text[n] & 0xC0 != 0x80), 0)

    def _marks(self, start: int, stop: int) -> list[Mark]:
        found, _ = read_lines(self._spool.read_marks(start, stop), Mark)
        return [mark for mark, _ in found]

    def _told(self, data: bytes, start: int, marks: list[Mark]) -> Iterator[Item]:
        at = 0
        progress: Item | None = None
        for mark in marks:
            if mark.progress is not None:
                said = {} if mark.message is None else {"message": mark.message}
                progress = {"progress": mark.progress, **said}
                continue
            place = min(max(mark.at - start, at), len(data))
            yield from _pieces(data[at:place])
            at = place
            if progress is not None:
                yield progress
                progress = None
            if mark.stage is not None:
                yield {"stage": mark.stage} | _time(mark)
            elif mark.end is not None:
                if mark.end.lost:
                    yield {"cut": {"bytes": mark.end.lost, "lines": 0}}  # no file has them
                yield {"end": {"exit": mark.end.exit, "signal": mark.end.signal}} | _time(mark)
        yield from _pieces(data[at:])
        if progress is not None:
            yield progress

    def _cut(self, size: int, lines: int) -> Item:
        return {"cut": {"bytes": size, "lines": lines, "file": str(self._spool.path / OUTPUT)}}


def _time(mark: Mark) -> Item:
    return {} if mark.after is None else {"at": mark.after}


def _pieces(data: bytes) -> Iterator[Item]:
    at = 0
    while at < len(data):
        end = min(at + PIECE, len(data))
        if end < len(data):
            end -= unfinished(data[at:end])
        piece = data[at:end]
        try:
            yield {"output": piece.decode()}
        except UnicodeDecodeError:
            yield {"output_base64": base64.b64encode(piece).decode()}
        at = end


def unfinished(data: bytes) -> int:
    """Bytes at its end that begin a character of UTF-8 which is not there whole (RFC 3629, 3)."""
    for count in range(1, min(3, len(data)) + 1):
        byte = data[-count]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return count if length > count else 0
        if byte < 0x80:
            return 0
    return 0
