"""A filter and a cursor: REPLAYING until the cursor stands at the head, then LIVE, in the end CLOSED.

Rule 1: there is one way to catch up, `read`: for a first connect, a reconnect and a slow client alike.
Rule 2: becoming live happens in the step in which the cursor was found at the head, with no `await` in between: no
event can come in, so there is no hand-over to get wrong.
Rule 3: the cursor moves only over what was handled: written, handed to the reader, told as a gap, or of no match.

    state      the cursor, `offset`           in `group.live`,  leads to
                                              with an outlet
    REPLAYING  where the next `read` begins   no                LIVE: `go_live`, if at the head
    LIVE       the last event written, or     yes               REPLAYING: a write that was not taken or is
               where it went live; `position`                   too long, `fall_back`, `change`; each tells the outlet
               is also past what is no match                    that it is `behind`
    CLOSED     where it ended                 no                nothing; `close` leads here from everywhere

Who runs where. All of it runs on the event loop. One task at a time uses a subscription; a stream that has two, its
pump and its listener, holds its lock meanwhile. `deliver` and `overtake` are the fan-out's, in whatever task commits or
drives a round: they never wait, so they come between two steps of the user's and not into one.

Who asks for it is told the state first, in place of what he can't have: `read` brings the parts of a `Snapshot` while
there is one, and the cursor stands at its position. So is he after each later gap.

What holds when. `read` is the only one that waits, for two things:

- For its page. Meanwhile events may be committed, which the next read brings, and floors may rise: the page may lack
  what was trimmed before it was read. The page says so itself: by its floor, if that is higher than the one that the
  client was told of. A floor that rose below that one is known to the group. If either is above the cursor, the page
  is dropped for a gap.
- For the place where a gap ends, also before the first read. What rises meanwhile may be passed over: so the floor that
  the client is told is that of the moment in which the place is found.

A round of the fan-out may be cut into slices with turns of the loop in between, in which members come and go. One that
left has no outlet. One that went live there has read up to the head, at or past the end of this batch, so it is passed
over. The batch of the next round may still begin before its cursor, and can't be cut: it falls back and reads on.
"""

from enum import Enum
from typing import Generic, Protocol

