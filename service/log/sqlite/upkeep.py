"""What the embedded log does by itself: retention, checkpoints, and looking whether it is well.

All of it goes through the writer's jobs, so it never runs beside a commit; only looking at the clock, at files and at
the age of events is done on the event loop.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from service.core.errors import StorageDownError, TwinwireError
from service.core.event import Width
from service.core.time import Clock
from service.log.sqlite.about import FORGET_CUT, FORGET_KEYS, REMEMBERED, forget
from service.log.sqlite.database import WriterConnection, checkpoint, explain, explained, transaction
from service.log.sqlite.drivers import driver
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.forget import Forgetter
from service.log.sqlite.joining import Joiner
from service.log.sqlite.retention import Retention
from service.log.sqlite.topics import TopicRegistry
from service.log.sqlite.trim import save_counts
from service.log.sqlite.writer import Writer

UPKEEP_INTERVAL: Final = 0.25
"""Seconds between looks at the WAL, the files and the disk's state."""

WAL_IDLE_BYTES: Final = 1 << 20
WAL_BUSY_BYTES: Final = 32 << 20
"""A checkpoint runs when the writer does nothing and the WAL holds the first, or in any case at the second."""

WAL_KEPT_BYTES: Final = 64 << 20
"""Of its file, up to which it is not cut while others publish."""

LOOK_INTERVAL: Final = 0.75
"""Seconds between two looks at the disk's room, and two questions to the log whether it is well, and, after a failure,
whether it is well again."""

FORGET_PAUSE: Final = 0.01
"""Seconds between two steps of forgetting what was remembered."""

UNDONE_PAUSE: Final = (0.5, 16.0)
"""Seconds until a checkpoint is tried again that another program's reading has stopped: at first, and at most."""

logger = structlog.get_logger(__name__)


