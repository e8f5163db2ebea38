"""What the embedded log does by itself: retention, checkpoints, and asking a full disk whether it takes writes again.

All of it goes through the writer's jobs, so it never runs beside a commit; only looking at the clock, at files and at
the age of events is done on the event loop.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog

from service.core.errors import TwinwireError
from service.core.time import Clock
from service.log.base import Statement
from service.log.sqlite.database import WriterConnection, explained, transaction
from service.log.sqlite.retention import Retention
from service.log.sqlite.topics import TopicRegistry
from service.log.sqlite.trim import save_counts
from service.log.sqlite.writer import Writer

UPKEEP_INTERVAL: Final = 0.25
"""Seconds between looks at the WAL and the disk's state."""

WAL_IDLE_BYTES: Final = 1 << 20
WAL_BUSY_BYTES: Final = 32 << 20
"""A checkpoint runs when the writer is idle and the WAL holds the first, or in any case at the second."""

PROBE_INTERVAL: Final = 1.0
"""Seconds between attempts to write after the disk was full."""

logger = structlog.get_logger(__name__)


class Upkeep:
    """`start` it once; `close` it before the writer. `interval` is the seconds between two passes of retention."""

    def __init__(
        self,
        writer: Writer,
        registry: TopicRegistry,
        retention: Retention,
        interval: float,
        path: Path,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._registry = registry
        self._retention = retention
        self._interval = interval
        self._path = path
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        """From `start` to `close`."""

    @property
    def wal_bytes(self) -> int:
        try:
            return self._path.with_name(self._path.name + "-wal").stat().st_size
        except OSError:
            return 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="log-upkeep")

    async def close(self) -> None:
        """Stop, and leave the database as one file whose counts are right, if it can be written."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        try:
            await self._writer.run(self._save_closed)
        except TwinwireError as error:
            logger.warning("log_not_closed_cleanly", reason=error.detail)

    async def _run(self) -> None:
        next_retention = next_probe = 0.0
        reported = ""
        while True:
            await asyncio.sleep(UPKEEP_INTERVAL)
            now = self._clock.monotonic()
            try:
                if self._writer.failure is not None and now >= next_probe:
                    next_probe = now + PROBE_INTERVAL
                    await self.probe()
                if now >= next_retention:
                    next_retention = now + self._interval
                    await self._retain()
                await self.checkpoint()
                reported = ""
            except TwinwireError as error:
                if error.detail != reported:
                    reported = error.detail
                    logger.warning("log_maintenance_failed", reason=error.detail)

    async def _retain(self) -> None:
        with explained(self._path):
            removed = await self._retention.run(self._clock.unix_ms(), self._writer.head)
        if removed:
            logger.info("events_trimmed", removed=removed)
        if self._registry.uncounted:
            await self._writer.run(self._save_counts)

    async def checkpoint(self) -> None:
        """Move the WAL into the database between commits; shrink the file once it is large."""
        size = self.wal_bytes
        if size < WAL_IDLE_BYTES or (size < WAL_BUSY_BYTES and not self._writer.is_idle):
            return
        await self._writer.run(_checkpoint)

    async def probe(self) -> None:
        """Write one row, to learn whether the disk takes writes again. Raises what publishing would."""
        stamp = self._clock.unix_ms()
        await self._writer.append((), [Statement("UPDATE log SET probed = :now", {"now": stamp})])

    def _save_counts(self, connection: WriterConnection) -> None:
        with transaction(connection):
            save_counts(connection, self._registry, self._writer.head)
        self._registry.uncounted.clear()

    def _save_closed(self, connection: WriterConnection) -> None:
        self._save_counts(connection)
        connection.execute("UPDATE log SET clean = 1")
        _checkpoint(connection)


def _checkpoint(connection: WriterConnection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
