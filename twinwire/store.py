"""Where a program keeps its cursor: the subscription begins there, and what is kept moves only after the body of the
loop has run. So a program that is killed is told again what it had not finished, and what it had finished it is not.

Any object with `load` and `save` is one; either may be a coroutine function for `AsyncTwinwire`.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal, Protocol

from twinwire.errors import InvalidError


class CursorStore(Protocol):
    """`load` gives the cursor that was saved last, or None."""

    def load(self) -> str | Awaitable[str | None] | None: ...

    def save(self, cursor: str) -> Awaitable[None] | None: ...


class FileStore:
    """A file that is replaced with each save, so that a kill leaves the one before or the one after. It is not synced:
    after a loss of power it may be an earlier one, and events come again."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> str | None:
        """Raises OSError."""
        with suppress(FileNotFoundError):
            return self._path.read_text("ascii").strip() or None
        return None

    def save(self, cursor: str) -> None:
        """Raises OSError."""
        folder, name = self._path.parent, self._path.name
        new = NamedTemporaryFile("w", encoding="ascii", dir=folder, prefix=name, delete=False)  # noqa: SIM115
        try:
            with new:
                new.write(cursor)
            Path(new.name).replace(self._path)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise


class SqlStore:
    """A row of a table, by any DB-API 2.0 connection: `sqlite3`, `psycopg`, `pymysql`.

    `connect` gives a connection, which is kept. The table is made if it is not there. With `commit=False` nothing is
    committed here: `save` belongs to whatever transaction the program is in, and an event's effects and the cursor
    behind it are on disk together, or not at all.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        name: str = "default",
        *,
        table: str = "twinwire_cursors",
        paramstyle: Literal["qmark", "format"] = "qmark",
        commit: bool = True,
    ) -> None:
        """`name`: which cursor of the table it is. `paramstyle` is that of the driver: `sqlite3` has `qmark`, `psycopg`
        and `pymysql` have `format` (or `pyformat`, which takes it too). Raises InvalidError for a table's name that
        is no plain one."""
        if not table.isidentifier() or not table.isascii():
            raise InvalidError(f"{table!r} is no plain name of a table")
        self._connect = connect
        self._name = name
        self._table = table
        self._commit = commit
        self._mark = "?" if paramstyle == "qmark" else "%s"
        self._connection: Any = None

    def _run(self, statement: str, values: tuple[str, ...] = ()) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.cursor()
        cursor.execute(statement, values)
        return cursor

    def load(self) -> str | None:
        """Raises what the driver does."""
        self._run(
            f"CREATE TABLE IF NOT EXISTS {self._table} (name VARCHAR(255) PRIMARY KEY, cursor_id VARCHAR(64) NOT NULL)"
        ).close()
        cursor = self._run(f"SELECT cursor_id FROM {self._table} WHERE name = {self._mark}", (self._name,))  # noqa: S608
        row = cursor.fetchone()
        cursor.close()
        self._done()
        return None if row is None else str(row[0])

    def save(self, cursor: str) -> None:
        """Raises what the driver does."""
        mark = self._mark
        update = self._run(
            f"UPDATE {self._table} SET cursor_id = {mark} WHERE name = {mark}",  # noqa: S608
            (cursor, self._name),
        )
        is_there = update.rowcount > 0
        update.close()
        if not is_there:  # or, where a driver counts changed rows alone, it is there and says the same
            self._run(f"DELETE FROM {self._table} WHERE name = {mark}", (self._name,)).close()  # noqa: S608
            insert = f"INSERT INTO {self._table} (name, cursor_id) VALUES ({mark}, {mark})"  # noqa: S608
            self._run(insert, (self._name, cursor)).close()
        self._done()

    def _done(self) -> None:
        if self._commit:
            self._connection.commit()