class Upkeep:
    """`start` it once; `close` it in place of the writer. `interval` is the seconds between two passes of retention,
    `tombstones` those for which keys of what was compacted are remembered.
    """

    def __init__(
        self,
        writer: Writer,
        registry: TopicRegistry,
        retention: Retention,
        forgetter: Forgetter,
        joiner: Joiner,
        interval: float,
        tombstones: float,
        files: DatabaseFiles,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._registry = registry
        self._retention = retention
        self._forgetter = forgetter
        self._joiner = joiner
        self._interval = interval
        self._tombstones = tombstones
        self._files = files
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        """From `start` to `close`."""
        self._undone_pause = 0.0
        self._next_checkpoint = 0.0
        """After one that could not do all of it: how long it waits, and until when."""
        self.stuck: TwinwireError | None = None
        """Why the last checkpoint failed. What is committed is safe in the WAL, so publishing goes on."""
        self._told: str | None = None
        """The failure that the log was last told to have."""
        self._reported: dict[str, str | None] = {}
        """Why retention and forgetting failed the last time, None where they did not."""

    @property
    def wal_bytes(self) -> int:
        return self._files.journal_bytes

    @property
    def database_bytes(self) -> int:
        return self._files.database_bytes

    @property
    def failure(self) -> TwinwireError | None:
        """What is wrong with the log, if anything is."""
        return self._writer.failure or self.stuck

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(), name="log-upkeep"),
            asyncio.create_task(self._keep(), name="log-retention"),
            asyncio.create_task(self._join_texts(), name="log-joining"),
        ]

    async def close(self) -> None:
        """Stop, have the writer finish, and leave the database as one file whose counts are right, if it can be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if (changed := self._files.changed()) is not None and self._files.is_overwritten:
            logger.warning("log_not_closed_cleanly", reason=changed)
            await self._writer.close()
            return
        try:
            await self._writer.close(self._save_closed)
        except TwinwireError as error:
            logger.warning("log_not_closed_cleanly", reason=error.detail)

    async def _run(self) -> None:
        next_look, room = 0.0, self._writer.room
        while True:
            await asyncio.sleep(UPKEEP_INTERVAL)
            now = self._clock.monotonic()
            try:
                if now >= next_look:
                    next_look = now + LOOK_INTERVAL
                    if room.look():
                        await self._writer.run(lambda _: room.make())
                    await self.look()
                await self.checkpoint()
            except TwinwireError:  # it is the writer's failure by then, which is told below
                pass
            except Exception:  # a fault of ours in one look must not end all looks
                logger.exception("upkeep_failed")
            self._tell()

    def _tell(self) -> None:
        """One line when the log fails, and one when it is well again."""
        failure = self.failure
        detail = None if failure is None else failure.detail
        if detail == self._told:
            return
        self._told = detail
        if detail is None:
            logger.info("log_recovered")
        else:
            logger.warning("log_failed", reason=detail)

    async def look(self) -> None:
        """Ask the log whether it is well, by a write if it was not. Raises what publishing would."""
        try:
            await (self._writer.look() if self._writer.failure is None else self._writer.probe())
        except StorageDownError:
            if self._files.changed() and not self._files.is_overwritten:
                with contextlib.suppress(TwinwireError):  # a database that is found without its journal has all of it
                    await self._writer.run(self._try_checkpoint)
            raise

    async def _keep(self) -> None:
        """Retention, pass after pass, and what is forgotten after it: in a task of its own, since one may last for
        minutes, and the WAL grows. Between two, topics are forgotten where there is no room for new ones.
        """
        loop = asyncio.get_running_loop()
        interval = max(self._interval, UPKEEP_INTERVAL)
        next_pass = loop.time()
        while True:
            is_due = loop.time() >= next_pass
            if is_due:
                await self._attempt("retention_failed", self._retain)
            if is_due or self._forgetter.is_pressed:
                await self._attempt("forgetting_failed", self._forget)
            if is_due:
                next_pass = loop.time() + interval
            await asyncio.sleep(min(UPKEEP_INTERVAL, max(0.0, next_pass - loop.time())))

    async def _join_texts(self) -> None:
        """In a task of its own, since a text grows on while retention waits for a reader of the file."""
        while True:
            await asyncio.sleep(UPKEEP_INTERVAL)
            if self._registry.texts.ripe:
                await self._attempt("joining_failed", self._join)

    async def _attempt(self, failed: str, job: Callable[[], Awaitable[None]]) -> None:
        """One line when it fails, and none while it goes on failing of the same. Nothing else ends with it."""
        reason: str | None = None
        try:
            await job()
        except TwinwireError as error:
            if (reason := error.detail) != self._reported.get(failed):
                logger.warning(failed, reason=reason)
        except Exception as error:  # a fault of ours in one pass must not end all passes
            if (reason := repr(error)) != self._reported.get(failed):
                logger.exception(failed)
        self._reported[failed] = reason

    async def _retain(self) -> None:
        with explained(self._files.path):
            removed = await self._retention.run(self._clock.unix_ms(), self._writer.head)
        if removed:
            logger.info("events_trimmed", removed=removed)
        if self._registry.uncounted:
            await self._writer.run(self._save_counts)
        if self._registry.width is Width.WHOLE and not self._clock.doubt:
            now = self._clock.unix_ms()
            for statement, kept in ((FORGET_CUT, REMEMBERED), (FORGET_KEYS, self._tombstones)):
                step = partial(forget, statement=statement, before=now - int(kept * 1_000))
                while await self._writer.run(step):  # noqa: ASYNC110 - a pause for others
                    await asyncio.sleep(FORGET_PAUSE)

    async def _forget(self) -> None:
        with explained(self._files.path):
            forgotten = await self._forgetter.run()
        if forgotten:
            logger.info("topics_forgotten", forgotten=forgotten, topics=len(self._registry))

    async def _join(self) -> None:
        with explained(self._files.path):
            await self._joiner.run()

    async def checkpoint(self) -> None:
        """Move the WAL into the database between commits; shrink the file while nobody publishes, or once it is large.

        Where another program reads, it does what can be done and waits for nobody, and longer until the next try.
        """
        if self._files.is_overwritten:
            return
        size, now = self._files.journal_used, self._clock.monotonic()
        if self._writer.is_quiet:
            size = self.wal_bytes
        if size < WAL_IDLE_BYTES or (size < WAL_BUSY_BYTES and not self._writer.is_still):
            return
        if now < self._next_checkpoint:
            return
        done = await self._writer.run(self._try_checkpoint)
        self.stuck = done if isinstance(done, TwinwireError) else None
        if done is True:
            self._undone_pause = 0.0
            return
        first, most = UNDONE_PAUSE
        self._undone_pause = min(most, 2 * self._undone_pause or first)
        self._next_checkpoint = now + self._undone_pause

    def _try_checkpoint(self, connection: WriterConnection) -> bool | TwinwireError:
        """Whether it was done; or what went wrong with the database's file, which is no fault of what is committed."""
        files = self._files
        try:
            is_done = checkpoint(connection, cut=self._writer.is_quiet or self.wal_bytes > WAL_KEPT_BYTES)
        except driver.Error as error:
            return explain(error, files.path)
        if is_done:
            files.begins_anew()
        return is_done

    def _save_counts(self, connection: WriterConnection) -> None:
        with transaction(connection):
            save_counts(connection, self._registry, self._writer.head)
        self._registry.uncounted.clear()

    def _save_closed(self, connection: WriterConnection) -> None:
        self._save_counts(connection)
        connection.execute("UPDATE log SET clean = 1")
        checkpoint(connection)
