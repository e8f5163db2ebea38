"""Reading from a cursor, forward: where a stream begins, what it can't have, and its pages.

What is read comes from the tail if that reaches back so far, else from the log, and never from beyond the head.
"""

from typing import Final

from service.bus.encoding import P
from service.bus.group import Group
from service.bus.pages import SharedPages
from service.bus.pictures import Pictures
from service.bus.removals import Removals
from service.bus.start import Start, StartKind
from service.bus.tail import Tail
from service.bus.turns import Turns
from service.bus.values import Batch, Gap
from service.core.cursor import Cursor
from service.core.event import OFFSET, TOPIC
from service.core.topics import Matching, TopicFilter
from service.core.words import GapReason
from service.log.base import EventLog, Page, Search, StateSearch, Turn

PAGE_EVENTS: Final = 400
PAGE_BYTES: Final = 256 * 1024
"""A replay reads this much at a time, about half a millisecond, and then lets others have a turn."""

LOCATE_OFFSETS: Final = 200_000
"""Offsets looked at in search of where a stream begins, a tenth of a second if few match, in as many reads as the log's
step makes of it."""

LOCATE_STEPS: Final = 2
"""Reads in that search for a stream, which scans on from there once it has begun, and ends with its client."""

FORGOTTEN_MAX: Final = 1_000
"""Topics trimmed until the tail is told, if nobody reads it before."""

TAIL_SCAN: Final = 2_000
"""Entries of the tail that are looked at in one step, however few match."""

COMPARISONS: Final = 100_000
"""Segments compared in one step, some milliseconds: filters that are hard to match look at fewer entries."""


