import datetime
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest

from service.core import limits
from service.core.errors import InvalidError as ServiceInvalidError
from service.core.event import Draft as ServiceDraft
from service.core.topics import is_reserved
from tests.support import sqlservers
from tests.unit.twinwire.outbox.taking import make
from twinwire import InvalidError, RawJson, outbox
from twinwire.outbox.writing import EVENT_MAX, RESERVED_TYPES

COLUMNS = "event_key, topic, type, subject, is_append, is_final, data"


def test_a_row_belongs_to_its_transaction(database: sqlservers.Database) -> None:
    make(database)
    connection = database.connect()
    outbox.publish(connection, "t", "k", "no")
    connection.rollback()
    key = outbox.publish(connection, "t/u", "k", {"é": "ü\u0000"}, subject="s", append=True)
    outbox.publish(connection, "t", "k", key="mine", subject="s", final=True)
    connection.commit()
    connection.close()
    rows = [tuple(row) for row in database.run(f"SELECT {COLUMNS} FROM twinwire_outbox ORDER BY id")]
    assert rows == [
        (key, "t/u", "k", "s", True, False, '{"é":"ü\\u0000"}'),
        ("mine", "t", "k", "s", False, True, "null"),
    ]
    assert str(uuid.UUID(key)) == key


def test_without_a_transaction_it_is_published_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    outbox.create_table(connection)
    outbox.publish(connection, "t", "k", datetime.date(2026, 1, 2))
    rows = sqlite3.connect(tmp_path / "x.db").execute("SELECT data FROM twinwire_outbox").fetchall()
    assert rows == [('"2026-01-02"',)]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("topic", {"topic": ""}),
        ("topic", {"topic": "a//b"}),
        ("topic", {"topic": "a/*"}),
        ("topic", {"topic": "a\n"}),
        ("topic", {"topic": "é"}),
        ("topic", {"topic": "x" * 201}),
        ("type", {"type": "gap"}),
        ("type", {"type": ""}),
        ("type", {"type": "x" * 65}),
        ("type", {"type": "a b"}),
        ("key", {"key": ""}),
        ("key", {"key": "é" * 65}),
        ("key", {"key": "a\n"}),
        ("subject", {"subject": ""}),
        ("subject", {"subject": "x" * 129}),
        ("append", {"append": True}),
        ("final", {"final": True}),
    ],
)
def test_what_can_never_be_published_is_refused_at_once_as_the_service_would(field: str, given: Any) -> None:
    connection = sqlite3.connect(":memory:")
    outbox.create_table(connection)
    said = {"topic": "t", "type": "k"} | given
    with pytest.raises(InvalidError) as caught:
        outbox.publish(connection, **said)
    assert caught.value.field == field
    assert not connection.in_transaction
    with pytest.raises(ServiceInvalidError) as refused:
        ServiceDraft.of(**said, value=None)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "given",
    [
        {"topic": "x" * 200, "type": "A.b_c-9" + "x" * 57},
        {"topic": "a/b~c/d.e/-_", "type": "k", "key": "é" * 64, "subject": "x" * 128},
        {"topic": "t", "type": "k", "subject": " s ", "append": True, "final": True},
    ],
)
def test_what_the_service_takes_is_taken(given: Any) -> None:
    connection = sqlite3.connect(":memory:")
    outbox.create_table(connection)
    outbox.publish(connection, data=1, **given)
    ServiceDraft.of(**given, value=1)


@pytest.mark.parametrize("topic", ["twinwire/x", "mercure", "mercure/x", "streams/x"])
def test_topics_that_the_service_reserves_are_reserved(topic: str) -> None:
    assert is_reserved(topic)
    with pytest.raises(InvalidError, match="reserved"):
        outbox.statement("sqlite", topic, "k")


@pytest.mark.parametrize("topic", ["twinwire", "twinwires/x", "mercurey", "streams", "a/mercure"])
def test_and_no_others(topic: str) -> None:
    assert not is_reserved(topic)
    outbox.statement("sqlite", topic, "k")


def test_types_that_the_service_reserves_are_reserved() -> None:
    assert RESERVED_TYPES == limits.RESERVED_TYPES


@pytest.mark.parametrize("data", [float("nan"), object(), b"x", RawJson("{"), "\ud800"])
def test_data_that_is_no_json(data: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        outbox.publish(None, "t", "k", data)
    assert caught.value.field == "data"


@pytest.mark.parametrize("name", ["topic", "type"])
def test_what_is_no_text(name: str) -> None:
    given: Any = {"topic": "t", "type": "k"} | {name: 7}
    with pytest.raises(InvalidError, match="no text"):
        outbox.statement("sqlite", **given)


def test_an_event_has_a_bound() -> None:
    head = len('{"topic":"t","type":"k","key":"k"}')
    outbox.statement("sqlite", "t", "k", "x" * (EVENT_MAX - head - 2), key="k")
    with pytest.raises(InvalidError, match="8 MiB"):
        outbox.statement("sqlite", "t", "k", "x" * (EVENT_MAX - head - 1), key="k")


def test_a_statement_for_others_to_execute(database: sqlservers.Database) -> None:
    make(database)
    statement, values = outbox.statement(database.kind, "t", "k", 1, key="k")
    connection = database.connect()
    connection.cursor().execute(statement, values)
    connection.commit()
    connection.close()
    assert [tuple(row) for row in database.run("SELECT topic, event_key FROM twinwire_outbox")] == [("t", "k")]
