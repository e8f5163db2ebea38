"""Who is connected, and who was until lately, as operators see it: lists in pages, made in steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from service.access.rights import Grants
from service.bus.bus import EventBus
from service.bus.subscription import State
from service.core.time import Clock, rfc3339
from service.core.topics import TopicFilter, is_topic
from service.log.base import Pace
from service.stream.gone import Gone
from service.stream.hub import StreamHub
from service.stream.stream import Stream
from service.stream.trail import Trail

LOOK: Final = 0.0005
"""Seconds of looking at connections between two turns among all that read."""

TOPICS_SHOWN: Final = 10
"""Patterns of a filter in a list: it may have a hundred, and a page a thousand connections."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which are asked for; None for any."""

    subject: str | None = None
    transport: str | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """One connection at this moment, open or gone. `state` is `live`, `replaying`, `ending` or `gone`; `since` and
    `at`, when it ended, are in Unix ms.

    `offset` is how far it got; `waiting` is how many bytes its peer has yet to take, None if nobody knows;
    `may_read` tells whether it has the right to a topic.
    """

    number: int
    id: str
    subject: str | None
    address: str | None
    transport: str
    since: int
    trail: Trail
    topics: TopicFilter
    state: str
    offset: int
    may_read: Callable[[str], bool]
    waiting: int | None = None
    is_full: bool = False
    at: int | None = None
    reason: str | None = None

    @classmethod
    def of(cls, stream: Stream[Any]) -> Self:
        peer, subscription, pipe = stream.peer, stream.subscription, stream.pipe
        is_ending = stream.ending is not None or subscription.state is State.CLOSED
        return cls(
            peer.trail.number,
            peer.id,
            peer.caller.subject,
            peer.address,
            peer.transport,
            peer.since,
            peer.trail,
            subscription.topics,
            "ending" if is_ending else subscription.state.value,
            subscription.position,
            peer.caller.rights.may_read,
            None if pipe.is_closed else pipe.waiting,
            not pipe.is_closed and pipe.is_full,
        )

    @classmethod
    def of_gone(cls, one: Gone) -> Self:
        return cls(
            one.number,
            one.id,
            one.subject,
            one.address,
            one.transport,
            one.since,
            one.trail,
            one.topics,
            "gone",
            one.offset,
            lambda topic: one.is_admin or Grants(one.granted).covers(topic),
            at=one.at,
            reason=one.reason,
        )


class Connections:
    """What the hub knows, in words."""

    def __init__(self, hub: StreamHub, bus: EventBus, clock: Clock) -> None:
        self._hub = hub
        self._bus = bus
        self._clock = clock

    def find(self, id: str) -> Sight | None:
        """The connection of this id, if it is open or went lately."""
        stream = self._hub.find(id)
        if stream is not None:
            return Sight.of(stream)
        self._hub.departed.forget(self._clock.unix_ms())
        gone = self._hub.departed.find(id)
        return None if gone is None else Sight.of_gone(gone)

    async def page(
        self,
        *,
        subject: str | None = None,
        transport: str | None = None,
        topic: str | None = None,
        gone: bool = False,
        after: int = 0,
        limit: int,
    ) -> tuple[list[dict[str, Any]], bool, int]:
        """At most `limit` of those that came, or went, after number `after`; whether there are more, and the last one's
        number. `topic` is one that they would get, or a pattern that they name.
        """
        wanted = _Wanted(subject, transport, topic)
        found: list[dict[str, Any]] = []
        pace = Pace(self._clock.monotonic, LOOK, self._bus.reading.turn)
        known: dict[TopicFilter, bool] = {}
        for one in self._gone() if gone else self._hub.streams():
            await pace()
            number = one.number if isinstance(one, Gone) else one.peer.trail.number
            if number <= after or not _is_meant(one, wanted, known):
                continue
            if len(found) == limit:
                return found, True, after
            found.append(self.row(Sight.of_gone(one) if isinstance(one, Gone) else Sight.of(one)))
            after = number
        return found, False, after

    def _gone(self) -> list[Gone]:
        self._hub.departed.forget(self._clock.unix_ms())
        return self._hub.departed.listed()

    def row(self, one: Sight, shown: int = TOPICS_SHOWN) -> dict[str, Any]:
        """As in a list. `age` is in seconds, until its end if it is gone; `lag` in events, of the whole log."""
        return {
            "connection": one.id,
            "subject": one.subject,
            "address": one.address,
            "transport": one.transport,
            "state": one.state,
            "topics": list(one.topics.patterns[:shown]),
            "filters": len(one.topics.patterns),
            "cursor": self._bus.cursor(one.offset),
            "lag": None if one.at is not None else max(0, self._bus.head - one.offset),
            "buffer": one.waiting,
            "since": rfc3339(one.since),
            "age": max(0, (one.at if one.at is not None else self._clock.unix_ms()) - one.since) / 1000,
            "ended": None if one.at is None else rfc3339(one.at),
            "reason": one.reason,
        }

    async def lags(self) -> list[int]:
        """Of all that are open, in events, the smallest first."""
        pace = Pace(self._clock.monotonic, LOOK, self._bus.reading.turn)
        found: list[int] = []
        for stream in self._hub.streams():
            found.append(max(0, self._bus.head - stream.subscription.position))
            await pace()
        return sorted(found)


def _is_meant(one: "Stream[Any] | Gone", wanted: _Wanted, known: dict[TopicFilter, bool]) -> bool:
    """`known` is what was found of filters: there are fewer of them than connections."""
    if isinstance(one, Gone):
        subject, transport, topics = one.subject, one.transport, one.topics
    else:
        subject, transport, topics = one.peer.caller.subject, one.peer.transport, one.subscription.topics
    if wanted.subject not in (None, subject) or wanted.transport not in (None, transport):
        return False
    if wanted.topic is None:
        return True
    is_wanted = known.get(topics)
    if is_wanted is None:
        topic = wanted.topic
        is_wanted = known[topics] = topics.matches(topic) if is_topic(topic) else topic in topics.patterns
    return is_wanted
