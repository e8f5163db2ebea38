"""The application of `outbox_writer` in Django: its transactions are `atomic()`, and each has a savepoint that comes to
nothing.

    python -m tests.support.django_writer DSN SEED TOPIC ...
"""

import contextlib
import random
import sys
import time

from django.db import connection, transaction

from tests.support import django_shop
from tests.support.outbox_writer import go_on
from twinwire.contrib.django import publish


class UndoneError(Exception):
    """What a savepoint comes to."""


def write(connected: None, draw: random.Random, topics: list[str]) -> None:
    """One transaction. In the order of their names: nobody waits for each other in a circle."""
    is_kept = draw.random() < 0.8
    with transaction.atomic():
        for topic in sorted(draw.sample(topics, draw.choice((1, 2)))):
            n = count(topic)
            with contextlib.suppress(UndoneError), transaction.atomic():
                publish(topic, "never", n)
                raise UndoneError
            publish(topic, "n" if is_kept else "never", n)
        transaction.set_rollback(not is_kept)
    time.sleep(0.002)  # others have a turn


def count(topic: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE counters SET n = n + 1 WHERE topic = %s", [topic])
        cursor.execute("SELECT n FROM counters WHERE topic = %s", [topic])
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    go_on(sys.argv[1:], django_shop.configure, write)
