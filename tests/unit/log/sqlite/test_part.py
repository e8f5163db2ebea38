"""A file comes into its place whole or not at all, and nothing that has another name is harmed."""

import errno
import os
import stat
from pathlib import Path

import pytest

from service.core.errors import StorageError
from service.log.sqlite import part as module
from service.log.sqlite.part import SUFFIX, Part


def part_of(target: Path) -> Path:
    return target.with_name(target.name + SUFFIX)


def write(part: Part, text: str = "new") -> None:
    part.path.write_text(text)


def test_it_is_there_once_it_is_put_there(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    with Part(target) as part:
        write(part)
        assert not target.exists()
        part.put_new()
        assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]
    assert target.stat().st_nlink == 1


def test_what_is_not_put_there_is_gone_with_what_lies_beside_it(tmp_path: Path) -> None:
    def fail(part: Part) -> None:
        write(part)
        for suffix in ("-wal", "-shm", "-journal", ".ballast"):
            part.path.with_name(part.path.name + suffix).touch()
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"), Part(tmp_path / "a.db") as part:
        fail(part)
    assert list(tmp_path.iterdir()) == []


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    with Part(target) as part:
        write(part)
        target.write_text("another's")
        with pytest.raises(StorageError, match=r"a\.db is there already"):
            part.put_new()
    assert target.read_text() == "another's"
    assert not part_of(target).exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_system_without_hard_links_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(module.os, "link", link)
    target = tmp_path / "a.db"
    with Part(target) as part:
        write(part)
        if is_there:
            target.write_text("another's")
            with pytest.raises(StorageError, match="there already"):
                part.put_new()
        else:
            part.put_new()
    assert target.read_text() == ("another's" if is_there else "new")
    assert not part_of(target).exists()


def test_put_over_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    target.write_text("old")
    with Part(target) as part:
        write(part)
        part.put_over()
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_what_a_killed_run_has_left_is_taken_away(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    left = part_of(target)
    left.write_text("half of it")
    journal = left.with_name(left.name + "-wal")
    journal.write_text("a journal of it, which SQLite would take for that of the next")
    with Part(target) as part:
        assert part.path == left
        assert left.read_bytes() == b""
        assert not journal.exists()


def test_what_was_put_there_is_not_emptied_by_the_next_run(tmp_path: Path) -> None:
    """Killed between its two names: the file is moved away by its owner, and the part is still another name of it."""
    target = tmp_path / "a.db"
    with Part(target) as part:
        write(part, "the backup")
        part.put_new()
    target.rename(tmp_path / "kept.db")
    part_of(target).hardlink_to(tmp_path / "kept.db")
    with Part(target) as part:
        write(part, "the next one")
        part.put_new()
    assert (tmp_path / "kept.db").read_text() == "the backup"


def test_what_another_run_writes_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    with Part(target) as part:
        write(part)
        with pytest.raises(StorageError, match="written by another run"), Part(target):
            pass
        assert part.path.read_text() == "new"
        part.put_new()


def test_it_leads_nowhere_else(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("another's")
    part_of(tmp_path / "a.db").symlink_to(other)
    with pytest.raises(StorageError, match="can't be written"), Part(tmp_path / "a.db"):
        pass
    assert other.read_text() == "another's"
    with pytest.raises(StorageError, match="can't be written"), Part(tmp_path / "nowhere" / "a.db"):
        pass


def test_it_is_nobody_elses_until_it_is_said_whose(tmp_path: Path) -> None:
    like = tmp_path / "like"
    like.touch()
    like.chmod(0o640)
    with Part(tmp_path / "a.db") as part:
        assert stat.S_IMODE(part.path.stat().st_mode) == 0o600
        part.be_as(like.stat())
        assert stat.S_IMODE(part.path.stat().st_mode) == 0o640


def test_it_is_synced_by_what_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(module.os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with Part(tmp_path / "a.db") as part:
        part.sync(10)
        part.path.write_bytes(bytes(9))
        part.sync(10)
        assert synced == []
        part.path.write_bytes(bytes(10))
        part.sync(10)
        part.sync(10)
        assert synced == [10]


def test_no_room_is_told_from_other_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Part(tmp_path / "a.db") as part:
        assert not part.has_no_room()
        for number, is_full in ((errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EFBIG, True), (errno.EIO, False)):

            def fail(*_: object, number: int = number) -> int:
                raise OSError(number, "as told")

            with monkeypatch.context() as patch:
                patch.setattr(module.os, "pwrite", fail)
                assert part.has_no_room() is is_full
