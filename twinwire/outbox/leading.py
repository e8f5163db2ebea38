"""Which relay is the one that posts, and how it hears of more.

One lock for each table, held by the relay's own session: whoever dies lets go of it at once, and whoever has lost the
session can't remove rows any more either, for it is the same. Locks are for economy: should two relays post at a time,
as when a session was cut and its request still travels, nothing is published twice, for the keys are the same, and no
topic's order changes, for each begins with the first row that is there and goes on once that is published.

The connection commits each statement by itself. Nothing is kept open while the service is waited for, or a lock: an old
transaction would keep PostgreSQL from clearing away what was deleted, and this table has little else.
"""

import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final

from twinwire.errors import InvalidError
from twinwire.outbox.drivers import Kind, fetched, kind_of
from twinwire.outbox.schema import LOCK, TABLE

POLL: Final = 0.2
"""Seconds between two looks, where the database tells nobody of what was committed."""

FALLBACK: Final = 5.0
"""Seconds between two looks where PostgreSQL tells of what was committed: for what a lost word would hide, and for rows
that somebody puts back."""

LOOK: Final = 0.5
"""Seconds between two looks whether it is to end."""


class Leading(ABC):
    """Of one connection, which is made ready when it is made. `pause` waits for so many seconds at most, and tells
    whether it is to end.
    """

    kind: ClassVar[Kind]

    def __init__(self, connection: Any, pause: Callable[[float], object]) -> None:
        self._connection = connection
        self._pause = pause

    @abstractmethod
    def is_ours(self) -> bool:
        """Whether we are the one who posts, from now on or still."""

    def wait(self, seconds: float) -> None:
        """Until there may be more rows, or so many seconds are over; some are told, and wait for longer."""
        self._pause(seconds)

    def close(self) -> None:
        """Lets go of the lock, and of the connection."""
        self._connection.close()


class SqliteLeading(Leading):
    """A lock on a file of its own beside the database, which is SQLite's: the system takes it from whoever dies. It is
    not on the database itself, which would stop the application."""

    kind = "sqlite"

    def __init__(self, connection: Any, pause: Callable[[float], object]) -> None:
        super().__init__(connection, pause)
        connection.isolation_level = None
        connection.row_factory = None
        if getattr(connection, "autocommit", -1) in (False, True):  # from Python 3.12 on, and asked for: PEP 249's way
            connection.autocommit = True
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")  # one bad row is one bad row
        connection.execute("PRAGMA busy_timeout = 0")  # `Rows` waits itself
        path = next(path for _, name, path in connection.execute("PRAGMA database_list") if name == "main")
        self._lock = sqlite3.connect(f"{path}-relay" if path else ":memory:", isolation_level=None, timeout=0)

    def is_ours(self) -> bool:
        if self._lock.in_transaction:
            return True
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise
        return True

    def close(self) -> None:
        self._lock.close()
        super().close()


class PostgresqlLeading(Leading):
    """An advisory lock of the session's, by the table's oid, so that two schemas have one each."""

    kind = "postgresql"

    def __init__(self, connection: Any, pause: Callable[[float], object]) -> None:
        super().__init__(connection, pause)
        self._has_lock = False
        self._is_told = False
        connection.autocommit = True
        self._listens = callable(getattr(connection, "notifies", None))  # psycopg2 has a list there
        if self._listens:
            _run(connection, f"LISTEN {TABLE}")

    def is_ours(self) -> bool:
        """It is tried, and not waited for: a statement that waits is a transaction that is open.

        What was told is taken each time: the driver keeps all of it, and who stands by, or has much to do, never waits.
        """
        if self._listens and list(self._connection.notifies(timeout=0)):
            self._is_told = True
        if not self._has_lock:
            statement = f"SELECT pg_try_advisory_lock(({LOCK}::bigint << 32) | '{TABLE}'::regclass::oid::bigint)"
            self._has_lock = bool(_run(self._connection, statement))
        return self._has_lock

    def wait(self, seconds: float) -> None:
        """What was told while something else was asked counts too."""
        if not self._listens:
            super().wait(seconds)
            return
        if self._is_told:
            self._is_told = False
            return
        deadline = time.monotonic() + max(seconds, FALLBACK)
        while (left := deadline - time.monotonic()) > 0:
            if list(self._connection.notifies(timeout=min(left, seconds, LOOK), stop_after=1)):
                return
            if self._pause(0):
                return


class MysqlLeading(Leading):
    """A lock by a name, which all databases of a server share: this one's is in it."""

    kind = "mysql"

    def __init__(self, connection: Any, pause: Callable[[float], object]) -> None:
        super().__init__(connection, pause)
        self._has_lock = False
        connection.autocommit(True)

    def is_ours(self) -> bool:
        if not self._has_lock:
            statement = f"SELECT GET_LOCK(CONCAT('{TABLE}.', MD5(DATABASE())), 0)"
            found = _run(self._connection, statement)
            if found is None:
                raise InvalidError("the relay's connection is in no database")
            self._has_lock = found == 1
        return self._has_lock


def leading(connection: Any, pause: Callable[[float], object]) -> Leading:
    """Raises InvalidError for what is no connection of a driver, and what that does."""
    match kind_of(connection):
        case "sqlite":
            return SqliteLeading(connection, pause)
        case "postgresql":
            return PostgresqlLeading(connection, pause)
        case "mysql":
            return MysqlLeading(connection, pause)
        case None:
            raise InvalidError(f"{type(connection).__qualname__} is no connection of sqlite3, psycopg or pymysql")


def _run(connection: Any, statement: str) -> Any:
    """What the first row has first, if there is one."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        rows = fetched(cursor) if cursor.description else []
        return rows[0][0] if rows else None
    finally:
        cursor.close()
