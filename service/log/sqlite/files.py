"""The database's files, known by what they are and not by what they are called.

SQLite opens them by name, once. One that is moved, deleted or replaced afterwards goes on being written, and whoever
opens the name next finds something else: what was acknowledged meanwhile is gone. And the write-ahead log lies beside
the name under which a database was opened, so a database with two names has two of them, and each undoes the other.

Rule 1: everybody opens the real path; a symbolic link is followed once, before anything else (`real_path`).
Rule 2: a database with several names (hard links) is not opened (`lock.py`).
Rule 3: before each commit, and before it is acknowledged, the names still lead to the files that are open.
Rule 4: and nobody has written over the database in its place, as `cp` does with an older copy. In WAL mode its file is
written by checkpoints alone, ours or another program's, and each of them counts in the `-shm` file, before its first
write and after its last. A file that was written while nothing was counted is no longer the database.
"""

import os
import struct
import threading
from pathlib import Path
from typing import Final

from service.core.errors import StorageError

SUFFIXES: Final = ("", "-wal", "-shm")
"""Of the files that SQLite has open while it writes: the database, what is yet to move into it, and who uses both."""

Identity = tuple[int, int]
"""Device and inode."""

Progress = tuple[bytes, bytes, bytes]
"""Of checkpoints: which journal it is (its salts), how much of it was moved, and how much was to be."""

_SHM: Final = 32
_SALTS: Final = slice(0, 8)
_MOVED: Final = slice(64, 68)
_TO_MOVE: Final = slice(96, 100)
"""Where they are in the `-shm` file, and in what is read of it (sqlite.org/walformat.html, 2.1 and 2.2)."""

_USED: Final = struct.Struct("=14xHI12x8s")
"""There too, from its beginning: bytes of a page, 1 for 64 KiB, frames of the journal that count, and its salts."""
_FRAME: Final = 24
"""Bytes of a frame beside its page."""


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

    __slots__ = (
        "_done",
        "_going",
        "_known",
        "_lock",
        "_names",
        "_progress",
        "_shm",
        "_written",
        "is_overwritten",
        "path",
    )

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._names: Final = tuple(f"{path}{suffix}" for suffix in SUFFIXES)
        self._known: tuple[Identity | None, ...] = ()
        """By name; nothing before `learn`."""
        self._lock = threading.Lock()
        """Looks are taken on the event loop and on the writer's thread."""
        self._shm: int | None = None
        """A descriptor: closing one ends SQLite's locks (POSIX), so it is kept until `close`."""
        self._written: tuple[int, int] | None = None
        self._progress: Progress | None = None
        """The database's size and time of writing, and the progress of checkpoints, at the last look."""
        self._going = False
        """Another program's checkpoint had begun by then, and had not ended."""
        self._done: tuple[bytes, int] | None = None
        """The journal's salts and frames when it was last moved so that the next commit begins it anew."""
        self.is_overwritten = False
        """Rule 4, once and for all: what is in the journal is of no use to what the file is now."""

    def learn(self) -> None:
        """Remember which files these are."""
        self._known = tuple(_identity(name) for name in self._names)
        if self._shm is None and self._known[2] is not None:
            self._shm = os.open(self._names[2], os.O_RDONLY | os.O_CLOEXEC)
        self._look(_stat(self._names[0]), _progress(self._shm))

    def close(self) -> None:
        """After SQLite has closed the database."""
        if self._shm is not None:
            os.close(self._shm)
            self._shm = None

    def changed(self) -> str | None:
        """What is wrong with the first whose name leads elsewhere now; None if they are in place. Some microseconds.

        Told in the same words though something else is found there later: whoever opens a database without its journal
        makes one, and the log would have a second line of the same fault.
        """
        with self._lock:
            if self.is_overwritten:
                return self._overwritten()
            before = _progress(self._shm)
            for name, known in zip(self._names, self._known, strict=False):
                if known is None:
                    continue
                found = _stat(name)
                if found is None or (found.st_dev, found.st_ino) != known:
                    return f"the file {name} was moved or deleted or replaced while it was in use"
                if name is self._names[0]:
                    self._look(found, before)
            return self._overwritten() if self.is_overwritten else None

    def _overwritten(self) -> str:
        return f"the file {self.path} was written over by another program while it was in use"

    def _look(self, database: os.stat_result | None, before: Progress | None) -> None:
        """Rule 4. What is seen while a checkpoint begins or ends tells nothing."""
        after = _progress(self._shm)
        if database is None or after is None or before != after:
            return
        written = database.st_size, database.st_mtime_ns
        if after != self._progress:
            self._going = self._progress is not None and after[1] != after[2]
        elif written != self._written and not self._going:
            self.is_overwritten = True
        self._written, self._progress = written, after

    @property
    def journal_bytes(self) -> int:
        """The size of the write-ahead log's file."""
        return _size(self._names[1])

    @property
    def journal_used(self) -> int:
        """Bytes of it that the next checkpoint has to look through: the file keeps its size, and is used again."""
        used = self._journal()
        if used is None:
            return self.journal_bytes
        salts, frames, page = used
        return 0 if (salts, frames) == self._done else frames * (page + _FRAME)

    def begins_anew(self) -> None:
        """After a checkpoint that was done, before anything else is written: nothing of the journal is needed."""
        used = self._journal()
        self._done = used and used[:2]

    def _journal(self) -> tuple[bytes, int, int] | None:
        """Its salts, frames and bytes of a page; None where it can't be told."""
        found = _pread(self._shm, _USED.size, 0)
        if found is None:
            return None
        page, frames, salts = _USED.unpack(found)
        return salts, frames, page if page > 1 else 65_536

    @property
    def database_bytes(self) -> int:
        """The size of the database without it."""
        return _size(self._names[0])


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size  # noqa: PTH116 - a path object costs as much again
    except OSError:
        return 0


def _stat(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)  # noqa: PTH116 - likewise
    except OSError:
        return None


def _identity(name: str) -> Identity | None:
    found = _stat(name)
    return None if found is None else (found.st_dev, found.st_ino)


def _progress(shm: int | None) -> Progress | None:
    """None where it can't be told."""
    found = _pread(shm, _TO_MOVE.stop, _SHM)
    return None if found is None else (found[_SALTS], found[_MOVED], found[_TO_MOVE])


def _pread(shm: int | None, size: int, at: int) -> bytes | None:
    """So many bytes from there; None if they are not to be had."""
    try:
        found = b"" if shm is None else os.pread(shm, size, at)
    except OSError:
        return None
    return found if len(found) == size else None
