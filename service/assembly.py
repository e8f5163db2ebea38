"""The composition root: opens the parts from the bottom up, closes them from the top down."""

import asyncio
import contextlib

import structlog

from service.access.origins import Origins
from service.apps.projects.service import ProjectService
from service.bus.bus import EventBus
from service.clock import SystemClock
from service.core.time import Clock
from service.log.sqlite.database import FileLock, driver, library_is_affected
from service.log.sqlite.log import SQLiteEventLog, open_log
from service.log.sqlite.migrate import migrate
from service.operations.telemetry import Metrics, ServiceCollector
from service.resources import resource
from service.settings import Settings
from service.stream.hub import StreamHub
from service.wire.drafts import DraftReader
from service.wire.frames import Frames
from service.wire.poll import PollWire
from service.wire.publish import PublishWire
from service.wire.sse import SSEWire
from service.wire.websocket import WebSocketWire

logger = structlog.get_logger(__name__)


class Assembly:
    """Everything that runs behind one database. Make it with `open`; `drain`, then `close` it."""

    def __init__(
        self, settings: Settings, clock: Clock, log: SQLiteEventLog, bus: EventBus, projects: ProjectService
    ) -> None:
        self.settings = settings
        self.log = log
        self.bus = bus
        self.projects = projects
        self.hub = StreamHub(
            bus,
            Frames(bus.epoch),
            clock,
            heartbeat=settings.heartbeat,
            send_timeout=settings.send_timeout,
            max_streams=settings.max_streams,
        )
        self.origins = Origins(settings.allowed_origins)
        reader = DraftReader(settings.data_max, projects.data_rule)
        self.websocket = WebSocketWire(
            bus, self.hub, reader, self.origins, data_max=settings.data_max, direct=settings.direct
        )
        self.sse = SSEWire(bus, self.hub, self.origins, direct=settings.direct)
        self.poll = PollWire(bus, self.hub, self.origins)
        self.publish = PublishWire(bus, self.hub, reader, self.origins)
        self.metrics = Metrics(ServiceCollector(bus, self.hub, log, clock))

    @classmethod
    async def open(cls, settings: Settings) -> "Assembly":
        """Migrate, open and start. Raises StorageError or MigrationError: then nothing is left open."""
        if library_is_affected(driver.sqlite_version_info):
            logger.warning("sqlite_has_wal_reset_bug", version=driver.sqlite_version, fixed_in="3.51.3")
        async with contextlib.AsyncExitStack() as undo:
            undo.enter_context(lock := FileLock(settings.database))
            applied = await asyncio.to_thread(migrate, settings.database, resource("migrations"))
            for migration in applied:
                logger.info("migration_applied", number=migration.number, name=migration.name)
            clock = SystemClock()
            log = await open_log(
                settings.database,
                clock=clock,
                durability=settings.durability,
                policies=settings.retention,
                retention_interval=settings.retention_interval,
            )
            undo.push_async_callback(log.close)
            bus = EventBus(log, clock, tail_events=settings.tail_events, tail_bytes=settings.tail_bytes)
            projects = await ProjectService.open(
                bus,
                settings.database,
                clock=clock,
                pace=settings.generation_pace,
                concurrency=settings.generation_concurrency,
            )
            undo.push_async_callback(projects.close)
            assembly = cls(settings, clock, log, bus, projects)
            assembly._lock = lock
            await projects.start()
            assembly.hub.start()
            undo.pop_all()
        logger.info("service_opened", database=str(settings.database), epoch=bus.epoch, head=bus.head)
        return assembly

    _lock: FileLock

    def checks(self) -> dict[str, str]:
        """Each condition of readiness by name: "ok", or what is wrong."""
        failure = self.log.failure
        return {
            "log": "ok" if failure is None else failure.detail,
            "migrations": "ok",  # `open` refuses to go on without them
            "draining": "ok" if not self.hub.draining.is_set() else "the service is restarting",
        }

    async def drain(self) -> None:
        """Stop taking in, and send everyone away politely; takes at most the grace period."""
        await self.hub.drain(self.settings.grace)

    async def close(self) -> None:
        """Let runs stop where they are, commit what was accepted, release the files."""
        self.hub.draining.set()
        await self.projects.close()
        await self.hub.close()
        await self.bus.settle()
        await self.log.close()
        self._lock.release()
        logger.info("service_closed", head=self.bus.head)
