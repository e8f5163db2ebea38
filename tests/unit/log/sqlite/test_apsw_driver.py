"""What the log uses of the DB-API is the same on apsw as on Python's own module, and so is the log's contract on it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from service.log.sqlite import apsw_driver
from service.log.sqlite.drivers import library_is_affected
from tests.support.server import ROOT

DRIVERS = pytest.mark.parametrize("driver", [apsw_driver, sqlite3], ids=["apsw", "sqlite3"])
NUMBERS = "RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)"


@pytest.fixture
def connection(driver: Any, tmp_path: Path) -> Iterator[Any]:
    found = driver.connect(str(tmp_path / "test.db"), isolation_level=None, timeout=0)
    found.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    yield found
    found.close()


def fill(connection: Any, rows: int = 5) -> None:
    for number in range(rows):
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, str(number)))


def test_it_is_a_fixed_one() -> None:
    assert not library_is_affected(apsw_driver.sqlite_version_info)


@DRIVERS
def test_rows_are_read_in_parts(connection: Any) -> None:
    fill(connection)
    found = connection.execute("SELECT a, b FROM t ORDER BY a")
    assert found.fetchone() == (0, "0")
    assert found.fetchmany(2) == [(1, "1"), (2, "2")]
    assert next(iter(found)) == (3, "3")
    assert found.fetchall() == [(4, "4")]
    assert found.fetchone() is None
    assert list(found) == found.fetchall() == found.fetchmany(3) == []


@DRIVERS
def test_parameters_by_place_and_by_name(driver: Any, connection: Any) -> None:
    assert connection.execute("SELECT ?, ?, ?", (None, b"\x00", 1.5)).fetchone() == (None, b"\x00", 1.5)
    assert connection.execute("SELECT :a, :b", {"a": 2**63 - 1, "b": True}).fetchone() == (2**63 - 1, 1)
    with pytest.raises(OverflowError):
        connection.execute("SELECT ?", (2**63,))
    with pytest.raises(driver.ProgrammingError, match="did not supply a value"):
        connection.execute("SELECT :a, :b", {"a": 1})


@DRIVERS
def test_a_transaction_is_one_only_if_it_was_begun(connection: Any) -> None:
    fill(connection)
    assert not connection.in_transaction
    connection.rollback()
    connection.execute("BEGIN")
    connection.execute("DELETE FROM t WHERE a = 4")
    assert connection.in_transaction
    connection.rollback()
    connection.execute("BEGIN")
    connection.execute("DELETE FROM t WHERE a = 3")
    connection.commit()
    connection.commit()
    assert [a for (a,) in connection.execute("SELECT a FROM t")] == [0, 1, 2, 4]


@DRIVERS
@pytest.mark.parametrize(
    ("sql", "kind", "code"),
    [
        ("SELECT nothing FROM t", "OperationalError", apsw.SQLITE_ERROR),
        ("INSERT INTO t VALUES (1, NULL)", "IntegrityError", apsw.SQLITE_CONSTRAINT_NOTNULL),
        ("INSERT INTO t VALUES (0, 'again')", "IntegrityError", apsw.SQLITE_CONSTRAINT_PRIMARYKEY),
    ],
)
def test_an_error_has_its_kind_its_code_and_its_words(
    driver: Any, connection: Any, sql: str, kind: str, code: int
) -> None:
    fill(connection, 1)
    with pytest.raises(getattr(driver, kind)) as caught:
        connection.execute(sql)
    assert caught.value.sqlite_errorcode == code
    assert isinstance(caught.value, driver.Error)
    own = sqlite3.connect(":memory:")
    own.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    own.execute("INSERT INTO t VALUES (0, '0')")
    with pytest.raises(getattr(sqlite3, kind)) as expected:
        own.execute(sql)
    own.close()
    assert str(caught.value) == str(expected.value)


@DRIVERS
def test_a_lock_of_another_is_told(driver: Any, connection: Any, tmp_path: Path) -> None:
    other = driver.connect(str(tmp_path / "test.db"), isolation_level=None, timeout=0)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(driver.OperationalError, match="locked") as caught:
        connection.execute("INSERT INTO t VALUES (9, '9')")
    assert caught.value.sqlite_errorcode == apsw.SQLITE_BUSY
    other.close()


@DRIVERS
def test_no_database_and_no_file(driver: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, however long this text is made " * 100)
    broken = driver.connect(str(tmp_path / "text"), isolation_level=None)
    with pytest.raises(driver.DatabaseError, match="file is not a database"):
        broken.execute("SELECT * FROM sqlite_schema")
    broken.close()
    with pytest.raises(driver.OperationalError, match="unable to open database file"):
        driver.connect(f"file:{tmp_path}/none.db?mode=ro", uri=True, isolation_level=None)


@DRIVERS
def test_one_statement_at_a_time(driver: Any, connection: Any) -> None:
    with pytest.raises((driver.Warning, driver.ProgrammingError), match="one statement at a time"):
        connection.execute("DELETE FROM t; DELETE FROM t")
    connection.execute("INSERT INTO t VALUES (1, ';');  -- a word; and more\n\n")
    connection.execute("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END;")
    connection.execute("INSERT INTO t VALUES (2, '')")
    assert connection.execute("SELECT * FROM t").fetchall() == []


@DRIVERS
def test_a_read_is_ended_by_its_handler(driver: Any, connection: Any) -> None:
    count = f"WITH {NUMBERS} SELECT count(*) FROM n"
    connection.set_progress_handler(lambda: True, 100)
    with pytest.raises(driver.OperationalError, match="interrupted"):
        connection.execute(count).fetchone()
    connection.set_progress_handler(None, 0)
    assert connection.execute(count).fetchone() == (2_000,)


@DRIVERS
def test_rows_that_fail_in_the_middle(driver: Any, connection: Any) -> None:
    fill(connection)
    for read in (list, lambda rows: rows.fetchall(), lambda rows: [rows.fetchone() for _ in range(9)]):
        rows = connection.execute("SELECT json(CASE a WHEN 3 THEN '{' ELSE a END) FROM t ORDER BY a")
        with pytest.raises(driver.OperationalError, match="malformed JSON"):
            read(rows)


@DRIVERS
def test_text_that_is_none_is_the_files_fault(driver: Any, connection: Any) -> None:
    connection.execute("INSERT INTO t VALUES (1, CAST(x'ff' AS TEXT))")
    for read in (list, lambda rows: rows.fetchall(), lambda rows: rows.fetchone()):
        with pytest.raises(driver.OperationalError, match="UTF-8"):
            read(connection.execute("SELECT b FROM t"))


@DRIVERS
def test_a_copy_tells_how_far_it_is(driver: Any, connection: Any, tmp_path: Path) -> None:
    connection.execute(f"INSERT INTO t WITH {NUMBERS} SELECT i, printf('%100d', i) FROM n")
    told: list[tuple[int, int]] = []
    target = driver.connect(str(tmp_path / "copy.db"), isolation_level=None)
    connection.backup(target, pages=4, progress=lambda _, left, total: told.append((left, total)))
    assert target.execute("SELECT count(*) FROM t").fetchone() == (2_000,)
    target.close()
    assert len(told) > 2
    assert told[-1][0] == 0
    assert [left for left, _ in told] == sorted((left for left, _ in told), reverse=True)


@DRIVERS
def test_whoever_is_closed_says_so(driver: Any, tmp_path: Path) -> None:
    closed = driver.connect(str(tmp_path / "test.db"), isolation_level=None)
    closed.close()
    with pytest.raises(driver.ProgrammingError, match=r"(?i)closed"):
        closed.execute("SELECT 1")


def test_a_transaction_that_begins_by_itself_is_not_for_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="isolation_level"):
        apsw_driver.connect(str(tmp_path / "test.db"), isolation_level="DEFERRED")


def test_the_log_keeps_its_contract_on_it() -> None:
    """In a process of its own: which library it is, is decided once."""
    names = ["test_contract.py", *(f"sqlite/test_{name}.py" for name in ("database", "migrate", "slow", "verify"))]
    paths = [str(Path(__file__).parents[1] / name) for name in names]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.on_apsw", "-p", "no:cacheprovider", *paths],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5_000:]
