"""Who is at which place, and who watches: beside the log, the tail and the fan-out, and never in their way.

`core/presence.py` knows who is there, and until when; here stand the connections that hold members, and the time. What
is told to whom, and when, is for `telling.py`.

Silence and leases are looked at once a second, some at a time (`core/wheel.py`): there is no timer of a member, and no
task.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, TypeVar

from service.bus.holding import Holding, release
from service.bus.rated import Rated
from service.bus.telling import Telling
from service.core.errors import NotFoundError
from service.core.limits import PRESENCE_OPS, PRESENCE_RATE
from service.core.place import Member, Place, Terms
from service.core.presence import CLOSED, DRAINED, LOST, Bounds, Party, Presence, floor_at
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.core.wheel import TICK, Wheel
from service.core.words import LeaveReason

BOUNDS: Final = Bounds()
"""What holds unless an operator says otherwise."""

LOOK: Final = 1_000
"""Members and connections that one look at the wheels takes, some milliseconds; the others in the next."""

LOOK_ON: Final = 0.05
"""Seconds after which that goes on."""

COMPARISONS: Final = 40_000
"""Segments compared in one step, some milliseconds: filters that are hard to match look at fewer places."""


def looks(topics: TopicFilter, most: int) -> int:
    """Places that are held against a filter in one step, of `most`."""
    return max(1, min(most, COMPARISONS // topics.weight))


Value = TypeVar("Value")


def _once(value: Value, known: Value) -> Value:
    """The one that is known if they are the same: so that it is in memory once."""
    return known if value == known else value


class PresenceBus:
    """See the module. All methods are called on the event loop, and none waits but `settle` and `close`."""

    def __init__(self, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        self.bounds: Final = bounds
        self.state: Final = Presence(bounds, floor_at(clock.unix_ms()))
        self.now: Final = clock.monotonic
        self.telling: Final = Telling(self.state, clock.monotonic)
        self._clock = clock
        self._holdings: dict[str, Holding] = {}
        """By their connections: those that hold members."""
        self._wheel: Wheel[Holding] = Wheel()
        self._by_member = Rated(PRESENCE_RATE)
        self._by_connection = Rated(PRESENCE_OPS)
        self._looking: asyncio.TimerHandle | None = None
        self._is_closed = False

    # Being there

    def enter(
        self,
        topic: str,
        id: str,
        party: Party,
        *,
        data: str | None = None,
        connection: str = "",
        speaks: bool = False,
        terms: Terms | None = None,
    ) -> tuple[Member, bool]:
        """Be at a place, go on there, or take a member over; and whether it is new. `data` is JSON text of an object,
        which was checked; None keeps what is there.

        It is held by a `connection`, which `speaks` if its silence means something, and by the `terms` of a lease; by
        neither: by this process. Raises ForbiddenError, RateLimitedError or OverloadedError: then nothing has changed.
        """
        now, state, before = self.now(), self.state, self.find(topic, id)
        holding = self._holdings.get(connection) if connection else None
        is_change = before is None or (data is not None and data != before.shown.data)
        if holding is not None and (before is None or before.holder is not holding):
            holding.check_room(topic)
        if is_change and not party.is_ours:
            self._by_member.take((party.who, topic, id), now)
        since = self._clock.unix_ms()
        if holding is not None and holding.members:  # a page is at many places as one, and says the same at many
            other = holding.members[-1]
            id, data = _once(id, other.shown.member), _once(data, other.shown.data)
            party, since = party._replace(who=_once(party.who, other.who)), _once(since, other.shown.since)
        member = state.enter(topic, id, party, data, now, since)
        if connection:
            holding = holding or self._holdings.setdefault(connection, Holding(connection))
            holding.add(member)
            holding.speaks |= speaks
            self._heard(holding, now)
        else:
            release(member)
            member.connection = ""
        state.stay(member, terms, now)
        self._soon()
        return member, before is None

    def find(self, topic: str, id: str) -> Member | None:
        """One that is there."""
        place = self.state.find(topic)
        return None if place is None else place.members.get(id)

    def present(self, topic: str) -> int:
        """How many members are there."""
        place = self.state.find(topic)
        return 0 if place is None else len(place.members)

    def leave(self, topic: str, id: str, user: str | None, reason: LeaveReason = "left") -> Member:
        """Be there no more. Raises NotFoundError, or ForbiddenError for another user's."""
        member = self.state.held(topic, id, user)
        self._remove(member, reason)
        return member

    def remove(self, topic: str, id: str, reason: LeaveReason = "revoked") -> Member:
        """The same, whosever it is. Raises NotFoundError."""
        member = self.find(topic, id)
        if member is None:
            raise NotFoundError(f"there is no member {id!r} at {topic!r}", field="member")
        self._remove(member, reason)
        return member

    def _remove(self, member: Member, reason: LeaveReason) -> None:
        holder = member.holder
        release(member)
        self._tidy(holder)
        self.state.remove(member, reason, self.now())
        self._soon()

    def _tidy(self, holder: object) -> None:
        if isinstance(holder, Holding) and not holder.members:
            self._wheel.remove(holder)
            if self._holdings.get(holder.connection) is holder:
                del self._holdings[holder.connection]

    # Connections

    def spend(self, connection: str, count: int = 1) -> None:
        """One message about presence of a connection, or one that counts as so many. Raises RateLimitedError."""
        self._by_connection.take(connection, self.now(), count)

    def only(self, connection: str, topic: str) -> str | None:
        """The id of the one member that a connection has there; None if it has none, or several."""
        holding = self._holdings.get(connection)
        member = None if holding is None else holding.only(topic)
        return None if member is None else member.shown.member

    def heard(self, connection: str) -> None:
        """Its client said something, whatever."""
        holding = self._holdings.get(connection)
        if holding is not None:
            self._heard(holding, self.now())

    def _heard(self, holding: Holding, now: float) -> None:
        if holding.hear(now):
            for member in holding.members:
                self.state.back(member, "lost")
        self._wheel.put(holding)

    def over(self, connection: str, why: LeaveReason, *, is_drain: bool = False) -> None:
        """A connection has ended; `is_drain`: since the service goes away."""
        holding = self._holdings.pop(connection, None)
        if holding is None:
            return
        self._wheel.remove(holding)
        now = self.now()
        for member in holding.members:
            release(member)
            if why == "revoked":
                self.state.remove(member, why, now)
            else:
                # Who renews a lease as well says when he goes: a proxy's end of a stream looks like his own.
                reason = why if member.terms is None else "lost"
                seconds = DRAINED if is_drain else LOST if reason == "lost" else CLOSED
                self.state.linger(member, reason, seconds, now)
        self._soon()

    def beacon(self, connection: str, members: list[tuple[str, str]]) -> int:
        """A page goes away, and says what its connection holds, or held last; how many of these are about to leave."""
        now, found = self.now(), 0
        for topic, id in members:
            member = self.find(topic, id)
            if member is not None and connection and member.connection == connection:
                self.state.linger(member, "closed", CLOSED, now)
                found += 1
        self._soon()
        return found

    def limit(self, connection: str, user: str | None, may_be: Callable[[str], bool]) -> int:
        """Of what a connection holds, what is this user's and may be there; how many are not, and are gone. Who was
        nobody before has left as that: nobody could say anything of such a member any more."""
        holding = self._holdings.get(connection)
        members, gone = () if holding is None else holding.members, 0
        for member in members:
            is_other = member.shown.user != user
            if is_other or not may_be(member.place.topic):
                self._remove(member, "left" if is_other else "revoked")
                gone += 1
        return gone

    def recheck(self, is_forbidden: Callable[[Any], bool]) -> Generator[bool, None, int]:
        """Of those who are there by a lease, whoever is forbidden is gone; how many. Yields after some."""
        gone = looked = 0
        number, most = 0, 100
        while places := self.state.after(number, most):
            number = places[-1].number
            for place in places:
                for id, member in tuple(place.members.items()):
                    looked += 1
                    owner = None if member.terms is None else member.terms.owner
                    is_here = place.members.get(id) is member  # others had their turns since
                    if is_here and owner is not None and is_forbidden(owner):
                        self._remove(member, "revoked")
                        gone += 1
                    if looked % LOOK == 0:
                        yield True
            yield True
        return gone

    def places(self, topics: TopicFilter, after: int = 0) -> Iterator[Place | None]:
        """Those that match and at which somebody was told to be, with a higher number, by it; None now and then, to
        give way."""
        most = looks(topics, LOOK // 4)
        while found := self.state.after(after, most):
            for place in found:
                if place.told_members and not place.is_gone and topics.matches(place.topic):
                    yield place
            after = found[-1].number
            yield None

    # Time

    def _soon(self) -> None:
        """See to it that batches are told, and that the wheels are looked at, in their time."""
        self.telling.soon()
        if self._looking is None and not self._is_closed and (self.state.is_timed or len(self._wheel)):
            self._looking = asyncio.get_running_loop().call_later(TICK, self._look_on)

    def look(self) -> None:
        """At what is to be done by now: leases and silence, then batches. Also done by its own timers."""
        self._look()
        self.telling.begin()

    async def settle(self) -> None:
        """Return when no batch is being told."""
        await self.telling.settle()

    def _look_on(self) -> None:
        self._looking = None
        try:
            self._look()
        finally:  # a fault with one of them must not keep all others for ever
            now = self.now()
            if not self._is_closed and (self._wheel.has_due(now) or self.state.has_over(now)):
                self._looking = asyncio.get_running_loop().call_later(LOOK_ON, self._look_on)
            self._soon()

    def _look(self) -> None:
        now = self.now()
        self._by_member.tidy(now)
        self._by_connection.tidy(now)
        for holding in self._wheel.take(now, LOOK // 10):
            holding.is_silent = True
            for member in holding.members:
                self.state.linger(member, "lost", LOST, now)
        for member in self.state.over(now, LOOK):
            self._remove(member, member.why)

    async def close(self) -> None:
        """Let go of everything: nothing is told to anybody any more, and no timer is left. Idempotent."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        await self.telling.close()
        self._holdings.clear()
