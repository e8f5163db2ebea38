"""What is sent under which numbers, noted before it is sent.

The service numbers what it takes, and ignores what it has. Who sends again, after a lost answer or as another process,
has to say the same under the same numbers: so each request is a line here first, as parts of the run's files, and what
it says follows from those alone. Where several lines are about a number, the last counts: those before it were
refused, and nothing of them was taken.

A power cut may have taken the end of any file. Lines about what is not there any more are taken out (`trim`), before
anything is put in its place; so it may be that the service has numbers that are not known here.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from twinwire.running.spool import SENT, Extent, opened, put_file, put_lines, whole_lines


class Position(NamedTuple):
    """What comes next: its number, where in the output, where in the marks' file; and bytes that were left out."""

    number: int = 1
    output: int = 0
    marks: int = 0
    cut: int = 0


class Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request: `count` items from number `first` on. They are the output and the marks from byte to byte; or that
    the output is left out, with so many `cut_lines`; or that the command lives."""

    first: int
    count: int
    output: tuple[int, int]
    marks: tuple[int, int]
    cut_lines: int | None = None
    is_alive: bool = False

    def after(self, before: Position) -> Position:
        start, stop = self.output
        cut = before.cut + (0 if self.cut_lines is None else stop - start)
        return Position(self.first + self.count, stop, self.marks[1], cut)


class Journal:
    """Of a run whose lock we hold."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._path: Final = folder / SENT

    def append(self, sent: Sent) -> None:
        """Raises OSError: then it must not be sent."""
        line = msgspec.json.encode(sent) + b"\n"
        descriptor = opened(self._path)
        try:
            put_lines(descriptor, os.fstat(descriptor).st_size, line)
        finally:
            os.close(descriptor)

    def trim(self, extent: Extent) -> None:
        """To what is about these parts of the files. Raises OSError."""
        if not self._path.exists():
            return
        lines, _ = whole_lines(self._path, Sent)
        kept = [one for one in lines if one.output[1] <= extent.output and one.marks[1] <= extent.marks]
        if len(kept) < len(lines):
            put_file(self._path, b"".join(msgspec.json.encode(one) + b"\n" for one in kept))

    def read(self) -> list[Sent]:
        """Those that count, in their order; a line that was not finished is cut off."""
        if not self._path.exists():
            return []
        found: list[Sent] = []
        for line in whole_lines(self._path, Sent)[0]:
            while found and found[-1].first >= line.first:
                found.pop()
            found.append(line)
        return found

    def from_number(self, number: int) -> tuple[Position, list[Sent]]:
        """What was noted from the request on that has this number in it, and where that begins. Raises ValueError where
        the number is beyond what was noted."""
        at = Position()
        noted = self.read()
        for index, sent in enumerate(noted):
            if number < sent.first + sent.count:
                return at, noted[index:]
            at = sent.after(at)
        if number != at.number:
            raise ValueError(f"number {number} is not known here")
        return at, []
