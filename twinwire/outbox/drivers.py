"""Drivers: whose connection it is, how a statement runs on it, and how one is opened by a URL.

None is imported before it is asked for by a URL: a connection that somebody brings says itself whose it is.
"""

import importlib
import inspect
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from twinwire.errors import InvalidError

Kind = Literal["sqlite", "postgresql", "mysql"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_PACKAGES: Final[dict[str, Kind]] = {
    "sqlite3": "sqlite",
    "pysqlite3": "sqlite",
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
}
"""By the package that a connection's class, or one that it is derived from, is in."""

_INSIDE: Final = ("driver_connection", "dbapi_connection", "connection")
"""Where a wrapper (Django's, a pool's) or a cursor has what it wraps, the innermost first."""

_MYSQL_KNOWN: Final = frozenset({"charset", "ssl_ca", "unix_socket"})
"""Parameters of its DSN: one that is passed over, such as one that asks for TLS, would be missed."""

DEPTH_MAX: Final = 6
"""Wrappers in each other: one that leads to itself is none."""

CONNECT: Final = 10.0
"""Seconds for a connection to come about."""

SILENT: Final = 30.0
"""Seconds without a word after which a connection of the relay's is given up: its rows wait."""

USUAL: Final[dict[Kind, dict[str, Any]]] = {
    "sqlite": {},
    "postgresql": {
        "connect_timeout": int(CONNECT),
        "keepalives_idle": int(SILENT),
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": int(SILENT * 1_000),
        "application_name": "twinwire relay",
    },
    "mysql": {"connect_timeout": int(CONNECT), "read_timeout": int(SILENT), "write_timeout": int(SILENT)},
}
"""What a relay's connection is opened with, unless somebody has said otherwise: where a peer is gone without a word,
it is known within a minute."""

_ALIASES: Final[dict[str, Kind]] = {"postgres": "postgresql", "mariadb": "mysql", "sqlite3": "sqlite"}


@dataclass(frozen=True, slots=True)
class Session:
    """Where statements run, in the transaction that the caller is in."""

    kind: Kind
    execute: Callable[[str, Sequence[Any]], object]


def kind_of(connection: object) -> Kind | None:
    """None for what is no connection, and no cursor, of a driver that is known."""
    for cls in type(connection).__mro__:
        found = _PACKAGES.get(cls.__module__.partition(".")[0])
        if found is not None:
            return found
    return None


def session_of(given: Any) -> Session:
    """`given` is a connection or a cursor of a driver, or what wraps one. Raises InvalidError."""
    found = given
    for _ in range(DEPTH_MAX):
        if callable(getattr(found, "exec_driver_sql", None)):
            return _sqlalchemy(found)
        if kind_of(found) is not None and callable(getattr(found, "cursor", None)):
            return _plain(found)
        if callable(getattr(found, "ensure_connection", None)):  # Django connects with the first query
            found.ensure_connection()
        inner = (getattr(found, name, None) for name in _INSIDE)
        found = next((one for one in inner if one is not None and not inspect.isroutine(one)), None)
        if found is None:
            break
    raise InvalidError(
        f"{type(given).__module__}.{type(given).__qualname__} is no connection or cursor of sqlite3, psycopg, pymysql, "
        "psycopg2 or mysqlclient, and wraps none"
    )


def _plain(connection: Any) -> Session:
    kind = kind_of(connection)
    assert kind is not None

    def execute(statement: str, values: Sequence[Any]) -> None:
        cursor = connection.cursor()
        if inspect.iscoroutinefunction(cursor.execute):
            raise InvalidError(_ASYNCHRONOUS)
        try:
            if values:
                cursor.execute(statement, values)
            else:
                cursor.execute(statement)
        finally:
            cursor.close()

    return Session(kind, execute)


def _sqlalchemy(connection: Any) -> Session:
    """Through itself: what went past it would not begin the transaction that its `commit` ends."""
    if inspect.iscoroutinefunction(connection.exec_driver_sql):
        raise InvalidError(_ASYNCHRONOUS)

    def execute(statement: str, values: Sequence[Any]) -> None:
        connection.exec_driver_sql(statement, tuple(values))

    return Session(checked_kind(connection.dialect.name), execute)


_ASYNCHRONOUS: Final = "an asynchronous connection: execute what outbox.statement(...) gives with it"


def checked_kind(name: str) -> Kind:
    """Raises InvalidError for a database that is not known."""
    kind = _ALIASES.get(name, name)
    if kind not in KINDS:
        raise InvalidError(f"{name!r} is none of {', '.join(KINDS)}")
    return kind


def fetched(cursor: Any) -> list[tuple[Any, ...]]:
    """Raises InvalidError where rows come as something that can't be taken apart by place."""
    rows = list(cursor.fetchall())
    if rows and not isinstance(rows[0], tuple):
        raise InvalidError(f"the relay's connection gives rows as {type(rows[0]).__name__}, and not as tuples")
    return rows


def connect(dsn: str) -> Any:
    """A connection by `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://...` or `mysql://...`, of which
    `+driver` is passed over. Raises InvalidError, which does not show the password, and what the driver does."""
    scheme, colon, rest = dsn.partition(":")
    if not colon or not rest.startswith("//"):
        raise InvalidError("a DSN is a URL: sqlite:///shop.db, postgresql://..., mysql://...")
    kind = checked_kind(scheme.partition("+")[0].lower())
    if kind == "sqlite":
        return _sqlite(rest)
    return _postgresql(f"{kind}:{rest}") if kind == "postgresql" else _mysql(f"{kind}:{rest}")


def _sqlite(rest: str) -> sqlite3.Connection:
    if not rest.startswith("///") or len(rest) < 4:
        raise InvalidError("sqlite:///relative.db or sqlite:////absolute.db")
    path = Path(unquote(rest.partition("?")[0].removeprefix("///"))).absolute()
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)  # a missing file is not made


