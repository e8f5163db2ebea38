"""From a sender of ephemeral events to whoever hears them: beside the log, the tail and the fan-out, and never in their
way. See `core/ephemeral.py` for what waits where.

Rule 1: who hears them is in groups of its own, by filter and encoding. A stored event looks for nobody here, and with
nobody here an ephemeral event is counted and over.
Rule 2: nobody gets one before a stored event that was there when it was accepted and that he is owed. Who is not live
keeps it in his slots until he is. Who is live may be owed the rest of a round of the fan-out: so each waits here until
`fed` has come to the head that it was accepted at, also one that came while others waited for that. From then on it
holds for every live subscription, whenever it is written to, since `fed` never goes back.
Rule 3: one that comes alone is delivered in that step; those that come soon after that began are one write to each
hearer.
Rule 4: writes are in slices as those of the fan-out, with turns of the loop in between in which hearers come, go and
get other filters: who is not of the group any more is passed over. A number tells who has them already, from another
group that he was in.
Rule 5: what waits here, while others are written or a round is under way, is one of each *what* too, and bounded.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Protocol

from service.bus.encoding import EphemeralEncoding
from service.bus.fanout import FRAMES, SEARCH, SLICE, WRITE_BYTES
from service.bus.group import Group, Groups
from service.bus.index import Looks
from service.bus.steps import Driver
from service.core.ephemeral import TICK, Drop, Ephemeral, EphemeralDraft, Throttle, What
from service.core.rates import Rate
from service.core.slots import Room
from service.core.time import Clock
from service.core.topics import TopicFilter

WAITING_MAX: Final = 2_000
"""Events that wait to be delivered; for one more the oldest goes."""

WAITING_BYTES: Final = 10 << 20
"""Of them likewise, about: as many as may wait, of the length that they may have by default."""

GATHER: Final = 0.005
"""Seconds from the beginning of a delivery in which others are waited for, to be one write: where two hundred send ten
a second, a hearer has ten frames in each of two hundred writes, and not two thousand writes. What comes every ten
milliseconds waits for nothing, also where a delivery takes some of them."""

REST: Final = 1 / 4
"""Of the time that a delivery took, at least so much after it likewise: so that what takes long leaves room for others,
and more of it is one write where the loop is slow."""

TOGETHER: Final = 64
"""Events that are one write at most."""

TOGETHER_BYTES: Final = 320 * 1024
"""Of them likewise, and of one event more: so many of the length that they may have by default."""

PURGE: Final = 1.0
"""Seconds after which what nobody wants any more is let go of."""

PURGE_ON: Final = 0.05
"""Seconds after which that goes on where it was too much for one step."""


class Told:
    """What is told to a group at once: events with their frames, the oldest first, and these as one `payload`."""

    __slots__ = ("_encoding", "items", "number", "payload", "skipped")

    def __init__(self, number: int, items: Sequence[tuple[Ephemeral, bytes]], encoding: EphemeralEncoding[Any]) -> None:
        self._encoding = encoding
        self.number: Final = number
        """Grows; what one group is told has the number of what another is told of the same events."""
        self.items: Final = items
        self.payload: Final = encoding.join([frame for _, frame in items])
        self.skipped: Final = frozenset([event.skipped for event, _ in items])
        """Connections that do not get all of them; "" among them."""

    def to(self, connection: str) -> "Told | None":
        """What of it is for this connection, if there is anything."""
        if connection not in self.skipped:
            return self
        items = [one for one in self.items if one[0].skipped != connection]
        return Told(self.number, items, self._encoding) if items else None


class Hearer(Protocol):
    """One connection that has asked for ephemeral events."""

    def hear(self, told: Told) -> int:
        """Write the payload, or keep the frames; how many were written now.

        Never waits or raises. Of those with the same number only the first counts.
        """


class _Audience:
    """The hearers of one group."""

    __slots__ = ("encoding", "hearers")

    def __init__(self, encoding: EphemeralEncoding[Any]) -> None:
        self.encoding = encoding
        self.hearers: dict[Hearer, None] = {}


class EphemeralBus:
    """`stored` are the groups of the fan-out, whose `fed` this follows; `head` is the log's. `rate` is one sender's."""

    def __init__(self, stored: Groups, head: Callable[[], int], clock: Clock, rate: Rate) -> None:
        self._stored = stored
        self._head = head
        self._clock = clock
        self.now: Final = clock.monotonic
        self.accepted = 0
        self.deliveries = 0
        """Frames written so far, one for each hearer that took it."""
        self.dropped: Counter[Drop] = Counter()
        self.room = Room(self.dropped)
        """What all hearers' slots hold."""
        self._throttle = Throttle(rate, self.dropped)
        self._groups = Groups()
        self._audiences: dict[Group[Any], _Audience] = {}
        """Of each of those groups."""
        self._waiting: dict[What, Ephemeral] = {}
        """To be delivered, the oldest first."""
        self._waiting_bytes = 0
        self.number = 0
        """Of what is being delivered, or was last. Who begins to hear hears what comes after it: he may have had that
        already, before he ended and began anew."""
        self._free_at = -math.inf
        """When the next may be delivered in the step in which it comes; until then others are waited for."""
        self._driver = Driver("ephemeral")
        """Of what was not delivered in the step in which it came."""
        self._gathering: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._purging: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def hearers(self) -> int:
        """How many there are."""
        return sum(len(one.hearers) for one in self._audiences.values())

    # Hearing

    def join(self, topics: TopicFilter, encoding: EphemeralEncoding[Any], hearer: Hearer) -> Group[Any]:
        """Hear what matches from now on, until `leave` with the group that is returned."""
        group = self._groups.join(topics, encoding)
        audience = self._audiences.get(group)
        if audience is None:
            audience = self._audiences[group] = _Audience(encoding)
        audience.hearers[hearer] = None
        return group

    def leave(self, group: Group[Any], hearer: Hearer) -> None:
        audience = self._audiences[group]
        del audience.hearers[hearer]
        if not audience.hearers:
            del self._audiences[group]
        self._groups.leave(group)

    # Sending

    def send(
        self,
        drafts: Sequence[EphemeralDraft],
        *,
        sender: str,
        user: str | None = None,
        skipped: str = "",
        member: str | None = None,
    ) -> None:
        """Accept all of them, and deliver what goes out now. `sender` is as whom they count, `user` and `member` what
        is told of him, `skipped` the connection that does not get them.

        Raises RateLimitedError or OverloadedError: then none was accepted. Once it is closed nobody is told of them.
        """
        if self._is_closed:
            return
        now, time, head = self.now(), self._clock.unix_ms(), self._head()
        events = [
            Ephemeral(one.topic, one.type, one.data, one.key, sender, time, head, now + one.ttl, user, skipped, member)
            for one in drafts
        ]
        going = self._throttle.take(events, now)
        self.accepted += len(events)
        self._deliver(going)
        if self._ticking is None:
            self._tick_later()

    async def close(self) -> None:
        """Let go of what waits: nothing is told to anybody any more, and no timer is left. Idempotent."""
        self._is_closed = True
        for timer in (self._gathering, self._ticking, self._purging):
            if timer is not None:
                timer.cancel()
        await self._driver.close()
        self._waiting.clear()
        self._waiting_bytes = 0

    def _tick_later(self) -> None:
        is_busy = self._throttle.is_busy
        self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick) if is_busy else None

    def _tick(self) -> None:
        self._deliver(self._throttle.due(self.now()))
        self._tick_later()

    def _purge_later(self, seconds: float = PURGE) -> None:
        has_any = bool(self.room.tables)
        self._purging = asyncio.get_running_loop().call_later(seconds, self._purge) if has_any else None

    def _purge(self) -> None:
        is_done = self.room.purge(self.now())
        self._purge_later(PURGE if is_done else PURGE_ON)

    def _deliver(self, events: Sequence[Ephemeral]) -> None:
        """Now, or with others that come within GATHER."""
        if not self._audiences:
            return
        waiting = self._waiting
        for event in events:
            if event.what in waiting:
                self._forget(event.what)
                self.dropped["replaced"] += 1
            waiting[event.what] = event
            self._waiting_bytes += event.held
            while len(waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES:
                self._forget(next(iter(waiting)))
                self.dropped["full"] += 1
        if self._waiting and not self._driver.is_busy and self._gathering is None:
            left = self._free_at - self.now()
            if left <= 0:
                self._begin()
            else:
                self._gathering = asyncio.get_running_loop().call_later(left, self._begin)

    def _forget(self, what: What) -> None:
        self._waiting_bytes -= self._waiting.pop(what).held

    def _begin(self) -> None:
        self._gathering = None
        self._driver.begin(self._writes())

    def _writes(self) -> Generator[bool, None, None]:
        """Writes until nothing waits; yields True whenever the loop should be given a turn before it goes on."""
        room = SLICE
        while self._waiting:
            taken = self._take()
            if not taken:
                if self._waiting:
                    yield True  # a round is under way, which takes turns as well
                continue
            self.number += 1
            began = self.now()
            shares = yield from self._shares(taken)
            frames: dict[str, dict[Ephemeral, bytes]] = {}
            for group, events in shares.items():
                room = yield from self._tell(group, events, frames, room)
            ended = self.now()
            self._free_at = max(began + GATHER, ended + REST * (ended - began))
        if self._purging is None:
            self._purge_later()

    def _take(self) -> list[Ephemeral]:
        """The oldest that wait, of those that may come now."""
        now, fed = self.now(), self._stored.fed
        found, over, size = list[Ephemeral](), list[Ephemeral](), 0
        for event in self._waiting.values():
            if event.until <= now:
                over.append(event)
            elif event.after <= fed:
                found.append(event)
                size += event.held
                if len(found) >= TOGETHER or size >= TOGETHER_BYTES:
                    break
        self.dropped["expired"] += len(over)
        for event in (*over, *found):
            self._forget(event.what)
        return found

    def _shares(self, events: Sequence[Ephemeral]) -> Generator[bool, None, dict[Group[Any], list[Ephemeral]]]:
        """What each group gets of them. Who is found with more looks than a round has gets none: there is nothing that
        he could read instead, and it would take the time of all (see `index.py`).
        """
        shares: dict[Group[Any], list[Ephemeral]] = {}
        looks: Looks[Group[Any]] = Looks()
        until = self.now() + SEARCH
        for event in events:
            for group in (yield from self._groups.find(event.topic, looks)):
                shares.setdefault(group, []).append(event)
            if self.now() >= until:
                yield True
                until = self.now() + SEARCH
        return shares

    def _tell(
        self, group: Group[Any], events: list[Ephemeral], made: dict[str, dict[Ephemeral, bytes]], room: int
    ) -> Generator[bool, None, int]:
        """Tell them to all of a group; of the `room` that there is for writes in this turn, what is left. `made` are
        the frames that other groups have made, by encoding.
        """
        audience = self._audiences.get(group)
        if audience is None:  # they have left meanwhile
            return room
        encoding = audience.encoding
        frames = made.setdefault(encoding.name, {})
        for event in events:
            if event not in frames:
                frames[event] = encoding.ephemeral(event)
        told = Told(self.number, [(event, frames[event]) for event in events], encoding)
        cost = 1 + len(events) // FRAMES + sum(len(frames[event]) for event in events) // WRITE_BYTES
        hearers = tuple(audience.hearers)
        start = 0
        while start < len(hearers):
            if room <= 0:
                yield True
                room = SLICE
            count = room // cost or 1
            part = [one for one in hearers[start : start + count] if one in audience.hearers]
            self.deliveries += sum([one.hear(told) for one in part])
            start += count
            room -= cost * len(part)
        return room
