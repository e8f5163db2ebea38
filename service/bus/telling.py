"""From the places to whoever watches them: batches, each in its time.

Rule 1: a batch of a place is told `Bounds.batch` seconds after its first change, as one frame for each encoding, to
groups of watchers by filter and encoding, in slices as those of the fan-out.
Rule 2: no state is made of a place while its batch is being told (`Place.is_telling`): whoever is owed one has it after
that, and passes over the batch, since the state will hold what that told.
Rule 3: who watches a place by its name is told its state first, also an empty one, and then every batch. Who watches it
by a wildcard has never heard of a place that nobody is at: its first batch is a state for him.
Rule 4: nothing is queued for a watcher; see `stream/watching.py` for what he remembers.
"""

import asyncio
import math
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol

from service.bus.encoding import PresenceEncoding
from service.bus.fanout import SLICE, WRITE_BYTES
from service.bus.group import Group, Groups
from service.bus.roll import Roll
from service.bus.steps import Driver
from service.core.place import Change, Place
from service.core.presence import Presence
from service.core.topics import ANY_SEGMENT, TopicFilter


class Watcher(Protocol):
    """One connection, or a poll that waits."""

    def tell(self, place: Place, number: int, payload: Any, *, is_state: bool) -> bool:
        """Write the payload, or remember that a state of the place is owed; whether it was written now.

        Never waits or raises. Of those with the same number only the first counts.
        """


class _Audience:
    """The watchers of one group."""

    __slots__ = ("encoding", "watchers")

    def __init__(self, encoding: PresenceEncoding[Any]) -> None:
        self.encoding = encoding
        self.watchers: dict[Watcher, int] = {}
        """Each with how often it has joined: a stream may have named just what it is about."""


class Telling:
    """Tells what changes in `state`; `now` is its clock."""

    def __init__(self, state: Presence, now: Callable[[], float]) -> None:
        self.roll: Final = Roll(state.bounds.listed)
        self.frames = 0
        """Frames written so far, one for each watcher that took it."""
        self.number = 0
        """Of the batch that is being told, or was last."""
        self._state = state
        self._now = now
        self._groups = Groups()
        self._audiences: dict[Group[Any], _Audience] = {}
        """Of each of those groups."""
        self._followers: dict[Callable[[Change], None], None] = {}
        self._driver = Driver("presence")
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def join(self, topics: TopicFilter, encoding: PresenceEncoding[Any], watcher: Watcher) -> Group[Any]:
        """Be told of what matches from now on, until `part` with the group that is returned."""
        group = self._groups.join(topics, encoding)
        audience = self._audiences.get(group)
        if audience is None:
            audience = self._audiences[group] = _Audience(encoding)
        audience.watchers[watcher] = audience.watchers.get(watcher, 0) + 1
        for pattern in topics.patterns:
            if ANY_SEGMENT not in pattern:
                self._state.watch(pattern)
        return group

    def part(self, group: Group[Any], watcher: Watcher) -> None:
        audience = self._audiences[group]
        audience.watchers[watcher] -= 1
        if not audience.watchers[watcher]:
            del audience.watchers[watcher]
        if not audience.watchers:
            del self._audiences[group]
        self._groups.leave(group)
        for pattern in group.topics.patterns:
            if ANY_SEGMENT not in pattern:
                self._state.unwatch(pattern)

    @property
    def watchers(self) -> int:
        """How many there are."""
        return sum(len(one.watchers) for one in self._audiences.values())

    def follow(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Be told of each change, until what is returned is called. It must neither wait nor raise."""
        self._followers[callback] = None

        def stop() -> None:
            self._followers.pop(callback, None)

        return stop

    def soon(self) -> None:
        """See to it that the next batch is told in its time."""
        due = self._state.due
        if self._timer is None and due != math.inf and not self._driver.is_busy and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._now()), self.begin)

    def begin(self) -> None:
        """Tell what is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_closed and not self._driver.is_busy:
            self._driver.begin(self._batches())
            self.soon()

    async def settle(self) -> None:
        """Return when no batch is being told."""
        await self._driver.settle()

    async def close(self) -> None:
        """Tell nobody anything any more; no timer is left. Idempotent."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._driver.close()
        self._followers.clear()
        self.roll.clear()

    def _batches(self) -> Generator[bool, None, None]:
        """Tell what is due; yields True whenever the loop should be given a turn before it goes on."""
        room = SLICE
        while (taken := self._state.take(self._now())) is not None:
            place, change = taken
            room -= 1
            if change is not None:
                self.number += 1
                for follower in tuple(self._followers):
                    follower(change)
                place.is_telling = True
                try:
                    room = yield from self._tell(place, change, room)
                finally:
                    place.is_telling = False
                    self._state.tidy(place)
            if room <= 0:
                yield True
                room = SLICE
        if self._timer is None and self._state.due != math.inf and not self._is_closed:
            left = max(0.0, self._state.due - self._now())
            self._timer = asyncio.get_running_loop().call_later(left, self.begin)

    def _tell(self, place: Place, change: Change, room: int) -> Generator[bool, None, int]:
        """Tell a change to all who watch the place; of the `room` for writes in this turn, what is left."""
        groups = yield from self._groups.find(place.topic)
        frames: dict[tuple[str, bool], Any] = {}
        number = self.number
        texts: dict[bool, str] = {}
        for group in groups:
            audience = self._audiences.get(group)
            if audience is None:  # they have left meanwhile
                continue
            is_state = change.is_whole or (change.was_empty and place.topic not in group.topics.patterns)
            key = audience.encoding.name, is_state
            if key not in frames:
                if is_state not in texts:
                    texts[is_state] = self.roll.state(place) if is_state else self.roll.diff(change)
                frames[key] = audience.encoding.join([audience.encoding.presence(texts[is_state])])
            payload = frames[key]
            cost = 1 + len(texts[is_state]) // WRITE_BYTES
            watchers = tuple(audience.watchers)
            start = 0
            while start < len(watchers):
                if room <= 0:
                    yield True
                    room = SLICE
                count = room // cost or 1
                part = [one for one in watchers[start : start + count] if one in audience.watchers]
                self.frames += sum([one.tell(place, number, payload, is_state=is_state) for one in part])
                start += count
                room -= cost * len(part)
        return room
