"""A stream that has asked for ephemeral events: written while it is live, kept in its slots while it is not.

Rule 1: they never stand before what is owed. One is written only while the subscription is live; else it waits, until
`flush` sends what waits in the step in which the subscription has become live.
Rule 2: a write that is not taken makes the subscription a reader again, as one of a stored event does, though nothing
is owed: then there is a pump, which waits for the peer and comes by `flush`. So while something waits nobody is live,
and nothing overtakes an older one with the same key.

A pipe that never takes a write (portable) goes this way each time: its pump sends.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from service.bus.ephemeral import EphemeralBus, Told
from service.bus.subscription import State, Subscription
from service.core.slots import Slots
from service.core.topics import TopicFilter
from service.stream.control import StreamEncoding
from service.stream.ending import Ending
from service.stream.peer import Peer
from service.stream.pipe import Pipe


class Ears(Protocol):
    """What a stream asks of who hears ephemeral events for it."""

    def has_sent(self) -> bool:
        """Whether its client was sent any since this was asked last."""

    async def flush(self, send: Callable[[Any], Awaitable[None]]) -> None:
        """The subscription has become live in this step: send what waits. A pipe that takes it at once does not wait,
        so that no event comes in before the stream knows that it is live.
        """

    def change(self, topics: TopicFilter) -> None:
        """The stream has another filter: what that does not cover is let go of."""

    def close(self) -> "Ears":
        """Once. Who hears from then on: nobody."""


class _Deaf:
    """Of a stream that has not asked."""

    def has_sent(self) -> bool:
        return False

    async def flush(self, send: Callable[[Any], Awaitable[None]]) -> None:
        return

    def change(self, topics: TopicFilter) -> None:
        return

    def close(self) -> Ears:
        return self


DEAF: Final = _Deaf()


class Hears(Protocol):
    """A stream."""

    peer: Peer
    encoding: StreamEncoding[Any]
    ending: Ending | None
    pipe: Pipe[Any]
    subscription: Subscription[Any]


class Hearing:
    """Of one stream, from now until `close`."""

    __slots__ = ("_bus", "_group", "_heard", "_sent", "_slots", "_stream")

    def __init__(self, bus: EphemeralBus, stream: Hears) -> None:
        self._bus = bus
        self._stream = stream
        self._slots = Slots(bus.room)
        self._heard = bus.number
        """The number of the last one."""
        self._sent = False
        self._group = bus.join(stream.subscription.topics, stream.encoding, self)

    def hear(self, told: Told) -> int:
        stream = self._stream
        mine = told.to(stream.peer.id)
        if mine is None or told.number <= self._heard or stream.ending is not None:
            return 0
        self._heard = told.number
        subscription = stream.subscription
        is_live = subscription.state is State.LIVE
        if is_live and stream.pipe.write(mine.payload):
            self._sent = True
            return len(mine.items)
        for event, frame in mine.items:
            self._slots.put(event, frame)
        if is_live:
            subscription.fall_back()
        return 0

    def has_sent(self) -> bool:
        has_sent, self._sent = self._sent, False
        return has_sent

    async def flush(self, send: Callable[[Any], Awaitable[None]]) -> None:
        frames = self._slots.take(self._bus.now())
        if frames:
            self._sent = True
            self._bus.deliveries += len(frames)
            await send(self._stream.encoding.join(frames))

    def change(self, topics: TopicFilter) -> None:
        old = self._group
        if topics == old.topics:
            return
        self._group = self._bus.join(topics, self._stream.encoding, self)
        self._bus.leave(old, self)
        self._slots.keep(topics.matches)

    def close(self) -> Ears:
        self._bus.leave(self._group, self)
        self._slots.close()
        return DEAF
