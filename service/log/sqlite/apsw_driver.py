"""What this package uses of the DB-API, on `apsw`, in its words: a fixed SQLite where `pysqlite3` has no wheel.

apsw tells SQLite's interface as it is: it commits by itself unless a transaction was begun, runs several statements of
one text, and raises an exception for each of SQLite's codes. So `isolation_level` must be None, which is how this
package connects; a second statement is refused, as the standard library's module does, for a migration that has two on
a line; and exceptions become the DB-API's three, which carry SQLite's code.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, Self

import apsw
import apsw.ext

from service.log.sqlite.comments import has_statement

sqlite_version: Final[str] = apsw.sqlite_lib_version()
sqlite_version_info: Final = tuple(int(part) for part in sqlite_version.split("."))
complete_statement = apsw.complete

_BUSY_PAUSE: Final = 0.25
"""Seconds between two tries of a copy whose file is locked, as the standard library's module has it."""


class Warning(Exception):  # noqa: N818 (PEP 249's name)
    """More than one statement in a text."""


class Error(Exception):
    """PEP 249's. `sqlite_errorcode` is SQLite's extended code, and missing where the error is not SQLite's."""

    sqlite_errorcode: int


class DatabaseError(Error):
    """The file is no database, or is damaged."""


class OperationalError(DatabaseError):
    """All else, as a lock, a full disk, or a mistake in a statement."""


class IntegrityError(DatabaseError):
    """A constraint that does not hold."""


class ProgrammingError(DatabaseError):
    """A parameter that is missing, or a connection that is closed or used by two threads at once."""


_KINDS: Final[Mapping[type[apsw.Error], type[DatabaseError]]] = {
    apsw.ConstraintError: IntegrityError,
    apsw.CorruptError: DatabaseError,
    apsw.NotADBError: DatabaseError,
    apsw.ConnectionClosedError: ProgrammingError,
    apsw.CursorClosedError: ProgrammingError,
    apsw.ThreadingViolationError: ProgrammingError,
}


_RAISED: Final = (apsw.Error, UnicodeDecodeError)
"""The second of text that is none, as in a file that is damaged."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _RAISED as error:
        raise _translation(error) from error


def _translation(error: Exception) -> DatabaseError:
    if isinstance(error, UnicodeDecodeError):
        return OperationalError("Could not decode to UTF-8 column")
    kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), OperationalError)
    found = kind(str(error))
    code = getattr(error, "extendedresult", None)
    if code is not None:
        found.sqlite_errorcode = code
    return found


class Cursor:
    """The rows of one statement, which were begun to be read; or none."""

    def __init__(self, cursor: apsw.Cursor) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Any]:
        try:
            for row in self._cursor:  # noqa: UP028 (it would close the cursor when whoever reads has enough)
                yield row
        except _RAISED as error:
            raise _translation(error) from error

    def fetchone(self) -> Any:
        try:
            return self._cursor.fetchone()
        except _RAISED as error:
            raise _translation(error) from error

    def fetchmany(self, size: int = 1, /) -> list[Any]:
        return list(islice(self, size))

    def fetchall(self) -> list[Any]:
        try:
            return self._cursor.fetchall()
        except _RAISED as error:
            raise _translation(error) from error

    def close(self) -> None:
        with _translated():
            self._cursor.close()


class Connection:
    """Of one file, for one thread at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def create_function(self, name: str, narg: int, function: Callable[..., Any], /) -> None:
        self._connection.create_scalar_function(name, function, narg)

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Cursor:
        """Raises Warning if there is a second statement."""
        try:
            if ";" in sql and has_statement(apsw.ext.query_info(self._connection, sql).query_remaining or ""):
                raise Warning("You can only execute one statement at a time.")
            return Cursor(self._connection.execute(sql, parameters or None))
        except KeyError as error:
            raise ProgrammingError(f"You did not supply a value for binding {error}.") from error
        except _RAISED as error:
            raise _translation(error) from error

    def commit(self) -> None:
        """Of a transaction, if one was begun."""
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Of a transaction, if one was begun."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def set_progress_handler(self, handler: Callable[[], bool] | None, n: int) -> None:
        """The handler is asked after each `n` steps, and ends the statement by True: OperationalError."""
        self._connection.set_progress_handler(handler, n)

    def backup(self, target: Self, *, pages: int = -1, progress: Callable[[int, int, int], None] | None = None) -> None:
        """Copies all to `target`, so many pages at a time, or all at once; `progress` gets the last result's code, the
        pages that are left, and all. Waits while either is locked.
        """
        with _translated(), target._connection.backup("main", self._connection, "main") as copy:
            while not copy.done:
                try:
                    copy.step(pages)
                except (apsw.BusyError, apsw.LockedError):
                    time.sleep(_BUSY_PAUSE)
                if progress is not None:
                    progress(apsw.SQLITE_DONE if copy.done else apsw.SQLITE_OK, copy.remaining, copy.page_count)

    def close(self) -> None:
        with _translated():
            self._connection.close()


def connect(
    path: str,
    *,
    timeout: float = 5.0,
    isolation_level: str | None = None,
    check_same_thread: bool = True,
    cached_statements: int = 100,
    uri: bool = False,
) -> Connection:
    """`timeout` is in seconds. Raises ValueError for an `isolation_level`. One thread at a time is not held against
    `check_same_thread`, but two at the same time are refused.
    """
    if isolation_level is not None:
        raise ValueError("isolation_level: only None")
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | (apsw.SQLITE_OPEN_URI if uri else 0)
    with _translated():
        connection = apsw.Connection(path, flags=flags, statementcachesize=cached_statements)
        connection.set_busy_timeout(round(timeout * 1000))
    return Connection(connection)
