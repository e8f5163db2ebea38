"""The composition root: opens the parts from the bottom up, closes them from the top down."""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import structlog

from service.access.descriptors import Descriptors
from service.access.drain import Drain
from service.access.keys import KeyRing
from service.access.origins import Origins
from service.access.reads import Reads
from service.admission import gate_of, ring_of
from service.apps.base import App, Ground, Passage
from service.apps.guests import Guests
from service.bus.bus import EventBus
from service.bus.company import OwnCompany
from service.bus.trims import TrimJobs
from service.clock import SystemClock
from service.core.errors import TwinwireError
from service.core.rates import Rate
from service.core.time import Clock
from service.core.trace import Spans
from service.core.trust import TrustedClock
from service.log.base import EventLog
from service.log.sqlite.drivers import driver, library_is_affected
from service.log.sqlite.files import real_path
from service.log.sqlite.lock import FileLock
from service.log.sqlite.log import SQLiteEventLog, open_log
from service.log.sqlite.migrate import check_current, migrate
from service.log.sqlite.room import on_full_disk
from service.log.sqlite.tables import open_tables
from service.named import apps_of
from service.operations.connections import Connections
from service.operations.delay import LoopDelay
from service.operations.figures import Figures
from service.operations.metrics import Metrics, ServiceMetrics
from service.operations.spans import open_spans
from service.operations.timeline import Timeline
from service.resources import resource
from service.settings import Settings
from service.stream.asgi import ASGI
from service.stream.control import Control
from service.stream.ending import FULL
from service.stream.gone import GONE_MAX, Departed
from service.stream.hub import StreamHub
from service.stream.hypercorn.guards import Guards, Rank
from service.stream.hypercorn.pipes import HypercornPipes
from service.stream.opening import Opening
from service.stream.renewal import Renewal
from service.stream.revoking import Revoker
from service.wire import problems
from service.wire.answers import Answers
from service.wire.bodies import Bodies
from service.wire.drafts import DraftReader
from service.wire.elsewhere import Elsewhere
from service.wire.ephemeral.reading import EphemeralReader
from service.wire.ephemeral.sending import EphemeralWire, Sending
from service.wire.frames import Frames, control_json
from service.wire.front import EPHEMERAL, EVENTS, EVENTS_READ, HEALTH, SSE, STATE, WEBSOCKET, Doors, Route
from service.wire.health import HealthWire
from service.wire.poll import PollWire
from service.wire.presence.ending import Endings
from service.wire.presence.entering import Entering
from service.wire.presence.saying import SayingPresence
from service.wire.publish import PublishWire
from service.wire.scanning import Scans
from service.wire.sse import SSEWire
from service.wire.state import StateWire
from service.wire.websocket import WebSocketWire

logger = structlog.get_logger(__name__)


