import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import sqlservers
from tests.support.server import ROOT
from tests.unit.twinwire.outbox.taking import make
from twinwire import InvalidError, outbox
from twinwire.outbox.drivers import checked_kind, connect, fetched, kind_of, session_of

DJANGO = """
import sys
from django.conf import settings
settings.configure(DEBUG=True, DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}})
import django
django.setup()
from django.db import connection, transaction
from twinwire import outbox
with transaction.atomic():
    outbox.create_table(connection)
    outbox.publish(connection, "t", "k", "yes")
try:
    with transaction.atomic(), connection.cursor() as cursor:
        outbox.publish(cursor, "t", "k", "no")
        raise KeyError
except KeyError:
    pass
with connection.cursor() as cursor:
    outbox.publish(cursor, "t", "k", "alone")
"""


class Wrapper:
    """As a pool's."""

    def __init__(self, connection: Any) -> None:
        self.dbapi_connection = connection


class Alchemy:
    """The part of SQLAlchemy's `Connection` that counts: what runs through it begins its transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.dialect = self
        self.name = "sqlite"
        self.ran: list[str] = []

    def exec_driver_sql(self, statement: str, values: tuple[Any, ...]) -> None:
        self.ran.append(statement)
        self.connection.execute(statement, values)


class AsyncConnection:
    __module__ = "psycopg"

    class Cursor:
        async def execute(self, *rest: Any) -> None: ...

    def cursor(self) -> Any:
        return self.Cursor()


class AsyncAlchemy:
    async def exec_driver_sql(self, *rest: Any) -> None: ...


def count(connection: sqlite3.Connection) -> int:
    ((found,),) = connection.execute("SELECT count(*) FROM twinwire_outbox").fetchall()
    return int(found)


def test_connections_cursors_and_what_wraps_them(database: sqlservers.Database) -> None:
    make(database)
    connection = database.connect()
    for given in (connection, connection.cursor(), Wrapper(connection), Wrapper(Wrapper(connection))):
        assert session_of(given).kind == database.kind
        outbox.publish(given, "t", "k", 1)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 0
    connection.commit()
    connection.close()
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 4


def test_a_cursor_that_is_read_from_goes_on(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    outbox.create_table(connection)
    cursor = connection.execute("SELECT 1 UNION SELECT 2")
    assert next(cursor) == (1,)
    outbox.publish(cursor, "t", "k", 1)
    assert next(cursor) == (2,)


def test_djangos(tmp_path: Path) -> None:
    path = tmp_path / "django.db"
    run = subprocess.run(
        [sys.executable, "-c", DJANGO, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    rows = sqlite3.connect(path).execute("SELECT data FROM twinwire_outbox ORDER BY id").fetchall()
    assert rows == [('"yes"',), ('"alone"',)]


def test_sqlalchemys_goes_through_itself() -> None:
    connection = Alchemy(sqlite3.connect(":memory:"))
    outbox.create_table(connection)
    outbox.publish(connection, "t", "k", 1)
    assert connection.ran[-1].startswith("INSERT")
    assert count(connection.connection) == 1


@pytest.mark.parametrize("given", [AsyncConnection(), AsyncAlchemy()])
def test_what_nobody_would_await_is_refused(given: Any) -> None:
    with pytest.raises(InvalidError, match="asynchronous"):
        outbox.publish(given, "t", "k", 1)


@pytest.mark.parametrize("given", [None, 1, "shop.db", object()])
def test_what_is_no_connection(given: Any) -> None:
    assert kind_of(given) is None
    with pytest.raises(InvalidError, match="no connection or cursor"):
        session_of(given)


def test_a_wrapper_of_itself_is_none() -> None:
    loop = Wrapper(None)
    loop.dbapi_connection = loop
    with pytest.raises(InvalidError):
        session_of(loop)


def test_by_a_url(database: sqlservers.Database) -> None:
    connection = connect(database.dsn.replace("://", "+driver://"))
    cursor = connection.cursor()
    cursor.execute("SELECT 1")
    assert fetched(cursor) == [(1,)]
    assert kind_of(connection) == database.kind
    connection.close()


@pytest.mark.parametrize("dsn", ["", "shop.db", "oracle://x", "sqlite:shop.db", "sqlite://shop.db", "sqlite:///"])
def test_what_is_no_url_of_a_database(dsn: str) -> None:
    with pytest.raises(InvalidError):
        connect(dsn)


def test_a_file_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        connect(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidError, match="pip install psycopg"):
        connect("postgresql://x:secret@y/z")


def test_names_of_databases() -> None:
    assert [checked_kind(name) for name in ("postgres", "mariadb", "sqlite")] == ["postgresql", "mysql", "sqlite"]


def test_rows_are_tuples() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    with pytest.raises(InvalidError, match="as Row"):
        fetched(connection.execute("SELECT 1"))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:100%secret@h/d",
        "postgresql://u:p@h/d?schema=public",
        "postgresql://u:p/secret@h/d",
        "mysql://u:p/secret@h/d",
        "mysql://u:secret@[h/d",
        "mysql://u:secret@h/d?ssl-mode=REQUIRED",
        "mysql://u:secret@h",
    ],
)
def test_what_a_driver_would_try_again_for_ever_is_told_at_once(dsn: str) -> None:
    """And without what the driver says, which has the password."""
    pytest.importorskip("psycopg")
    with pytest.raises(InvalidError, match="that is no DSN for") as caught:
        connect(dsn)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
