"""The embedded event log: one SQLite file, one writing connection, reads from read-only ones."""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiosqlite
import structlog

from service.core.errors import TwinwireError
from service.core.event import OFFSET, TYPE, Draft, Event, Row
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import (
    Ability,
    Bounds,
    Guard,
    Health,
    Listener,
    Page,
    Receipt,
    Search,
    Statement,
    TopicPage,
    TrimListener,
)
from service.log.sqlite.database import connect, connect_writer, driver, explain, on_thread
from service.log.sqlite.opening import State, load_state
from service.log.sqlite.reader import WINDOW, Reader
from service.log.sqlite.retention import Policy, Retention
from service.log.sqlite.trim import Trimmer, save_counts
from service.log.sqlite.writer import Writer

MAINTENANCE_INTERVAL: Final = 0.25
"""Seconds between looks at the WAL and the disk's state."""

WAL_IDLE_BYTES: Final = 1 << 20
WAL_BUSY_BYTES: Final = 32 << 20
"""A checkpoint runs when the writer is idle and the WAL holds the first, or in any case at the second."""

PROBE_INTERVAL: Final = 1.0
"""Seconds between attempts to write after the disk was full."""

_SEARCH_BYTES: Final = 1 << 20

logger = structlog.get_logger(__name__)


class SQLiteEventLog:
    """Implements `service.log.base.EventLog`. Make it with `open_log`."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        state: State,
        policies: Sequence[Policy],
        retention_interval: float,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._path = path
        self._epoch = state.epoch
        self._head = state.head
        self._clock = clock
        self._registry = state.registry
        self._listeners: list[Listener] = []
        self._reader = Reader(path, state.registry)
        self.writer = Writer(connection, path, state.registry, (state.head, state.time), self._committed, clock)
        self._trimmer = Trimmer(self.writer, state.registry)
        self._retention = Retention(policies, state.registry, self._reader, self._trimmer)
        self._retention_interval = retention_interval
        self._closed = False
        self._maintenance = asyncio.create_task(self._maintain(), name="log-maintenance")

    @property
    def epoch(self) -> str:
        return self._epoch

    @property
    def head(self) -> int:
        return self._head

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset(Ability)

    @property
    def step(self) -> int:
        return WINDOW

    def health(self) -> Health:
        writer = self.writer
        failure = None if writer.failure is None else writer.failure.detail
        return Health(failure, writer.commits, writer.last_commit_seconds, self.wal_bytes)

    @property
    def wal_bytes(self) -> int:
        try:
            return self._path.with_name(self._path.name + "-wal").stat().st_size
        except OSError:
            return 0

    def follow(self, committed: Listener, trimmed: TrimListener) -> None:
        self._listeners.append(committed)
        self._registry.watch(trimmed)

    def _committed(self, events: list[Event]) -> None:
        self._head = events[-1].offset
        for listener in self._listeners:
            listener(events)

    def bounds(self, topics: TopicFilter) -> Bounds:
        return Bounds(self._epoch, self._registry.floor(topics), self._head)

    async def topics(self, topics: TopicFilter, after: str, limit: int) -> TopicPage:
        found, next = self._registry.page(topics, after, limit)
        return TopicPage([topic.stats for topic in found], next)

    async def append(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        if not drafts and not also and not guards:
            return Receipt((), False)
        return await self.writer.append(drafts, also, guards)

    async def read(self, topics: TopicFilter, after: int, limit: int, max_bytes: int) -> Page:
        with self._explained():
            return self._reader.page(topics, after, self._head + 1, limit, max_bytes)

    async def search(self, search: Search) -> Page:
        """Scans step by step, giving way in between, until the page is full or the range is done."""
        with self._explained():
            low, high = self._range(search)
        rows: list[Row] = []
        floor = self._registry.floor(search.topics)
        newest_first = search.newest_first
        while low + 1 < high and len(rows) < search.limit:
            room = search.limit - len(rows) if search.type is None else search.limit
            with self._explained():
                page = self._reader.page(search.topics, low, high, room, _SEARCH_BYTES, newest_first)
            floor = page.floor  # floors only rise: the last one covers all steps
            for row in page.rows:
                if search.type is None or row[TYPE] == search.type:
                    rows.append(row)
                    if len(rows) == search.limit:
                        return Page(rows, row[OFFSET], page.floor)
            low, high = (low, page.next) if newest_first else (page.next, high)
            await asyncio.sleep(0)
        return Page(rows, high if newest_first else max(low, search.after), floor)

    def _range(self, search: Search) -> tuple[int, int]:
        """The exclusive range of offsets, times turned into offsets."""
        low, high = search.after, self._head + 1
        if search.before is not None:
            high = min(high, search.before)
        if search.from_time is not None:
            low = max(low, self._reader.first_at(search.from_time, self._head) - 1)
        if search.to_time is not None:
            high = min(high, self._reader.first_at(search.to_time + 1, self._head))
        return low, high

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        removed = 0
        for topic in self._registry.select(topics):
            removed += await self._trimmer.to_count(topic, keep)
        return removed

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._maintenance.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._maintenance
        try:
            await self.writer.run(self._save_closed)
        except TwinwireError as error:
            logger.warning("log_not_closed_cleanly", reason=error.detail)
        await self.writer.close()
        self._reader.close()
        await self._connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Any:
        try:
            yield
        except driver.Error as error:
            raise explain(error, self._path) from error

    # Maintenance: what the log does by itself.

    async def _maintain(self) -> None:
        next_retention = next_probe = 0.0
        reported = ""
        while True:
            await asyncio.sleep(MAINTENANCE_INTERVAL)
            now = self._clock.monotonic()
            try:
                if self.writer.failure is not None and now >= next_probe:
                    next_probe = now + PROBE_INTERVAL
                    await self.probe()
                if now >= next_retention:
                    next_retention = now + self._retention_interval
                    await self._retain()
                await self._checkpoint()
                reported = ""
            except TwinwireError as error:
                if error.detail != reported:
                    reported = error.detail
                    logger.warning("log_maintenance_failed", reason=error.detail)

    async def _retain(self) -> None:
        with self._explained():
            removed = await self._retention.run(self._clock.unix_ms(), self._head)
        if removed:
            logger.info("events_trimmed", removed=removed)
        if self._registry.uncounted:
            await self.writer.run(self._save_counts)

    async def _checkpoint(self) -> None:
        """Move the WAL into the database between commits; shrink the file once it is large."""
        size = self.wal_bytes
        if size < WAL_IDLE_BYTES or (size < WAL_BUSY_BYTES and not self.writer.is_idle):
            return
        await self.writer.run(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def probe(self) -> None:
        """Write one row, to learn whether the disk takes writes again. Raises what publishing would."""
        stamp = self._clock.unix_ms()
        await self.writer.append([], [Statement("UPDATE log SET probed = :now", {"now": stamp})])

    def _save_counts(self, connection: Any) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            save_counts(connection, self._registry)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._registry.uncounted.clear()

    def _save_closed(self, connection: Any) -> None:
        self._save_counts(connection)
        connection.execute("UPDATE log SET clean = 1")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


async def open_log(
    path: Path,
    *,
    clock: Clock,
    durability: str = "full",
    policies: Sequence[Policy] = (),
    retention_interval: float = 60.0,
) -> SQLiteEventLog:
    """Open a migrated database. Raises StorageError if it can't be read and written."""
    try:
        connection = await connect(partial(connect_writer, path, durability))
    except driver.Error as error:
        raise explain(error, path) from error
    try:
        state = await on_thread(connection, load_state, durability)
        return SQLiteEventLog(connection, path, state, policies, retention_interval, clock)
    except BaseException as error:
        await connection.close()
        if isinstance(error, driver.Error):
            raise explain(error, path) from error
        raise
