"""What a session does with its transaction happens to its events, on each database."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, object_session, scoped_session, sessionmaker
from sqlalchemy.pool import QueuePool, StaticPool

from tests.support.alchemy import Base, Counter, async_engine_of, engine_of
from tests.support.sqlservers import Database
from tests.unit.twinwire.outbox.taking import Service, become
from twinwire import InvalidError, outbox
from twinwire.contrib import sqlalchemy as contrib
from twinwire.contrib.sqlalchemy import TABLE, add_table, connector, publish
from twinwire.outbox.drivers import kind_of

only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    made = engine_of(database.dsn)
    Base.metadata.create_all(made)
    with made.begin() as connection:
        outbox.create_table(connection)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as made:
        yield made


def told(database: Database) -> list[Any]:
    """The data of what is committed, in the order in which it is published."""
    return [json.loads(data) for (data,) in database.run("SELECT data FROM twinwire_outbox ORDER BY id")]


def say(session: Any, value: Any, **about: Any) -> str:
    return publish(session, "t", "k", value, **about)


def inserts(engine: Engine) -> list[str]:
    """Into what is inserted from now on."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.startswith("INSERT INTO "):
            found.append(statement.split()[2])

    event.listen(engine, "before_cursor_execute", note)
    return found


# A transaction


def test_a_commit_writes_all_last_and_in_the_order_of_the_calls(
    database: Database, engine: Engine, session: Session
) -> None:
    into = inserts(engine)
    key = publish(session, "t/1", "k", {"é": "ü\u0000"}, subject="s", append=True, final=True)
    session.add(Counter(topic="a"))
    say(session, 2)
    session.add(Counter(topic="b"))
    say(session, 3, key="mine")
    assert into == []
    session.commit()
    assert into == ["counters", "twinwire_outbox"], "each is one statement, of several rows"
    rows = database.run("SELECT event_key, topic, subject, is_append, is_final FROM twinwire_outbox ORDER BY id")
    assert [tuple(row) for row in rows[:1]] == [(key, "t/1", "s", True, True)]
    assert rows[2][0] == "mine"
    assert told(database) == [{"é": "ü\u0000"}, 2, 3]


def test_data_is_what_it_was_when_it_was_published(database: Database, session: Session) -> None:
    data = [1]
    say(session, data)
    data.append(2)
    session.commit()
    assert told(database) == [[1]]


def test_what_is_rolled_back_or_closed_is_not_published(database: Database, session: Session) -> None:
    say(session, "rolled back")
    session.rollback()
    say(session, "closed")
    session.close()
    with suppress(KeyError), session.begin():
        say(session, "failed")
        raise KeyError
    with session.begin():
        say(session, "kept")
    session.commit()
    assert told(database) == ["kept"]


def test_several_transactions_of_one_session(database: Database, session: Session) -> None:
    for number in range(3):
        say(session, number)
        session.commit()
    assert told(database) == [0, 1, 2]


def test_a_flush_that_fails_takes_its_events_along(database: Database, session: Session) -> None:
    session.add(Counter(topic="a"))
    session.commit()
    session.add(Counter(topic="a"))
    say(session, "no")
    with pytest.raises(IntegrityError):
        session.commit()
    with pytest.raises(InvalidError, match="rollback"):
        say(session, "neither")
    session.rollback()
    say(session, "yes")
    session.commit()
    assert told(database) == ["yes"]


def test_a_table_that_is_missing_is_told_at_the_commit(database: Database) -> None:
    engine = engine_of(database.dsn)
    with Session(engine) as session:
        say(session, 1)
        with pytest.raises(Exception, match="twinwire_outbox"):
            session.commit()
        session.rollback()
        with engine.begin() as connection:
            outbox.create_table(connection)
        say(session, 2)
        session.commit()
    engine.dispose()
    assert told(database) == [2]


# Savepoints


def test_a_savepoint_that_is_rolled_back_takes_its_own(database: Database, session: Session) -> None:
    with session.begin():
        say(session, 1)
        with session.begin_nested():
            say(session, 2)
            with session.begin_nested() as inner:
                say(session, "no")
                inner.rollback()
            say(session, 3)
        say(session, 4)
        with suppress(KeyError), session.begin_nested():
            say(session, "no")
            with session.begin_nested():
                say(session, "released, and no")
            raise KeyError
        say(session, 5)
    assert told(database) == [1, 2, 3, 4, 5]


