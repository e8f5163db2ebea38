"""Databases as a backup meets them: with events, trims, keys and tables of an application in them; older, or damaged.

All through the library that the service uses: two of them in one process do not know of each other's locks, and one
would take away the journal that the other writes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from service.log.sqlite.backup import quoted
from service.log.sqlite.drivers import driver
from service.log.sqlite.migrate import apply, load
from service.resources import resource

MIGRATIONS: Final = resource("migrations")
NEWEST: Final = len(load(MIGRATIONS))
"""The number of the last one."""

FROM_LATER: Final = f"INSERT INTO migrations (number, name, checksum) VALUES ({NEWEST + 1}, 'later', 'x')"
"""Makes a database one of a newer program."""

EVENT: Final = "events (offset, topic, prev, time, type, data, key)"
"""What most rows have; a later migration may have added columns."""


def quiet(what: str, done: int, total: int) -> None:
    """Whoever is told nothing."""


def rows(path: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What another program finds there, which leaves no trace in a file that is at rest."""
    connection = driver.connect(str(path))
    try:
        found: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
        return found
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    """What somebody does to it who should not."""
    connection = driver.connect(str(path), isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def make_older(path: Path, applied: int, events: int = 10) -> None:
    """As a program left it that knew the first `applied` migrations: with events on two topics, and killed."""
    connection = driver.connect(str(path), isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
            " applied TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))) STRICT"
        )
        for migration in load(MIGRATIONS)[:applied]:
            apply(connection, migration)
        connection.execute("INSERT INTO log (id, epoch, boot, clean) VALUES (1, 'oldepoch', 'durable', 0)")
        connection.execute("INSERT INTO topics (id, name) VALUES (1, 'a'), (2, 'b/c')")
        for offset in range(1, events + 1):
            prev = max(offset - 2, 0)
            row = (
                offset,
                2 - offset % 2,
                prev,
                1_700_000_000_000 + offset,
                "log",
                f'{{"n": {offset}, "é": "ü"}}',
                None,
            )
            connection.execute(f"INSERT INTO {EVENT} VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    finally:
        connection.close()


def contents(path: Path) -> dict[str, Sequence[tuple[Any, ...]]]:
    """Every row of every table, but for what a copy says of itself."""
    tables = [name for (name,) in rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    found: dict[str, Sequence[tuple[Any, ...]]] = {
        name: sorted(rows(path, f"SELECT * FROM {quoted(name)}"), key=repr) for name in tables if name != "log"
    }
    found["log"] = rows(path, "SELECT epoch, counted FROM log")
    found["schema"] = rows(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
    return found
