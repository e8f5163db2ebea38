"""The door to the tables beside the events: it can't write, explains its faults, and outlives a cancelled view."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.core.errors import StorageError
from service.log.sqlite.database import connect_writer
from service.log.sqlite.migrate import migrate
from service.log.sqlite.tables import SQLiteTables, open_tables
from service.resources import resource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "test.db", resource("migrations"))
    return tmp_path / "test.db"


@pytest.fixture
async def tables(path: Path) -> AsyncIterator[SQLiteTables]:
    tables = await open_tables(path)
    yield tables
    await tables.close()


async def test_the_position_counts_what_was_trimmed(path: Path, tables: SQLiteTables) -> None:
    async def position() -> int:
        async with tables.view() as view:
            return await view.position()

    writer = connect_writer(path)
    try:
        assert await position() == 0
        writer.execute("INSERT INTO topics (id, name, floor) VALUES (1, 'a', 7)")
        assert await position() == 7
        writer.execute("INSERT INTO events (offset, topic, prev, time, type, data) VALUES (9, 1, 0, 0, 'log', '1')")
        assert await position() == 9
    finally:
        writer.close()


async def test_questions_have_named_parameters(tables: SQLiteTables) -> None:
    async with tables.view() as view:
        assert await view.rows("SELECT :a + :b, :a", {"a": 1, "b": 2}) == [(3, 1)]
        assert await view.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM events", "read-only|readonly"),
        ("SELECT * FROM nowhere", "no such table"),
        ("SELECT :a", "binding"),
    ],
)
async def test_a_fault_is_explained_and_does_not_spoil_the_next_view(tables: SQLiteTables, sql: str, why: str) -> None:
    with pytest.raises(StorageError, match=why):
        async with tables.view() as view:
            await view.rows(sql)
    async with tables.view() as view:
        assert await view.rows("SELECT 1") == [(1,)]


async def test_a_cancelled_view_lets_the_next_one_in(tables: SQLiteTables) -> None:
    async def look() -> None:
        async with tables.view():
            await asyncio.get_running_loop().create_future()

    looking = [asyncio.create_task(look()) for _ in range(3)]
    for turns in range(3):
        for _ in range(turns):
            await asyncio.sleep(0)
        looking[turns].cancel()
    await asyncio.wait(looking)
    async with tables.view() as view:
        assert await view.position() == 0


async def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be opened"):
        await open_tables(tmp_path / "nowhere.db")
