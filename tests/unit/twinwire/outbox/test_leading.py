import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import sqlservers
from tests.support.server import ROOT
from tests.unit.twinwire.outbox.taking import become, make, put
from twinwire import InvalidError
from twinwire.outbox.drivers import connect
from twinwire.outbox.leading import FALLBACK, Leading, leading

HOLDER = """
import sys, time
from twinwire.outbox.drivers import connect
from twinwire.outbox.leading import leading
held = leading(connect(sys.argv[1]), time.sleep)
print(held.is_ours(), flush=True)
time.sleep(3_600)
"""


def never(seconds: float) -> bool:
    raise AssertionError("nobody is to wait here")


def led(database: sqlservers.Database, pause: Callable[[float], object] = never) -> Leading:
    return leading(connect(database.dsn), pause)


def test_one_at_a_time_and_the_next_when_it_lets_go(database: sqlservers.Database) -> None:
    make(database)
    first, second = led(database), led(database)
    assert first.is_ours()
    assert not second.is_ours()
    assert first.is_ours()
    first.close()
    become(second.is_ours)
    second.close()


def test_who_is_killed_holds_nothing(database: sqlservers.Database) -> None:
    make(database)
    with subprocess.Popen([sys.executable, "-c", HOLDER, database.dsn], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        try:
            ours = led(database)
            assert not ours.is_ours()
        finally:
            holder.kill()
        become(ours.is_ours)
    ours.close()


def test_an_application_is_not_kept_from_anything(database: sqlservers.Database) -> None:
    make(database)
    ours = led(database)
    assert ours.is_ours()
    put(database, 1)
    assert database.run("SELECT count(*) FROM twinwire_outbox")[0][0] == 1
    ours.close()


@pytest.mark.parametrize("database", ["sqlite", "mysql"], indirect=True)
def test_where_nobody_tells_it_is_looked_again(database: sqlservers.Database) -> None:
    make(database)
    waits: list[float] = []
    ours = led(database, waits.append)
    ours.wait(0.25)
    assert waits == [0.25]
    ours.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_commit_wakes_it_and_what_is_rolled_back_does_not(database: sqlservers.Database) -> None:
    make(database)
    paused: list[float] = []

    def pause(seconds: float) -> bool:
        paused.append(seconds)
        return len(paused) > 3

    ours = led(database, pause)
    connection = database.connect()
    connection.execute("INSERT INTO twinwire_outbox (topic, type, data) VALUES ('t', 'k', '1')")
    ours.wait(0.01)
    assert len(paused) == 4, "it looked whether it is to end, and was told of nothing"
    connection.rollback()
    paused.clear()
    put(database, 1)
    ours.wait(FALLBACK)
    assert paused == []
    connection.close()
    ours.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_told_while_something_else_is_asked_counts(database: sqlservers.Database) -> None:
    make(database)
    connection = connect(database.dsn)
    ours = leading(connection, never)
    put(database, 1)
    connection.execute("SELECT 1").fetchall()
    ours.wait(FALLBACK)
    ours.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_stands_by_keeps_nothing_of_what_is_told(database: sqlservers.Database) -> None:
    """The driver would, one for each commit, for as long as nobody takes them."""
    make(database)
    first = led(database)
    assert first.is_ours()
    connection = connect(database.dsn)
    standby = leading(connection, never)
    for value in range(3):
        put(database, value)
        assert not standby.is_ours()  # its statement brings in all that was told until then
    assert not standby.is_ours()
    assert list(connection.notifies(timeout=0)) == []
    standby.wait(0.01)  # it was told, and looks at once
    standby.close()
    first.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_it_is_looked_all_the_same_some_time(database: sqlservers.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinwire.outbox.leading.FALLBACK", 0.05)
    make(database)
    ours = led(database, lambda seconds: False)
    ours.wait(0.01)
    ours.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_nothing_is_open_while_it_waits(database: sqlservers.Database) -> None:
    """An old transaction would keep PostgreSQL from clearing away what was deleted."""
    make(database)
    ended = threading.Event()
    connection = connect(database.dsn)
    ours = leading(connection, lambda seconds: ended.is_set())
    assert ours.is_ours()
    waiting = threading.Thread(target=ours.wait, args=(0.01,))
    waiting.start()
    other = connect(database.dsn)
    asked = "SELECT state, backend_xmin IS NULL FROM pg_stat_activity WHERE pid = %s"
    become(lambda: other.execute(asked, (connection.info.backend_pid,)).fetchall() == [("idle", True)])
    ended.set()
    waiting.join()
    other.close()
    ours.close()


class Modern(sqlite3.Connection):
    """As of Python 3.12, where it was asked for PEP 249's way of transactions: an older one has no such attribute."""

    autocommit = False


def test_a_connection_of_pep_249_is_made_ready(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", factory=Modern)
    ours = leading(connection, time.sleep)
    assert connection.autocommit
    ours.close()


def test_what_is_no_connection() -> None:
    with pytest.raises(InvalidError, match="no connection"):
        leading(object(), never)
