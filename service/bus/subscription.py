"""A filter and a cursor: REPLAYING until the cursor stands at the head, then LIVE, in the end CLOSED.

There is one way to catch up, `read`, for a first connect, a reconnect and a slow client alike. Becoming live
happens in the step in which the cursor was found at the head: no event can come in between, so there is no
hand-over to get wrong.
"""

from enum import Enum
from typing import Generic, Protocol

from service.bus.encoding import P, P_contra
from service.bus.group import Group, Groups
from service.bus.reading import Reading
from service.bus.values import Batch, Gap
from service.core.topics import TopicFilter


class State(Enum):
    REPLAYING = "replaying"
    LIVE = "live"
    CLOSED = "closed"


class Outlet(Protocol[P_contra]):
    """Where a live subscription writes."""

    def write(self, payload: P_contra) -> bool:
        """Take all of `payload` at once and return True, or take nothing and return False. Never waits or raises."""

    def behind(self) -> None:
        """The subscription is no longer live, because a write was not taken: start to `read` again."""


class Subscription(Generic[P]):
    """Not a queue: nothing waits in it. Used by one task; `deliver` is the fan-out's."""

    __slots__ = ("_checked", "_groups", "_reading", "group", "offset", "outlet", "state")

    def __init__(self, reading: Reading, groups: Groups, group: Group[P], offset: int) -> None:
        self._reading = reading
        self._groups = groups
        self._checked: int | None = group.floors.moment
        self.group = group
        self.offset = offset
        self.outlet: Outlet[P] | None = None
        self.state = State.REPLAYING

    @property
    def topics(self) -> TopicFilter:
        return self.group.topics

    @property
    def position(self) -> int:
        """The offset up to which every event that matches was handled."""
        return max(self.offset, self._groups.fed) if self.state is State.LIVE else self.offset

    async def read(self) -> Batch[P] | Gap | None:
        """The next frames after the cursor, which moves on; a Gap if some of them are gone; None at the head.

        Raises StorageError if the log can't be read; the cursor stays where it was.
        """
        before = self.offset
        if before >= self._reading.head:
            return None
        batch = await self._reading.page(self.group, before)
        moment = self.group.floors.moment
        if self._lost() > before:  # floors are raised before events vanish: the page may have a hole
            gap = await self._reading.gap(self.topics, before, self._reading.floor(self.topics))
            self._checked = moment
            self.offset = max(before, gap.offset)
            return gap
        self._checked = moment
        self.offset = batch.offset
        return batch

    def _lost(self) -> int:
        """The highest floor that the client was not told of. The filter's own may hide a lower one of a topic."""
        return self._reading.floor(self.topics) if self._checked is None else self.group.floors.since(self._checked)

    def go_live(self, outlet: Outlet[P]) -> bool:
        """Be fed by the fan-out from now on, if the cursor stands at the head; else False."""
        if self.state is not State.REPLAYING or self.offset < self._reading.head:
            return False
        self.state = State.LIVE
        self.outlet = outlet
        self.group.live.add(self)
        return True

    def deliver(self, payload: P, before: int, offset: int) -> bool:
        """The fan-out's: write what came after `before`, up to `offset`. False if it was not written here."""
        outlet = self.outlet
        if outlet is None or self.offset >= offset:
            return False  # left since the round began, or read past this batch before going live
        if self.offset > before or not outlet.write(payload):
            self.offset = max(self.offset, before)
            self._leave_live()
            return False
        self.offset = offset
        return True

    def fall_back(self) -> None:
        """Stop being live; the outlet is told to read on from the cursor."""
        if self.state is State.LIVE:
            self.offset = self.position
            self._leave_live()

    def _leave_live(self) -> None:
        self.state = State.REPLAYING
        self.group.live.discard(self)
        outlet, self.outlet = self.outlet, None
        if outlet is not None:
            outlet.behind()

    def change(self, topics: TopicFilter) -> int:
        """Go on with another filter from the position reached, which is returned; the caller reads again."""
        self.fall_back()
        if topics != self.topics:
            old = self.group
            self.group = self._groups.join(topics, old.encoding)
            self._groups.leave(old)
            self._checked = None  # what the new filter has lost was never told
        return self.offset

    def close(self) -> None:
        """Idempotent."""
        if self.state is State.CLOSED:
            return
        self.offset = self.position
        self.state = State.CLOSED
        self.outlet = None
        self.group.live.discard(self)
        self._groups.leave(self.group)
