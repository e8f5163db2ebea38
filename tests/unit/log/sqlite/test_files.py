"""Files are known by what they are: whatever happens to their names is seen."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.core.errors import StorageError
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
