"""The lines of a log, for pages: put together from its pieces, and looked through.

A line of output may lie in several pieces, and may be as long as the log. So it is decoded as its parts come, of which
the first characters are kept to be shown; what is searched for is found where two parts meet, too, and as people see
it: without what is for a terminal, such as colours. A line that an agent logged is a piece, and one line whatever it
holds.

One piece, of 64 KiB at most, is a step, and so are a hundred lines of an answer: others of the event loop come in
between two.
"""

import asyncio
import codecs
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from service.apps.projects.models import Level
from service.apps.projects.runs.applying import CUT
from service.apps.projects.runs.limits import LINE_SHOWN, LINES_CHARACTERS
from service.apps.projects.runs.models import Line, Lines
from service.apps.projects.runs.reading import Kept, Piece, Reading
from service.apps.projects.texts import cut
from service.core.time import rfc3339

STEP_LINES: Final = 100
"""Lines that are made in one step: some hundredths of a millisecond each."""

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
"""Sequences that a terminal does not show (ECMA-48): with parameters, with words, and short ones."""

_ESCAPE_MAX: Final = 64
"""Characters of a sequence that may lie where two parts of a line meet."""

_DECODER: Final = codecs.getincrementaldecoder("utf-8")


def seen(text: str) -> str:
    """As a terminal shows it, in lower case; of the same lines."""
    return (_ESCAPES.sub("", text) if "\x1b" in text else text).lower()


class Wanted(NamedTuple):
    """Lines behind the number `after`, `limit` at most; with `search` in them, whatever its case; of one stage."""

    after: int
    limit: int
    search: str | None = None
    stage: str | None = None


class _Line:
    """One that is being put together from its parts; `piece` is that in which it begins."""

    __slots__ = ("_decoder", "_end", "_needle", "_size", "_texts", "has_match", "level", "number", "piece")

    def __init__(self, number: int, piece: Piece, needle: str, level: Level | None = None) -> None:
        self.number = number
        self.piece = piece
        self.level = level
        self.has_match = not needle
        self._needle = needle
        self._end = ""
        self._decoder = _DECODER("replace")
        self._texts: list[str] = []
        self._size = 0

    def add(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        if self._size <= LINE_SHOWN:
            self._texts.append(text)
            self._size += len(text)
        if not self.has_match:
            looked_at = self._end + text
            self.has_match = self._needle in seen(looked_at)
            self._end = looked_at[-len(self._needle) - _ESCAPE_MAX :]

    def value(self, names: tuple[str, ...], *, is_agents: bool) -> Line:
        text, piece = "".join(self._texts), self.piece
        stage = names[piece.stage - 1] if piece.stage else None
        return Line(
            line=self.number,
            stage=stage,
            time=rfc3339(piece.time),
            level=self.level,
            agent=stage if is_agents else None,
            stream=piece.stream,
            text=cut(text, LINE_SHOWN),
        )


class Assembling:
    """Lines from pieces that come in order; a line is given out when it is known to have ended.

    Of a piece only those lines are looked at one by one that are asked for: it may have as many as it has bytes.
    """

    def __init__(self, needle: str = "", after: int = 0) -> None:
        """Lines with `needle` in them, which is in lower case, and a number above `after`."""
        self._needle = needle
        self._after = after
        self._open: _Line | None = None
        self.unfinished = False
        """After `close`: whether the last line has not ended yet."""

    def feed(self, piece: Piece) -> Iterator[_Line]:
        if piece.level is not None and piece.level != CUT:
            yield from self.close()
            line = _Line(piece.line, piece, self._needle, piece.level)  # type: ignore[arg-type]
            yield from self._ended(line, piece.data)
            return
        if not piece.joined:
            yield from self.close()
        *ended, rest = piece.data.split(b"\n")
        level: Level | None = "warning" if piece.level == CUT else None
        number = piece.line
        if self._open is not None and ended:
            line, self._open = self._open, None
            yield from self._ended(line, ended.pop(0))
            number += 1
        for place in self._asked_for(ended, number):
            yield from self._ended(_Line(number + place, piece, self._needle, level), ended[place])
        if rest:
            self._open = self._open or _Line(number + len(ended), piece, self._needle, level)
            self._open.add(rest)

    def close(self) -> Iterator[_Line]:
        """What is there of the last."""
        line, self._open = self._open, None
        self.unfinished = line is not None
        if line is not None:
            yield from self._ended(line, b"")

    def _ended(self, line: _Line, data: bytes) -> Iterator[_Line]:
        line.add(data, final=True)
        if line.has_match and line.number > self._after:
            yield line

    def _asked_for(self, lines: Sequence[bytes], number: int) -> Iterable[int]:
        """The places in `lines`, of which the first has this number, of those that are looked at."""
        first = max(0, self._after + 1 - number)
        if not self._needle:
            return range(first, len(lines))
        return _found(seen(b"\n".join(lines[first:]).decode("utf-8", "replace")), self._needle, first)


def _found(text: str, needle: str, first: int) -> Iterator[int]:
    """The numbers of the lines of `text` that have `needle` in them, of which the first is `first`. No line break is in
    `needle`."""
    number, counted, at = first, 0, text.find(needle)
    while at >= 0:
        number += text.count("\n", counted, at)
        yield number
        counted = at
        end = text.find("\n", at)
        at = text.find(needle, end + 1) if end >= 0 else -1


async def lines_of(reading: Reading, found: Kept, wanted: Wanted) -> Lines:
    """Raises NotFoundError for a stage that it has not, and if the run is removed meanwhile."""
    taken: list[Line] = []
    room = LINES_CHARACTERS
    is_agents = found.run.kind == "generation"
    assembling = Assembling((wanted.search or "").lower(), wanted.after)
    async for line in _matching(reading, found, wanted, assembling):
        if len(taken) % STEP_LINES == STEP_LINES - 1:
            await asyncio.sleep(0)
        value = line.value(found.names, is_agents=is_agents)
        room -= len(value.text)
        if len(taken) == wanted.limit or (taken and room < 0):
            more = True
            break
        taken.append(value)
    else:
        more = False
    last = max(found.run.lines, wanted.after) if not more else taken[-1].line
    unfinished = not more and assembling.unfinished
    return Lines(lines=tuple(taken), next=last, more=more, unfinished=unfinished, cursor=await reading.cursor(found))


async def _matching(reading: Reading, found: Kept, wanted: Wanted, assembling: Assembling) -> AsyncIterator[_Line]:
    begin = await reading.piece_of(found, wanted.after + 1) if wanted.after else 1
    async for step in reading.pieces(found, begin - 1, wanted.stage):
        for piece in step:
            for line in assembling.feed(piece):
                yield line
            await asyncio.sleep(0)
    for line in assembling.close():
        yield line
