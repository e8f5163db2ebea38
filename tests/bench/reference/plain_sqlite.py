"""Plain SQLite, without a service around it: what the disk and the library give.

`python -m tests.bench.reference.plain_sqlite insert DATABASE EVENTS BATCH`, `... fetch DATABASE`, or
`... fetch DATABASE FIRST LAST` for the topics of these numbers alone; prints events/s.
Uses the library that the service uses, and the service's own table and indexes.
"""

import sys
import time
from pathlib import Path
from typing import Any, Final

from service.log.sqlite.database import connect_reader
from service.log.sqlite.drivers import driver
from service.log.sqlite.migrate import migrate
from service.resources import resource
from tests.bench.servers import TOPIC

_INSERT: Final = "INSERT INTO events (offset, topic, prev, time, type, data, key) VALUES (?, ?, ?, ?, ?, ?, ?)"
_FETCH: Final = "SELECT offset, topic, type, time, prev, data FROM events ORDER BY offset"
_FETCH_SOME: Final = (
    "SELECT offset, topic, type, time, prev, data FROM events INDEXED BY events_topic"
    " WHERE topic BETWEEN ? AND ? ORDER BY offset"
)
_DATA: Final = '{"t":"~%019d.%08d","message":"' + "0" * 91 + '"}'


def _connect(path: Path) -> Any:
    """WAL and FULL, everything else as SQLite has it: its own checkpoints too."""
    connection = driver.connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def insert(path: Path, events: int, batch: int) -> float:
    """Events/s into a new database, `batch` a transaction."""
    migrate(path, resource("migrations"))
    connection = _connect(path)
    connection.execute("INSERT INTO topics (id, name) VALUES (1, ?)", (TOPIC,))
    started = time.perf_counter()
    for first in range(1, events + 1, batch):
        now = time.time_ns()
        last = min(first + batch, events + 1)
        rows = [(n, 1, n - 1, now // 1_000_000, "log", _DATA % (now, n), None) for n in range(first, last)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return events / seconds


def fetch(path: Path, topics: tuple[int, int] | None = None) -> float:
    """Events/s out of a database that a server holds open: all rows at once, from a connection that can't write."""
    connection = connect_reader(path)
    started = time.perf_counter()
    rows = connection.execute(_FETCH_SOME if topics else _FETCH, topics or ()).fetchall()
    seconds = time.perf_counter() - started
    connection.close()
    return len(rows) / seconds


def main(arguments: list[str]) -> None:
    verb, path, *numbers = arguments
    if verb == "insert":
        events, batch = map(int, numbers)
        print(insert(Path(path), events, batch))
    else:
        first, last = map(int, numbers or (0, 0))
        print(fetch(Path(path), (first, last) if numbers else None))


if __name__ == "__main__":
    main(sys.argv[1:])
