"""The database's files, known by what they are and not by what they are called.

SQLite opens them by name, once. One that is moved, deleted or replaced afterwards goes on being written, and whoever
opens the name next finds something else: what was acknowledged meanwhile is gone. And the write-ahead log lies beside
the name under which a database was opened, so a database with two names has two of them, and each undoes the other.

Rule 1: everybody opens the real path; a symbolic link is followed once, before anything else (`real_path`).
Rule 2: a database with several names (hard links) is not opened (`lock.py`).
Rule 3: before each commit, and before it is acknowledged, the names still lead to the files that are open.
"""

import os
from pathlib import Path
from typing import Final

from service.core.errors import StorageError

SUFFIXES: Final = ("", "-wal", "-shm")
"""Of the files that SQLite has open while it writes: the database, what is yet to move into it, and who uses both."""

Identity = tuple[int, int]
"""Device and inode."""


def real_path(database: Path) -> Path:
    """The path of the file itself. Raises StorageError for links that lead in a circle, and for folders."""
    try:
        path = database.resolve()
        is_folder = path.is_dir()
    except (OSError, RuntimeError) as error:
        raise StorageError(f"the database {database} can't be opened: {error}") from error
    if is_folder:
        raise StorageError(f"the database {database} is a folder")
    return path


class DatabaseFiles:
    """Those of one database, at its real path. `learn` once they are all there: after the first write."""

    __slots__ = ("_known", "_names", "path")

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._names: Final = tuple(f"{path}{suffix}" for suffix in SUFFIXES)
        self._known: tuple[Identity | None, ...] = ()
        """By name; nothing before `learn`."""

    def learn(self) -> None:
        """Remember which files these are."""
        self._known = tuple(_identity(name) for name in self._names)

    def changed(self) -> str | None:
        """What is wrong with the first whose name leads elsewhere now; None if they are in place. Some microseconds.

        Told in the same words though something else is found there later: whoever opens a database without its journal
        makes one, and the log would have a second line of the same fault.
        """
        for name, known in zip(self._names, self._known, strict=False):
            if known is not None and _identity(name) != known:
                return f"the file {name} was moved or deleted or replaced while it was in use"
        return None

    @property
    def journal_bytes(self) -> int:
        """The size of the write-ahead log."""
        try:
            return os.stat(self._names[1]).st_size  # noqa: PTH116 - a path object costs as much again
        except OSError:
            return 0


def _identity(name: str) -> Identity | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - likewise
    except OSError:
        return None
    return found.st_dev, found.st_ino
