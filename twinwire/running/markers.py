"""What a command says about itself in its output: lines `::progress 40 "compiling"` and `::stage build`, and the
terminal's own sequence for progress, OSC 9;4 (`ESC ] 9 ; 4 ; state ; percent BEL`, or `ESC \\` at its end).

They are found, and stay where they are: the text is part of the log. Each counts from where it ends. Output comes in
pieces, so what may be the beginning of one waits here, as a copy, until it is known; that is a line's first bytes, or a
sequence's, and never more than a kilobyte.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LINE_MAX: Final = 1_000
"""Bytes of a line that is looked at: a longer one is no marker."""

NAME_MAX: Final = 100
MESSAGE_MAX: Final = 200
"""Characters of what is said of a stage, or of progress; the rest is left out."""

_PROGRESS: Final = re.compile(rb"::progress[ \t]+(\d{1,3})(?:\.\d*)?%?(?:[ \t]+(.*))?\Z", re.DOTALL)
_STAGE: Final = re.compile(rb"::stage[ \t]+(.+)\Z", re.DOTALL)

_COLOUR: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
"""And the like (ECMA-48, 5.4)."""

_START: Final = b"\x1b]9;4;"
_SEQUENCE: Final = re.compile(rb"\x1b\]9;4;(\d)(?:;(\d{1,3})?)?(?:\x07|\x1b\\)")
_SEQUENCE_MAX: Final = 16
"""Bytes of a whole one at most."""

_SHOWN: Final = frozenset({b"1", b"2", b"4"})
"""States with a percentage: running, failed, paused. 0 takes the bar away, and 3 knows none."""


@dataclass(frozen=True, slots=True)
class Progress:
    """0 to 100."""

    percent: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    name: str


Found = tuple[int, Progress | Stage]
"""Where it ends in the piece that was looked at, and what it is."""


class Markers:
    """Of one stream of output."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._sequences = _Sequences()

    def feed(self, piece: bytes) -> list[Found]:
        """What ends in this piece, in its order."""
        found = [*self._lines.feed(piece), *self._sequences.feed(piece)]
        return sorted(found, key=lambda one: one[0])


class _Lines:
    def __init__(self) -> None:
        self._begun: bytes | None = b""
        """Of the line that is not at its end, as long as it may be a marker; else None."""

    def feed(self, piece: bytes) -> Iterator[Found]:
        end = piece.find(b"\n")
        if self._begun is not None:
            begun = self._begun + (piece[:LINE_MAX] if end < 0 else piece[:end])
            if end >= 0 and (found := _read(begun)):
                yield end + 1, found
            self._begun = begun if end < 0 and _may_be(begun) else None
        if end < 0:
            return
        at = piece.find(b"\n::", end)
        while at >= 0:
            stop = piece.find(b"\n", at + 1)
            if stop < 0:
                break
            if found := _read(piece[at + 1 : stop]):
                yield stop + 1, found
            at = piece.find(b"\n::", stop)
        last = piece[piece.rfind(b"\n") + 1 :]
        self._begun = last if _may_be(last) else None


def _may_be(line: bytes) -> bool:
    return len(line) <= LINE_MAX and line[:2] == b"::"[: len(line)]


def _read(line: bytes) -> Progress | Stage | None:
    if len(line) > LINE_MAX:
        return None
    line = line.rstrip()
    if (found := _PROGRESS.match(line)) and int(found[1]) <= 100:
        return Progress(int(found[1]), _said(found[2] or b"", MESSAGE_MAX) or None)
    if (found := _STAGE.match(line)) and (name := _said(found[1], NAME_MAX)):
        return Stage(name)
    return None


def _said(text: bytes, longest: int) -> str:
    """Without quotes around it, and without what steers a terminal."""
    said = _COLOUR.sub(b"", text).decode("utf-8", "replace").strip()
    if len(said) > 1 and said[0] == said[-1] and said[0] in "\"'":
        said = said[1:-1]
    return "".join(one for one in said if one.isprintable()).strip()[:longest].strip()


class _Sequences:
    def __init__(self) -> None:
        self._begun = b""
        """The end of what came, if it may be the beginning of one."""

    def feed(self, piece: bytes) -> Iterator[Found]:
        before = len(self._begun)
        text = self._begun + piece
        at = text.find(_START)
        while at >= 0:
            found = _SEQUENCE.match(text, at)
            if found and found[1] in _SHOWN and found[2] and int(found[2]) <= 100:
                yield found.end() - before, Progress(int(found[2]))
            at = text.find(_START, at + 1)
        self._begun = _unfinished(text[-_SEQUENCE_MAX:])


def _unfinished(end: bytes) -> bytes:
    at = end.rfind(b"\x1b")
    before = end.rfind(_START, 0, max(at, 0))
    if end[at:] == b"\x1b" and before >= 0 and not _SEQUENCE.match(end, before):  # of the `ESC \` at its end
        at = before
    if at < 0 or _SEQUENCE.match(end, at):
        return b""
    begun = end[at:]
    return begun if begun.startswith(_START) or _START.startswith(begun) else b""
