"""The lock file: one server a database, however the one before ended."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StorageError
from service.log.sqlite.lock import FileLock


def test_a_lock_keeps_a_second_server_off(tmp_path: Path) -> None:
    database = tmp_path / "test.db"
    with FileLock(database), pytest.raises(StorageError, match="another Twinwire holds"):
        FileLock(database).acquire()
    with FileLock(database) as again:
        assert again.path == tmp_path / "test.db.lock"


def test_releasing_is_idempotent(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "test.db")
    lock.release()
    lock.acquire()
    lock.release()
    lock.release()
    FileLock(tmp_path / "test.db").acquire()


def _hold(database: Path, ready: Any) -> None:
    FileLock(database).acquire()
    ready.send(True)
    ready.recv()


def test_the_kernel_releases_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    holder = context.Process(target=_hold, args=(tmp_path / "test.db", there))
    holder.start()
    try:
        assert here.recv()
        with pytest.raises(StorageError, match="locked"):
            FileLock(tmp_path / "test.db").acquire()
    finally:
        holder.kill()
        holder.join()
    with FileLock(tmp_path / "test.db"):
        pass


def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written"):
        FileLock(tmp_path / "nowhere" / "test.db").acquire()


def test_another_name_of_the_same_file_is_locked_too(tmp_path: Path) -> None:
    """A symbolic link is followed by whoever opens; one that was not is found out all the same."""
    database, link = tmp_path / "test.db", tmp_path / "link.db"
    with FileLock(database):
        link.symlink_to(database)
        with pytest.raises(StorageError, match="another Twinwire holds"):
            FileLock(link).acquire()


def test_a_database_with_two_names_is_refused_and_left_unlocked(tmp_path: Path) -> None:
    database, other = tmp_path / "test.db", tmp_path / "other.db"
    database.touch()
    other.hardlink_to(database)
    for path in (database, other):
        with pytest.raises(StorageError, match="2 names"):
            FileLock(path).acquire()
    other.unlink()
    with FileLock(database):
        pass


def test_a_database_that_can_not_be_opened_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"can't be opened: .*: Is a directory"):
        FileLock(tmp_path).acquire()