def test_they_are_written_with_the_transaction(engine: Engine, session: Session, database: Database) -> None:
    into = inserts(engine)
    with session.begin():
        with session.begin_nested():
            session.add(Counter(topic="a"))
            say(session, 1)
        session.add(Counter(topic="b"))
    assert into == ["counters", "counters", "twinwire_outbox"]
    assert told(database) == [1]


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("way", ["the session's commit", "the transaction's"])
def test_those_that_a_commit_ends_lose_nothing(database: Database, session: Session, depth: int, way: str) -> None:
    transaction = session.begin()
    say(session, 0)
    for number in range(depth):
        session.begin_nested()
        say(session, number + 1)
    if way == "the transaction's":
        transaction.commit()
    else:
        session.commit()
    assert not session.in_transaction()
    assert told(database) == list(range(depth + 1))


def test_those_that_a_rollback_ends_keep_nothing(database: Database, session: Session) -> None:
    transaction = session.begin()
    say(session, 0)
    session.begin_nested()
    say(session, 1)
    transaction.rollback()
    say(session, 2)
    session.commit()
    assert told(database) == [2]


def test_a_flush_that_fails_in_a_savepoint(database: Database, session: Session) -> None:
    database.run("INSERT INTO counters VALUES ('a', 0)")
    say(session, 1)
    savepoint = session.begin_nested()
    say(session, "no")
    session.add(Counter(topic="a"))
    with pytest.raises(IntegrityError):
        session.flush()
    with pytest.raises(InvalidError, match="rollback"):
        say(session, "neither")
    savepoint.rollback()
    say(session, 2)
    session.commit()
    assert told(database) == [1, 2]


def test_a_savepoint_that_is_refused_once_and_ended_then(database: Database, session: Session) -> None:
    """It says twice that it is about to be: what is left is then written with it, and not lost."""
    refusals = [KeyError()]

    def refuse(session: Session) -> None:
        if refusals:
            raise refusals.pop()

    session.begin()
    say(session, 1)
    event.listen(session, "before_commit", refuse)
    savepoint = session.begin_nested()
    say(session, 2)
    with pytest.raises(KeyError):
        savepoint.commit()
    savepoint.commit()
    say(session, 3)
    session.commit()
    assert told(database) == [1, 2, 3]


def test_a_savepoint_that_is_refused_twice_and_rolled_back_then(database: Database, session: Session) -> None:
    """What was published around it is not written within it."""
    refusals = [KeyError(), KeyError()]

    def refuse(session: Session) -> None:
        if refusals:
            raise refusals.pop()

    session.begin()
    say(session, 1)
    event.listen(session, "before_commit", refuse)
    savepoint = session.begin_nested()
    for _ in range(2):
        with pytest.raises(KeyError):
            savepoint.commit()
    say(session, "no")
    savepoint.rollback()
    say(session, 2)
    session.commit()
    assert told(database) == [1, 2]


def test_within_somebody_elses_transaction(database: Database, engine: Engine) -> None:
    """As suites of tests have it, which roll all of it back."""
    for is_kept in (False, True):
        with engine.connect() as connection:
            outer = connection.begin()
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                say(session, "no")
                session.rollback()
                say(session, 1)
                session.commit()
            assert connection.scalar(text("SELECT count(*) FROM twinwire_outbox")) == 1
            if is_kept:
                outer.commit()
            else:
                outer.rollback()
    assert told(database) == [1]


# Listeners


