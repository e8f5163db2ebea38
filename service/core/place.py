"""One place: who is there, what was told of it, and what has changed since.

Changes are collected. What watchers were told has a number, `version`; `commit` makes of all changes since then one
`Change`, with the next number. Who was not there before and is not there now is in none, and of several changes of one
member the last counts. A state that is told in between is that of the number that it carries, `told`, so that the next
change fits it.

A place with more than `listed` members is long: of it only counts are told. It is short again below SHORT of them, and
then told as a whole, so that one which comes and goes at the bound costs no list each time.

Pure.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from service.core.wheel import NEVER
from service.core.words import LeaveReason

SHORT: Final = 0.9
"""Of the members from which on a place is long: with fewer it is short again."""


class Shown(msgspec.Struct, frozen=True, gc=False):
    """What is told of a member. `data` is JSON text of an object, `info` of a token's claim; `since` in Unix ms."""

    user: str | None
    member: str
    data: str
    since: int
    verified: bool
    info: str | None = None


class Gone(NamedTuple):
    """Of a member that left."""

    user: str | None
    member: str
    reason: LeaveReason


class Change(NamedTuple):
    """What a batch tells of one place. `users` and `members` are how many are there now.

    `is_whole`: it is told as a state, to everybody, since what was told before was none. `was_empty`: it is the first
    that is told of the place since somebody was there.
    """

    place: str
    version: int
    joins: tuple[Shown, ...]
    updates: tuple[Shown, ...]
    leaves: tuple[Gone, ...]
    came: tuple[str, ...]
    went: tuple[str, ...]
    users: int
    members: int
    truncated: bool
    is_whole: bool
    was_empty: bool


class Terms(NamedTuple):
    """Of one that is there by a lease of so many seconds. `ends` is when the credential does by which it is here, and
    `owner` who asked: whether his still counts is another's question, which is not asked of None. `over` is when the
    lease is, once it has begun."""

    lease: float
    ends: float
    owner: object
    over: float = NEVER


class Member:
    """One that is there. `place` is where; who holds it, and until when, is for `presence.py`."""

    __slots__ = ("connection", "due", "holder", "place", "shown", "slot", "terms", "who", "why")

    def __init__(self, place: "Place", shown: Shown, who: str) -> None:
        self.place = place
        self.shown = shown
        self.who = who
        """As whom it counts."""
        self.connection = ""
        """The connection that holds it, or held it last; "" for none."""
        self.holder: object = None
        """That connection's part, while it lives."""
        self.terms: Terms | None = None
        """Of its lease, if it has one."""
        self.due = NEVER
        """When it leaves, on the clock; infinite while a connection holds it."""
        self.why: LeaveReason = "expired"
        """Why it leaves then."""
        self.slot = -1


class Place:
    """`topic` is its name; `number` grows with each place that is made. It is made with `version`, the last that was
    told of a place of this name."""

    __slots__ = (
        "_before",
        "_listed",
        "_reasons",
        "is_gone",
        "is_long",
        "is_telling",
        "members",
        "nameless",
        "number",
        "told_members",
        "told_users",
        "topic",
        "users",
        "version",
        "watched",
    )

    def __init__(self, topic: str, number: int, version: int, listed: int) -> None:
        self.topic = topic
        self.number = number
        self.version = version
        self._listed = listed
        self.members: dict[str, Member] = {}
        """By their ids."""
        self.users: dict[str, int] = {}
        """How many members each user has who has a name."""
        self.nameless = 0
        """Members of no user: each is one by itself."""
        self._before: dict[str, Shown | None] | None = None
        """What was told of those that have changed; None of one that was not there."""
        self._reasons: dict[str, LeaveReason] | None = None
        """Why those left that did since."""
        self.told_users = self.told_members = 0
        """How many there are, as watchers know."""
        self.is_long = False
        self.is_telling = False
        """A change of it is under way to its watchers: no state is told meanwhile, which would come before it."""
        self.is_gone = False
        """It is no place any more: another one may have its name."""
        self.watched = 0
        """How many watch it by its name: as long it stays, also empty, so that its numbers go on."""

    def put(self, shown: Shown, member: Member | None = None) -> Member:
        """One more, `member`, which has the id; or what is told of one that is there is other now."""
        before = self.members.get(shown.member)
        self._note(shown.member, before)
        if before is not None:
            self._count(before.shown.user, -1)
        found = before if member is None else member
        assert found is not None
        found.shown = shown
        self.members[shown.member] = found
        self._count(shown.user, 1)
        return found

    def remove(self, member: Member, reason: LeaveReason) -> None:
        id = member.shown.member
        self._note(id, member)
        del self.members[id]
        self._count(member.shown.user, -1)
        self._reasons = self._reasons if self._reasons is not None else {}
        self._reasons[id] = reason

    def _note(self, id: str, member: Member | None) -> None:
        self._before = self._before if self._before is not None else {}
        self._before.setdefault(id, None if member is None else member.shown)

    def _count(self, user: str | None, by: int) -> None:
        if user is None:
            self.nameless += by
            return
        count = self.users.get(user, 0) + by
        if count:
            self.users[user] = count
        else:
            del self.users[user]

    @property
    def is_changed(self) -> bool:
        """Whether there may be something to commit."""
        return self._before is not None

    @property
    def is_idle(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.members or self.is_changed or self.watched or self.is_telling)

    def told(self) -> Iterator[Shown]:
        """Those of whom watchers know, as they know them: the state of `version`."""
        before = self._before or {}
        for id, member in self.members.items():
            shown = before.get(id, member.shown)
            if shown is not None:
                yield shown
        for id, gone in before.items():
            if gone is not None and id not in self.members:
                yield gone

    def told_of(self, id: str) -> Shown | None:
        """One of those, if it is one."""
        if self._before is not None and id in self._before:
            return self._before[id]
        member = self.members.get(id)
        return None if member is None else member.shown

    def ids(self) -> list[str]:
        """Of those, and of some that are none."""
        return [*self.members, *(id for id in self._before or () if id not in self.members)]

    def commit(self) -> Change | None:
        """All that has changed, as the next version; None if it comes to nothing."""
        before, reasons = self._before or {}, self._reasons or {}
        self._before = self._reasons = None
        joins, updates, leaves = list[Shown](), list[Shown](), list[Gone]()
        moved: Counter[str] = Counter()
        count = len(self.members)
        for id, was in before.items():
            member = self.members.get(id)
            now = None if member is None else member.shown
            count += (was is not None) - (now is not None)
            if was is not None and (now is None or was.user != now.user):
                leaves.append(Gone(was.user, id, reasons.get(id, "left")))
                if was.user is not None:
                    moved[was.user] -= 1
            if now is not None and (was is None or was.user != now.user):
                joins.append(now)
                if now.user is not None:
                    moved[now.user] += 1
            elif now is not None and now != was:
                updates.append(now)
        if not (joins or updates or leaves):
            return None
        self.version += 1
        was_long = self.is_long
        self.is_long = len(self.members) > self._listed or (was_long and len(self.members) >= self._listed * SHORT)
        came = tuple(user for user, by in moved.items() if by > 0 and self.users.get(user, 0) == by)
        went = tuple(user for user, by in moved.items() if by < 0 and user not in self.users)
        lists = (tuple(joins), tuple(updates), tuple(leaves))
        users, members = self.told_users, self.told_members = len(self.users) + self.nameless, len(self.members)
        is_whole = was_long and not self.is_long
        return Change(
            self.topic, self.version, *lists, came, went, users, members, self.is_long, is_whole, was_empty=not count
        )
