"""The event log in memory: a second implementation of `service.log.base.EventLog`, which passes the same suite.

Unlike the black-box kit beside it, it imports the service's contract. It is for tests of what stands on a log, and
shows that nothing above the contract knows SQLite. Statements that commit with events run on an in-memory database.
"""

import asyncio
import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.core.errors import StorageError, UnavailableError
from service.core.event import Draft, Event
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Bounds, Listener, Page, Receipt, Search, Statement, TopicStats, TrimListener


def _new_database() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@dataclass
class Disk:
    """What survives a restart. Offsets, times and counts are as in the contract."""

    epoch: str = "memory"
    head: int = 0
    time: int = 0
    events: list[Event] = field(default_factory=list)
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    database: sqlite3.Connection = field(default_factory=_new_database)


@dataclass
class _Job:
    drafts: Sequence[Draft]
    also: Sequence[Statement]
    done: "asyncio.Future[Receipt]"


class MemoryEventLog:
    """Appends that wait together commit together, at the next turn of the event loop."""

    def __init__(self, clock: Clock, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self._clock = clock
        self._waiting: list[_Job] = []
        self._listeners: list[Listener] = []
        self._watchers: list[TrimListener] = []
        self._closed = False

    @property
    def epoch(self) -> str:
        return self.disk.epoch

    @property
    def head(self) -> int:
        return self.disk.head

    def follow(self, committed: Listener, trimmed: TrimListener) -> None:
        self._listeners.append(committed)
        self._watchers.append(trimmed)

    def bounds(self, topics: TopicFilter) -> Bounds:
        floors = (floor for name, floor in self.disk.floors.items() if topics.matches(name))
        return Bounds(self.epoch, max(floors, default=0), self.head)

    def topics(self) -> Sequence[TopicStats]:
        counts = dict.fromkeys(self.disk.heads, 0)
        for event in self.disk.events:
            counts[event.topic] += 1
        floors = self.disk.floors
        return [TopicStats(name, counts[name], head, floors.get(name, 0)) for name, head in self.disk.heads.items()]

    async def append(self, drafts: Sequence[Draft], also: Sequence[Statement] = ()) -> Receipt:
        if self._closed:
            raise UnavailableError("the log is closed")
        if not drafts and not also:
            return Receipt((), False)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)
        job = _Job(drafts, also, loop.create_future())
        self._waiting.append(job)
        return await job.done

    def _commit(self) -> None:
        jobs, self._waiting = self._waiting, []
        new: list[Event] = []
        answers = [self._apply(job, new) for job in jobs]
        if new:
            self.disk.head = new[-1].offset
            for listener in self._listeners:
                listener(new)
        for job, answer in zip(jobs, answers, strict=True):
            if job.done.done():
                continue
            if isinstance(answer, Receipt):
                job.done.set_result(answer)
            else:
                job.done.set_exception(answer)

    def _apply(self, job: _Job, new: list[Event]) -> Receipt | StorageError:
        """The statements, then the events, which can't fail: all or nothing."""
        database = self.disk.database
        database.execute("BEGIN")
        try:
            for sql, parameters in job.also:
                database.execute(sql, parameters)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            database.execute("ROLLBACK")
            return StorageError(str(error))
        before = len(new)
        offsets = tuple(self._add(draft, new) for draft in job.drafts)
        return Receipt(offsets, len(new) > before or not job.drafts)

    def _add(self, draft: Draft, new: list[Event]) -> int:
        disk = self.disk
        if draft.key and (draft.topic, draft.key) in disk.keys:
            return disk.keys[draft.topic, draft.key]
        disk.time = max(disk.time, self._clock.unix_ms())
        offset = (new[-1].offset if new else disk.head) + 1
        event = Event(offset, draft.topic, draft.type, disk.time, disk.heads.get(draft.topic, 0), draft.data)
        disk.events.append(event)
        new.append(event)
        disk.heads[draft.topic] = offset
        if draft.key:
            disk.keys[draft.topic, draft.key] = offset
        return offset

    async def read(self, topics: TopicFilter, after: int, limit: int, max_bytes: int) -> Page:
        found: list[Event] = []
        size = 0
        events = self.disk.events
        for event in events[bisect_right(events, after, key=lambda event: event.offset) :]:
            if topics.matches(event.topic) and event.offset <= self.head:
                found.append(event)
                size += len(event.data)
                if len(found) == limit or size >= max_bytes:
                    return Page(found, event.offset)
        return Page(found, max(after, self.head))

    async def search(self, search: Search) -> Page:
        low, high = search.after, self.head + 1
        if search.before is not None:
            high = min(high, search.before)
        found = [event for event in self.disk.events if low < event.offset < high and _fits(event, search)]
        if search.newest_first:
            found.reverse()
        if len(found) >= search.limit:
            return Page(found[: search.limit], found[search.limit - 1].offset)
        return Page(found, low + 1 if search.newest_first else max(low, high - 1))

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        removed = 0
        for name in [name for name in self.disk.heads if topics.matches(name)]:
            kept = [event.offset for event in self.disk.events if event.topic == name]
            gone = kept[: len(kept) - keep] if keep else kept
            if len(kept) > keep:
                self._cut(name, gone[-1])
                removed += len(gone)
        return removed

    def _cut(self, name: str, floor: int) -> None:
        """The floor first: see the contract, "No silent hole"."""
        disk = self.disk
        disk.floors[name] = floor
        for watcher in self._watchers:
            watcher(name, floor)
        disk.events = [event for event in disk.events if event.topic != name or event.offset > floor]
        disk.keys = {key: offset for key, offset in disk.keys.items() if key[0] != name or offset > floor}

    async def close(self) -> None:
        self._closed = True
        if self._waiting:
            self._commit()


def _fits(event: Event, search: Search) -> bool:
    return (
        search.topics.matches(event.topic)
        and search.type in (None, event.type)
        and (search.from_time is None or event.time >= search.from_time)
        and (search.to_time is None or event.time <= search.to_time)
    )
