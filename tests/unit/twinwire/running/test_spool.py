"""A run's files: who may read them, what a kill leaves, and what can't be kept."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from tests.support.spools import marks_of, new_spool
from twinwire.running import spool as module
from twinwire.running.locking import HeldError
from twinwire.running.markers import Progress, Stage
from twinwire.running.spool import ABOUT, MARKS, OUTPUT, End, Mark, Spool


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        spool = new_spool(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.path.iterdir()} == {0o600}
    with pytest.raises(HeldError):
        Spool(spool.path)
    spool.close()
    again = Spool(spool.path)
    assert again.about == spool.about
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_is_worth_a_line(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    told: list[str] = []
    spool.notify = lambda: told.append("more")
    spool.append(b"0123456789", [(2, Progress(1)), (4, Progress(2, "b")), (6, Stage("one")), (8, Progress(3))])
    spool.append(b"abc", [(1, Progress(3)), (2, Progress(4))])
    spool.finish(End(0))
    assert marks_of(spool) == [
        Mark(4, progress=2, message="b"),
        Mark(6, stage="one"),
        Mark(8, progress=3),
        Mark(12, progress=4),
        Mark(13, end=End(0)),
    ]
    assert spool.read(1, 12) == b"123456789ab"
    assert spool.extent == (13, (spool.path / MARKS).stat().st_size, True)
    assert len(told) == 3


def test_when_stages_and_the_end_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "_clock", lambda: now[0])
    spool = new_spool(tmp_path)
    now[0] += 2.5
    spool.append(b"x", [(0, Stage("one")), (1, Progress(5))])
    after = spool.elapsed
    now[0] += 60  # in which what it has started is waited for
    spool.finish(End(0), after)
    found, _ = module.read_lines((spool.path / MARKS).read_bytes(), Mark)
    assert [mark.after for mark, _ in found] == [2.5, None, 2.5]


def test_stages_have_a_bound(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append(b"x", [(0, Stage(f"s{n}")) for n in range(module.STAGES_MAX + 10)])
    assert len(marks_of(spool)) == module.STAGES_MAX


def test_a_kill_at_any_byte_leaves_what_can_be_read(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append(b"one\n", [(4, Stage("a"))])
    spool.append(b"two\n", [(4, Progress(50, "b\u00e4"))])
    marks = marks_of(spool)
    spool.close()
    text = (spool.path / MARKS).read_bytes()
    for size in range(len(text) + 1):
        (spool.path / MARKS).write_bytes(text[:size])
        again = Spool(spool.path)
        assert marks_of(again) == marks[: text[:size].count(b"\n")]
        assert not again.extent.has_ended
        again.finish(End())
        assert marks_of(again)[-1] == Mark(8, end=End())
        again.close()
    ended = Spool(spool.path)
    assert ended.extent.has_ended


@pytest.mark.parametrize("written", [b"", b"{", b"[]"])
def test_what_was_not_begun_is_no_run(tmp_path: Path, written: bytes) -> None:
    (tmp_path / ABOUT).write_bytes(written)
    with pytest.raises(msgspec.DecodeError):
        Spool(tmp_path)
    (tmp_path / ABOUT).unlink()
    for _ in range(2):  # the lock is given back
        with pytest.raises(FileNotFoundError):
            Spool(tmp_path)


def test_what_can_not_be_kept_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 10)
    spool = new_spool(tmp_path)
    spool.append(b"0123456789")
    monkeypatch.setattr(module, "FREE_MIN", 1 << 60)
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage)
    spool.append(b"abc", [(1, Stage("lost"))])
    assert spool.trouble == "the disk is almost full"
    spool.append(b"de")
    spool.finish(End(1))
    assert (spool.path / OUTPUT).read_bytes() == b"0123456789"
    assert marks_of(spool) == [Mark(10, end=End(1, lost=5))]


class _Usage:
    free, total = 100, 1 << 40


def test_what_a_power_cut_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, synced = new_spool(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda one: synced.append(Path(f"/proc/self/fd/{one}").readlink()))
    spool.sync()
    names = {ABOUT, OUTPUT, MARKS}  # what there is by now
    assert set(synced) == {spool.path / name for name in names} | {spool.path, tmp_path}
    spool.remove()
    spool.sync()


def test_keys_sort_by_time_and_are_printable() -> None:
    found = module.about("p", "http://x", "make", None)
    assert msgspec.json.decode(msgspec.json.encode(found), type=module.About) == found
    assert len(found.key) <= 64
    assert found.key.isprintable()
    assert found.key[:15] <= module.about("p", "http://x", "make", None).key


def test_lines_are_counted_over_blocks(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    spool.append(b"a\n" * 1_000_000)
    assert spool.lines(1, 2_000_000) == 1_000_000
    assert spool.lines(2, 3) == 0
    spool.remove(keep_output=True)
    assert [path.name for path in spool.path.iterdir()] == [OUTPUT]
