"""All open streams: who is there, one sweep for heartbeats and deadlines, and the way out at a restart."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

import structlog

from service.access.authority import Authority
from service.access.drain import Drain
from service.access.reads import Reads
from service.bus.encoding import P
from service.bus.subscription import Subscription
from service.core.errors import InvalidTokenError
from service.core.time import Clock
from service.stream.control import Control, StreamEncoding
from service.stream.ending import EXPIRED, FAULT, RESTART, Ending, ending_of
from service.stream.expiry import WARNED, check_expiry, set_end
from service.stream.gone import Departed, Gone
from service.stream.peer import Peer
from service.stream.stream import Stream

T = TypeVar("T")

SWEEP_INTERVAL: Final = 0.5
"""Seconds between sweeps, so that the heartbeat after a burst comes within two."""

FAREWELL_BATCH: Final = 100
"""Goodbyes between two turns of the event loop."""

logger = structlog.get_logger(__name__)


class StreamHub:
    """The registry of streams. Settings are in seconds.

    A stream is in it from `add` to `remove`, both called by its own `run`. Everything else is called on the event loop
    from outside: `sweep` every half second by a task of the hub, `drain` once by whoever stops the service, `end` by
    whoever sends one peer away. None of them waits for a single stream: they only ask it to end.
    """

    def __init__(
        self,
        control: Control,
        drain: Drain,
        authority: Authority,
        clock: Clock,
        *,
        send_timeout: float,
        reads: Reads | None = None,
        departed: Departed | None = None,
    ) -> None:
        """`reads` counts who replays; without, nobody does."""
        self.departed = departed if departed is not None else Departed()
        self.control = control
        self.send_timeout = send_timeout
        self.opened: Counter[str] = Counter()  # by transport, since the start
        self.ended: Counter[str] = Counter()  # by reason, since the start
        self.expired = 0  # of these, with their credential
        self._drain = drain
        self._authority = authority
        self._clock = clock
        self._reads = reads or Reads()
        self._replaying: dict[Stream[Any], str] = {}  # those that are counted as that, and by whom
        self._streams: dict[str, Stream[Any]] = {}  # by their peers' ids
        self._empty = asyncio.Event()  # set while there is no stream
        self._empty.set()
        self._beats: dict[tuple[str, int], Any] = {}  # heartbeat frames of this sweep, by encoding and offset
        self._sweeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()  # what goes on whoever leaves: see `do`
        self.left: Callable[[Stream[Any]], None] = lambda stream: None
        """Told of each stream that has ended, by the composition root: it must neither wait nor raise."""
        self._asking: set[str] = set()  # peers of whom it is asked whether they are still who they were
        self.asks: Callable[[Stream[Any]], Coroutine[Any, Any, None]] | None = None
        """Asks it of one, and ends the stream if he is not: `Renewal.by_asking`, by the composition root."""

    def __len__(self) -> int:
        return len(self._streams)

    def turnover(self) -> tuple[int, int]:
        """How many streams were opened and have ended so far."""
        return self.opened.total(), self.ended.total()

    def start(self, beside: Callable[[], None] = lambda: None) -> None:
        """Sweep from now on. `beside` is called with each sweep: it must neither wait nor raise."""
        self._sweeper = asyncio.create_task(self._sweep_on(beside), name="sweep")

    def add(self, stream: Stream[Any]) -> None:
        self._streams[stream.peer.id] = stream
        stream.peer.trail.number = self.opened.total() + 1
        self._empty.clear()
        self.opened[stream.peer.transport] += 1
        self.watch(stream)
        if self._drain.has_begun:  # let in just before; `drain` has not seen it
            stream.end(RESTART)

    def watch(self, stream: Stream[Any]) -> None:
        """See to it that a stream does not outlive its credential: it may have ended, or been revoked, since it was
        looked at, while the stream was none yet that anybody could have ended.
        """
        try:
            left = self._authority.still(stream.peer.caller)
        except InvalidTokenError as error:
            if error.reason == "expired":
                self.expire(stream)
            else:
                stream.end(ending_of(error))
            return
        set_end(stream, self, left)

    def expire(self, stream: Stream[Any]) -> None:
        """Its credential's time is over: so is the stream, unless somebody can say whether its client is still who he
        was. Then that is asked, once, and what comes of it is the stream's."""
        id = stream.peer.id
        if self.asks is None or stream.peer.caller.again is None:
            stream.end(EXPIRED)
        elif id not in self._asking:
            self._asking.add(id)
            self.do(self.asks(stream)).add_done_callback(lambda task: self._asking.discard(id))

    def remove(self, stream: Stream[Any]) -> None:
        self._streams.pop(stream.peer.id, None)
        self.has_caught_up(stream)
        self.left(stream)
        self.expired += stream.ending == EXPIRED
        reason = (stream.ending.reason or "lost") if stream.ending else "client"
        self.ended[reason] += 1
        self.departed.add(_gone(stream, self._clock.unix_ms(), reason))
        if not self._streams:
            self._empty.set()

    # Who is there

    def streams(self) -> tuple[Stream[Any], ...]:
        """All that are open, in the order in which they came."""
        return tuple(self._streams.values())

    def peers(self) -> Iterator[Peer]:
        """Everyone who is connected, in the order in which they came."""
        return (stream.peer for stream in self.streams())

    def subscriptions(self) -> Iterator[Subscription[Any]]:
        """Of those."""
        return (stream.subscription for stream in self.streams())

    def end(self, id: str, ending: Ending) -> bool:
        """End the stream of this peer, which is told why; False if there is no such peer."""
        stream = self._streams.get(id)
        if stream is not None:
            stream.end(ending)
        return stream is not None

    def find(self, id: str) -> Stream[Any] | None:
        return self._streams.get(id)

    async def end_those(self, are_meant: Callable[[Stream[Any]], bool], ending: Ending) -> int:
        """End all streams of whom that is so; how many there were."""
        ended = 0
        for number, stream in enumerate(self.streams(), 1):
            if stream.ending is None and are_meant(stream):
                stream.end(ending)
                ended += 1
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
        return ended

    # For streams: see `Registry` in stream/stream.py

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._clock.monotonic()

    def unix_ms(self) -> int:
        return self._clock.unix_ms()

    def replays(self, stream: Stream[Any]) -> None:
        """Raises OverloadedError or RateLimitedError if there is no place for one more who reads long."""
        self._replaying[stream] = self._reads.begin_replay(stream.peer.caller)

    def has_caught_up(self, stream: Stream[Any]) -> None:
        """Or has ended. It gives its place back, if it has one."""
        who = self._replaying.pop(stream, None)
        if who is not None:
            self._reads.end_replay(who)

    def return_delay(self) -> int:
        """Milliseconds after which a client that is sent away may come back."""
        return self._drain.return_delay(len(self._streams))

    def do(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """In a task of its own, which is held until it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def heartbeat_frame(self, encoding: StreamEncoding[P], offset: int) -> P:
        """Made once a sweep for all who stand at the same place."""
        key = (encoding.name, offset)
        frame: P | None = self._beats.get(key)
        if frame is None:
            fields = self.control.beat(offset, self._clock.unix_ms())
            frame = self._beats[key] = encoding.control("heartbeat", fields)
        return frame

    # Looking after them

    async def _sweep_on(self, beside: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            beside()
            await self.sweep()

    async def sweep(self) -> None:
        """Look after every stream once."""
        now, near = self.now(), self.unix_ms() + WARNED
        for number, stream in enumerate(self.streams(), 1):
            try:
                if (expires := stream.peer.caller.expires) is not None and expires <= near:
                    check_expiry(stream, self)
                stream.sweep(now)
            except Exception:  # one stream's fault must not end the heartbeats of all others
                logger.exception("sweep_failed", transport=stream.peer.transport)
                stream.end(FAULT)
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
        self._beats.clear()
        self.departed.forget(self._clock.unix_ms())

    async def drain(self, grace: float, ending: Ending = RESTART) -> None:
        """Refuse new streams, say goodbye to the open ones, and wait up to `grace` seconds until they are gone."""
        streams = self.streams()
        self._drain.begin(len(streams))
        for number, stream in enumerate(streams, 1):
            stream.end(ending)
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("streams_cut", remaining=len(self._streams))
            for stream in self.streams():
                stream.pipe.abort()

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)


def _gone(stream: Stream[Any], at: int, reason: str) -> Gone:
    peer, subscription = stream.peer, stream.subscription
    caller = peer.caller
    return Gone(
        0,
        peer.id,
        caller.subject,
        peer.address,
        peer.transport,
        peer.since,
        peer.trail,
        subscription.topics,
        subscription.offset,
        caller.rights.subscribe.patterns,
        caller.rights.admin,
        at,
        reason,
    )
