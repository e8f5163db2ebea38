import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import pytest

from tests.support import sqlservers
from tests.unit.twinwire.outbox.taking import make, put
from twinwire import RawJson
from twinwire.outbox import rows as module
from twinwire.outbox.drivers import connect, kind_of
from twinwire.outbox.rows import BUSY_PAUSE, REASON_MAX, ROWS_MAX, Rows
from twinwire.outbox.writing import EVENT_MAX
from twinwire.publishing import BYTES_MAX

Opened = Callable[..., Rows]


@pytest.fixture
def opened(database: sqlservers.Database) -> Iterator[Opened]:
    make(database)
    connection = connect(database.dsn)
    kind = kind_of(connection)
    assert kind is not None
    if kind == "sqlite":
        connection.execute("PRAGMA busy_timeout = 0")  # as `leading` has it
    yield partial(Rows, connection, kind)
    connection.close()


def data(rows: Rows, *held: str) -> list[str]:
    return [str(row.draft.data.text) for row in rows.read(held)]


def test_they_come_in_their_order_and_go_by_their_id(database: sqlservers.Database, opened: Opened) -> None:
    put(database, 1, 2, subject="s", final=True, key="mine")
    put(database, 3)
    rows = opened()
    first, second, third = rows.read()
    assert first.draft.data == RawJson("1")
    assert (first.draft.topic, first.draft.type, first.draft.key) == ("t", "k", "mine")
    assert (first.draft.subject, first.draft.append, first.draft.final) == ("s", False, True)
    rows.remove([first, third])
    rows.remove([])
    assert [row.id for row in rows.read()] == [second.id]


@pytest.mark.parametrize("database", ["postgresql", "mysql"], indirect=True)
def test_a_row_that_is_committed_late_is_not_passed_over(database: sqlservers.Database, opened: Opened) -> None:
    """Its number is lower than that of others that are gone by then."""
    slow = database.connect()
    slow.cursor().execute("INSERT INTO twinwire_outbox (topic, type, data) VALUES ('t', 'k', '1')")
    put(database, 2)
    rows = opened()
    found = rows.read()
    assert [row.draft.data.text for row in found] == ["2"]
    rows.remove(found)
    slow.commit()
    slow.close()
    (late,) = rows.read()
    assert late.id < found[0].id


def test_a_request_is_bounded_by_rows(database: sqlservers.Database, opened: Opened) -> None:
    put(database, *range(ROWS_MAX + 1))
    rows = opened()
    found = rows.read()
    assert len(found) == ROWS_MAX
    rows.remove(found)
    assert data(rows) == [str(ROWS_MAX)]


def test_and_by_bytes_but_for_one_that_is_alone(database: sqlservers.Database, opened: Opened) -> None:
    make(database)
    half = "é" * (BYTES_MAX // 4 - 1)  # two bytes each, and the quotes
    put(database, half, half, "x")
    put(database, "y" * BYTES_MAX)
    rows = opened()
    found = rows.read()
    assert len(found) == 2
    rows.remove(found)
    assert data(rows) == ['"x"']
    rows.remove(rows.read())
    assert len(rows.read()) == 1


def test_of_what_is_too_large_the_data_stays_where_it_is(database: sqlservers.Database, opened: Opened) -> None:
    value = '"' + "x" * EVENT_MAX + '"'
    database.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, %s, %s)", ["t", "k", value])
    put(database, 1)
    rows = opened()
    (row,) = rows.read()
    assert row.fault is not None
    assert row.fault.field == "data"
    assert row.draft.data == RawJson("null")
    rows.set_aside(row, "too large")
    assert data(rows) == ["1"]


def test_what_somebody_else_has_inserted_may_be_no_json(database: sqlservers.Database, opened: Opened) -> None:
    database.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, %s, %s)", ["t", "k", "{"])
    (row,) = opened().read()
    assert row.fault is not None
    assert "not JSON" in row.fault.detail


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_no_text_is_no_event(database: sqlservers.Database, opened: Opened) -> None:
    """SQLite keeps bytes in any column: other programs bind them, and one row must not stop all."""
    for topic, data in (("t", b'{"a":1}'), (b"t", "1"), ("t", "2")):
        database.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, 'k', %s)", [topic, data])
    bytes_, topic, fine = opened().read()
    assert "data is of bytes" in str(bytes_.fault)
    assert "topic is b't', and no text" in str(topic.fault)
    assert fine.fault is None


def test_a_row_of_the_same_number_and_another_key_stays(database: sqlservers.Database, opened: Opened) -> None:
    """Numbers repeat where a table was emptied, or restored, while a request was under way."""
    put(database, 1, key="old")
    rows = opened()
    (row,) = rows.read()
    database.run("UPDATE twinwire_outbox SET event_key = 'new'")
    rows.remove([row])
    assert data(rows) == ["1"]


@pytest.mark.parametrize("database", ["postgresql", "mysql"], indirect=True)
def test_what_is_published_goes_beside_a_transaction_that_is_open(
    database: sqlservers.Database, opened: Opened
) -> None:
    """Of a list that is most of the table MySQL makes a scan, which would wait for it."""
    slow = database.connect()
    slow.cursor().execute("INSERT INTO twinwire_outbox (topic, type, data) VALUES ('t', 'k', '1')")
    put(database, *range(50))
    rows = opened()
    rows.remove(rows.read())
    assert rows.read() == []
    slow.rollback()
    slow.close()


def test_what_is_set_aside_has_its_reason_and_can_be_put_back(database: sqlservers.Database, opened: Opened) -> None:
    put(database, 1, 2)
    rows = opened()
    rows.set_aside(rows.read()[0], "é" * (REASON_MAX + 1))
    assert data(rows) == ["2"]
    ((at, reason),) = database.run("SELECT refused_at, refused FROM twinwire_outbox WHERE refused IS NOT NULL")
    assert at is not None
    assert reason == "é" * REASON_MAX
    database.run("UPDATE twinwire_outbox SET refused_at = NULL, refused = NULL")
    assert data(rows) == ["1", "2"]


def test_topics_that_are_held_are_passed_over_by_their_bytes(database: sqlservers.Database, opened: Opened) -> None:
    for topic in ("a", "A", "b"):
        put(database, topic, topic=topic)
    assert data(opened(), "a", "x") == ['"A"', '"b"']


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_application_that_writes_is_waited_for(
    database: sqlservers.Database, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one lock for all who write."""
    put(database, 1)
    rows = opened()
    found = rows.read()
    application = database.connect()
    application.execute("BEGIN IMMEDIATE")
    tries: list[float] = []

    def pause(seconds: float) -> None:
        tries.append(seconds)
        if len(tries) == 3:
            application.rollback()

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    rows.remove(found)
    assert tries == [BUSY_PAUSE] * 3
    application.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(module, "BUSY", -1.0)
    with pytest.raises(sqlite3.OperationalError, match="is locked"):
        rows.remove(found)
    application.close()


def test_with_hold_what_is_behind_a_refused_one_waits(database: sqlservers.Database, opened: Opened) -> None:
    put(database, 1, 2, 3)
    put(database, 4, topic="T")
    rows = opened(is_holding=True)
    _, second, *_ = rows.read()
    rows.set_aside(second, "no")
    assert data(rows) == ["1", "4"]
    database.run("DELETE FROM twinwire_outbox WHERE refused_at IS NOT NULL")
    assert data(rows) == ["1", "3", "4"]
