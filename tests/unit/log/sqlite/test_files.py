"""Files are known by what they are: whatever happens to their names is seen."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StorageError
from service.log.sqlite.database import checkpoint, connect_writer
from service.log.sqlite.files import SUFFIXES, DatabaseFiles, real_path


@pytest.fixture
def files(tmp_path: Path) -> DatabaseFiles:
    folder = tmp_path / "data"
    folder.mkdir()
    for suffix in SUFFIXES:
        (folder / f"test.db{suffix}").write_bytes(b"a" * 10)
    found = DatabaseFiles(folder / "test.db")
    found.learn()
    return found


def _replace(path: Path) -> None:
    other = path.with_name("copy")
    shutil.copy(path, other)
    other.replace(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "happens",
    [
        Path.unlink,
        lambda path: path.rename(path.with_name("away")),
        lambda path: path.parent.rename(path.parent.with_name("away")),
        _replace,
        lambda path: (path.unlink(), path.symlink_to(path.parent)),
    ],
)
def test_what_happens_to_a_name_is_seen(files: DatabaseFiles, suffix: str, happens: Callable[[Path], object]) -> None:
    assert files.changed() is None
    happens(Path(f"{files.path}{suffix}"))
    found = files.changed() or ""
    assert "was moved or deleted or replaced while it was in use" in found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_fault_has_the_same_words_whatever_comes_there_later(files: DatabaseFiles, suffix: str) -> None:
    """A file that somebody else made in its place was told as a second fault, in a second line of the log."""
    path, other = Path(f"{files.path}{suffix}"), files.path.with_name("other")
    other.write_bytes(b"")  # before the first is gone: or it might be given the same inode
    path.unlink()
    told = files.changed()
    other.rename(path)
    assert told is not None
    assert files.changed() == told


def test_a_name_that_leads_back_is_as_good_as_before(files: DatabaseFiles) -> None:
    away = files.path.with_name("away")
    files.path.rename(away)
    assert files.changed()
    away.rename(files.path)
    assert files.changed() is None


def test_what_was_not_there_is_not_missed(tmp_path: Path) -> None:
    files = DatabaseFiles(tmp_path / "test.db")
    files.learn()
    assert files.changed() is None
    assert files.journal_bytes == 0


def test_the_journal_is_counted_beside_the_real_file(files: DatabaseFiles, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(files.path)
    assert DatabaseFiles(real_path(link)).journal_bytes == 10


def test_links_in_a_circle_and_folders_are_explained(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with contextlib.suppress(StorageError):  # newer Pythons leave it to whoever opens the path
        assert real_path(one).name in ("one", "other")
    with pytest.raises(StorageError, match="is a folder"):
        real_path(tmp_path)


@pytest.fixture
def used(tmp_path: Path) -> Iterator[tuple[DatabaseFiles, Any]]:
    """A database in use, whose writer is handed out beside its files."""
    writer = connect_writer(tmp_path / "used.db")
    writer.execute("CREATE TABLE t (data)")
    found = DatabaseFiles(tmp_path / "used.db")
    found.learn()
    yield found, writer
    writer.close()
    found.close()


def _foreign(path: Path, *statements: str) -> None:
    """What another program does."""
    program = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    program += "".join(f"c.execute({statement!r}).fetchall()\n" for statement in statements)
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=30)


def test_checkpoints_write_to_the_database_whoevers_they_are(used: tuple[DatabaseFiles, Any]) -> None:
    files, writer = used
    for n in range(6):
        for _ in range(3):
            writer.execute("INSERT INTO t VALUES (randomblob(10000))")
            assert files.changed() is None
        if n % 2:
            assert checkpoint(writer, cut=n != 3)
        else:
            _foreign(
                files.path, ("PRAGMA wal_checkpoint(PASSIVE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")[n // 2]
            )
        assert files.changed() is None
    _foreign(files.path, "VACUUM", "CREATE TABLE other (a)", "ANALYZE", "PRAGMA wal_checkpoint(RESTART)")
    assert files.changed() is None


@pytest.mark.parametrize("is_moved", [True, False], ids=["the journal was moved", "the journal holds something"])
def test_a_database_that_is_written_over_in_its_place_is_one_no_more(
    used: tuple[DatabaseFiles, Any], is_moved: bool
) -> None:
    """`cp` leaves the inode as it is: what came after the copy was acknowledged, and gone."""
    files, writer = used
    writer.execute("INSERT INTO t VALUES (randomblob(10000))")
    if is_moved:
        checkpoint(writer)
    assert files.changed() is None
    older = files.path.read_bytes()
    writer.execute("INSERT INTO t VALUES (randomblob(10000))")
    assert files.changed() is None
    files.path.write_bytes(older)
    told = files.changed() or ""
    assert "was written over by another program while it was in use" in told
    checkpoint(writer)
    assert (files.changed(), files.is_overwritten) == (told, True), "what SQLite does next makes it no better"


def test_how_much_of_the_journal_counts_is_told_beside_its_size(used: tuple[DatabaseFiles, Any]) -> None:
    """Its file is not cut by each checkpoint, so its size tells no more when the next is due."""
    files, writer = used
    for _ in range(20):
        writer.execute("INSERT INTO t VALUES (randomblob(10000))")
    size = files.journal_bytes
    assert files.journal_used == size - 32  # the file's own header
    assert checkpoint(writer, cut=False)
    assert (files.journal_used, files.journal_bytes) == (size - 32, size), "until it is known to be of no use"
    files.begins_anew()
    assert (files.journal_used, files.journal_bytes) == (0, size)
    writer.execute("INSERT INTO t VALUES (randomblob(10000))")
    assert 10_000 < files.journal_used < 30_000
    assert files.journal_bytes == size
    assert checkpoint(writer)
    assert files.journal_used == files.journal_bytes == 0


def test_a_journal_of_which_nothing_is_known_counts_as_a_whole(files: DatabaseFiles) -> None:
    assert files.journal_used == files.journal_bytes == 10