class Assembly:
    """Everything that runs behind one database. Make it with `open`; `drain`, then `close` it."""

    _is_doubted = False
    """Whether the clock was, at the last look."""

    def __init__(
        self,
        settings: Settings,
        clock: TrustedClock,
        ring: KeyRing,
        lock: FileLock,
        log: EventLog,
        bus: EventBus,
        apps: Sequence[App],
        spans: Spans | None,
        decides: bool = False,
        has_hosts: bool = True,
    ) -> None:
        self.settings = settings
        self._spans = spans
        self.clock = clock
        self.log = log
        self.bus = bus
        self.apps = tuple(apps)
        self.guests = Guests(apps, has_hosts=has_hosts)
        self._lock = lock
        stream = settings.stream
        frames, control = Frames(bus.epoch), Control(bus.epoch, stream.heartbeat)
        self.draining = drain = Drain()
        origins = Origins(settings.access.allowed_origins, settings.access.trusted_hops)
        self.descriptors = Descriptors()
        self._ring = ring
        self.gate = gate_of(settings, ring, origins, drain, clock, self.descriptors.places, decides=decides)
        authority, limits = self.gate.authority, settings.limits
        self.reads = Reads(replays=limits.max_replays, scans=limits.max_scans, of_caller=limits.caller_reads)
        traced = settings.operations.timeline > 0
        departed = Departed(GONE_MAX if traced else 0)
        self.hub = StreamHub(
            control, drain, authority, clock, send_timeout=stream.send_timeout, reads=self.reads, departed=departed
        )
        self.guards = Guards(
            clock.monotonic,
            h2c=settings.server.h2c,
            connections=self.descriptors.connections,
            patience=stream.send_timeout,
            frames=Rate(limits.frame_rate, limits.frame_burst),
            goodbye=lambda: control_json("goodbye", control.goodbye(FULL, self.hub.return_delay())),
            proxies=origins.hops.trusts if settings.access.proxy_protocol else None,
        )
        self.opening = Opening(bus, self.hub, clock, traced=traced)
        self.renewal = Renewal(self.gate, self.hub, bus, clock)
        self.hub.asks = self.renewal.by_asking
        self.revoker = Revoker(authority.revocations, self.gate, self.hub, bus, frames.poll, clock)
        self.entering = Entering(self.gate, bus.presence, clock)
        self.reader = self._reader(limits.data_max)
        self.doors = self._doors(frames, control, Elsewhere(self.guests.host, origins))
        self.trims = TrimJobs(bus.trim)
        self.delay = delay = LoopDelay(clock)
        self.connections = Connections(self.hub, bus, clock)
        self.timeline = Timeline(bus, self.connections, clock)
        self.figures = Figures(bus, log, self.hub, self.gate, self.connections, delay, clock)
        parts = bus, self.hub, self.gate, self.renewal, self.descriptors, log, clock
        self.metrics = Metrics(
            ServiceMetrics(*parts, delays=delay.delays, sources=ring.sources, problems=problems.told)
        )

    def _reader(self, data_max: int) -> DraftReader:
        """Of what is published, on every wire."""
        return DraftReader(
            data_max,
            self.guests.rule,
            partial(self.guards.work.take, Rank.QUIET),  # what has begun comes first
            self.clock.monotonic,
            check_subjects=self.guests.check_subjects,
        )

    def _doors(self, frames: Frames, control: Control, elsewhere: Elsewhere) -> Doors:
        """Every wire, and where it is asked for."""
        gate, bus, opening = self.gate, self.bus, self.opening
        self.hub.left = Endings(bus.presence, self.draining).left
        limits, stream = self.settings.limits, self.settings.stream
        pipes = HypercornPipes(direct=stream.direct, timeout=stream.send_timeout)
        work, reader = self.guards.work.take, self.reader
        bodies = Bodies(limits.body_bytes, stream.send_timeout, limits.body_max)
        turn = partial(work, Rank.BUSY)
        sending = Sending(gate, bus.ephemeral, EphemeralReader(self._reader, limits.ephemeral_max), bus.presence)
        saying = SayingPresence(self.entering, opening.besides, turn)
        websocket = WebSocketWire(
            gate, opening, pipes, frames, bus, reader, sending, saying, self.renewal, turn, data_max=limits.data_max
        )
        sse = SSEWire(gate, opening, pipes, frames, bodies)
        scans = Scans(bus.reading.turn, self.reads, gate)
        answers = Answers(gate, scans, pipes, stream.send_timeout)
        poll = PollWire(gate, self.draining, bus, control, frames, bodies, answers)
        state = StateWire(gate, bus, frames, answers)
        reads = ((EVENTS, poll), (STATE, state), (SSE, sse))
        routes: dict[Route, ASGI] = {("http", method, path): app for path, app in reads for method in ("GET", "HEAD")}
        routes |= {
            ("http", "POST", EVENTS): PublishWire(gate, bus, bodies, reader),
            ("http", "POST", EVENTS_READ): poll,
            ("http", "POST", EPHEMERAL): EphemeralWire(bodies, sending, turn),
            ("http", "POST", SSE): sse,
            ("websocket", "GET", WEBSOCKET): websocket,
        }
        doors, health = Doors(gate, bodies, turn, self.guests.alias, routes, elsewhere), HealthWire(gate)
        for method in ("GET", "HEAD"):
            doors.add(("http", method, WEBSOCKET), doors.upgrade_required)
            for path in (HEALTH, f"{HEALTH}/"):
                doors.add(("http", method, path), health)
        return doors

    @classmethod
    async def open(
        cls, settings: Settings, apps: Sequence[App] | None = None, *, decides: bool = False, has_hosts: bool = True
    ) -> "Assembly":
        """Migrate, open and start, with the applications that the settings name unless some are handed in. `decides`:
        the application that it is mounted in says who asks. `has_hosts`: requests under any host name come here.

        Raises ConfigError, StorageError or MigrationError, or what an application raises: then nothing is left open.
        """
        if library_is_affected(driver.sqlite_version_info):
            logger.warning("sqlite_has_wal_reset_bug", version=driver.sqlite_version, fixed_in="3.51.3")
        apps = apps_of(settings.apps, apps)
        clock = TrustedClock(SystemClock())
        ring = ring_of(settings.access, clock)
        async with contextlib.AsyncExitStack() as undo:
            database = real_path(settings.log.database)
            undo.enter_context(lock := FileLock(database))
            migrated = partial(migrate, database, resource("migrations"))
            applied = await asyncio.to_thread(on_full_disk, database, migrated)
            for migration in applied:
                logger.info("migration_applied", number=migration.number, name=migration.name)
            log = await _open_log(database, settings, clock)
            undo.push_async_callback(log.close)
            clock.not_before(log.health().newest)
            spans = open_spans(settings.operations.traces)
            if spans is not None:
                undo.push_async_callback(spans.close)
            bus = EventBus(
                log,
                clock,
                tail_events=settings.bus.tail_events,
                tail_bytes=settings.bus.tail_bytes,
                spans=spans,
                remembered=settings.operations.timeline,
                ephemeral=Rate(settings.limits.ephemeral_rate, settings.limits.ephemeral_burst),
                presence=settings.limits.presence(),
            )
            company = OwnCompany(bus.presence, Passage)
            for app in apps:
                undo.push_async_callback(app.close)
                tables = partial(open_tables, database)
                is_guarded = bool(ring) or decides
                await app.open(Ground(bus, bus.reading, clock, tables, is_guarded, has_hosts, company))
            assembly = cls(settings, clock, ring, lock, log, bus, apps, spans, decides, has_hosts)
            for app in apps:
                await app.start()
            await assembly.revoker.start()
            ring.start()
            assembly.hub.start(assembly.look_around)
            assembly.delay.start()
            undo.pop_all()
        logger.info(
            "service_opened",
            database=str(database),
            epoch=bus.epoch,
            head=bus.head,
            apps=[app.name for app in apps],
        )
        return assembly

    def look_around(self) -> None:
        """At what changes without anybody asking: descriptors, and the calendar. Every now and then."""
        self.descriptors.probe()
        self.clock.unix_ms()
        doubt = self.clock.doubt
        if bool(doubt) != self._is_doubted:
            self._is_doubted = bool(doubt)
            if doubt:
                logger.warning("clock_doubted", ahead_seconds=round(doubt, 1))
            else:
                logger.info("clock_trusted", confirmed=self.clock.steps)

    def _clock(self) -> str:
        doubt = self.clock.doubt
        if not doubt:
            return "ok"
        way = "ahead of" if doubt > 0 else "behind"
        return f"the clock is {abs(doubt):.0f} s {way} the time that has passed: set it, or POST /api/clock/confirm"

    def _disk(self) -> str:
        health = self.log.health()
        if not health.is_reserved:
            return "ok"
        left = f"{health.free_bytes:,} bytes of the disk are left, of {health.reserve_bytes:,} that are kept free"
        return f"{left}: publishing is refused until there is room"

    async def checks(self) -> dict[str, str]:
        """Each condition of readiness by name: "ok", or what is wrong."""
        return {
            "log": self.log.health().failure or "ok",
            "disk": self._disk(),
            "migrations": await asyncio.to_thread(self._check_migrations),
            "descriptors": "ok" if not self.descriptors.is_exhausted else "no descriptor is left for connections",
            "clock": self._clock(),
            "draining": "ok" if not self.draining.is_announced else "the service is restarting",
        }

    def _check_migrations(self) -> str:
        """On a thread: it opens the file at the path anew."""
        try:
            check_current(real_path(self.settings.log.database), resource("migrations"))
        except TwinwireError as error:
            return error.detail
        return "ok"

    async def announce_drain(self, hurry: asyncio.Event) -> None:
        """Be ready no more, and serve as before for the delay, or until `hurry`: see `Drain`."""
        self.draining.announce()
        if self.settings.server.drain_delay:
            logger.info("drain_announced", delay=self.settings.server.drain_delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), self.settings.server.drain_delay)

    async def drain(self) -> None:
        """Stop taking in, and send everyone away politely; takes at most the grace period."""
        await self.guests.leave()
        await self.hub.drain(self.settings.server.grace)

    async def close(self) -> None:
        """Let runs stop where they are, commit what was accepted, release the files."""
        self.draining.begin()
        for app in reversed(self.apps):
            await app.close()
        await self.hub.close()
        await self.delay.close()
        await self.trims.close()
        await self.revoker.close()
        self._ring.close()
        await self.bus.close()
        await self.log.close()
        if self._spans is not None:
            await self._spans.close()
        self._lock.release()
        logger.info("service_closed", head=self.bus.head)


async def _open_log(database: Path, settings: Settings, clock: Clock) -> SQLiteEventLog:
    return await open_log(
        database,
        clock=clock,
        durability=settings.log.durability,
        policies=settings.log.retention,
        retention_interval=settings.log.retention_interval,
        max_topics=settings.limits.max_topics,
        disk_reserve=settings.log.disk_reserve,
        max_scan=settings.limits.filter_scan,
        forget_after=settings.log.forget_after,
        forget_least=settings.stream.told_within,
        tombstones=settings.log.tombstones,
        subject_max=settings.limits.subject_max,
    )
