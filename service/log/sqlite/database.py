"""How the SQLite files are opened, and what their errors mean.

Exactly one connection of one process writes and checkpoints, whether or not the library has the WAL-reset bug
(`drivers.py`).
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar

import aiosqlite
import msgspec

from service.core.errors import StorageDownError, StorageError, StorageFullError, TwinwireError
from service.log.sqlite.drivers import UNLOCKED, driver

T = TypeVar("T")

Durability = Literal["full", "normal"]
"""Whether an acknowledged event survives a power loss, or the last commits may not."""


class Cursor(Protocol):
    """The rows of one statement."""

    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


class Connection(Protocol):
    """What of a DB-API connection is used here; the driver's two modules have no type in common."""

    @property
    def in_transaction(self) -> bool: ...
    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ..., /) -> Cursor: ...
    def set_progress_handler(self, handler: Callable[[], bool] | None, n: int) -> None: ...
    def backup(
        self, target: "Connection", *, pages: int = ..., progress: Callable[[int, int, int], None] | None = ...
    ) -> None: ...
    def close(self) -> None: ...


class WriterConnection(Connection, Protocol):
    """The one connection that writes. Whatever takes it runs on the writer's thread, as one job between two others.

    What such a job may touch of memory, and why nobody else does meanwhile, is told in `writer.py`.
    """


BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for another program's lock, such as a backup's, before giving up, while nobody is served yet."""

WRITE_TIMEOUT: Final = 0.8
"""Seconds that a commit waits for it: who publishes is told within a second, and comes back."""

_READER_CACHE_KIB: Final = 8 * 1024
_WRITER_CACHE_KIB: Final = 16 * 1024
_COPY_CACHE_KIB: Final = 64 * 1024
"""Of a database that is filled: its index by topic is written all over."""
_FULL: Final = {13, 778, 4874}  # SQLITE_FULL, and SQLITE_IOERR_WRITE and _SHMSIZE: quota or file size limit
_FULL_TEXT: Final = "disk is full"
"""In what SQLite says of the first, where a driver leaves the code out: of a copy of pages."""

_IOERR: Final = 10  # SQLITE_IOERR without the extended code, which pysqlite3 does not ask for
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system call says of a full disk, a quota, a limit of a file's size."""

_PROBE_BYTES: Final = 64 * 1024
_DISKS: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 26})
"""SQLITE_BUSY, _LOCKED, _NOMEM, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN and _NOTADB: no request's fault."""

_OFFSETS: Final = "events.offset"
"""In what SQLite says of an offset that is taken: another program has written to the log."""

_MEANINGS: Final = {
    5: "is locked by another program",
    6: "is locked by another program",
    8: "is read-only",
    7: "finds no memory",
    10: "can't be read or written: the disk fails",
    11: "is corrupt, or its disk fails (restore a backup, or move the file away to start anew)",
    14: "can't be opened",
    26: "is not a SQLite database",
}


def explain(error: BaseException, path: Path) -> TwinwireError:
    """What a driver error means for the operator, in one line."""
    code = getattr(error, "sqlite_errorcode", None)
    is_full = code in _FULL or (code is None and _FULL_TEXT in str(error))
    if is_full or (code == _IOERR and _has_no_room(path)):
        return StorageFullError(f"no space left for the database {path}")
    meaning = _MEANINGS.get(code & 0xFF if isinstance(code, int) else -1)
    if meaning is None and "file is not a database" in str(error):
        meaning = _MEANINGS[26]
    if meaning is None and isinstance(error, driver.IntegrityError) and _OFFSETS in str(error):
        meaning = "has events that another program has written"
    detail = f"the database {path} {meaning}" if meaning else f"the database {path} failed: {error}"
    return StorageDownError(detail) if is_disks(error) else StorageError(detail)


def is_disks(error: BaseException) -> bool:
    """Whether a driver's error is no request's fault: then it is everybody's."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, driver.IntegrityError):
        return _OFFSETS in str(error)
    return isinstance(code, int) and code & 0xFF in _DISKS


def _has_no_room(database: Path) -> bool:
    """Whether a file beside the database can't grow as the WAL would; a quota or a file size limit has no code."""
    wal = database.with_name(database.name + "-wal")
    try:
        end = wal.stat().st_size if wal.exists() else 0
        with tempfile.TemporaryFile(dir=database.parent) as probe:
            return os.pwrite(probe.fileno(), bytes(_PROBE_BYTES), end) < _PROBE_BYTES
    except OSError as error:
        return error.errno in NO_ROOM


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """A driver's error comes out as what it means."""
    try:
        yield
    except driver.Error as error:
        raise explain(error, path) from error


