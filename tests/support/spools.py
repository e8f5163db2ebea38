"""Runs on disk for the tests of what sends them."""

from pathlib import Path

import msgspec

from twinwire.running.spool import Mark, Spool, about, read_lines


def new_spool(folder: Path, *, project: str = "tests", url: str = "http://127.0.0.1:9") -> Spool:
    """A run that has just begun."""
    return Spool.new(folder, about(project, url, "make test", "host"))


def marks_of(spool: Spool) -> list[Mark]:
    """All of them, as a sender reads them, but for when they were."""
    found = read_lines(spool.read_marks(0, spool.extent.marks), Mark)[0]
    return [msgspec.structs.replace(mark, after=None) for mark, _ in found]