def test_what_a_flush_publishes(database: Database, session: Session) -> None:
    """As a rule for every order: by the mapper's events, whose numbers are known by then."""

    def placed(mapper: object, connection: object, counter: Counter) -> None:
        owner = object_session(counter)
        assert owner is not None
        publish(owner, f"counters/{counter.topic}", "placed", counter.topic)

    event.listen(Counter, "after_insert", placed)
    try:
        session.add(Counter(topic="first"))
        session.commit()
        with session.begin():
            session.begin_nested()  # which the commit ends, and flushes
            session.add(Counter(topic="nested"))
        session.add(Counter(topic="early"))
        session.flush()
        say(session, "between")
        session.add(Counter(topic="late"))
        session.commit()
        session.add(Counter(topic="no"))
        session.flush()
        session.rollback()
    finally:
        event.remove(Counter, "after_insert", placed)
    assert told(database) == ["first", "nested", "early", "between", "late"]


def test_what_others_publish_as_the_transaction_commits(database: Database, session: Session) -> None:
    say(session, 1)

    def publishes(session: Session) -> None:
        say(session, 2)
        session.add(Counter(topic="a"))

    def flushed(session: Session, context: object) -> None:
        if session.new:
            say(session, 3)

    event.listen(session, "before_commit", publishes)
    event.listen(session, "after_flush", flushed)
    session.commit()
    assert told(database) == [1, 2, 3]


