"""Who is where: all places, whoever is there, and until when.

A member is there by one of two: a connection that holds it, of whose life and silence `bus/holding.py` knows; or a
lease, which ends unless it is renewed. Whose connection has ended stays for a while, `linger`, in which he may come
back: then nobody is told anything, as of one who changed his connection.

    what happens                                        leaves after        reason
    `leave`                                             at once             left
    the connection ended cleanly, or a beacon said so   CLOSED seconds      closed
    it was lost, or is silent                           LOST seconds        lost
    the service goes away                               DRAINED seconds     closed
    a lease is over                                     at once             expired
    the credential counts no more                       at once             revoked

"At once" is with the next batch of the place: see `place.py`.

A place is there as long as somebody is, or somebody watches it by its name. Of one that is gone the last version is
remembered, so that its numbers go on where they were; what is forgotten of too many lifts the `floor` from which all
begin. That is above all numbers of earlier processes to begin with, so that whoever has known one of those is not taken
to know what there is now: see `floor_at`.

Pure: the time is handed in, in seconds of one clock that does not go back, or in Unix ms.
"""

from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, get_args

from service.core.errors import ForbiddenError, NotFoundError, OverloadedError, RateLimitedError
from service.core.limits import PRESENCE_OF_USER
from service.core.place import Change, Member, Place, Shown, Terms
from service.core.wheel import NEVER, Wheel
from service.core.words import LeaveReason

CLOSED: Final = 3.0
"""Seconds in which a page that is loaded again is back, or one that changes its transport."""

LOST: Final = 10.0
"""Seconds in which a connection that was lost is back."""

DRAINED: Final = 15.0
"""Seconds for those whom the service sends away, who come back somewhere else."""

RUN: Final = 1 << 18
"""Numbers between processes that are started one after the other, at least: hours in which each batch is another. So
who polls sees that the service was started anew."""

RUN_MS: Final = 100
"""Milliseconds for which no second process is started: it takes longer."""

PAST_MAX: Final = 10_000
"""Places that are gone of which the version is remembered."""

COME_BACK: Final = 5.0
"""Seconds after which there may be room."""

CHANGES: Final = ("joined", "updated", *get_args(LeaveReason))
"""What can be told of a member."""

_LINGERING: Final[tuple[LeaveReason, ...]] = ("closed", "lost")
"""Why one is about to leave who may be back until then."""

_DEAD: Final = 64
"""Places that are gone which `_order` may hold beside as many as there are."""

_FULL: Final = "all {} members are taken"


class Bounds(NamedTuple):
    """`batch` is in seconds, for which changes of a place are collected after the first; `data` in bytes. `listed` are
    the members of a place that are told one by one. `members` may be there in all, `of_caller` of one."""

    batch: float = 0.25
    data: int = 1024
    listed: int = 500
    members: int = 50_000
    of_caller: int = 20_000


class Party(NamedTuple):
    """Who enters. `who` is as whom he counts; `info` JSON text. `is_ours`: the process itself, of which nobody has too
    many."""

    user: str | None
    who: str
    info: str | None = None
    is_ours: bool = False


def floor_at(unix_ms: int) -> int:
    """The number from which a process may begin: above all that one has come to which has begun so before. JavaScript
    counts so far until 2078."""
    return unix_ms // RUN_MS * RUN