def _postgresql(dsn: str) -> Any:
    psycopg = _driver("psycopg", "psycopg")
    try:
        named = psycopg.conninfo.conninfo_to_dict(dsn)
        is_well = str(named.get("port", "")).replace(",", "").isdecimal() or "port" not in named
    except Exception:  # whose text may have the password
        is_well = False
    if not is_well:
        raise InvalidError(f"{_NO_DSN} for PostgreSQL: a parameter that libpq does not know, {_UNQUOTED}")
    return psycopg.connect(**{**USUAL["postgresql"], **named}, autocommit=True)


_NO_DSN: Final = "that is no DSN"
_UNQUOTED: Final = "or a character in it that stands for another as %40 does for @"


def _mysql(dsn: str) -> Any:
    try:
        url = urlsplit(dsn)
        port = url.port
    except ValueError:  # whose text may have the password
        raise InvalidError(f"{_NO_DSN} for MySQL: its port is no number, {_UNQUOTED}") from None
    unknown = sorted({name for name, _ in parse_qsl(url.query)} - _MYSQL_KNOWN)
    if unknown:
        raise InvalidError(
            f"{_NO_DSN} for MySQL: of parameters {', '.join(sorted(_MYSQL_KNOWN))} are known, not {unknown[0]!r}"
        )
    if not url.path.removeprefix("/"):
        raise InvalidError(f"{_NO_DSN} for MySQL: it names no database, as mysql://user@host/database does")
    given: dict[str, Any] = {
        "host": url.hostname,
        "port": port,
        "user": unquote(url.username) if url.username else None,
        "password": unquote(url.password) if url.password else None,
        "database": unquote(url.path.removeprefix("/")),
        **dict(parse_qsl(url.query)),
    }
    return _driver("pymysql", "pymysql").connect(
        **{name: value for name, value in given.items() if value is not None},
        autocommit=True,
        **USUAL["mysql"],
    )


def _driver(name: str, distribution: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InvalidError(f"this DSN needs {name}: pip install {distribution}") from error
