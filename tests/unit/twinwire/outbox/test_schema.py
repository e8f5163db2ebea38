import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.support import sqlservers
from tests.unit.twinwire.outbox.taking import make, put
from twinwire import InvalidError, outbox
from twinwire.outbox.rows import Rows
from twinwire.outbox.schema import drops, statements


def test_it_is_made_once_however_often(database: sqlservers.Database) -> None:
    make(database)
    put(database, 1)
    make(database)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 1


def test_two_programs_make_it_at_a_time(database: sqlservers.Database) -> None:
    failed: list[Any] = []
    barrier = threading.Barrier(4)

    def begin() -> None:
        barrier.wait()
        try:
            make(database)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_text_for_a_migration_makes_the_same(database: sqlservers.Database) -> None:
    text = outbox.schema(database.kind)
    connection = database.connect()
    if database.kind == "sqlite":
        connection.executescript(text)
    else:
        connection.cursor().execute(text)
    connection.commit()
    connection.close()
    put(database, 1)
    make(database)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 1


def test_it_is_dropped_with_all_that_waits_and_made_anew(database: sqlservers.Database) -> None:
    make(database)
    put(database, 1)
    for _ in range(2):
        connection = database.connect()
        outbox.drop_table(connection)
        connection.commit()
        connection.close()
    make(database)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 0


def test_anybody_may_insert(database: sqlservers.Database) -> None:
    """A trigger, or a program in another language: what it leaves out has its default."""
    make(database)
    for _ in range(2):
        database.run("INSERT INTO twinwire_outbox (topic, type, data) VALUES (%s, %s, %s)", ["t", "k", "1"])
    rows = database.run("SELECT event_key, subject, is_append, is_final, refused_at FROM twinwire_outbox")
    assert len({key for key, *_ in rows}) == 2
    assert all(len(key) >= 32 for key, *_ in rows)
    assert {tuple(rest) for _, *rest in rows} == {(None, False, False, None)}


def test_a_database_that_is_not_known() -> None:
    with pytest.raises(InvalidError, match="none of sqlite, postgresql, mysql"):
        outbox.schema("oracle")


def test_it_goes_without_a_trace(database: sqlservers.Database) -> None:
    make(database)
    for statement in drops(database.kind):
        database.run(statement)
    for statement in statements(database.kind):
        database.run(statement)
    put(database, 1)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 1


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_times_are_utc_whatever_a_session_says(database: sqlservers.Database) -> None:
    make(database)
    connection = database.connect()
    cursor = connection.cursor()
    cursor.execute("SET time_zone = '+05:00'")
    outbox.publish(connection, "t", "k", 1)
    rows = Rows(connection, "mysql")
    rows.set_aside(rows.read()[0], "why")
    connection.commit()
    cursor.execute("SELECT created, refused_at, utc_timestamp(3) FROM twinwire_outbox")
    created, refused_at, now = cursor.fetchone()
    assert created <= refused_at <= now
    assert now - created < timedelta(hours=1)
    connection.close()
