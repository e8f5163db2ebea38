"""Numbered SQL files, each applied once, in one transaction together with its record and checksum."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.core.errors import MigrationError, StorageError
from service.log.sqlite.comments import has_statement
from service.log.sqlite.database import (
    Connection,
    WriterConnection,
    connect_reader,
    connect_writer,
    explain,
    explained,
    transaction,
)
from service.log.sqlite.drivers import driver

_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql\Z")
_RECORDS: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. The checksum is SHA-256 of its bytes, so that an edit after the fact is seen."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(folder: Path) -> list[Migration]:
    """The migrations in `folder`, in order. Raises MigrationError if the numbers are not 1, 2, 3, ..."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.match(path.name)
        if match is None:
            raise MigrationError(f"{path.name} is not named NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text("utf-8")))
    if [one.number for one in found] != list(range(1, len(found) + 1)) or not found:
        raise MigrationError(f"the migrations in {folder} are not numbered 0001, 0002, ... without a hole")
    return found


def pending(connection: Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """What is yet to apply. Raises MigrationError if what was applied differs from `migrations`."""
    known = {one.number: one for one in migrations}
    applied = connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number").fetchall()
    for number, name, checksum in applied:
        if number > len(migrations):
            raise MigrationError(
                f"the database is newer than this program: it has migration {number:04}_{name}, which is unknown here"
            )
        if (one := known[number]).name != name:
            raise MigrationError(f"migration {number:04}_{name} is missing: found {number:04}_{one.name} instead")
        if one.checksum != checksum:
            raise MigrationError(f"migration {number:04}_{name} was edited after it was applied")
    if [number for number, _, _ in applied] != list(range(1, len(applied) + 1)):
        raise MigrationError("the database's record of its migrations has a hole")
    return [one for one in migrations if one.number > len(applied)]


def apply(connection: WriterConnection, migration: Migration) -> None:
    """One transaction for the statements and their record."""
    with transaction(connection):
        for statement in statements(migration.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migrations (number, name, checksum) VALUES (?, ?, ?)",
            (migration.number, migration.name, migration.checksum),
        )


def statements(sql: str) -> Iterator[str]:
    """Split a script; `executescript` would commit behind our back."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if driver.complete_statement(statement):
            yield statement
            statement = ""
    if has_statement(statement):
        raise MigrationError(f"a statement does not end: {statement.strip()[:60]!r}")


def migrate(database: Path, folder: Path) -> list[Migration]:
    """Create and bring up to date; returns what was applied. Raises MigrationError or StorageError."""
    migrations = load(folder)
    with explained(database):
        connection = connect_writer(database)
    try:
        connection.execute(_RECORDS)
        todo = pending(connection, migrations)
        for migration in todo:
            apply(connection, migration)
        return todo
    except (driver.Error, driver.Warning) as error:  # Warning: two statements on one line
        raise explain(error, database) from error
    except MigrationError as error:
        raise MigrationError(f"{database}: {error.detail}") from error
    finally:
        connection.close()


def unapplied(database: Path, folder: Path) -> int:
    """How many migrations a start would apply to the file at this path, which is only read.

    Raises MigrationError or StorageError if it could not.
    """
    with explained(database):
        connection = connect_reader(database)
        try:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return len(pending(connection, load(folder)) if tables else load(folder))
        finally:
            connection.close()


def check_ours(connection: Connection, called: Path, folder: Path, schema: str = "main") -> list[Migration]:
    """What is yet to apply to a database of ours, called so, which need not be up to date.

    Raises StorageError for one that is not ours, or not whole; MigrationError if it is newer than this program.
    """
    listed = f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table'"  # noqa: S608 - a literal
    tables = {name for (name,) in connection.execute(listed)}
    if missing := sorted({"migrations", "log", "topics", "events"} - tables):
        raise StorageError(f"{called} is no database of Twinwire: it has no table {missing[0]}")
    migrations = load(folder)
    try:
        todo = pending(connection, migrations)
    except MigrationError as error:
        raise MigrationError(f"{called}: {error.detail}") from error
    if len(todo) == len(migrations):
        raise StorageError(f"{called} is not whole: no migration is recorded in it, as in a copy that was not finished")
    return todo


def check_current(database: Path, folder: Path) -> None:
    """Raises MigrationError or StorageError if the file at this path is not one that this program has migrated.

    Opens it anew, so that it also tells of a file that was put in the place of the one in use.
    """
    with explained(database):
        connection = connect_reader(database)
        try:
            todo = pending(connection, load(folder))
        finally:
            connection.close()
    if todo:
        raise MigrationError(f"{database}: migration {todo[0].number:04}_{todo[0].name} is not applied")
