import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import OperationalError, ProgrammingError, connection, transaction

from tests.support import django_shop
from tests.support.sqlservers import Database
from tests.unit.twinwire.outbox.taking import make
from twinwire import InvalidError
from twinwire.contrib.django import publish


class OopsError(Exception):
    """Of the application."""


def events(shop: Database) -> list[Any]:
    """What is committed, in its order."""
    return [row[0] for row in shop.run("SELECT data FROM twinwire_outbox ORDER BY id")]


def test_it_is_there_with_the_commit(shop: Database) -> None:
    with transaction.atomic():
        publish("orders/1", "paid", 1)
        assert shop.kind == "sqlite" or events(shop) == [], "others see it with the commit"
        publish("orders/1", "sent", 2)
    assert events(shop) == ["1", "2"]


def test_a_rollback_publishes_nothing(shop: Database) -> None:
    with pytest.raises(OopsError), transaction.atomic():  # noqa: PT012
        publish("orders/1", "paid", 1)
        raise OopsError
    with transaction.atomic():
        publish("orders/1", "paid", 2)
        transaction.set_rollback(True)
    assert events(shop) == []


def test_nor_does_a_savepoint_that_is_rolled_back(shop: Database) -> None:
    with transaction.atomic():
        publish("orders/1", "k", "before")
        with pytest.raises(OopsError), transaction.atomic():  # noqa: PT012
            publish("orders/1", "k", "inside")
            with transaction.atomic():
                publish("orders/1", "k", "deeper")
            raise OopsError
        point = connection.savepoint()
        publish("orders/1", "k", "by hand")
        connection.savepoint_rollback(point)
        publish("orders/1", "k", "behind")
    assert events(shop) == ['"before"', '"behind"']


def test_a_savepoint_is_no_commit(shop: Database) -> None:
    with pytest.raises(OopsError), transaction.atomic():  # noqa: PT012
        with transaction.atomic():
            publish("orders/1", "k", "inside")
        raise OopsError
    assert events(shop) == []


def test_a_transaction_that_is_broken_takes_nothing(shop: Database) -> None:
    with transaction.atomic():
        with pytest.raises((OperationalError, ProgrammingError)), transaction.atomic(savepoint=False):
            connection.cursor().execute("SELECT nothing FROM nowhere")
        with pytest.raises(transaction.TransactionManagementError):
            publish("orders/1", "k", 1)
    assert events(shop) == []


def test_outside_of_a_transaction_it_is_alone(shop: Database) -> None:
    publish("orders/1", "k", 1)
    assert events(shop) == ["1"]


def test_all_that_is_said_of_it_is_kept(shop: Database) -> None:
    data = {"total": "12.50", "text": "50 % é \U0001f600"}
    given = publish("orders/1", "paid", data, key="mine", subject="line", append=True, final=True)
    drawn = publish("orders/1", "paid")
    columns = "event_key, topic, type, subject, is_append, is_final, data, refused_at, refused"
    first, second = shop.run(f"SELECT {columns} FROM twinwire_outbox ORDER BY id")
    text = '{"total":"12.50","text":"50 % é \U0001f600"}'
    assert (given, tuple(first)) == ("mine", ("mine", "orders/1", "paid", "line", True, True, text, None, None))
    assert tuple(second) == (drawn, "orders/1", "paid", None, False, False, "null", None, None)
    assert len(drawn) == 36


def test_what_cant_be_sent_leaves_the_transaction_as_it_is(shop: Database) -> None:
    with transaction.atomic():
        with pytest.raises(InvalidError) as refused:
            publish("orders/*", "paid")
        publish("orders/1", "paid", 1)
    assert refused.value.field == "topic"
    assert events(shop) == ["1"]


def test_another_database(shop: Database, database: Database) -> None:
    """Each commits and rolls back for itself."""
    make(database)
    django_shop.use(database.dsn, "other")
    try:
        with transaction.atomic(using="other"), pytest.raises(OopsError), transaction.atomic():  # noqa: PT012
            publish("orders/1", "k", "other", using="other")
            publish("orders/1", "k", "default")
            raise OopsError
    finally:
        django_shop.forget("other")
    assert (events(shop), events(database)) == ([], ['"other"'])


def test_a_database_without_an_outbox() -> None:
    django_shop.use("sqlite:///:memory:", "none", ENGINE="django.db.backends.dummy")
    try:
        with pytest.raises(InvalidError, match="'unknown' is none of sqlite, postgresql, mysql"):
            publish("orders/1", "k", using="none")
    finally:
        django_shop.forget("none")


def test_an_async_view_calls_it_in_a_thread_with_its_transaction(shop: Database) -> None:
    def pay(fails: bool) -> None:
        try:
            with transaction.atomic():
                publish("orders/1", "paid", fails)
                if fails:
                    raise OopsError
        finally:
            django_shop.forget()  # of that thread

    async def view() -> None:
        with pytest.raises(SynchronousOnlyOperation):
            publish("orders/1", "paid", "on the loop")
        with pytest.raises(OopsError):
            await sync_to_async(pay)(True)
        await sync_to_async(pay)(False)

    asyncio.run(view())
    assert events(shop) == ["false"]
