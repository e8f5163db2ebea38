"""Database servers of other makers, started for the tests: Debian's PostgreSQL and MariaDB, on a socket in a folder of
their own, without a port. And SQLite, so that a test can run on each of them.

Nothing is synced: no test here takes the power away from a database.
"""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.support.needs import need, program

START_DEADLINE: Final = 60.0
"""Seconds until a server takes connections."""

KINDS: Final = ("sqlite", "postgresql", "mysql")
"""What tests run on."""

_PLACES: Final = Path("/usr/lib/postgresql")
"""Where Debian has the server's programs, by version."""


def _postgresql(name: str) -> str:
    found = sorted(_PLACES.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    path = str(found[-1]) if found else shutil.which(name)
    return need(path, f"no {name}: install Debian's postgresql")


def _other_user(name: str) -> dict[str, Any]:
    """For subprocess: neither server runs as root."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        need(None, f"no user {name}: Debian's packages of the servers make them")
        raise
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Database:
    """An empty one. `connect` gives a connection as its driver makes it, in which the caller commits."""

    def __init__(self, kind: str, dsn: str, connect: Callable[[], Any]) -> None:
        self.kind = kind
        self.dsn = dsn
        self.connect = connect

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """One statement, committed; its rows. `%s` is a value's mark."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(statement.replace("%s", "?") if self.kind == "sqlite" else statement, tuple(values))
            rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
            return rows
        finally:
            connection.close()


def sqlite(folder: Path) -> Database:
    path = folder / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return Database("sqlite", f"sqlite:///{path}", lambda: sqlite3.connect(path, timeout=30))


class Server(ABC):
    """One server process with as many databases as there are tests."""

    kind: str
    user: str

    def __init__(self) -> None:
        self._as = _other_user(self.user)
        self.folder = Path(tempfile.mkdtemp(prefix="twinwire-sql-", dir="/tmp"))  # a socket's path has 107 bytes
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises AssertionError with the log if it does not come up."""
        try:
            self.prepare()
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder, **self._as)
            self._await()
        except BaseException:
            self.stop()
            raise

    @abstractmethod
    def prepare(self) -> None:
        """Makes its folder of data."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it."""

    @abstractmethod
    def admin(self) -> Any:
        """A connection that commits by itself."""

    @abstractmethod
    def database(self) -> Database:
        """One more, which is empty."""

    def stop(self) -> None:
        """What it has is thrown away with its folder."""
        if self._process is not None:
            self._process.terminate() if self.kind == "mysql" else self._process.send_signal(3)  # at once
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_DEADLINE
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.admin().close()
                return
            except Exception:
                time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text(errors="replace")[-4_000:])

    def _setup(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=120, **self._as)
        assert done.returncode == 0, done.stdout + done.stderr


class Postgresql(Server):
    kind = "postgresql"
    user = "postgres"

    def prepare(self) -> None:
        name = str(self.folder / "data")
        self._setup([_postgresql("initdb"), "-D", name, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"])

    def command(self) -> list[str]:
        settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=50"]
        options = [part for setting in settings for part in ("-c", setting)]
        return [_postgresql("postgres"), "-D", str(self.folder / "data"), *options]

    def _dsn(self, name: str) -> str:
        return f"postgresql://test@/{name}?host={quote(str(self.folder), safe='')}"

    def admin(self) -> Any:
        import psycopg

        return psycopg.connect(self._dsn("postgres"), autocommit=True)

    def database(self) -> Database:
        import psycopg

        name = f"test_{uuid.uuid4().hex[:12]}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        dsn = self._dsn(name)
        return Database(self.kind, dsn, lambda: psycopg.connect(dsn))


class Mariadb(Server):
    kind = "mysql"
    user = "mysql"

    def prepare(self) -> None:
        data = f"--datadir={self.folder / 'data'}"
        self._setup([program("mariadb-install-db"), "--no-defaults", data, "--auth-root-authentication-method=normal"])

    def command(self) -> list[str]:
        return [
            program("mariadbd", "no mariadbd: install Debian's mariadb-server"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'sock'}",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",
        ]

    def _connect(self, **more: Any) -> Any:
        import pymysql

        return pymysql.connect(unix_socket=str(self.folder / "sock"), user="root", **more)

    def admin(self) -> Any:
        return self._connect(autocommit=True)

    def database(self) -> Database:
        name = f"test_{uuid.uuid4().hex[:12]}"
        connection = self.admin()
        connection.cursor().execute(f"CREATE DATABASE {name}")
        connection.close()
        dsn = f"mysql://root@localhost/{name}?unix_socket={quote(str(self.folder / 'sock'), safe='')}"
        return Database(self.kind, dsn, lambda: self._connect(database=name))