@only_sqlite
def test_the_first_that_another_listener_publishes(
    database: Database, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one of the class's, as applications have it that publish what their objects have noted."""
    monkeypatch.setattr(contrib, "WAITING_BYTES", contrib.ROW_BYTES + 10)  # each is written, and waits no more

    class Noting(Session):
        pass

    def tells(session: Session) -> None:
        say(session, "noted")
        say(session, "too")

    event.listen(Noting, "before_commit", tells)
    with Noting(engine) as session:
        session.add(Counter(topic="a"))
        session.commit()
    assert told(database) == ["noted", "too"]


def test_after_a_commit_it_is_too_late(database: Database, session: Session) -> None:
    refused: list[InvalidError] = []

    def publishes(session: Session) -> None:
        try:
            say(session, "too late")
        except InvalidError as error:
            refused.append(error)

    event.listen(session, "after_commit", publishes)
    say(session, 1)
    session.commit()
    assert len(refused) == 1
    assert told(database) == [1]


# Sessions of all kinds


@only_sqlite
def test_sessions_of_makers_and_scoped_ones(database: Database, engine: Engine) -> None:
    makers = (sessionmaker(engine), scoped_session(sessionmaker(engine, info={"own": 1})))
    for number, maker in enumerate(makers):
        session = maker() if number == 0 else maker
        say(session, number)
        session.commit()  # type: ignore[union-attr]
    makers[1].remove()  # type: ignore[union-attr]
    assert told(database) == [0, 1]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
async def test_asynchronous_ones(database: Database, engine: Engine) -> None:
    made = async_engine_of(database.dsn)
    maker = async_sessionmaker(made)
    async with maker() as session, session.begin():
        say(session, 1)
        session.add(Counter(topic="a"))
        async with session.begin_nested() as savepoint:
            say(session, "no")
            await savepoint.rollback()
        say(session, 2)
    async with AsyncSession(made) as session:
        say(session, "no")
        await session.rollback()
        say(session, 3)
        await session.commit()
        say(session, "closed")
    scoped = async_scoped_session(maker, scopefunc=lambda: 1)
    say(scoped, 4)
    await scoped.commit()
    await scoped.remove()
    await made.dispose()
    assert told(database) == [1, 2, 3, 4]


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_transaction_of_two_phases(database: Database, engine: Engine) -> None:
    """On PostgreSQL the trigger has to be dropped first, which docs/outbox.md says."""
    with Session(engine, twophase=True) as session:
        say(session, "no")
        session.prepare()
        session.rollback()
        say(session, 1)
        session.prepare()
        with pytest.raises(InvalidError, match="over"):
            say(session, "too late")
        session.commit()
    assert told(database) == [1]


def test_a_connection_is_the_outboxs_own(database: Database, engine: Engine, session: Session) -> None:
    with engine.connect() as connection:
        outbox.publish(connection, "t", "k", "no")
        connection.rollback()
        outbox.publish(connection, "t", "k", "%s ?")
        connection.commit()
    say(session, "last")
    outbox.publish(session.connection(), "t", "k", "at once")
    session.commit()
    assert told(database) == ["%s ?", "at once", "last"]


@only_sqlite
def test_one_with_an_engine_for_each_table(database: Database, engine: Engine, tmp_path: Any) -> None:
    other = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with Session(binds={Counter: other, TABLE: engine}) as session:
        say(session, 1)
        session.commit()
    other.dispose()
    assert told(database) == [1]


@only_sqlite
def test_one_that_begins_nothing_by_itself(database: Database, engine: Engine) -> None:
    with Session(engine, autobegin=False) as session:
        with pytest.raises(InvalidError, match=r"session\.begin"):
            say(session, "no")
        with session.begin():
            say(session, 1)
    assert told(database) == [1]


@only_sqlite
def test_nothing_is_kept_of_a_transaction(engine: Engine, session: Session) -> None:
    for end in (session.commit, session.rollback, session.close):
        say(session, 1)
        end()
        assert session.info == {}


@only_sqlite
def test_what_is_no_session(engine: Engine) -> None:
    for given in (engine, engine.connect(), None, sessionmaker(engine), Session):
        with pytest.raises(InvalidError, match="no session"):
            say(given, 1)
        if isinstance(given, Connection):
            given.close()


@only_sqlite
def test_what_can_not_be_sent_is_refused_where_it_is_called(database: Database, session: Session) -> None:
    say(session, 1)
    with pytest.raises(InvalidError) as caught:
        publish(session, "t", "k", object())
    assert caught.value.field == "data"
    with pytest.raises(InvalidError) as caught:
        publish(session, "a/*", "k")
    assert caught.value.field == "topic"
    session.commit()
    assert told(database) == [1]


@only_sqlite
def test_what_waits_is_bounded(database: Database, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrib, "WAITING_BYTES", 3 * (contrib.ROW_BYTES + 10))
    for number in range(2):
        for _ in range(2):
            with session.begin_nested() as savepoint:
                say(session, "x" * 8)
                savepoint.rollback()
            say(session, "y" * 8)
        say(session, "z" * 8)
        with pytest.raises(InvalidError, match="at most"):
            say(session, "")
        session.rollback() if number == 0 else session.commit()
    assert told(database) == ["y" * 8, "y" * 8, "z" * 8]
    say(session, "and anew")


# The table, and the relay


def test_metadata_makes_the_table_and_drops_it(database: Database, engine: Engine) -> None:
    with engine.begin() as connection:
        outbox.drop_table(connection)
    metadata = MetaData()
    add_table(metadata)
    for _ in range(2):
        metadata.create_all(engine)
    with Session(engine) as session:
        say(session, 1)
        session.commit()
    assert told(database) == [1]
    for _ in range(2):
        metadata.drop_all(engine)
    assert not inspect(engine).has_table(outbox.TABLE)
    metadata.create_all(engine)
    assert told(database) == []


def test_a_relay_has_a_connection_of_its_own(database: Database, engine: Engine) -> None:
    service = Service()
    with outbox.Relay(connector(engine), service, poll=0.02) as relay:  # type: ignore[arg-type]
        with Session(engine) as session:
            say(session, 1)
            session.commit()
        become(lambda: service.told() == ["1"])
        assert relay.is_leading
    engine.dispose()  # so that it would be the only one in there
    connection = connector(engine)()
    assert kind_of(connection) == database.kind
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() == 0
    with engine.connect() as other:
        assert other.connection.driver_connection is not connection
    connection.close()


@only_sqlite
def test_an_engine_that_has_none_to_give(database: Database) -> None:
    asynchronous = async_engine_of(database.dsn)
    for given in (asynchronous, asynchronous.sync_engine, database.dsn):
        with pytest.raises(InvalidError, match="DSN"):
            connector(given)  # type: ignore[arg-type]
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(InvalidError, match="in memory"):
            connector(create_engine(url, poolclass=StaticPool))


@only_sqlite
def test_a_driver_that_the_relay_does_not_know(database: Database) -> None:
    class Unknown:
        def __init__(self) -> None:
            self._inside = sqlite3.connect(":memory:")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inside, name)

    engine = create_engine("sqlite:///x.db", creator=Unknown)
    with pytest.raises(InvalidError, match="no pysqlite"):
        connector(engine)()
    engine.dispose()
