"""A stream that watches places: told of each batch while it is live, else of the state of what it has missed.

Rule 1: nothing waits for it. Of a place of which it could not be told something it remembers the name, `_owed`, and is
told its state as soon as it takes something again: between two pages of a replay too, since no cursor moves by it.
Rule 2: of a place that is owed, no batch is told: the state will hold it. The same holds for what a `_Walk` has yet to
come to, which tells who has asked with a wildcard all places at which somebody is, some at a time.
Rule 3: a write that is not taken makes the subscription a reader again, as one of an ephemeral event does: then there
is a pump, which waits for the peer and comes by `flush`. While something is owed nobody becomes live.
Rule 4: a pipe that never takes a write (portable) has its pump send each batch; so a few of them are held for it, and
only beyond these a state is owed.
Rule 5: who is owed too much is stalled: he comes back, and is told all of it anew.

What it watches is two filters: what the stream is about, if it has asked so (`follow`), and what it has named (`ask`).
What neither covers any more is owed no more, but for a state that was asked for by itself (`once`).
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, Protocol

from service.bus.group import Group
from service.bus.presence import PresenceBus, looks
from service.bus.subscription import State, Subscription
from service.core.place import Place
from service.core.topics import ANY_SEGMENT, TopicFilter
from service.stream.control import StreamEncoding
from service.stream.ending import STALLED, Ending
from service.stream.eyes import BLIND, Eyes
from service.stream.owed import Owed, Why
from service.stream.pipe import Pipe

OWED_MAX: Final = 4_000
"""Places of which one stream is owed the state, about 100 bytes each."""

HELD_MAX: Final = 16
"""Batches that wait for the pump of a portable pipe."""

HELD_BYTES: Final = 64 * 1024
"""Of them likewise; the bytes are shared by all who are told the same."""

FLUSH_BYTES: Final = 64 * 1024
"""Of states that are told between two pages, about: as little as is no stop for events."""

FLUSH_LOOK: Final = 500
"""Places that are looked at meanwhile."""


class Watches(Protocol):
    """A stream."""

    encoding: StreamEncoding[Any]
    ending: Ending | None
    pipe: Pipe[Any]
    subscription: Subscription[Any]

    def end(self, ending: Ending) -> None: ...


class _Walk:
    """Over all places that there were when it began, by their numbers."""

    __slots__ = ("told", "topics", "until")

    def __init__(self, topics: TopicFilter, until: int) -> None:
        self.topics: Final = topics
        self.told = 0
        self.until: Final = until

    def is_ahead(self, place: Place) -> bool:
        return self.told < place.number <= self.until and self.topics.matches(place.topic)


class Watching:
    """Of one stream, until `close`."""

    __slots__ = ("_along", "_asked", "_bus", "_heard", "_held", "_held_bytes", "_owed", "_sent", "_stream", "_walks")

    def __init__(self, bus: PresenceBus, stream: Watches) -> None:
        self._bus = bus
        self._stream = stream
        self._along: Group[Any] | None = None
        self._asked: Group[Any] | None = None
        self._owed = Owed()
        """Places whose state is to be told, the first at first."""
        self._walks: dict[str, _Walk] = {}
        """Of each of the two filters that has wildcards, while it is under way."""
        self._held: list[tuple[str, Any]] = []
        """Batches that the pump is about to send, with their places."""
        self._held_bytes = 0
        self._heard = 0
        """The number of the last batch: of two groups only one tells it."""
        self._sent = False

    # What it watches

    @property
    def follows(self) -> bool:
        """Whether it watches what the stream is about."""
        return self._along is not None

    @property
    def asked(self) -> tuple[str, ...]:
        """The patterns that were named."""
        return () if self._asked is None else self._asked.topics.patterns

    def follow(self, topics: TopicFilter | None) -> None:
        """Watch what the stream is about; None: no more."""
        old, self._along = self._along, self._joined(self._along, topics)
        self._moved("along", old, self._along)

    def ask(self, topics: TopicFilter | None) -> None:
        """Watch what was named, all of it."""
        old, self._asked = self._asked, self._joined(self._asked, topics)
        self._moved("asked", old, self._asked)

    def change(self, topics: TopicFilter) -> None:
        if self._along is not None:
            self.follow(topics)

    def reduce(self, unread: Callable[[Iterable[str]], Collection[str]]) -> None:
        """See `Eyes`."""
        lost = unread(self.asked)
        if lost and self._asked is not None:
            self.ask(self._asked.topics.minus(lost))
        self._owed.reduce(unread)

    @property
    def _covered(self) -> Sequence[TopicFilter]:
        return [one.topics for one in (self._along, self._asked) if one is not None]

    def _joined(self, old: Group[Any] | None, topics: TopicFilter | None) -> Group[Any] | None:
        if topics is not None and not topics.patterns:
            topics = None
        if old is not None and topics == old.topics:
            return old
        new = None if topics is None else self._bus.telling.join(topics, self._stream.encoding, self)
        if old is not None:
            self._bus.telling.part(old, self)
        return new

    def _moved(self, name: str, old: Group[Any] | None, new: Group[Any] | None) -> None:
        """Owe no more what it does not watch any more, and what it has come to watch."""
        if new is old:
            return
        for topic, _ in self._take_held():
            self.owe(topic)
        self._owed.keep(self._covered)
        had = () if old is None else old.topics.patterns
        patterns = () if new is None else new.topics.patterns
        fresh = [one for one in patterns if one not in had]
        for topic in fresh:
            if ANY_SEGMENT not in topic:
                self.owe(topic)
        wild = tuple(one for one in patterns if ANY_SEGMENT in one)
        if not wild:
            self._walks.pop(name, None)
        elif name in self._walks or any(ANY_SEGMENT in one for one in fresh):
            self._walks[name] = _Walk(TopicFilter(wild), self._bus.state.last)

    # What it is told

    def tell(self, place: Place, number: int, payload: Any, *, is_state: bool) -> bool:
        """See `Watcher`."""
        stream = self._stream
        if number == self._heard or stream.ending is not None or place.topic in self._owed:
            return False
        if any(walk.is_ahead(place) for walk in self._walks.values()):
            return False
        self._heard = number
        is_live = stream.subscription.state is State.LIVE
        if is_live and stream.pipe.write(payload):
            self._sent = True
            return True
        if stream.pipe.direct or not self._hold(place.topic, payload):
            self.owe(place.topic)
        if is_live:
            stream.subscription.fall_back()
        return False

    def _hold(self, topic: str, payload: Any) -> bool:
        """Keep a batch for the pump. If there is no room, states are owed of all that are kept."""
        size = len(payload) if isinstance(payload, bytes) else sum(map(len, payload))
        if len(self._held) < HELD_MAX and self._held_bytes + size <= HELD_BYTES:
            self._held.append((topic, payload))
            self._held_bytes += size
            return True
        for held, _ in self._take_held():
            self.owe(held)
        return False

    def _take_held(self) -> list[tuple[str, Any]]:
        held, self._held, self._held_bytes = self._held, [], 0
        return held

    def once(self, topic: str) -> None:
        """Its state is asked for by itself: it is to be told whatever is watched."""
        self.owe(topic, Why.ASKED)

    def owe(self, topic: str, why: Why = Why.WATCHED) -> None:
        """Its state is to be told."""
        if len(self._owed) >= OWED_MAX and topic not in self._owed:
            self._stream.end(STALLED)
        else:
            self._owed.add(topic, why)

    @property
    def is_owed(self) -> bool:
        return bool(self._owed or self._walks or self._held)

    def has_sent(self) -> bool:
        has_sent, self._sent = self._sent, False
        return has_sent

    def soon(self) -> None:
        """Something may be owed to a stream that is live: it is told now if that can be, else by its pump."""
        stream = self._stream
        if not self.is_owed or stream.subscription.state is not State.LIVE:
            return
        frames = self._few()
        if frames and stream.pipe.write(stream.encoding.join(frames)):
            self._owed.clear()
            self._sent = True
            self._bus.telling.frames += len(frames)
        elif self.is_owed:  # it may have come out that it is not
            stream.subscription.fall_back()

    def _few(self) -> list[bytes] | None:
        """All that is owed, if that is little and can be told now."""
        frames, size = list[bytes](), 0
        for topic in () if self._walks else self._owed.first(FLUSH_LOOK, self._covered):
            if self._is_telling(topic):
                return None
            frames.append(self._frame(topic))
            size += len(frames[-1])
            if size > FLUSH_BYTES:
                return None
        return frames if len(frames) == len(self._owed) else None

    async def flush(self) -> None:
        """See `Eyes`."""
        if not self.is_owed:
            return
        for _, payload in self._take_held():
            self._sent = True
            self._bus.telling.frames += 1
            await self._stream.pipe.send(payload)
        if not (self._owed or self._walks):
            return
        frames = self._take()
        if not frames:
            await asyncio.sleep(0)  # each that is owed is being told to others
            return
        self._sent = True
        self._bus.telling.frames += len(frames)
        await self._stream.pipe.send(self._stream.encoding.join(frames))

    def _take(self) -> list[bytes]:
        frames, size = list[bytes](), 0
        for topic in self._owed.first(FLUSH_LOOK, self._covered):
            if size >= FLUSH_BYTES:
                return frames
            if not self._is_telling(topic):
                self._owed.remove(topic)
                frames.append(self._frame(topic))
                size += len(frames[-1])
        for name, walk in tuple(self._walks.items()):
            size = self._go_on(name, walk, frames, size)
        return frames

    def _go_on(self, name: str, walk: _Walk, frames: list[bytes], size: int) -> int:
        """Some steps of a walk; how many bytes there are then."""
        most = looks(walk.topics, FLUSH_LOOK)
        places = [place for place in self._bus.state.after(walk.told, most) if place.number <= walk.until]
        for place in places:
            if size >= FLUSH_BYTES:
                return size
            walk.told = place.number
            if place.is_gone or not place.told_members or place.topic in self._owed:
                continue  # of one that nobody was told of, the first batch is a state
            if not walk.topics.matches(place.topic):
                continue
            if place.is_telling:
                self.owe(place.topic)
            else:
                frames.append(self._bus.telling.roll.state_frame(place, self._stream.encoding))
                size += len(frames[-1])
        if not places:
            del self._walks[name]
        return size

    def _is_telling(self, topic: str) -> bool:
        place = self._bus.state.find(topic)
        return place is not None and place.is_telling

    def _frame(self, topic: str) -> bytes:
        roll, place, encoding = self._bus.telling.roll, self._bus.state.find(topic), self._stream.encoding
        if place is not None:
            return roll.state_frame(place, encoding)
        return encoding.presence(roll.nobody(topic, self._bus.state.version(topic)))

    def close(self) -> Eyes:
        self._owed.clear()
        self._held.clear()
        self.follow(None)
        self.ask(None)
        return BLIND
