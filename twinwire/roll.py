"""Who is at a place, as a watcher knows it (docs/protocol.md, section 11): a numbered list, what a frame makes of it,
and what lies between two of them. Pure.

A list follows from the one before it only if its number is the next one. Whoever tells a program of changes holds the
list that he told last against the one that there is now, and so it is all the same whether that came in one frame or
in twenty, or with another connection.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import msgspec

Key = tuple[str | None, str]
"""User and member id: the id of one who has gone may be another user's at once."""


@dataclass(frozen=True, slots=True)
class Member:
    """A tab or a program at a place. `user` is the subject of its token, and None, with `verified` false, for one who
    came without; `info` is what the token says beside that."""

    user: str | None
    member: str
    data: Mapping[str, Any]
    since: datetime
    verified: bool = False
    info: Any = None

    @property
    def key(self) -> Key:
        return self.user, self.member


@dataclass(frozen=True, slots=True)
class User:
    """A user with all his members at a place; of members without a user each is one of its own."""

    user: str | None
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A member that has gone, and why: `left`, `closed`, `lost`, `expired`, `revoked`, `node`; None if nobody said."""

    member: Member
    reason: str | None


@dataclass(frozen=True, slots=True)
class Roll:
    """Who is at `place`, in the order in which they entered. Of more people than the service lists it has only the
    counts: then `truncated` is true, and `members` is empty."""

    place: str
    members: tuple[Member, ...] = ()
    user_count: int = 0
    member_count: int = 0
    truncated: bool = False
    version: int = 0

    @property
    def users(self) -> tuple[User, ...]:
        """Grouped, in the order of their first member."""
        return users_of(self.members)


@dataclass(frozen=True, slots=True)
class Change:
    """What is another way at `place` than it was. `came` and `went` are users of whom the first member came, the last
    one left; who came without a user is in neither. The counts are those that there are now; where `truncated` is true
    nothing else is known."""

    place: str
    joined: tuple[Member, ...]
    updated: tuple[Member, ...]
    left: tuple[Left, ...]
    came: tuple[User, ...]
    went: tuple[User, ...]
    user_count: int
    member_count: int
    truncated: bool


class WireMember(msgspec.Struct):
    """Of a list; a leave has no more than `user`, `member` and `reason`."""

    member: str
    user: str | None = None
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    since: datetime | None = None
    verified: bool = False
    info: Any = None
    reason: str | None = None


class WirePresence(msgspec.Struct):
    """A `presence` frame: the list if it has a `state`, else what has changed since the number before; and a row of
    `GET /api/presence`."""

    place: str
    version: int
    users: int = 0
    members: int = 0
    truncated: bool = False
    state: list[WireMember] | None = None
    joins: list[WireMember] = msgspec.field(default_factory=list)
    updates: list[WireMember] = msgspec.field(default_factory=list)
    leaves: list[WireMember] = msgspec.field(default_factory=list)


def read_presence(text: str) -> WirePresence:
    """Raises ValueError for what is no such frame."""
    try:
        return msgspec.convert(json.loads(text), WirePresence)  # which leaves integers all their digits
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def members_of(found: Iterable[WireMember]) -> list[Member]:
    """Raises ValueError for one without a time."""
    members = []
    for one in found:
        if one.since is None:
            raise ValueError("a member without `since`")
        members.append(Member(one.user, one.member, one.data, one.since, one.verified, one.info))
    return members


def in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    """In which they entered."""
    return tuple(sorted(members, key=lambda member: (member.since, member.member)))


def listed(frame: WirePresence) -> Roll:
    """The list that a `state` is. Raises ValueError."""
    members = () if frame.truncated else in_order(members_of(frame.state or ()))
    return Roll(frame.place, members, frame.users, frame.members, frame.truncated, frame.version)


def following(roll: Roll, frame: WirePresence) -> Roll | None:
    """The list after a change; None if it is not the next one. Raises ValueError."""
    if frame.version != roll.version + 1:
        return None
    members: tuple[Member, ...] = ()
    if not (frame.truncated or roll.truncated):
        known = {member.key: member for member in roll.members}
        for left in frame.leaves:
            known.pop((left.user, left.member), None)
        for member in members_of((*frame.joins, *frame.updates)):
            known[member.key] = member
        members = in_order(known.values())
    is_truncated = frame.truncated or roll.truncated
    return Roll(roll.place, members, frame.users, frame.members, is_truncated, frame.version)


def with_held(roll: Roll, held: Iterable[Member]) -> Roll:
    """And those who are taken to be coming back."""
    known = {member.key for member in roll.members}
    more = [member for member in held if member.key not in known]
    if roll.truncated or not more:
        return roll
    members = in_order((*roll.members, *more))
    return replace(roll, members=members, user_count=len(users_of(members)), member_count=len(members))


def users_of(members: Iterable[Member]) -> tuple[User, ...]:
    groups: dict[Key, list[Member]] = {}
    for member in members:
        groups.setdefault(member.key if member.user is None else (member.user, ""), []).append(member)
    return tuple(User(group[0].user, tuple(group)) for group in groups.values())


def between(before: Roll, now: Roll, reasons: Mapping[Key, str | None]) -> Change | None:
    """None if nothing is another way. Where there are only counts, nobody is taken to have come or gone."""
    counts = now.user_count, now.member_count, now.truncated
    if now.truncated:
        if counts == (before.user_count, before.member_count, before.truncated):
            return None
        return Change(now.place, (), (), (), (), (), *counts)
    old = {member.key: member for member in before.members}
    new = {member.key: member for member in now.members}
    joined = tuple(member for key, member in new.items() if key not in old)
    updated = tuple(member for key, member in new.items() if key in old and _is_other(old[key], member))
    left = tuple(Left(member, reasons.get(key)) for key, member in old.items() if key not in new)
    if not (joined or updated or left or before.truncated):
        return None
    then, there = ({member.user for member in some} for some in (before.members, now.members))
    came = tuple(user for user in now.users if user.user is not None and user.user not in then)
    went = tuple(user for user in before.users if user.user is not None and user.user not in there)
    return Change(now.place, joined, updated, left, came, went, *counts)


def _is_other(old: Member, new: Member) -> bool:
    """`since` moves where a service that was started anew is entered again, and nobody wants to know."""
    return (old.data, old.verified, old.info) != (new.data, new.verified, new.info)


def _is_empty(roll: Roll) -> bool:
    return not (roll.members or roll.truncated)


REASONS_MAX: Final = 10_000
"""Of those who have gone, at one place, and of whom nobody was told yet; of more it is not told why."""


@dataclass(slots=True)
class _Place:
    """`told` is the list that the program knows, `now` the one that there is."""

    told: Roll
    now: Roll
    reasons: dict[Key, str | None] = field(default_factory=dict)


class Changes:
    """What a program was not told yet: however slowly it asks, that is one change for each place."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._due: dict[str, None] = {}

    def note(self, now: Roll, reasons: Mapping[Key, str | None]) -> None:
        """This is the list now; `reasons` are of those who have just gone."""
        place = self._places.get(now.place)
        if place is None:
            place = self._places[now.place] = _Place(Roll(now.place), now)
        place.now = now
        if len(place.reasons) + len(reasons) <= REASONS_MAX:
            place.reasons.update(reasons)
        self._due[now.place] = None
        if _is_empty(place.told) and _is_empty(now):
            del self._places[now.place], self._due[now.place]

    def pass_over(self) -> None:
        """The program knows all of it already."""
        while self.take():
            pass

    def take(self) -> Change | None:
        """What has changed at one of the places; None if there is nothing."""
        while self._due:
            name = next(iter(self._due))
            del self._due[name]
            place = self._places[name]
            change = between(place.told, place.now, place.reasons)
            # Of those who are only counted, who was known before is not taken to have gone.
            place.told = replace(place.now, members=place.told.members) if place.now.truncated else place.now
            place.reasons.clear()
            if _is_empty(place.told):
                del self._places[name]
            if change is not None:
                return change
        return None
