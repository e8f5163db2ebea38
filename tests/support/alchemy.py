"""SQLAlchemy on the databases of the tests."""

from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import String

_DRIVERS: Final = {"sqlite": "", "postgresql": "+psycopg", "mysql": "+pymysql"}
_ASYNCHRONOUS: Final = {"sqlite": "+aiosqlite", "postgresql": "+psycopg"}


class Base(DeclarativeBase):
    pass


class Counter(Base):
    """As `outbox_writer` makes its table."""

    __tablename__ = "counters"
    topic: Mapped[str] = mapped_column(String(200), primary_key=True)
    n: Mapped[int] = mapped_column(default=0)


def _url(dsn: str, drivers: dict[str, str]) -> str:
    scheme, _, rest = dsn.partition(":")
    return f"{scheme}{drivers[scheme]}:{rest}"


def engine_of(dsn: str, **options: Any) -> Engine:
    """On SQLite a transaction takes its lock where it begins, and has savepoints: SQLAlchemy's documentation has this
    recipe for a driver that would begin when it likes."""
    engine = create_engine(_url(dsn, _DRIVERS), **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _let_us_begin)
        event.listen(engine, "begin", _begin)
    return engine


def async_engine_of(dsn: str) -> AsyncEngine:
    return create_async_engine(_url(dsn, _ASYNCHRONOUS))


def _let_us_begin(connection: Any, record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("PRAGMA synchronous = OFF")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
