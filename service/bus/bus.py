"""The event bus: publish to the log, keep the tail, feed the live, let everyone else read.

The order is the guarantee, and it stands in one place: the log commits, then the head moves and the tail grows,
then the fan-out runs, all in the step that `_committed` is.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from service.bus.encoding import Encoding, P
from service.bus.fanout import FanOut
from service.bus.group import Batch, Group, Groups
from service.bus.pages import SharedPages
from service.bus.start import Start, StartKind
from service.bus.subscription import Gap, Subscription
from service.bus.tail import Tail
from service.bus.turns import Turns
from service.core.cursor import Cursor
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from service.log.base import EventLog, Page, Receipt, Search, Statement, TopicStats

PAGE_EVENTS: Final = 400
PAGE_BYTES: Final = 256 * 1024
"""A replay reads this much at a time, about half a millisecond, and then lets others have a turn."""

LOCATE_STEPS: Final = 100
"""Reads in search of where a stream begins, 200,000 offsets or a tenth of a second if few match."""

TRANSPORTS: Final = ("websocket", "sse", "poll")

TAIL_SCAN: Final = 2_000
"""Entries of the tail that are looked at in one step, however few match."""


class EventBus:
    """See the module. All methods belong to the event loop that the log was opened on."""

    def __init__(self, log: EventLog, tail_events: int = 10_000, tail_bytes: int = 32 << 20) -> None:
        self._log = log
        self._tail = Tail(log.head, tail_events, tail_bytes)
        self.groups = Groups()
        self._shared = SharedPages()
        self._fan_out = FanOut(self.groups, log.head)
        self._turns = Turns(self._is_busy)
        self._publishing = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.published = 0
        self.replayed = 0
        log.follow(self._committed, self._trimmed)

    @property
    def epoch(self) -> str:
        return self._log.epoch

    @property
    def head(self) -> int:
        return self._log.head

    @property
    def delivered(self) -> int:
        """The offset up to which every live subscriber was fed."""
        return self._fan_out.done

    @property
    def deliveries(self) -> int:
        return self._fan_out.deliveries

    @property
    def tail(self) -> Tail:
        return self._tail

    def cursor(self, offset: int) -> str:
        return str(Cursor(self.epoch, offset))

    def floor(self, topics: TopicFilter) -> int:
        return self._log.bounds(topics).floor

    # Publishing

    async def publish(self, drafts: Sequence[Draft], also: Sequence[Statement] = ()) -> Receipt:
        """Append, together with `also`; returns once it is on disk and was handed to live subscribers.

        Raises StorageFullError, OverloadedError, UnavailableError or StorageError: then nothing was published.
        """
        self._publishing += 1
        try:
            return await self._log.append(drafts, also)
        finally:
            self._publishing -= 1

    def _is_busy(self) -> bool:
        return self._publishing > 0 or self._fan_out.is_busy

    def _committed(self, events: Sequence[Event]) -> None:
        self.published += len(events)
        self._fan_out.feed(self._tail.append(events))
        if self._waiting:
            head = events[-1].offset
            for offset, reached in self._waiting:
                if offset <= head and not reached.done():
                    reached.set_result(None)
            self._waiting = [one for one in self._waiting if not one[1].done()]

    def _trimmed(self, topic: str, floor: int) -> None:
        if floor > self._tail.start:
            self._tail.forget({topic: floor})
        self._shared.forget()
        for group in self.groups:
            group.trimmed(topic, floor)

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
        """A subscription at `start`, and the gap if something after it is gone."""
        subscription = self.attach(topics, 0, encoding)  # before anything is read: what goes from here on is a gap
        try:
            subscription.offset, gap = await self.locate(topics, start)
        except BaseException:
            subscription.close()
            raise
        return subscription, gap

    def attach(self, topics: TopicFilter, offset: int, encoding: Encoding[P]) -> Subscription[P]:
        """A subscription at a position that `locate` has found; what was trimmed before is known to the client."""
        return Subscription(self, self.groups.join(topics, encoding), offset)

    async def locate(self, topics: TopicFilter, start: Start) -> tuple[int, Gap | None]:
        """The offset after which a stream goes on, and the gap, by docs/protocol.md, section 3."""
        cursor = start.cursor
        if start.kind is StartKind.EARLIEST:
            return await self._before_first(topics, 0), None
        if start.kind is StartKind.MALFORMED:
            return self.head, Gap(start.requested, "malformed", self.head, self._floor_or_none(topics))
        if cursor is None:
            return self.head, None
        if cursor.epoch != self.epoch:
            offset = await self._before_first(topics, 0)
            return offset, Gap(start.requested, "epoch", offset, self._floor_or_none(topics))
        if cursor.offset > self.head:
            return self.head, Gap(start.requested, "ahead", self.head, self._floor_or_none(topics))
        floor = self.floor(topics)
        if cursor.offset < floor:
            gap = await self.gap(topics, cursor.offset, floor)
            return gap.offset, gap
        return cursor.offset, None

    async def gap(self, topics: TopicFilter, after: int, floor: int) -> Gap:
        """What a reader at `after` is told when retention went up to `floor`."""
        offset = await self._before_first(topics, after)
        return Gap(self.cursor(after), "trimmed", offset, floor)

    def _floor_or_none(self, topics: TopicFilter) -> int | None:
        return self.floor(topics) or None

    async def _before_first(self, topics: TopicFilter, after: int) -> int:
        """The position before the first kept event after `after` that matches; the head if there is none.

        Or a position before that, if it is far: a stream that scans has heartbeats, one that has not begun has none.
        """
        for _ in range(LOCATE_STEPS):
            page = await self._log.read(topics, after, limit=1, max_bytes=1)
            if page.rows:
                return page.rows[0][0] - 1
            after = page.next
            if after >= self.head:
                return self.head
            await asyncio.sleep(0)
        return after

    # Reading; for subscriptions

    async def page(self, group: Group[P], after: int) -> Batch[P]:
        """The next frames of a group's filter after `after`: from the tail if it reaches back so far, or the log."""
        batch = self._shared.find(group, after, self.head)
        if batch is None:
            await self._turns.take()
            # Somebody may have read it meanwhile.
            batch = self._shared.find(group, after, self.head) or await self._read_page(group, after)
        self.replayed += batch.count
        return batch

    async def _read_page(self, group: Group[P], after: int) -> Batch[P]:
        head = self.head
        if after >= self._tail.start:
            batch = self._tail_page(group, after)
        else:
            page = await self._log.read(group.topics, after, PAGE_EVENTS, PAGE_BYTES)
            payload = group.encoding.page(page.rows) if page.rows else None
            batch = Batch(payload, len(page.rows), page.next)
        self._shared.keep(group, after, head, batch)
        return batch

    def _tail_page(self, group: Group[P], after: int) -> Batch[P]:
        frames: list[bytes] = []
        size = 0
        for entry in self._tail.after(after, TAIL_SCAN):
            if group.matches(entry.event.topic):
                frame = entry.frame(group.encoding)
                frames.append(frame)
                size += len(frame)
                if len(frames) >= PAGE_EVENTS or size >= PAGE_BYTES:
                    return group.batch(frames, entry.event.offset)
        return group.batch(frames, min(self.head, after + TAIL_SCAN))

    def move(self, subscription: Subscription[Any], topics: TopicFilter) -> None:
        """Put a subscription that is not live into the group of another filter."""
        old = subscription.group
        subscription.group = self.groups.join(topics, old.encoding)
        self.groups.leave(old)

    def release(self, subscription: Subscription[Any]) -> None:
        self.groups.leave(subscription.group)

    # History and upkeep

    async def search(self, search: Search) -> Page:
        return await self._log.search(search)

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        """Keep the newest `keep` events of each matching topic; returns how many went."""
        return await self._log.trim(topics, keep)

    def topics(self) -> list[tuple[TopicStats, dict[str, int]]]:
        """Every topic with the number of subscriptions that cover it, by transport."""
        found = []
        for stats in self._log.topics():
            counts = dict.fromkeys(TRANSPORTS, 0)
            for group in self.groups.matching(stats.topic):
                counts[group.encoding.transport] += group.members
            found.append((stats, counts))
        return found

    def subscriptions(self) -> dict[str, int]:
        """How many are open, by transport."""
        counts = dict.fromkeys(TRANSPORTS, 0)
        for group in self.groups:
            counts[group.encoding.transport] += group.members
        return counts

    async def settle(self) -> None:
        """Return when everything committed was fanned out."""
        await self._fan_out.settle()
