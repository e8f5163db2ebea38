"""The event bus: publish to the log, keep the tail, feed the live; `reading` is for everyone else.

The order is the guarantee, and it stands in one place: the log commits, then the head moves and the tail grows,
then the fan-out runs, all in the step that `_committed` is.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from service.bus.encoding import Encoding, P
from service.bus.ephemeral import EphemeralBus
from service.bus.fanout import FanOut
from service.bus.group import Group, Groups
from service.bus.presence import BOUNDS, PresenceBus
from service.bus.reading import Reading
from service.bus.refusals import reason_of
from service.bus.rounds import Rounds
from service.bus.start import Start
from service.bus.steps import in_turns
from service.bus.subscription import Subscription
from service.bus.tail import Tail
from service.bus.turns import Turns
from service.bus.values import Gap
from service.core.cursor import Cursor
from service.core.errors import TwinwireError
from service.core.event import Draft, Event
from service.core.histogram import Histogram
from service.core.limits import EPHEMERAL_RATE
from service.core.presence import Bounds
from service.core.rates import Rate
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.core.trace import Spans
from service.log.base import Ability, EventLog, Guard, Pace, Progress, Receipt, Statement, TopicStats

TOPICS_PAGE: Final = 100
"""Topics that the log is asked for at a time, in a turn among all that read: half a millisecond with what is made of
them."""

ANNOUNCE_TRIES: Final = 3
"""Searches for whom a trim concerns, while filters come and go; after them `_trimmed` looks itself."""

TOPICS_LOOK: Final = 0.0005
"""Seconds of listing topics, and of counting who covers them, between two turns among all that read."""

LOOKED_MAX: Final = 3_000
"""Names looked at for one listing, about: some milliseconds of matching, and of asking whether they are shown."""

COMPARED_MAX: Final = 120_000
"""The same, if a filter is hard to match: in units of its weight."""

LOOKED_MIN: Final = 500
"""Names that are looked at whatever the filter: a service with no more answers with all that there is. A third of a
second, in turns, of a hundred patterns of a hundred segments each, with names as long; a millisecond of others."""


class Listing(NamedTuple):
    """Topics by name, each with the subscriptions that cover it by transport; the name after which to go on, and
    whether there may be more there.
    """

    found: Sequence[tuple[TopicStats, Counter[str]]]
    cursor: str
    more: bool


class EventBus:
    """See the module. All methods belong to the event loop that the log was opened on."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        *,
        tail_events: int,
        tail_bytes: int,
        spans: Spans | None = None,
        remembered: int = 0,
        ephemeral: Rate = EPHEMERAL_RATE,
        presence: Bounds = BOUNDS,
    ) -> None:
        """`spans` are made of publishes, if there is somebody who makes them. `remembered` is how much of what became
        of the latest events is (`Rounds`); 0 for nothing. `ephemeral` is how often one may send events that are not
        kept, `presence` how much there may be of presence.
        """
        self._log = log
        self._spans = spans
        self._tail = Tail(log.head, tail_events, tail_bytes)
        self.groups = Groups()
        self._now = clock.monotonic
        self.rounds = Rounds(remembered) if remembered else None
        self._fan_out = FanOut(self.groups, log.head, clock.monotonic, self.rounds)
        self.ephemeral = EphemeralBus(self.groups, lambda: log.head, clock, ephemeral)
        self.presence = PresenceBus(clock, presence)
        self.reading = Reading(log, self._tail, Turns(self._is_busy, clock))
        self._publishing = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.published = 0
        self.refused: Counter[str] = Counter()
        """Publishes that the log did not take, by reason."""
        log.follow(self._committed, self._trimmed, self._announced, self._thinned)
        log.keep_while(self._is_covered)

    @property
    def epoch(self) -> str:
        return self._log.epoch

    @property
    def head(self) -> int:
        return self._log.head

    @property
    def delivered(self) -> int:
        """The offset up to which every live subscriber was fed."""
        return self.groups.fed

    @property
    def deliveries(self) -> int:
        return self._fan_out.deliveries

    @property
    def fan_outs(self) -> Histogram:
        """Seconds from a commit until all who are live had it, by round."""
        return self._fan_out.durations

    @property
    def tail(self) -> Tail:
        return self._tail

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the log's engine can do beside events."""
        return self._log.abilities

    def cursor(self, offset: int) -> str:
        return str(Cursor(self.epoch, offset))

    # Publishing

    async def publish(
        self,
        drafts: Sequence[Draft],
        also: Sequence[Statement] = (),
        guards: Sequence[Guard] = (),
        traceparent: str | None = None,
    ) -> Receipt:
        """Append, together with `also` and if `guards` hold; returns once it is on disk and live subscribers have it.
        The events carry `traceparent`.

        Raises GuardError, StorageFullError, OverloadedError, UnavailableError, UnsupportedError or StorageError: then
        nothing was published.
        """
        span = self._spans.begin(drafts, traceparent) if self._spans is not None and drafts else None
        self._publishing += 1
        at, head = self._now(), self._log.head
        try:
            receipt = await self._log.append(drafts, also, guards, traceparent)
        except BaseException as error:
            if isinstance(error, TwinwireError):
                self.refused[reason_of(error)] += 1
            if span is not None:
                span.end(error=error)
            raise
        finally:
            self._publishing -= 1
        if span is not None:
            span.end(receipt.offsets)
        if self.rounds is not None and receipt.offsets:
            self.rounds.taken(receipt.offsets, head, at)
        return receipt

    def has_topic(self, topic: str) -> bool:
        """Whether there was ever an event on this topic, and it was not forgotten."""
        return self._log.has_topic(topic)

    def _is_busy(self) -> bool:
        return self._publishing > 0 or self._fan_out.is_busy

    def _committed(self, events: Sequence[Event]) -> None:
        self.published += len(events)
        at = self._now()
        if self.rounds is not None:
            self.rounds.committed(events, at)
        self._fan_out.feed(self._tail.append(events), at)
        if self._waiting:
            head = events[-1].offset
            for offset, reached in self._waiting:
                if offset <= head and not reached.done():
                    reached.set_result(None)
            self._waiting = [one for one in self._waiting if not one[1].done()]

    async def _announced(self, topic: str) -> None:
        """Find those whom a trim of the topic concerns, in steps; `_trimmed` then has them at hand.

        While filters come and go that may concern it, they are looked for again, but not for ever.
        """
        for _ in range(ANNOUNCE_TRIES):
            await in_turns(self.groups.find(topic), self.reading.turn)
            if self.groups.known(topic) is not None:
                return

    def _trimmed(self, topic: str, floor: int) -> None:
        self.reading.trimmed(topic, floor)
        for group in self.groups.matching(topic):
            group.floors.add(floor)

    def _thinned(self, topic: str, offset: int, is_plain: bool) -> None:
        self.reading.thinned(topic, offset, is_plain)
        for group in self.groups.matching(topic):
            group.floors.add(offset)

    async def _is_covered(self, topic: str) -> bool:
        """Whether anybody subscribes to it, so that it is not to be forgotten.

        Who subscribes to all topics, `**`, does not notice it: the floor of that is the highest of all, as before.
        """
        return await in_turns(self.groups.cover(topic), self.reading.turn)

    async def reach(self, offset: int) -> None:
        """Return once `head >= offset`: readers of the database see a commit a moment before the head moves."""
        if self.head < offset:
            reached = asyncio.get_running_loop().create_future()
            waiting = (offset, reached)
            self._waiting.append(waiting)
            try:
                await reached
            finally:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)

    # Subscribing

    async def subscribe(
        self, topics: TopicFilter, start: Start, encoding: Encoding[P]
    ) -> tuple[Subscription[P], Gap | None]:
        """A subscription at `start`, or with the state of where it is, and the gap if something after it is gone."""
        await self.reading.learn(topics)
        subscription = self.attach(topics, 0, encoding)  # before anything is read: what goes from here on is a gap
        try:
            if start.state is not None:
                lost = self.reading.lost(topics, start)
                subscription.tell_states(start.state, at_once=lost is not None or start.cursor is None)
                if subscription.is_telling_state:
                    at = subscription.offset
                    return subscription, lost and self.reading.gap_to_state(start.requested, lost, at)
            offset, gap = await self.reading.locate(topics, start)
            subscription.begin(offset)
        except BaseException:
            subscription.close()
            raise
        return subscription, gap

    def attach(self, topics: TopicFilter, offset: int, encoding: Encoding[P]) -> Subscription[P]:
        """A subscription at a position that was located; what was trimmed before is known to the client."""
        return Subscription(self.reading, self.groups, self.groups.join(topics, encoding), offset)

    # Upkeep

    async def trim(self, topics: TopicFilter, keep: int, told: Progress | None = None) -> int:
        """Keep the newest `keep` events of each matching topic; returns how many went, as `told` is meanwhile."""
        return await self._log.trim(topics, keep, told)

    async def topics(
        self,
        topics: TopicFilter,
        after: str = "",
        limit: int = sys.maxsize,
        is_shown: Callable[[str], bool] = lambda topic: True,
    ) -> Listing:
        """The topics that match, are shown and come after the name `after`, by name: at most `limit` of them.

        It ends sooner when it has looked at as many names as a request may, at one that is shown, whether or not it
        matches. While there are no more than `LOOKED_MIN` of them it always finds `limit`, or all.
        """
        most = max(LOOKED_MIN, min(LOOKED_MAX, COMPARED_MAX // topics.weight))
        found: list[tuple[TopicStats, Counter[str]]] = []
        looked, next = 0, after
        while True:
            await self.reading.turn()
            pace = Pace(self._now, TOPICS_LOOK, self.reading.turn)
            page = await self._log.topics(topics, next, TOPICS_PAGE)
            for stats in page.topics:
                if is_shown(stats.topic):  # before anything is counted for it
                    if len(found) == limit:
                        return Listing(found, found[-1][0].topic, True)
                    found.append((stats, _by_transport(await in_turns(self.groups.find(stats.topic)))))
                await pace()
            looked += page.looked
            if page.next is None:
                return Listing(found, found[-1][0].topic if found else after, False)
            next = page.next
            if looked >= most and is_shown(next):  # else it would tell a name that is none of the caller's business
                return Listing(found, next, True)

    def subscriptions(self) -> Counter[str]:
        """How many are open, by transport."""
        return _by_transport(self.groups)

    async def settle(self) -> None:
        """Return when everything committed was fanned out."""
        await self._fan_out.settle()

    async def close(self) -> None:
        """The same, and leave nothing of ephemeral events and presence that would go on; the log is another's to
        close."""
        await self.ephemeral.close()
        await self.presence.close()
        await self.settle()


def _by_transport(groups: Iterable[Group[Any]]) -> Counter[str]:
    """The members of all these, by the name of their wire, whatever wires there are."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.encoding.transport] += group.members
    return counts
