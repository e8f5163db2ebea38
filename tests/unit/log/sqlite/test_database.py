"""Opening the files: the lock, connections that can't write, and errors in an operator's words."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StorageError, StorageFullError
from service.log.sqlite.database import (
    connect,
    connect_reader,
    connect_writer,
    explain,
    explained,
    on_thread,
    transaction,
)
from service.log.sqlite.drivers import driver
from service.log.sqlite.log import open_log
from service.log.sqlite.migrate import migrate
from service.resources import resource
from tests.support.clock import ManualClock
from tests.support.sqlitelog import USUAL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "test.db", resource("migrations"))
    return tmp_path / "test.db"


@pytest.fixture
def connections() -> Iterator[Callable[[Any], Any]]:
    """`connections(connection)` hands it back and closes it in the end."""
    opened: list[Any] = []

    def keep(connection: Any) -> Any:
        opened.append(connection)
        return connection

    yield keep
    for connection in opened:
        connection.close()


def test_a_reader_cannot_write(path: Path, connections: Callable[[Any], Any]) -> None:
    reader = connections(connect_reader(path))
    with pytest.raises(driver.OperationalError, match="readonly") as caught:
        reader.execute("DELETE FROM events")
    assert str(explain(caught.value, path)) == f"the database {path} is read-only"


def test_the_writer_is_durable_and_checkpoints_when_told(path: Path, connections: Callable[[Any], Any]) -> None:
    for durability, level in (("full", 2), ("normal", 1)):
        writer = connections(connect_writer(path, durability))
        assert writer.execute("PRAGMA synchronous").fetchone() == (level,)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


async def test_a_reader_with_a_thread_of_its_own(path: Path) -> None:
    reader = await connect(lambda: connect_reader(path))
    try:
        assert list(await reader.execute_fetchall("SELECT count(*) FROM events")) == [(0,)]
        assert await on_thread(reader, lambda connection, a, b: (a, b), 1, 2) == (1, 2)
    finally:
        await reader.close()


def test_a_lock_of_another_program_is_explained(path: Path, connections: Callable[[Any], Any]) -> None:
    connections(connect_writer(path)).execute("BEGIN IMMEDIATE")
    other = connections(driver.connect(str(path), timeout=0, isolation_level=None))
    with pytest.raises(driver.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    assert explain(caught.value, path).detail == f"the database {path} is locked by another program"


def test_a_full_disk_is_told_apart(path: Path, connections: Callable[[Any], Any]) -> None:
    writer = connections(connect_writer(path))
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    writer.execute("INSERT INTO topics (id, name) VALUES (1, 'a')")
    with pytest.raises(driver.OperationalError) as caught:
        writer.execute(
            "INSERT INTO events (offset, topic, prev, time, type, data) VALUES (1, 1, 0, 0, 'log', ?)", ("x" * 100_000,)
        )
    explained = explain(caught.value, path)
    assert isinstance(explained, StorageFullError)
    assert explained.status == 503
    assert explained.retry_after


def test_a_full_disk_is_known_by_its_words_where_there_is_no_code(path: Path) -> None:
    """As of pages that are copied; another error without a code is none of the disk's."""
    full = explain(driver.OperationalError("database or disk is full"), path)
    assert isinstance(full, StorageFullError)
    assert not isinstance(explain(driver.OperationalError("no such table: a"), path), StorageFullError)


async def test_a_corrupt_file_is_explained(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(8_000))
    with pytest.raises(StorageError, match=r"is corrupt|malformed|not a database"):
        await open_log(path, clock=ManualClock(), **USUAL)


async def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "test.db").write_text("hello " * 1_000)
    with pytest.raises(StorageError, match="is not a SQLite database"):
        await open_log(tmp_path / "test.db", clock=ManualClock(), **USUAL)


async def test_a_folder_that_vanished_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be opened"):
        await open_log(tmp_path / "nowhere" / "test.db", clock=ManualClock(), **USUAL)


async def test_a_database_without_its_tables_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such table"):
        await open_log(tmp_path / "test.db", clock=ManualClock(), **USUAL)


def test_what_has_no_meaning_of_its_own_keeps_its_words(path: Path) -> None:
    explained = explain(driver.OperationalError("something new"), path)
    assert isinstance(explained, StorageError)
    assert "something new" in explained.detail


def test_a_transaction_is_all_or_nothing(path: Path, connections: Callable[[Any], Any]) -> None:
    writer = connections(connect_writer(path))

    def add(*statements: str) -> None:
        with explained(path), transaction(writer):
            for statement in statements:
                writer.execute(statement)

    with pytest.raises(StorageError, match="no such table"):
        add("INSERT INTO topics (id, name) VALUES (1, 'a')", "DELETE FROM nowhere")
    assert not writer.in_transaction
    with pytest.raises(StorageError, match="no such table"):  # SQLite rolls back by itself when the disk is full
        add("INSERT INTO topics (id, name) VALUES (1, 'a')", "ROLLBACK", "DELETE FROM nowhere")
    add("INSERT INTO topics (id, name) VALUES (2, 'b')")
    assert writer.execute("SELECT name FROM topics").fetchall() == [("b",)]