class Reading:
    """The log and its tail as one. `replayed` counts the events that were read from a cursor."""

    def __init__(self, log: EventLog, tail: Tail, turns: Turns) -> None:
        self._log = log
        self._tail = tail
        self._turns = turns
        self._shared = SharedPages()
        self.removals: Final = Removals()
        self.pictures: Final = Pictures()
        self._forgotten: dict[str, int] = {}
        """Topics and floors of which the tail has yet to hear: before it is read."""
        self._thinned: dict[str, int] = {}
        """Likewise those up to which events without a subject went."""
        self.replayed = 0

    @property
    def head(self) -> int:
        return self._log.head

    def floor(self, topics: TopicFilter) -> int:
        return self._log.bounds(topics).floor

    def trimmed(self, topic: str, floor: int) -> None:
        """Retention takes the topic's events up to `floor`: they can't be replayed, so they must not be served."""
        self.removals.add(topic)
        if floor > self._tail.start:
            self._forgotten[topic] = floor
            if len(self._forgotten) >= FORGOTTEN_MAX:
                self._forget()
        self._shared.forget()

    def thinned(self, topic: str, offset: int, is_plain: bool) -> None:
        """Single events go, up to there. The tail may serve what was replaced for a while: what replaced it follows."""
        if is_plain and offset > self._tail.start:
            self._thinned[topic] = offset
            if len(self._thinned) >= FORGOTTEN_MAX:
                self._forget()
        self._shared.forget()

    def _forget(self) -> None:
        """All at once: a trim of many topics would otherwise walk the tail for each of them."""
        if self._forgotten or self._thinned:
            self._tail.forget(self._forgotten, self._thinned)
            self._forgotten, self._thinned = {}, {}

    async def learn(self, topics: TopicFilter, turn: Turn | None = None) -> None:
        """Return once `floor` takes little time: see the log's."""
        await self._log.learn(topics, turn or self._turns.take)

    def has_lost(self, topics: TopicFilter, moment: int) -> bool:
        """Whether events of the filter may have been removed since a moment of `removals`: not if none ever were."""
        if self.removals.knows(moment):
            return self.removals.may_have_taken(topics, moment)
        bounds = self._log.bounds(topics)  # what compaction has taken of a state, the log says itself in this run
        return (bounds.trimmed if self.removals.is_of_this_run(moment) else bounds.floor) > 0

    # Where a stream begins

    async def locate(self, topics: TopicFilter, start: Start, turn: Turn | None = None) -> tuple[int, Gap | None]:
        """The offset after which a stream goes on, and the gap, by docs/protocol.md, section 3.

        `turn` is awaited before each step; what it raises ends the search for them.
        """
        await self.learn(topics, turn)
        cursor = start.cursor
        if start.kind is StartKind.EARLIEST:
            return await self._before_first(topics, 0, turn), None
        lost = self.lost(topics, start)
        if cursor is None:
            return self.head, lost and Gap(start.requested, lost, self.head, self._floor_or_none(topics))
        if lost in ("trimmed", "compacted"):
            gap = await self.gap(topics, cursor.offset, turn)
            return gap.offset, gap
        if lost is None:
            return cursor.offset, None
        offset = self.head if lost == "ahead" else await self._before_first(topics, 0, turn)
        return offset, Gap(start.requested, lost, offset, self._floor_or_none(topics))

    def lost(self, topics: TopicFilter, start: Start) -> GapReason | None:
        """Why a stream can't go on from where its client asks; None if it can, or asks for no position."""
        cursor = start.cursor
        if cursor is None:
            return "malformed" if start.kind is StartKind.MALFORMED else None
        if cursor.epoch != self._log.epoch:
            return "epoch"
        if cursor.offset > self.head:
            return "ahead"
        return self.missing(topics, cursor.offset)

    def missing(self, topics: TopicFilter, offset: int) -> GapReason | None:
        """Why something after a position is not kept: whether all of that was replaced by what is."""
        bounds = self._log.bounds(topics)
        if offset >= bounds.floor:
            return None
        return "trimmed" if offset < bounds.trimmed else "compacted"

    async def gap(self, topics: TopicFilter, after: int, turn: Turn | None = None) -> Gap:
        """What a reader at `after` is told when retention went further.

        Its floor is that of the moment in which it is returned: what goes while it is looked for where it ends is not
        there to be found, so the gap may end behind it.
        """
        offset = await self._before_first(topics, after, turn)
        reason = self.missing(topics, after) or "trimmed"
        return Gap(str(Cursor(self._log.epoch, after)), reason, offset, self._floor_or_none(topics))

    def gap_to_state(self, requested: str | int, reason: GapReason, offset: int) -> Gap:
        """What a reader is told who asked for this, or stood at this offset, before the state at `offset`: of what lies
        before it anything may be missing.
        """
        asked = requested if isinstance(requested, str) else str(Cursor(self._log.epoch, requested))
        return Gap(asked, reason, offset, offset or None, has_state=True)

    def _floor_or_none(self, topics: TopicFilter) -> int | None:
        return self.floor(topics) or None

    async def _before_first(self, topics: TopicFilter, after: int, turn: Turn | None) -> int:
        """The position before the first kept event after `after` that matches; the head if there is none.

        Or a position before that, if it is far: a stream that scans has heartbeats, one that has not begun has none.
        """
        steps = LOCATE_STEPS if turn is None else max(1, LOCATE_OFFSETS // self._log.step)
        for _ in range(steps):
            await (turn or self._turns.take)()
            await self.learn(topics, turn)
            page = await self._log.read(topics, after, limit=1, max_bytes=1)
            if page.rows:
                return page.rows[0][OFFSET] - 1
            after = page.next
            if after >= self.head:
                return self.head
        return after

    # Pages

    async def page(self, group: Group[P], after: int) -> Batch[P]:
        """The next frames of a group's filter after `after`: from the tail if it reaches back so far, or the log."""
        batch = self._shared.find(group, after, self.head)
        if batch is None:
            await self._turns.take()
            await self.learn(group.topics)
            # Somebody may have read it meanwhile.
            batch = self._shared.find(group, after, self.head) or await self._read_page(group, after)
        self.replayed += batch.count
        return batch

    async def _read_page(self, group: Group[P], after: int) -> Batch[P]:
        head = self.head
        if after >= self._tail.start:
            self._forget()
            batch = self._tail_page(group, after)
            self._tail.fit()
        else:
            is_short = self._turns.are_shared
            page = await self._log.read(group.topics, after, PAGE_EVENTS, PAGE_BYTES, is_short=is_short)
            payload = group.encoding.page(page.rows) if page.rows else None
            batch = Batch(payload, len(page.rows), page.next, page.floor)
        self._shared.keep(group, after, head, batch)
        return batch

    def _tail_page(self, group: Group[P], after: int) -> Batch[P]:
        frames: list[bytes] = []
        size, floor = 0, self.floor(group.topics)  # the tail forgets in the step in which a floor is raised
        scan = max(1, min(TAIL_SCAN, COMPARISONS // group.topics.weight))
        matching = Matching(group.topics)
        for entry in self._tail.after(after, scan):
            if matching[entry.event[TOPIC]]:
                frame = entry.frame(group.encoding)
                frames.append(frame)
                size += len(frame)
                if len(frames) >= PAGE_EVENTS or size >= PAGE_BYTES:
                    return group.batch(frames, entry.event.offset, floor)
        return group.batch(frames, min(self.head, after + scan), floor)

    async def turn(self) -> None:
        """Wait for a turn among all that read: see `service.bus.turns`."""
        await self._turns.take()

    async def state(self, search: StateSearch, turn: Turn | None = None) -> Page:
        """As the log's; in turns with all that is read."""
        return await self._log.state(search, turn or self._turns.take)

    async def search(self, search: Search, turn: Turn | None = None) -> Page:
        """One page of history; in turns with the replays, and so are all whom one event has woken.

        `turn` is awaited before each step of it; it takes its turn here, unless it has a reason to end the search.
        """
        await self.learn(search.topics, turn)
        return await self._log.search(search, turn or self._turns.take)
