"""Migrations: each once, each whole, and a clear word when the record and the files disagree."""

import shutil
from pathlib import Path

import pytest

from service.core.errors import MigrationError, StorageError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.sqlite.database import connect_reader
from service.log.sqlite.drivers import driver
from service.log.sqlite.migrate import load, migrate, statements
from service.resources import resource
from tests.support.clock import ManualClock
from tests.support.sqlitelog import open_sqlite_log

ONE = "CREATE TABLE one (a INTEGER);\n"
TWO = "-- the second\nCREATE TABLE two (a INTEGER);\nINSERT INTO two VALUES (1);\n"
BROKEN = "CREATE TABLE three (a INTEGER);\nINSERT INTO nowhere VALUES (1);\n"


class Database:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        self.migrations = folder / "migrations"
        self.migrations.mkdir()

    def write(self, **files: str) -> None:
        for name, sql in files.items():
            (self.migrations / f"{name[1:]}.sql").write_text(sql)

    def migrate(self) -> list[int]:
        return [one.number for one in migrate(self.path, self.migrations)]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        connection = connect_reader(self.path)
        try:
            found: list[tuple[object, ...]] = connection.execute(sql).fetchall()
            return found
        finally:
            connection.close()

    def tables(self) -> list[object]:
        return [name for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path)
    database.write(_0001_one=ONE, _0002_two=TWO)
    return database


def test_each_is_applied_once_and_recorded(database: Database) -> None:
    assert database.migrate() == [1, 2]
    assert database.migrate() == []
    assert database.tables() == ["migrations", "one", "two"]
    records = database.rows("SELECT number, name, length(checksum), applied LIKE '____-__-__T%Z' FROM migrations")
    assert records == [(1, "one", 64, 1), (2, "two", 64, 1)]


def test_new_ones_are_added_to_an_old_database(database: Database) -> None:
    database.migrate()
    database.write(_0003_three="CREATE TABLE three (a INTEGER);")
    assert database.migrate() == [3]


def test_a_failing_one_rolls_back_with_its_record_and_keeps_those_before(database: Database) -> None:
    database.write(_0003_three=BROKEN)
    with pytest.raises(StorageError, match="nowhere"):
        database.migrate()
    assert database.tables() == ["migrations", "one", "two"]
    assert database.rows("SELECT number FROM migrations") == [(1,), (2,)]
    database.write(_0003_three="CREATE TABLE three (a INTEGER);")
    assert database.migrate() == [3], "mended, it applies"


def test_an_edited_one_is_refused(database: Database) -> None:
    database.migrate()
    database.write(_0001_one=ONE + "\n")
    with pytest.raises(MigrationError, match="0001_one was edited"):
        database.migrate()


def test_a_renamed_one_is_missing(database: Database) -> None:
    database.migrate()
    (database.migrations / "0002_two.sql").rename(database.migrations / "0002_second.sql")
    with pytest.raises(MigrationError, match="0002_two is missing"):
        database.migrate()


def test_a_newer_database_is_refused_untouched(database: Database) -> None:
    database.migrate()
    (database.migrations / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match="newer than this program"):
        database.migrate()
    assert database.rows("SELECT number FROM migrations") == [(1,), (2,)]


def test_a_record_with_a_hole_is_refused(database: Database) -> None:
    database.migrate()
    connection = driver.connect(str(database.path), isolation_level=None)
    connection.execute("DELETE FROM migrations WHERE number = 1")
    connection.close()
    with pytest.raises(MigrationError, match="hole"):
        database.migrate()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"_0001_one": ONE, "_0003_three": ONE}, "hole"),
        ({"_0002_two": TWO}, "hole"),
        ({"_0001_one": ONE, "_0001_other": TWO}, "hole"),
        ({}, "hole"),
        ({"_0001_one": ONE, "_two": TWO}, "not named"),
        ({"_0001_Upper": ONE}, "not named"),
    ],
)
def test_files_are_numbered_without_a_hole(tmp_path: Path, files: dict[str, str], message: str) -> None:
    database = Database(tmp_path)
    database.write(**files)
    with pytest.raises(MigrationError, match=message):
        load(database.migrations)


def test_statements_are_split_where_they_end() -> None:
    script = (
        "-- a comment; with a semicolon\n"
        "CREATE TABLE a (b TEXT DEFAULT ';'); -- after\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM a;\n  SELECT 1;\nEND;\n"
        "/* a block;\n   of comment */ SELECT 1;\n"
        "\n-- the end\n"
    )
    heads = [statement.split()[-1] for statement in statements(script)]
    assert heads == ["after", "END;", "1;"]


def test_a_statement_that_does_not_end_is_refused(database: Database) -> None:
    database.write(_0003_three="CREATE TABLE three (a INTEGER)")
    with pytest.raises(MigrationError, match="does not end"):
        database.migrate()
    assert database.rows("SELECT number FROM migrations") == [(1,), (2,)]


def test_two_statements_on_one_line_are_refused_in_words(database: Database) -> None:
    database.write(_0003_three="CREATE TABLE three (a INTEGER); CREATE TABLE four (a INTEGER);")
    with pytest.raises(StorageError, match="one statement"):
        database.migrate()
    assert "three" not in database.tables()


def test_what_is_no_database_is_left_alone(database: Database) -> None:
    database.path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(StorageError, match="not a SQLite database"):
        database.migrate()
    assert database.path.read_bytes() == b"Dear diary, " * 1_000


def test_a_missing_folder_is_explained(database: Database) -> None:
    with pytest.raises(StorageError, match="can't be opened"):
        migrate(database.path.parent / "nowhere" / "test.db", database.migrations)


def test_our_own_apply_to_a_new_file(tmp_path: Path) -> None:
    applied = migrate(tmp_path / "test.db", resource("migrations"))
    assert [one.number for one in applied] == list(range(1, len(applied) + 1))
    assert migrate(tmp_path / "test.db", resource("migrations")) == []


async def test_events_of_before_0004_carry_no_trace_and_those_after_it_may(tmp_path: Path) -> None:
    old, path = tmp_path / "migrations", tmp_path / "test.db"
    old.mkdir()
    for file in sorted(resource("migrations").glob("*.sql"))[:3]:
        shutil.copy(file, old)
    migrate(path, old)
    connection = driver.connect(str(path), isolation_level=None)
    connection.execute("INSERT INTO topics (id, name) VALUES (1, 'a')")
    connection.execute("INSERT INTO events VALUES (1, 1, 0, 5, 'log', '{}', NULL), (2, 1, 1, 5, 'log', '{}', 'k')")
    connection.close()
    log = await open_sqlite_log(path, ManualClock())
    await log.append([Draft("a", "log", "1")], traceparent="t")
    page = await log.read(TopicFilter.all(), 0, 10, 1_000)
    await log.close()
    assert [(event.offset, event.prev, event.traceparent) for event in page.events] == [
        (1, 0, None),
        (2, 1, None),
        (3, 2, "t"),
    ]
