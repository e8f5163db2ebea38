"""All open streams: who may join, one sweep for heartbeats and deadlines, and the way out at a restart."""

import asyncio
import random
import uuid
from collections import Counter
from typing import Any, Final

import structlog

from service.bus.bus import EventBus
from service.bus.encoding import P
from service.bus.values import Gap
from service.core.errors import DrainingError, OverloadedError
from service.core.limits import RETRY_MIN_MS
from service.core.time import Clock, rfc3339
from service.core.topics import TopicFilter
from service.stream.stream import FAULT, RESTART, Ending, Stream, StreamEncoding
from service.wire.frames import Frames

SWEEP_INTERVAL: Final = 0.5
"""Seconds between sweeps, so that the heartbeat after a burst comes within two."""

RETRY_MS: Final = (1_000, 4_000)
"""Milliseconds, drawn for each stream: the only jitter that an EventSource will ever have."""

RETURN_MS_PER_STREAM: Final = 10
RETURN_MS_MAX: Final = 30_000
"""After a restart, clients come back spread over 10 ms each: 100 connects a second, within 30 s at most."""

FAREWELL_BATCH: Final = 100
"""Goodbyes between two turns of the event loop."""

logger = structlog.get_logger(__name__)


class StreamHub:
    """Settings are in seconds; `max_streams` 0 means no bound."""

    def __init__(
        self,
        bus: EventBus,
        frames: Frames,
        clock: Clock,
        *,
        heartbeat: float,
        send_timeout: float,
        max_streams: int = 0,
    ) -> None:
        self.bus = bus
        self.frames = frames
        self.heartbeat = heartbeat
        self.send_timeout = send_timeout
        self.opened: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.draining = asyncio.Event()
        self._max_streams = max_streams
        self._clock = clock
        self._streams: set[Stream[Any]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._crowd = 0
        self._beats: dict[tuple[str, int], Any] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._streams)

    def turnover(self) -> tuple[int, int]:
        """How many streams were opened and have ended so far."""
        return self.opened.total(), self.ended.total()

    def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep_on(), name="sweep")

    def admit(self) -> None:
        """Raises DrainingError or OverloadedError if no stream may start now."""
        if self.draining.is_set():
            raise DrainingError("the service is restarting", retry_after=self.return_delay() / 1000)
        if self._max_streams and len(self._streams) >= self._max_streams:
            raise OverloadedError(f"all {self._max_streams} streams are taken")

    def add(self, stream: Stream[Any]) -> None:
        self._streams.add(stream)
        self._empty.clear()
        self.opened[stream.transport] += 1
        if self.draining.is_set():  # admitted just before; `drain` has not seen it
            stream.end(RESTART)

    def remove(self, stream: Stream[Any]) -> None:
        self._streams.discard(stream)
        self.ended[(stream.ending.reason or "lost") if stream.ending else "client"] += 1
        if not self._streams:
            self._empty.set()

    # What streams say

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._clock.monotonic()

    def cursor(self, offset: int) -> str:
        return self.bus.cursor(offset)

    def retry(self) -> int:
        """Milliseconds for this stream's own reconnects."""
        return random.randint(*RETRY_MS)

    def return_delay(self) -> int:
        """Milliseconds after which a client may come back when all are sent away: random, more with more streams."""
        spread = min(RETURN_MS_MAX, 2 * RETRY_MIN_MS + RETURN_MS_PER_STREAM * max(self._crowd, len(self._streams)))
        return random.randint(RETRY_MIN_MS, spread)

    def connection_fields(
        self, transport: str, topics: TopicFilter, offset: int, resumed: bool, retry: int
    ) -> dict[str, Any]:
        return {
            "id": self.cursor(offset),
            "connection": str(uuid.uuid4()),
            "transport": transport,
            "topics": list(topics.patterns),
            "head": self.cursor(self.bus.head),
            "resumed": resumed,
            "heartbeat": self.heartbeat,
            "retry": retry,
        }

    def gap_fields(self, gap: Gap) -> dict[str, Any]:
        return {
            "requested": gap.requested,
            "reason": gap.reason,
            "id": self.cursor(gap.offset),
            "floor": None if gap.floor is None else self.cursor(gap.floor),
        }

    def heartbeat_fields(self, offset: int) -> dict[str, Any]:
        return {"id": self.cursor(offset), "time": rfc3339(self._clock.unix_ms())}

    def heartbeat_frame(self, encoding: StreamEncoding[P], offset: int) -> P:
        """Made once a sweep for all who stand at the same place."""
        key = (encoding.name, offset)
        frame: P | None = self._beats.get(key)
        if frame is None:
            frame = self._beats[key] = encoding.control("heartbeat", self.heartbeat_fields(offset))
        return frame

    # Looking after them

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            await self.sweep()

    async def sweep(self) -> None:
        """Look after every stream once."""
        now = self.now()
        for number, stream in enumerate(tuple(self._streams), 1):
            try:
                stream.sweep(now)
            except Exception:  # one stream's fault must not end the heartbeats of all others
                logger.exception("sweep_failed", transport=stream.transport)
                stream.end(FAULT)
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
        self._beats.clear()

    async def drain(self, grace: float, ending: Ending = RESTART) -> None:
        """Refuse new streams, say goodbye to the open ones, and wait up to `grace` seconds until they are gone."""
        self.draining.set()
        streams = tuple(self._streams)
        self._crowd = len(streams)
        for number, stream in enumerate(streams, 1):
            stream.end(ending)
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("streams_cut", remaining=len(self._streams))
            for stream in tuple(self._streams):
                stream.pipe.abort()

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
