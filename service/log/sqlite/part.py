"""A file that comes into its place whole or not at all: written beside it, synced, and renamed.

Rule 1: whoever is killed leaves `NAME.twinwire-part`, which has another name than what it was to be, and the next run
takes it away.
Rule 2: a part that somebody writes is locked, and left alone.
Rule 3: nothing is cut or written over that has another name too: a part that was left is unlinked, never emptied. It
may be the file itself, which a run has put in place and was killed before it took the part's name away.
Rule 4: the folder is synced after its names have changed, and before anything relies on it.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final

from service.core.errors import StorageError, StorageFullError
from service.log.sqlite.database import NO_ROOM

SUFFIX: Final = ".twinwire-part"
_BESIDE: Final = ("-wal", "-shm", "-journal", ".ballast")
"""What whoever opens a database may leave there."""

_PROBE_BYTES: Final = 64 << 10
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that has no hard links."""


class Part:
    """In a `with`; what was not put in place is gone at its end. Raises StorageError."""

    def __init__(self, target: Path) -> None:
        self.target: Final = target
        self.path: Final = target.with_name(target.name + SUFFIX)
        self._descriptor = -1
        self._synced = 0
        """Bytes of it that are on disk, as far as was asked for."""

    def __enter__(self) -> "Part":
        try:
            self._take_away()
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self.path, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._close()
            raise StorageError(f"{self.path} can't be written: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop_beside()
        if self._is_ours():
            self.path.unlink(missing_ok=True)
        self._close()

    def _take_away(self) -> None:
        """What a run has left that was killed. Raises StorageError if it goes on, OSError."""
        try:
            left = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.drop_beside()
            self.path.unlink(missing_ok=True)
        except BlockingIOError as error:
            raise StorageError(f"{self.path} is being written by another run") from error
        finally:
            os.close(left)

    def _is_ours(self) -> bool:
        """Whether the name still leads to what was opened."""
        try:
            found, opened = self.path.lstat(), os.fstat(self._descriptor)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def drop_beside(self) -> None:
        """What lies beside it, once SQLite has closed it."""
        for suffix in _BESIDE:
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def sync(self, step: int = 0) -> None:
        """Have it on disk, if it has grown by `step` bytes since the last time."""
        size = os.fstat(self._descriptor).st_size
        if size - self._synced >= step:
            os.fdatasync(self._descriptor)
            self._synced = size

    def has_no_room(self) -> bool:
        """Whether it can't grow: SQLite does not say so of a quota, or of a limit of a file's size."""
        try:
            end = os.fstat(self._descriptor).st_size
            return os.pwrite(self._descriptor, bytes(_PROBE_BYTES), end) < _PROBE_BYTES
        except OSError as error:
            return error.errno in NO_ROOM

    def be_as(self, like: os.stat_result) -> None:
        """Readable for whom that is; owned by its owner too, if this is the one who may say so."""
        os.fchmod(self._descriptor, like.st_mode & 0o666)
        if os.geteuid() == 0:
            os.fchown(self._descriptor, like.st_uid, like.st_gid)

    def put_new(self) -> None:
        """Into its place, in which there is nothing. Raises StorageError if there is by now."""
        self._sync_whole()
        try:
            try:
                os.link(self.path, self.target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if os.path.lexists(self.target):
                    raise FileExistsError from error
                self.path.rename(self.target)
            self.path.unlink(missing_ok=True)
        except FileExistsError as error:
            raise exists(self.target) from error
        except OSError as error:
            raise StorageError(f"{self.target} can't be written: {error.strerror or error}") from error
        sync_folder(self.target.parent)

    def put_over(self) -> None:
        """Into its place, whatever is there."""
        self._sync_whole()
        try:
            self.path.replace(self.target)
        except OSError as error:
            raise StorageError(f"{self.target} can't be written: {error.strerror or error}") from error
        sync_folder(self.target.parent)

    def _sync_whole(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            kind = StorageFullError if error.errno in NO_ROOM else StorageError
            raise kind(f"{self.path} can't be written: {error.strerror or error}") from error


def exists(path: Path) -> StorageError:
    return StorageError(f"{path} is there already")


def sync_folder(folder: Path) -> None:
    """Have its names on disk, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
