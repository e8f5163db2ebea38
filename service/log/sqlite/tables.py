"""The door to the tables beside the events: what statements have written, read over a connection of its own.

Its questions run on that connection's thread, so that a slow one holds up neither the event loop nor the writer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiosqlite

from service.log.base import Value
from service.log.sqlite.database import connect, connect_reader, explained

_POSITION: Final = (
    "SELECT max(coalesce((SELECT max(offset) FROM events), 0),"
    " coalesce((SELECT max(max(floor, thinned)) FROM topics), 0), coalesce((SELECT folded FROM log), 0))"
)
"""The newest offset that the current read transaction sees, also after everything was trimmed, and forgotten."""


class SQLiteView:
    """Implements `service.log.base.View`: one read transaction. The language is SQL, with named parameters."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def rows(self, text: str, parameters: Mapping[str, Value] | None = None) -> Sequence[tuple[Any, ...]]:
        return list(await self._connection.execute_fetchall(text, dict(parameters or {})))  # type: ignore[arg-type]

    async def position(self) -> int:
        return int((await self.rows(_POSITION))[0][0])


class SQLiteTables:
    """Implements `service.log.base.Tables`. One view at a time: two tasks would mix their transactions."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        await self._connection.close()

    @asynccontextmanager
    async def view(self) -> AsyncIterator[SQLiteView]:
        """Short: a read transaction held open keeps the log from being checkpointed. Raises StorageError."""
        async with self._lock:
            try:
                with explained(self._path):
                    await self._connection.execute("BEGIN")
                    yield SQLiteView(self._connection)
            finally:
                # Also after a cancellation in BEGIN, which its thread may still carry out: outside of a
                # transaction this does nothing.
                await self._connection.rollback()


async def open_tables(path: Path) -> SQLiteTables:
    """Raises StorageError if the database can't be read. The caller closes it, before the log."""
    with explained(path):
        return SQLiteTables(await connect(partial(connect_reader, path)), path)
