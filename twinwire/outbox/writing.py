"""The application's side: one INSERT, in the transaction that it is in, checked where it is called.

What the contract fixes (docs/protocol.md, section 1) is checked here: a fault of the program is an error in the
program, and its transaction can still be rolled back. What a service decides, how long data may be and who may publish
what, is known once the relay has asked.
"""

import re
import uuid
from dataclasses import replace
from typing import Any, Final, Unpack

from twinwire.encoding import data_of, head_of
from twinwire.errors import InvalidError
from twinwire.event import About, Draft
from twinwire.outbox.drivers import Kind, checked_kind, session_of
from twinwire.outbox.schema import TABLE

EVENT_MAX: Final = 8 << 20
"""Bytes of an event with what is around it: no service takes a larger request (docs/protocol.md, section 5)."""

TOPIC_MAX: Final = 200
NAME_MAX: Final = 128
"""Bytes of a key, or a subject."""

_TOPIC: Final = re.compile(r"[A-Za-z0-9_.~-]+(?:/[A-Za-z0-9_.~-]+)*\Z", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z", re.ASCII)
_RESERVED_TOPIC: Final = re.compile(r"(?:twinwire|mercure|streams)/|mercure\Z")
RESERVED_TYPES: Final = frozenset(
    {"auth", "caught_up", "connection", "error", "gap", "goodbye", "heartbeat", "open", "pong", "presence", "problem"}
    | {"reply", "state_end"}
)
"""Those of control frames, and EventSource's own."""

COLUMNS: Final = "event_key, topic, type, subject, is_append, is_final, data"

Values = tuple[str, str, str, str | None, bool, bool, str]

_INSERT: Final = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - constants


def publish(connection: Any, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
    """Publishes with the transaction that `connection` is in, if that is committed, and not at all if it is rolled
    back (`key`, `subject`, `append`, `final` as in `Draft`); the event's key, a UUID unless one is given.

    `connection` is a connection or a cursor of `sqlite3`, `psycopg` or `pymysql`, or what wraps one; where it is in no
    transaction, and begins none by itself, the event is published alone. Raises InvalidError for what can't be sent,
    and what the driver does.
    """
    values = values_of(Draft(topic, type, data, **about))
    session = session_of(connection)
    session.execute(insert(session.kind), values)
    return values[0]


def statement(database: str, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> tuple[str, Values]:
    """What `publish` would execute, and with what: for an asynchronous driver, whose transaction it is then.
    `database` is `sqlite`, `postgresql` or `mysql`; the marks are `?` for the first, and `%s`. Raises InvalidError."""
    return insert(checked_kind(database)), values_of(Draft(topic, type, data, **about))


def insert(kind: Kind) -> str:
    return marked(_INSERT, kind)


def marked(statement: str, kind: Kind) -> str:
    """With the marks of that database's drivers."""
    return statement.replace("%s", "?") if kind == "sqlite" else statement


def values_of(draft: Draft) -> Values:
    """A row, with its key. Raises InvalidError, which names the field."""
    keyed = draft if draft.key is not None else replace(draft, key=str(uuid.uuid4()))
    head = head_of(keyed)
    _check(keyed)
    data = data_of(keyed.data)
    if len(head) + len(data) > EVENT_MAX:
        raise InvalidError(f"an event has {EVENT_MAX >> 20} MiB at most", field="data")
    assert keyed.key is not None
    return keyed.key, keyed.topic, keyed.type, keyed.subject, bool(keyed.append), bool(keyed.final), data.decode()


def _check(draft: Draft) -> None:
    if len(draft.topic) > TOPIC_MAX or not _TOPIC.match(draft.topic):
        raise InvalidError(f"{draft.topic[:TOPIC_MAX]!r} is no topic", field="topic")
    if _RESERVED_TOPIC.match(draft.topic):
        raise InvalidError(f"the topic {draft.topic!r} is reserved", field="topic")
    if not _TYPE.match(draft.type):
        raise InvalidError(f"{draft.type[:TOPIC_MAX]!r} is no type of an event", field="type")
    if draft.type in RESERVED_TYPES:
        raise InvalidError(f"the type {draft.type!r} is reserved", field="type")
    for name, text in (("key", draft.key), ("subject", draft.subject)):
        if text is not None and not (1 <= len(text.encode()) <= NAME_MAX and text.isprintable()):
            raise InvalidError(f"a {name} has 1-{NAME_MAX} bytes, all printable", field=name)
    if (draft.append or draft.final) and draft.subject is None:
        raise InvalidError(
            "only what has a subject can be appended or final", field="append" if draft.append else "final"
        )