class Presence:
    """See the module."""

    def __init__(self, bounds: Bounds, floor: int = 0) -> None:
        self.bounds: Final = bounds
        self.places: dict[str, Place] = {}
        """By their names."""
        self.count = 0
        """Members in all."""
        self.of_caller: Counter[str] = Counter()
        """Members by as whom they count."""
        self.changes: Counter[str] = Counter()
        """Members that were told to have joined, or left by each reason, and updates; so far."""
        self._wheel: Wheel[Member] = Wheel()
        """Of those that leave some time unless something happens."""
        self._order: list[Place] = []
        """All places by their numbers, and some that are gone."""
        self._dead = 0
        """How many of them are gone."""
        self._number = 0
        self._past: OrderedDict[str, int] = OrderedDict()
        """The last version of places that are gone, which went last at the end."""
        self._floor = floor
        """The highest of those that were forgotten, or that of the beginning."""
        self._dirty: OrderedDict[Place, float] = OrderedDict()
        """Those that have changed, with when they are to be told, the first at first."""

    # Places

    def find(self, topic: str) -> Place | None:
        return self.places.get(topic)

    def version(self, topic: str) -> int:
        """The last that was told of a place of this name; the floor of one at which nobody ever was."""
        place = self.places.get(topic)
        return place.version if place is not None else self._past.get(topic, self._floor)

    def made(self, topic: str) -> Place:
        """The place, which is made if it is none."""
        place = self.places.get(topic)
        if place is None:
            self._number += 1
            version = self._past.pop(topic, self._floor)
            place = self.places[topic] = Place(topic, self._number, version, self.bounds.listed)
            self._order.append(place)
        return place

    def watch(self, topic: str) -> None:
        """Somebody watches it by its name."""
        self.made(topic).watched += 1

    def unwatch(self, topic: str) -> None:
        place = self.places[topic]
        place.watched -= 1
        self.tidy(place)

    def tidy(self, place: Place) -> None:
        """Let go of a place that nobody would miss."""
        if place.is_gone or not place.is_idle:
            return
        place.is_gone = True
        del self.places[place.topic]
        if place.version > self._floor:
            self._past[place.topic] = place.version
        if len(self._past) > PAST_MAX:
            self._floor = max(self._floor, self._past.popitem(last=False)[1])
        self._dead += 1
        if self._dead > _DEAD + len(self.places):
            self._order = list(self.places.values())
            self._dead = 0

    @property
    def last(self) -> int:
        """The number of the place that was made last."""
        return self._number

    def after(self, number: int, most: int) -> list[Place]:
        """So many of the places with a higher number at most, by it; some may be gone."""
        start = bisect_right(self._order, number, key=lambda place: place.number)
        return self._order[start : start + most]

    # Members

    def enter(self, topic: str, id: str, party: Party, data: str | None, now: float, unix_ms: int) -> Member:
        """One more, or one that is there goes on; `data` None: with those that are there, or none.

        Raises ForbiddenError for another user's id, RateLimitedError or OverloadedError if there is no room: then
        nothing has changed.
        """
        place = self.places.get(topic)
        before = None if place is None else place.members.get(id)
        if before is not None:
            self._check_owner(before, party.user)
            shown = before.shown
            data = shown.data if data is None else data
            if (data, party.info) != (shown.data, shown.info):
                before.place.put(Shown(shown.user, id, data, shown.since, shown.verified, party.info))
                self._changed(before.place, now)
            if before.who != party.who:
                self._count(before.who, -1)
                self._count(party.who, 1)
                before.who = party.who
            return before
        self._check_room(place, party)
        place = self.made(topic)
        shown = Shown(party.user, id, data or "{}", unix_ms, party.user is not None, party.info)
        member = place.put(shown, Member(place, shown, party.who))
        self._count(party.who, 1)
        self.count += 1
        self._changed(place, now)
        return member

    def held(self, topic: str, id: str, user: str | None) -> Member:
        """One that is there. Raises NotFoundError, or ForbiddenError for another user's."""
        place = self.places.get(topic)
        member = None if place is None else place.members.get(id)
        if member is None:
            raise NotFoundError(f"there is no member {id!r} at {topic!r}", field="member")
        self._check_owner(member, user)
        return member

    def _check_owner(self, member: Member, user: str | None) -> None:
        if member.shown.user != user:
            raise ForbiddenError("a member of this id is somebody else's", field="member")

    def _check_room(self, place: Place | None, party: Party) -> None:
        if self.count >= self.bounds.members:
            raise OverloadedError(_FULL.format(self.bounds.members), retry_after=COME_BACK)
        if party.is_ours:
            return
        if self.of_caller[party.who] >= self.bounds.of_caller:
            most = self.bounds.of_caller
            raise RateLimitedError(f"one caller has {most} members at most", field="member", retry_after=COME_BACK)
        if place is not None and party.user is not None and place.users.get(party.user, 0) >= PRESENCE_OF_USER:
            most = PRESENCE_OF_USER
            raise RateLimitedError(f"a user has {most} members at a place", field="member", retry_after=COME_BACK)

    def _count(self, who: str, by: int) -> None:
        self.of_caller[who] += by
        if not self.of_caller[who]:
            del self.of_caller[who]

    def stay(self, member: Member, terms: Terms | None, now: float) -> None:
        """It is there from now on by a lease, or by the connection that holds it."""
        member.terms = None if terms is None else terms._replace(over=now + terms.lease)
        self._stay(member)

    def _stay(self, member: Member) -> None:
        """For as long as its terms say."""
        terms = member.terms
        over, ends = (NEVER, NEVER) if terms is None else (terms.over, terms.ends)
        member.due = min(over, ends)
        member.why = "revoked" if ends < over else "expired"
        self._wheel.put(member)

    def linger(self, member: Member, why: LeaveReason, seconds: float, now: float) -> None:
        """It leaves in so many seconds, unless it is back; it may be about to leave sooner."""
        due = now + seconds
        if due <= member.due or not _is_lingering(member):
            member.due, member.why = due, why
            self._wheel.put(member)

    def back(self, member: Member, why: LeaveReason) -> None:
        """It was about to leave for this reason, and does not: a lease that it has goes on."""
        if _is_lingering(member) and member.why == why:
            self._stay(member)

    def remove(self, member: Member, reason: LeaveReason, now: float) -> None:
        """It is there no more."""
        place = member.place
        place.remove(member, reason)
        self._wheel.remove(member)
        self._count(member.who, -1)
        self.count -= 1
        self._changed(place, now)

    def over(self, now: float, most: int) -> Iterator[Member]:
        """Those whose time has come, of `most` that are looked at: they are to be removed, by their `why`."""
        return self._wheel.take(now, most)

    @property
    def is_timed(self) -> bool:
        """Whether anything is to be looked at some time."""
        return len(self._wheel) > 0

    def has_over(self, now: float) -> bool:
        """Whether more is to be looked at now."""
        return self._wheel.has_due(now)

    # Batches

    def _changed(self, place: Place, now: float) -> None:
        self._dirty.setdefault(place, now + self.bounds.batch)

    @property
    def due(self) -> float:
        """When the next batch is to be told; infinite if nothing has changed."""
        return next(iter(self._dirty.values()), NEVER)

    def take(self, now: float) -> tuple[Place, Change | None] | None:
        """The next place whose batch is to be told now, and what of it; None if there is none."""
        if self.due > now:
            return None
        place, _ = self._dirty.popitem(last=False)
        change = place.commit()
        if change is None:
            self.tidy(place)
        else:
            self._counted(change)
        return place, change

    def _counted(self, change: Change) -> None:
        self.changes["joined"] += len(change.joins)
        self.changes["updated"] += len(change.updates)
        for gone in change.leaves:
            self.changes[gone.reason] += 1

    @property
    def occupied(self) -> int:
        """Places at which somebody is."""
        return sum(1 for place in self.places.values() if place.members)

    def users(self, topic: str) -> Mapping[str, int]:
        place = self.places.get(topic)
        return {} if place is None else dict(place.users)


def _is_lingering(member: Member) -> bool:
    """Whether it is about to leave, and not by the end of a lease."""
    return member.due != NEVER and member.why in _LINGERING
