"""Publishing in the transaction of a SQLAlchemy session. docs/sqlalchemy.md says how.

    from twinwire.contrib.sqlalchemy import publish

    with Session(engine) as session, session.begin():
        session.get(Order, 17).paid = True
        publish(session, "orders/17", "paid", {"total": 12})

The outbox wants its rows last, behind the changes that they tell of: then two transactions that wait for each other's
lock publish in that order too (docs/outbox.md). A session may write its changes as late as its commit, so what is
published waits here until everything is flushed, and is written in the order of the calls, just before the commit.

It belongs to the transaction, or the savepoint, that `publish` was called in:

| the session says | what waits |
|---|---|
| `before_commit`, of the transaction | is written, behind a flush |
| `after_commit`, of a savepoint | belongs to what is around that from then on |
| `after_transaction_end` | is dropped if it belongs to what has ended so: that was rolled back, or closed |

A session that is committed with savepoints open ends those itself, each with a `before_commit` of its own; none says
whose it is. Two for one savepoint mean that the first was for something around it. Then what is left is written once
the last savepoint is gone, and so is whatever is published from there on: by another listener, or by a flush. A
`before_commit` that failed and is repeated looks the same, and does no harm: rows are written a little earlier.

The first that is published may come from a listener or a flush too, when the session has said `before_commit` already.
So to import this is to listen to all sessions, and not to those only that have published something.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Unpack

from sqlalchemy import Boolean, Connection, Engine, MetaData, String, column, event, table
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from twinwire.errors import InvalidError
from twinwire.event import About, Draft
from twinwire.outbox.drivers import kind_of
from twinwire.outbox.schema import TABLE as _TABLE
from twinwire.outbox.schema import create_table, drop_table
from twinwire.outbox.writing import COLUMNS, Values, values_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session

    AnySession = Session | scoped_session[Any] | AsyncSession | async_scoped_session[Any]

WAITING_BYTES: Final = 64 << 20
"""Bytes of events that wait for the commit of one transaction at most. Who has more writes them at once, with
`outbox.publish(session.connection(), ...)`."""

ROW_BYTES: Final = 500
"""What an event takes beside its data, about."""

_NAMES: Final = COLUMNS.split(", ")

TABLE: Final = table(_TABLE, *(column(name, Boolean() if name.startswith("is_") else String()) for name in _NAMES))
"""What is inserted into: for the `binds` of a session that has several engines, or its `get_bind`."""

_KEY: Final = "twinwire.outbox"
"""In `Session.info`."""


def publish(session: "AnySession", topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
    """Publishes with the transaction that the session is in, or begins as `session.add` does, if that is committed,
    and not at all if it is rolled back (`key`, `subject`, `append`, `final` as in `Draft`); the event's key, a UUID
    unless one is given.

    Nothing is executed here, so it is no coroutine for an `AsyncSession` either: the row is written at the commit.
    `data` is taken as it is now. Raises InvalidError for what can't be sent, for what is no session, and for a
    transaction that takes nothing more; the commit raises what the driver does.
    """
    found = _session_of(session)
    values = values_of(Draft(topic, type, data, **about))
    _waiting_of(found).add(found, values)
    return values[0]


def add_table(metadata: MetaData) -> None:
    """From now on `metadata.create_all` makes the outbox's table too, if it is not there, and `drop_all` drops it with
    all that waits in it. For migrations there are `outbox.create_table` and `outbox.drop_table`."""
    event.listen(metadata, "after_create", _create)
    event.listen(metadata, "before_drop", _drop)


def connector(engine: Engine) -> Callable[[], Any]:
    """For `outbox.Relay`: what gives a connection of this engine's driver, which is taken out of the pool for good, so
    that nobody else uses it; the relay closes it. Raises InvalidError for an engine that has none to give."""
    if not isinstance(engine, Engine) or engine.dialect.is_async:
        raise InvalidError(
            f"{type(engine).__qualname__} is no engine with a driver that blocks: give the relay a DSN, such as "
            "engine.url.render_as_string(hide_password=False)"
        )
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise InvalidError("a SQLite database in memory has one connection, which a relay can't have for itself")

    def connect() -> Any:
        taken = engine.raw_connection()
        connection: Any = taken.driver_connection
        if kind_of(connection) is None:
            taken.close()
            raise InvalidError(f"the relay knows no {engine.dialect.driver}: give it a DSN")
        taken.detach()
        connection.commit()  # what a listener of the engine's has asked of it began a transaction
        return connection

    return connect


class _Waiting:
    """What one transaction of a session is to publish, and how far that is."""

    def __init__(self) -> None:
        self._rows: list[tuple[SessionTransaction, Values]] = []
        """In the order of the calls, with the transaction or the savepoint that each belongs to: so those of the
        innermost are the last."""
        self._bytes = 0
        self._asked: SessionTransaction | None = None
        """The savepoint that was open when the session said `before_commit` last."""
        self._is_ending = False
        """Nothing is known that would still come before the transaction's commit."""
        self._released: SessionTransaction | None = None
        """The savepoint that is being ended, and not rolled back."""

    def add(self, session: Session, values: Values) -> None:
        size = _size(values)
        if self._bytes + size > WAITING_BYTES:
            raise InvalidError(
                f"a session's transaction holds events of {WAITING_BYTES >> 20} MiB at most: "
                "outbox.publish(session.connection(), ...) writes them at once"
            )
        self._rows.append((_innermost(session), values))
        self._bytes += size
        if self._is_ending:
            self._write(session)

    def before_commit(self, session: Session) -> None:
        savepoint = session.get_nested_transaction()
        if savepoint is None:
            if self._rows:
                session.flush()  # its listeners may publish too; who publishes nothing is flushed when he would be
            self._is_ending = True
            self._write(session)
        elif savepoint is self._asked:
            self._is_ending = True
        self._asked = savepoint

    def after_commit(self, session: Session) -> None:
        self._released = savepoint = session.get_nested_transaction()
        if savepoint is None:
            return
        around = _boundary(savepoint.parent)
        for number in reversed(range(len(self._rows))):
            owner, values = self._rows[number]
            if owner is not savepoint:
                break
            self._rows[number] = around, values

    def after_end(self, session: Session, ended: SessionTransaction) -> None:
        """Of a savepoint, or of a flush, which nothing belongs to."""
        while self._rows and self._rows[-1][0] is ended:
            self._bytes -= _size(self._rows.pop()[1])
        if ended is self._released and self._is_ending:
            self._write(session)

    def _write(self, session: Session) -> None:
        """Not within a savepoint: what was published around it would go with it."""
        if not self._rows or session.get_nested_transaction() is not None:
            return
        rows = [dict(zip(_NAMES, values, strict=True)) for _, values in self._rows]
        statement = TABLE.insert()
        session.connection(bind_arguments={"clause": statement}).execute(statement, rows)
        self._rows.clear()
        self._bytes = 0