@contextmanager
def transaction(connection: WriterConnection) -> Iterator[None]:
    """All of it, or nothing and the error. On the writer's thread."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise


@contextmanager
def unsynced(connection: WriterConnection) -> Iterator[None]:
    """What is committed within is on disk with the next commit outside, and not before: for what may be taken back."""
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {int(level)}")


def as_json(rows: Sequence[Any]) -> str:
    """For `json_each`. As text: SQLite takes bytes for its own binary JSON."""
    return msgspec.json.encode(rows).decode()


def checkpoint(connection: WriterConnection, *, cut: bool = True) -> bool:
    """Move the journal into the database; whether all of it was, and the next commit begins it anew. Its file is cut,
    unless it is to keep its space: of 32 MiB that takes longer than moving them.

    Without waiting for another program's lock or reading. On the writer's thread.
    """
    (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy or moved < frames:
            return False
        mode = "TRUNCATE" if cut else "RESTART"
        (busy, _, _) = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        return not busy
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(timeout)}")


def connect_writer(path: Path, durability: Durability = "full") -> WriterConnection:
    """The one connection that writes and checkpoints. Autocommit; checkpoints only when told to."""
    connection: WriterConnection = driver.connect(
        str(path), timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if durability == 'normal' else 'FULL'}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def wait_little(connection: WriterConnection) -> None:
    """From now on, for another program's lock."""
    connection.execute(f"PRAGMA busy_timeout = {int(WRITE_TIMEOUT * 1000)}")


def connect_reader(path: Path) -> Connection:
    """A connection that can't write, for one thread at a time."""
    return _connect_read_only(path)


def _connect_read_only(path: Path, more: str = "") -> Connection:
    connection: Connection = driver.connect(
        f"{path.absolute().as_uri()}?mode=ro{more}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
        **UNLOCKED,
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def connect_still(path: Path) -> Connection:
    """As `connect_reader`; a file that nobody has open is read without a trace.

    Else SQLite would leave a journal beside a backup, or need a folder that can be written. Who has it open has one.
    """
    if any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm", "-journal")):
        return connect_reader(path)
    return _connect_read_only(path, "&immutable=1")


def connect_copy(path: Path, source: Path) -> WriterConnection:
    """A database that is nobody else's yet, to be filled from another one, `source`, which is only read.

    It has no journal and is not synced: whoever fills it throws it away if anything fails, and syncs it in the end.
    """
    connection: WriterConnection = driver.connect(
        path.absolute().as_uri(), uri=True, timeout=BUSY_TIMEOUT, isolation_level=None
    )
    try:
        connection.execute("ATTACH ? AS source", (f"{source.absolute().as_uri()}?mode=ro",))
        (page_size,) = connection.execute("PRAGMA source.page_size").fetchone()
        connection.execute(f"PRAGMA main.page_size = {int(page_size)}")
        connection.execute("PRAGMA main.journal_mode = OFF")
        connection.execute("PRAGMA main.synchronous = OFF")
        connection.execute(f"PRAGMA main.cache_size = -{_COPY_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_alone(path: Path) -> WriterConnection:
    """A database that is nobody else's yet; one file again whenever it is closed."""
    connection: WriterConnection = driver.connect(str(path), timeout=BUSY_TIMEOUT, isolation_level=None)
    return connection


async def connect(open: Callable[[], Connection]) -> aiosqlite.Connection:
    """The connection that `open` returns, with a thread of its own. Raises what `open` raises.

    `open` does not run on that thread: if it failed, aiosqlite would leave the thread behind, to speak to a loop that
    may be closed by then.
    """
    opened: Any = await asyncio.to_thread(open)
    return await aiosqlite.Connection(lambda: opened, iter_chunk_size=64)


async def on_thread(connection: aiosqlite.Connection, work: Callable[..., T], *args: Any) -> T:
    """Run `work(raw connection, *args)` on the connection's thread: one hop, however many statements it runs.

    aiosqlite has no public name for this; its version is pinned, and tests/unit/log would fail without it.
    """
    result: T = await connection._execute(work, connection._conn, *args)  # type: ignore[no-untyped-call]
    return result
