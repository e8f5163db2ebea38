"""How a stream begins, on every wire: find its place in the log, say who it is, and be ready to run.

A wire parses, enters, opens and listens. What differs between wires is handed in: the pipe that its bytes take and the
encoding that makes them. The rest stands here once.
"""

import random
import uuid
from dataclasses import dataclass
from typing import Final, Generic

from service.access.caller import Caller
from service.bus.bus import EventBus
from service.bus.encoding import P
from service.bus.start import Start
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.stream.beside import Besides
from service.stream.control import Fields, StreamEncoding
from service.stream.ending import Ending
from service.stream.hub import StreamHub
from service.stream.peer import Peer
from service.stream.pipe import Pipe
from service.stream.stream import Stream
from service.stream.trail import Trail

RETRY_MS: Final = (1_000, 4_000)
"""Milliseconds, drawn for each stream: the only jitter that an EventSource will ever have."""


@dataclass(slots=True)
class Opened(Generic[P]):
    """A stream and its first frames, the last one first: `Stream.run` takes them from the end."""

    stream: Stream[P]
    first: list[P]


class Opening:
    """Makes streams on one bus, to be looked after by one hub. `traced`: they remember what they go through."""

    def __init__(self, bus: EventBus, hub: StreamHub, clock: Clock, *, traced: bool = True) -> None:
        self._bus = bus
        self.besides: Final = Besides(bus.ephemeral, bus.presence)
        self._hub = hub
        self._clock = clock
        self._now = clock.unix_ms if traced else None

    def goodbye(self, ending: Ending, retry: int | None = None) -> Fields:
        """Of a connection that ends before it is a stream; `retry` is in ms."""
        return self._hub.control.goodbye(ending, self._hub.return_delay() if retry is None else retry)

    async def open(
        self,
        pipe: Pipe[P],
        encoding: StreamEncoding[P],
        topics: TopicFilter,
        start: Start,
        caller: Caller,
        *,
        ephemeral: bool = False,
        presence: bool = False,
    ) -> Opened[P]:
        """`ephemeral`: events that are not kept, too; `presence`: who is where on these topics, too. Raises what
        `EventBus.subscribe` raises: then nothing is left open.

        From here on the subscription is the stream's: run it.
        """
        subscription, gap = await self._bus.subscribe(topics, start, encoding)
        trail = Trail(subscription.offset, self._now)
        peer = Peer(str(uuid.uuid4()), caller, encoding.transport, self._clock.unix_ms(), trail)
        stream = Stream(self._hub, subscription, pipe, encoding, peer)
        fields = self._hub.control.connection(
            peer.id,
            peer.transport,
            topics,
            subscription.resume_at,
            head=self._bus.head,
            floor=subscription.floor,
            resumed=start.cursor is not None and gap is None,
            retry=random.randint(*RETRY_MS),
            subject=caller.subject,
            expires=caller.expires,
            ephemeral=ephemeral,
            presence=presence,
        )
        if ephemeral:
            self.besides.listen_in(stream, hears=True)
        if presence:
            self.besides.follow(stream, watches=True)
        first = [encoding.opening(fields)]
        if gap is not None:
            trail.gap(gap)
            first.insert(0, encoding.control("gap", self._hub.control.gap(gap)))
        return Opened(stream, first)
