"""What was sent under which numbers is known to whoever goes on, wherever the one before was killed."""

import errno
import os
from pathlib import Path

import pytest

from twinwire.running.journal import Journal, Position, Sent
from twinwire.running.spool import SENT, Extent

FIRST = Sent(1, 3, (0, 100), (0, 10))
CUT = Sent(4, 1, (100, 500), (10, 10), cut_lines=7)
LAST = Sent(5, 2, (500, 600), (10, 30))


def test_the_request_that_a_number_is_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.from_number(1) == (Position(), [])
    for sent in (FIRST, CUT, LAST):
        journal.append(sent)
    assert journal.from_number(1) == (Position(), [FIRST, CUT, LAST])
    assert journal.from_number(2) == (Position(), [FIRST, CUT, LAST]), "what is there is ignored"
    assert journal.from_number(4) == (Position(4, 100, 10), [CUT, LAST])
    assert journal.from_number(5) == (Position(5, 500, 10, 400), [LAST])
    assert journal.from_number(7) == (Position(7, 600, 30, 400), [])
    with pytest.raises(ValueError, match="8"):
        journal.from_number(8)


def test_what_was_refused_and_planned_anew_does_not_count(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    other = Sent(4, 2, (100, 150), (10, 10))
    for sent in (FIRST, CUT, LAST, other):
        journal.append(sent)
    assert journal.read() == [FIRST, other]


def test_what_is_about_more_than_there_is_does_not_count(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.trim(Extent(0, 0, False))
    for sent in (FIRST, CUT, LAST):
        journal.append(sent)
    for extent, kept in (
        (Extent(600, 30, True), [FIRST, CUT, LAST]),
        (Extent(599, 30, True), [FIRST, CUT]),
        (Extent(600, 9, False), []),
    ):
        journal.trim(extent)
        assert journal.read() == kept
    journal.append(FIRST)
    assert journal.read() == [FIRST]


def test_a_disk_that_is_full_in_mid_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.append(FIRST)
    before = (tmp_path / SENT).read_bytes()
    write, room = os.write, [5]

    def write_some(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: room.pop()])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_some)
        with pytest.raises(OSError, match="No space"):
            journal.append(CUT)
    assert (tmp_path / SENT).read_bytes() == before


def test_a_kill_at_any_byte(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for sent in (FIRST, CUT):
        journal.append(sent)
    text = (tmp_path / SENT).read_bytes()
    for size in range(len(text) + 1):
        (tmp_path / SENT).write_bytes(text[:size])
        assert journal.read() == [FIRST, CUT][: text[:size].count(b"\n")]
        journal.append(LAST)
        assert journal.read()[-1] == LAST
