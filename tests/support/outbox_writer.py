"""An application that publishes in its transactions, and may be killed at any moment.

    python -m tests.support.outbox_writer DSN SEED TOPIC ...

Each transaction counts one or two topics up, under the lock of their rows, and publishes the new numbers; one in five
is rolled back. So what is committed of a topic is in its row of `counters`, and its numbers are in the order of the
commits: at the end its log must have each of them once, and nothing of the rest.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twinwire import outbox
from twinwire.outbox.drivers import connect, kind_of

T = TypeVar("T")

COUNTERS = "CREATE TABLE counters (topic VARCHAR(200) PRIMARY KEY, n INTEGER NOT NULL)"


def application(dsn: str) -> Any:
    """A connection that waits long: SQLite's own polling starves where others write all the time."""
    connection = connect(dsn)
    if kind_of(connection) == "sqlite":
        _run(connection, "PRAGMA busy_timeout = 60000")
        _run(connection, "PRAGMA synchronous = OFF")
    return connection


def add_topics(connection: Any, topics: list[str]) -> None:
    """The table, and a row for each; in autocommit."""
    _run(connection, COUNTERS)
    for topic in topics:
        _run(connection, "INSERT INTO counters VALUES (%s, 0)", topic)


def _run(connection: Any, statement: str, *values: Any) -> list[Any]:
    cursor = connection.cursor()
    cursor.execute(statement.replace("%s", "?") if kind_of(connection) == "sqlite" else statement, values)
    rows = list(cursor.fetchall()) if cursor.description else []
    cursor.close()
    return rows


def write(connection: Any, draw: random.Random, topics: list[str]) -> None:
    """One transaction. In the order of their names: nobody waits for each other in a circle."""
    _run(connection, "BEGIN IMMEDIATE" if kind_of(connection) == "sqlite" else "BEGIN")
    is_kept = draw.random() < 0.8
    for topic in sorted(draw.sample(topics, draw.choice((1, 2)))):
        _run(connection, "UPDATE counters SET n = n + 1 WHERE topic = %s", topic)
        ((n,),) = _run(connection, "SELECT n FROM counters WHERE topic = %s", topic)
        outbox.publish(connection, topic, "n" if is_kept else "never", n)
    _run(connection, "COMMIT" if is_kept else "ROLLBACK")
    time.sleep(0.002)  # others have a turn


def go_on(
    arguments: Sequence[str],
    application: Callable[[str], T],
    write: Callable[[T, random.Random, list[str]], None],
) -> None:
    """A program's arguments, and what it is: transactions without end."""
    dsn, seed, *topics = arguments
    made = application(dsn)
    draw = random.Random(seed)
    print("begins", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:  # also where whoever began it was killed
        write(made, draw, topics)


if __name__ == "__main__":
    go_on(sys.argv[1:], application, write)