def _waiting_of(session: Session) -> _Waiting:
    """Of its transaction: nothing of it is kept for the next one."""
    found: _Waiting = session.info.setdefault(_KEY, _Waiting())
    return found


@event.listens_for(Session, "before_commit")
def _before_commit(session: Session) -> None:
    _waiting_of(session).before_commit(session)


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    _waiting_of(session).after_commit(session)


@event.listens_for(Session, "after_transaction_end")
def _after_end(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info.pop(_KEY, None)
    else:
        _waiting_of(session).after_end(session, ended)


def _size(values: Values) -> int:
    return ROW_BYTES + len(values[-1])


def _session_of(given: Any) -> Session:
    """Raises InvalidError."""
    found = given() if callable(getattr(given, "registry", None)) else given  # scoped ones
    found = getattr(found, "sync_session", found)  # asynchronous ones
    if not isinstance(found, Session):
        raise InvalidError(
            f"{type(given).__module__}.{type(given).__qualname__} is no session of SQLAlchemy's; outbox.publish takes "
            "connections"
        )
    return found


def _innermost(session: Session) -> SessionTransaction:
    """The savepoint, or the transaction, that the session is in. Raises InvalidError if it takes nothing more."""
    if not session.in_transaction():
        if not session.autobegin:
            raise InvalidError("the session is in no transaction, and begins none by itself: session.begin() first")
        session.begin()
    found = session.get_nested_transaction() or session.get_transaction()
    if found is None or not found.is_active:
        raise InvalidError("the session's transaction is over, or has failed: session.rollback() first")
    return found


def _boundary(transaction: SessionTransaction | None) -> SessionTransaction:
    """The savepoint or the transaction that this is, or is a part of, as each flush is one."""
    assert transaction is not None, "a savepoint has something around it"
    while not transaction.nested and transaction.parent is not None:
        transaction = transaction.parent
    return transaction


def _create(target: MetaData, connection: Connection, **rest: Any) -> None:
    create_table(connection)


def _drop(target: MetaData, connection: Connection, **rest: Any) -> None:
    drop_table(connection)