from service.bus.encoding import P, P_contra
from service.bus.group import Group, Groups
from service.bus.reading import Reading
from service.bus.snapshot import Snapshot
from service.bus.values import Batch, Gap, StateEnd
from service.core.errors import GoneError
from service.core.topics import TopicFilter
from service.core.words import StateForm


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
    """Not a queue: nothing waits in it. See the module: who may call what."""

    __slots__ = ("_checked", "_form", "_groups", "_reading", "_snapshot", "_told", "group", "offset", "outlet", "state")

    def __init__(self, reading: Reading, groups: Groups, group: Group[P], offset: int) -> None:
        self._reading = reading
        self._groups = groups
        self._told = reading.floor(group.topics)
        """The filter's floor that the client was told of, or came in with; 0: of this filter's it was told none."""
        self._checked = group.floors.moment
        """The moment of the group's floors up to which it was told."""
        self._form: StateForm | None = None
        """How its client is told the state after a gap, if he is."""
        self._snapshot: Snapshot[P] | None = None
        """While he is told one."""
        self.group = group
        """Its filter and encoding. A member until it is closed; another group after `change`."""
        self.offset = offset
        """The cursor; see the table."""
        self.outlet: Outlet[P] | None = None
        """Where `deliver` writes; set exactly while live."""
        self.state = State.REPLAYING
        """Set by `go_live`, `_leave_live` and `close`, and nowhere else."""

    @property
    def topics(self) -> TopicFilter:
        return self.group.topics

    @property
    def floor(self) -> int:
        """Up to which events of its filter may be missing, as the client is told or comes in with; 0 for none."""
        return self._told

    @property
    def is_at_head(self) -> bool:
        """Whether there is nothing to read."""
        return self._snapshot is None and self.offset >= self._reading.head

    @property
    def is_telling_state(self) -> bool:
        """Whether `read` brings the state: until it is over, nothing is at a position."""
        return self._snapshot is not None

    @property
    def position(self) -> int:
        """The offset up to which every event that matches was handled."""
        return max(self.offset, self._groups.fed) if self.state is State.LIVE else self.offset

    @property
    def resume_at(self) -> int | None:
        """Where a client goes on who is cut now; None while a state is told, which then begins again."""
        return None if self.is_telling_state else self.position

    def begin(self, offset: int) -> None:
        """Read on from there: its client is told the filter's floor as it is now."""
        self.offset = offset
        self._told, self._checked = self._reading.floor(self.topics), self.group.floors.moment

    def tell_states(self, form: StateForm, *, at_once: bool) -> None:
        """Before the first `read`: after each gap comes the state, and `at_once` too, from the head as it is now."""
        self._form = form
        if at_once:
            self._begin(Snapshot(self._reading, self.topics, form, self.group.encoding))

    def _begin(self, snapshot: Snapshot[P]) -> None:
        self._snapshot = snapshot
        self.offset = snapshot.at
        self._told = max(self._told, snapshot.at)
        self._checked = self.group.floors.moment

    async def read(self) -> Batch[P] | Gap | StateEnd | None:
        """The next frames after the cursor, which moves on; a Gap if some of them are gone; None at the head.
        Of a state that is to be told, frames, and the end of it.

        Raises StorageError if the log can't be read; the cursor stays where it was. OverloadedError if the state can't
        be told.
        """
        before = self.offset
        if self._snapshot is not None:
            return await self._read_state(self._snapshot)
        if self.is_at_head:
            return None
        batch = await self._reading.page(self.group, before)
        moment, lost = self.group.floors.moment, self._lost(batch.floor)
        floor = max(batch.floor, lost)
        if lost > before:
            if self._form is not None:
                return self._begin_anew(Snapshot(self._reading, self.topics, self._form, self.group.encoding))
            gap = await self._reading.gap(self.topics, before)
            self.begin(max(before, gap.offset))
            return gap
        self._told, self._checked = max(self._told, floor), moment
        self.offset = batch.offset
        return batch

    async def _read_state(self, snapshot: Snapshot[P]) -> Batch[P] | Gap | StateEnd:
        if snapshot.is_over:
            snapshot.close()
            self._snapshot = None
            return StateEnd(self.offset)
        try:
            payload = await snapshot.read(self.topics)
        except GoneError:
            return self._begin_anew(snapshot.again(self.topics))
        return Batch(payload, 0, self.offset, self._told)

    def _begin_anew(self, snapshot: Snapshot[P]) -> Gap:
        """What goes on from here does not fit what the client has: he is told the state."""
        before = self.offset
        self._begin(snapshot)
        reason = self._reading.missing(self.topics, before) or "trimmed"
        return self._reading.gap_to_state(before, reason, self.offset)

    def _lost(self, floor: int) -> int:
        """The highest floor that the client was not told of, when a page has this one, which may hide a lower one."""
        return floor if floor > self._told else self.group.floors.since(self._checked)

    def go_live(self, outlet: Outlet[P]) -> bool:
        """Be fed by the fan-out from now on, if the cursor stands at the head; else False."""
        if self.state is not State.REPLAYING or not self.is_at_head:
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
        if self.offset > before or not outlet.write(payload):  # the first: it has a part of this batch already
            self.overtake(before, offset)
            return False
        self.offset = offset
        return True

    def overtake(self, before: int, offset: int) -> None:
        """The fan-out's: what came after `before`, up to `offset`, is to be read from the cursor."""
        if self.outlet is not None and self.offset < offset:
            self.offset = max(self.offset, before)
            self._leave_live()

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
            self._told = 0  # what the new filter has lost was never told
            self._checked = self.group.floors.moment
        return self.offset

    def close(self) -> None:
        """Idempotent."""
        if self.state is State.CLOSED:
            return
        self.offset = self.position
        self.state = State.CLOSED
        if self._snapshot is not None:
            self._snapshot.close()
        self.outlet = None
        self.group.live.discard(self)
        self._groups.leave(self.group)
