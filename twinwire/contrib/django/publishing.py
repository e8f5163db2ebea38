"""`publish`: the outbox's INSERT, through Django's own connection, in the transaction that it is in."""

from typing import Any, Unpack

from django.db import DEFAULT_DB_ALIAS, connections

from twinwire.event import About, Draft
from twinwire.outbox.drivers import checked_kind
from twinwire.outbox.writing import insert, values_of


def publish(topic: str, type: str, data: Any = None, *, using: str | None = None, **about: Unpack[About]) -> str:
    """Publishes with the transaction of this database (`using` as of `transaction.atomic`) if it is committed, and not
    at all if it, or the savepoint that this is in, is rolled back; the event's key. `data` is what `Twinwire.publish`
    takes, `key`, `subject`, `append` and `final` are as in `Draft`.

    Outside of `atomic()` Django commits each statement by itself, and so the event is published alone. As all of
    Django's queries it may not be called on an event loop: `await sync_to_async(...)()` of the function that has the
    whole transaction.

    Raises InvalidError for what can't be sent, or a database that has no outbox; and what Django does, which is
    `TransactionManagementError` in a transaction that can only be rolled back.
    """
    values = values_of(Draft(topic, type, data, **about))
    connection = connections[using or DEFAULT_DB_ALIAS]
    checked_kind(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(insert("postgresql"), values)  # Django takes %s for every database
    return values[0]
