"""One server a database, whatever it is called: a lock on the file beside it, and one on the file itself.

The first has a name that operators see; the second holds where another name leads to the same file. Neither is of the
kind that SQLite takes (POSIX record locks, which end when a process closes any of its descriptors of the file): the
descriptor of the database stays open for as long as SQLite has it.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from service.core.errors import LockedError, StorageError


class FileLock:
    """Keeps a second server off the same database, which is at its real path.

    The kernel releases it when the process ends, however it ends.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self.path = database.with_name(database.name + ".lock")
        self._held: list[int] = []
        """Descriptors."""

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Raises LockedError if another process holds it, StorageError if a file can't be opened, or the database has
        two names."""
        try:
            self._take(self.path, "the database's folder can't be written")
            self._check_names(self._take(self._database, "the database can't be opened"))
        except BaseException:
            self.release()
            raise

    def is_taken(self) -> bool:
        """Whether a server has the database now. Raises StorageError for what else `acquire` would; makes nothing."""
        for path in (self.path, self._database):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StorageError(f"{path} can't be opened: {error.strerror or error}") from error
            try:
                if path == self._database:
                    self._check_names(descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
        return False

    def _check_names(self, database: int) -> None:
        names = os.fstat(database).st_nlink
        if names > 1:
            raise StorageError(
                f"the database {self._database} has {names} names (hard links), and what is not yet in it lies"
                " beside one of them: remove the others, or copy the file"
            )

    def _take(self, path: Path, failed: str) -> int:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"{failed}: {path}: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise LockedError(f"the database is locked: another Twinwire holds {path}") from error
        self._held.append(descriptor)
        return descriptor

    def release(self) -> None:
        """Idempotent. After SQLite has closed the database."""
        while self._held:
            os.close(self._held.pop())
