"""The event log in memory: a second engine behind `service.log.base.EventLog`, which passes the same suite.

Unlike the black-box kit beside it, it imports the service's contract. It is for tests of what stands on a log, and
shows that nothing above the contract knows SQLite. Its table is a dictionary, and these few words are its language:

    statement  put       :key = :value, whatever was there
               add       the same, but a fault if something was there
               claim     :key = `:{what}`, an assigned parameter by name: `offset_0`, `time`
    question   get       one row with the value of :key, or none
               all       a row of key and value for each, sorted
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from service.core.errors import ClosedSubjectError, GoneError, GuardError, StorageError, TwinwireError, UnavailableError
from service.core.event import DATA, FINAL, Draft, Event, as_text
from service.core.time import Clock
from service.core.topics import TopicFilter, is_reserved
from service.log.base import (
    Ability,
    Bounds,
    Guard,
    Health,
    Interest,
    Listener,
    Page,
    Progress,
    Receipt,
    Search,
    Statement,
    StateSearch,
    ThinListener,
    TopicPage,
    TopicStats,
    TrimHerald,
    TrimListener,
    Turn,
    Value,
    require,
)

TRIES: Final = 5
"""To join a text to which somebody appends."""

STEP: Final = 2_000
"""Offsets that one read looks at."""

TOPICS_LOOK: Final = 8
"""Names that a page of topics looks at."""


@dataclass
class Disk:
    """What survives a restart. Offsets, times and counts are as in the contract."""

    epoch: str = "memory"
    head: int = 0
    time: int = 0
    events: list[Event] = field(default_factory=list)
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    gone: dict[int, int | None] = field(default_factory=dict)
    """Of each event with a subject: where its value was replaced or deleted, 0 once that lacks its beginning."""
    cut: dict[tuple[str, str], bool] = field(default_factory=dict)
    """Topics and subjects whose value lacks its beginning, and whether it was closed."""
    heads: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    thinned: dict[str, int] = field(default_factory=dict)
    compacted: dict[str, int] = field(default_factory=dict)
    """By topic: up to where single events went, that nothing replaces or that others have replaced."""
    folded: int = 0
    table: dict[Value, Value] = field(default_factory=dict)


@dataclass
class _Job:
    drafts: Sequence[Draft]
    also: Sequence[Statement]
    guards: Sequence[Guard]
    traceparent: str | None
    done: "asyncio.Future[Receipt]"


class MemoryEventLog:
    """Appends that wait together commit together, at the next turn of the event loop."""

    def __init__(
        self, clock: Clock, disk: Disk | None = None, abilities: frozenset[Ability] = frozenset(Ability)
    ) -> None:
        self.disk = disk or Disk()
        self._clock = clock
        self._abilities = abilities
        self._waiting: list[_Job] = []
        self._listeners: list[Listener] = []
        self._watchers: list[TrimListener] = []
        self._thin_watchers: list[ThinListener] = []
        self._compacted_up_to = 0
        self._heralds: list[TrimHerald] = []
        self._interests: list[Interest] = []
        self._closed = False
        self._commits = 0

    @property
    def epoch(self) -> str:
        return self.disk.epoch

    @property
    def head(self) -> int:
        return self.disk.head

    @property
    def abilities(self) -> frozenset[Ability]:
        return self._abilities

    @property
    def step(self) -> int:
        return STEP

    def health(self) -> Health:
        return Health(None, self._commits, 0.0, 0)

    def follow(
        self, committed: Listener, trimmed: TrimListener, announced: Any = None, thinned: ThinListener | None = None
    ) -> None:
        self._listeners.append(committed)
        self._watchers.append(trimmed)
        self._thin_watchers += [] if thinned is None else [thinned]
        self._heralds += [] if announced is None else [announced]

    def keep_while(self, interest: Interest) -> None:
        self._interests.append(interest)

    def bounds(self, topics: TopicFilter) -> Bounds:
        disk = self.disk
        trims = [*disk.floors.items(), *disk.thinned.items()]
        floors = [floor for name, floor in trims if topics.matches(name)]
        floors += [disk.folded for one in topics.patterns if one not in disk.heads and not is_reserved(one)]
        trimmed = max(floors, default=0)
        compacted = max([floor for name, floor in disk.compacted.items() if topics.matches(name)], default=0)
        return Bounds(self.epoch, max(trimmed, compacted), self.head, trimmed)

    async def learn(self, topics: TopicFilter, turn: Turn) -> None:
        """There is nothing that would take long."""

    def has_topic(self, topic: str) -> bool:
        return topic in self.disk.heads

    async def topics(self, topics: TopicFilter, after: str, limit: int) -> TopicPage:
        disk = self.disk
        behind = sorted(name for name in disk.heads if name > after)
        seen = behind[:TOPICS_LOOK]
        names = [name for name in seen if topics.matches(name)]
        counts = dict.fromkeys(disk.heads, 0)
        for event in disk.events:
            counts[event.topic] += 1
        kinds = (disk.floors, disk.thinned, disk.compacted)
        floors = {name: max(kind.get(name, 0) for kind in kinds) for name in names}
        found = [TopicStats(name, counts[name], disk.heads[name], floors[name]) for name in names[:limit]]
        if len(names) > limit:
            del seen[seen.index(names[limit - 1]) + 1 :]
        return TopicPage(found, seen[-1] if len(seen) < len(behind) else None, len(seen))

    async def append(
        self,
        drafts: Sequence[Draft],
        also: Sequence[Statement] = (),
        guards: Sequence[Guard] = (),
        traceparent: str | None = None,
    ) -> Receipt:
        if self._closed:
            raise UnavailableError("the log is closed")
        require(self, *([Ability.STATEMENTS] if also else []), *([Ability.GUARDS] if guards else []))
        if not drafts and not also and not guards:
            return Receipt((), False)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._commit)
        job = _Job(drafts, also, guards, traceparent, loop.create_future())
        self._waiting.append(job)
        return await job.done

    def _commit(self) -> None:
        jobs, self._waiting = self._waiting, []
        new: list[Event] = []
        answers = [self._apply(job, new) for job in jobs]
        self._commits += 1
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

    def _apply(self, job: _Job, new: list[Event]) -> Receipt | TwinwireError:
        """Guards, drafts, statements. Only the statements can fail half-way, and they are tried on a copy."""
        disk = self.disk
        for guard in job.guards:
            row = next(iter(_answer(disk.table, guard.text, guard.parameters)), None)
            if row != guard.expected:
                return GuardError("what this depends on is not so any more", row=row)
        disk.time = max(disk.time, self._clock.unix_ms())
        for draft in job.drafts:
            if draft.joined and not self._is_as_it_was(draft):
                return GuardError("the text is another one by now")
        planned = self._plan(job, new)
        if (closed := self._closed_subject(job, planned, new)) is not None:
            return closed
        assigned: dict[str, Value] = {f"offset_{n}": event.offset for n, event in enumerate(planned)}
        table = dict(disk.table)
        try:
            for statement in job.also:
                _run(table, statement.text, {**assigned, "time": disk.time, **statement.parameters})
        except LookupError as error:
            return StorageError(f"a statement failed: {error}")
        disk.table = table
        before = len(new)
        for draft, event in zip(job.drafts, planned, strict=True):
            self._keep(draft, event, new)
        return Receipt(tuple(event.offset for event in planned), len(new) > before or not job.drafts)

    def _closed_subject(self, job: _Job, planned: list[Event], new: list[Event]) -> ClosedSubjectError | None:
        head, closed = new[-1].offset if new else self.disk.head, dict[tuple[str, str | None], bool]()
        for number, (draft, event) in enumerate(zip(job.drafts, planned, strict=True)):
            if draft.subject is None or event.offset <= head:
                continue
            head, about = event.offset, (draft.topic, draft.subject)
            before = [one for one in self.disk.events if (one.topic, one.subject) == about]
            is_final = bool((before[-1].mark or 0) & FINAL) if before else self.disk.cut.get(about, False)
            if draft.append and closed.get(about, is_final):
                return ClosedSubjectError("it is final", field="append", number=number)
            closed[about] = draft.final
        return None

    def _take(self, draft: Draft, event: Event) -> None:
        """What becomes of its subject's value."""
        disk, about = self.disk, (event.topic, event.subject or "")
        if draft.append:
            disk.gone[event.offset] = 0 if about in disk.cut else None
            return
        disk.cut.pop(about, None)
        for one in disk.events:
            if (one.topic, one.subject) == about and not disk.gone[one.offset]:
                disk.gone[one.offset] = event.offset if disk.gone[one.offset] is None else -event.offset
        disk.gone[event.offset] = event.offset if draft.is_deletion else None

    def _plan(self, job: _Job, new: list[Event]) -> list[Event]:
        """The event of each draft, which may be one that is there: nothing is written yet."""
        disk = self.disk
        head = new[-1].offset if new else disk.head
        heads: dict[str, int] = {}
        keyed: dict[tuple[str, str | None], Event] = {}
        planned: list[Event] = []
        for draft in job.drafts:
            topic, type, data, key = draft.topic, draft.type, draft.data, draft.key
            event = keyed.get((topic, key))
            if key and event is None and (topic, key) in disk.keys:
                event = Event(disk.keys[topic, key], topic, type, 0, 0, data)
            if event is None:
                head += 1
                prev = heads.get(topic, disk.heads.get(topic, 0 if is_reserved(topic) else disk.folded))
                about = (draft.subject, draft.mark or None) if draft.subject is not None else (None, None)
                event = Event(head, topic, type, disk.time, prev, data, job.traceparent, *about)
                heads[topic] = head
            if key:
                keyed[topic, key] = event
            planned.append(event)
        return planned

    def _keep(self, draft: Draft, event: Event, new: list[Event]) -> None:
        disk = self.disk
        if event.offset <= (new[-1].offset if new else disk.head):
            return  # it repeats an earlier key
        if draft.subject is not None:
            self._take(draft, event)
        disk.events.append(event)
        new.append(event)
        if draft.topic not in disk.heads:
            disk.floors[draft.topic] = event.prev  # it may have been forgotten
        disk.heads[draft.topic] = event.offset
        if draft.key:
            disk.keys[draft.topic, draft.key] = event.offset

    async def read(
        self, topics: TopicFilter, after: int, limit: int, max_bytes: int, *, is_short: bool = False
    ) -> Page:
        found: list[Event] = []
        size, floor = 0, self.bounds(topics).floor
        events = self.disk.events
        last = min(after + STEP, self.head)
        for event in events[bisect_right(events, after, key=lambda event: event.offset) :]:
            if event.offset > last:
                break
            if topics.matches(event.topic):
                found.append(event)
                size += len(event.data)
                if len(found) == limit or size >= max_bytes:
                    return Page(found, event.offset, floor)
        return Page(found, max(after, last), floor)

    async def search(self, search: Search, turn: Turn | None = None) -> Page:
        if turn is not None:
            await turn()
        low, high = search.after, self.head + 1
        if search.before is not None:
            high = min(high, search.before)
        floor = self.bounds(search.topics).floor
        found = [event for event in self.disk.events if low < event.offset < high and _fits(event, search)]
        if search.newest_first:
            found.reverse()
        size = 0
        for count, event in enumerate(found, 1):
            size += len(event.data)
            if count == search.limit or size >= search.max_bytes:
                return Page(found[:count], event.offset, floor)
        return Page(found, low + 1 if search.newest_first else max(low, high - 1), floor)

    async def state(self, search: StateSearch, turn: Turn | None = None) -> Page:
        if turn is not None:
            await turn()
        page = self._state(search)
        if search.is_text and page.rows and all(row[DATA].startswith('"') for row in page.rows):
            text = as_text(page.rows[0], page.rows[-1], [row[DATA] for row in page.rows])
            return page._replace(rows=[text])
        return page

    def _state(self, search: StateSearch) -> Page:
        found: list[Event] = []
        topics, at, subject = search.topics, search.at, search.subject
        if at < self._compacted_up_to and any(map(topics.matches, self.disk.compacted)):
            raise GoneError("events of this state may have been removed")
        size, floor, gone = 0, self.bounds(topics).floor, self.disk.gone
        for event in self.disk.events:
            if search.after < event.offset <= at and event.subject is not None and topics.matches(event.topic):
                until = gone[event.offset]
                if (until is None or until > at) and subject in (None, event.subject):
                    if search.lasts and any(_follows(one, event, at, gone.get(one.offset)) for one in self.disk.events):
                        continue
                    found.append(event)
                    size += len(event.data)
                    if len(found) == search.limit or size >= search.max_bytes:
                        return Page(found, event.offset, floor)
        return Page(found, at, floor)

    async def trim(self, topics: TopicFilter, keep: int, told: Progress | None = None) -> int:
        removed = 0
        for name in [name for name in self.disk.heads if topics.matches(name)]:
            for herald in self._heralds:
                await herald(name)
            kept = [event.offset for event in self.disk.events if event.topic == name]
            gone = kept[: len(kept) - keep] if keep else kept
            if len(kept) > keep:
                self._cut(name, gone[-1])
                removed += len(gone)
        if told is not None:
            told(removed, 0)
        return removed

    def _cut(self, name: str, floor: int) -> None:
        """The floor first: see the contract, "No silent hole"."""
        disk = self.disk
        disk.floors[name] = floor
        for watcher in self._watchers:
            watcher(name, floor)
        kept = [event for event in disk.events if event.topic != name or event.offset > floor]
        removed = [event for event in disk.events if event.topic == name and event.offset <= floor]
        for one in removed:
            if one.subject is not None and not disk.gone[one.offset]:
                disk.cut[name, one.subject] = bool((one.mark or 0) & FINAL)
        for event in kept:
            if (event.topic, event.subject) in disk.cut and disk.gone.get(event.offset, 0) is None:
                disk.gone[event.offset] = 0
        disk.events = kept
        disk.keys = {key: offset for key, offset in disk.keys.items() if key[0] != name or offset > floor}

    async def compact(self, topics: TopicFilter, until: int, old: int) -> int:
        """What was replaced up to an offset goes, and deletions up to another; returns how many events."""
        disk = self.disk
        self._compacted_up_to = max(self._compacted_up_to, until)
        wanted = [event for event in disk.events if event.subject is not None and topics.matches(event.topic)]
        deletions = [event for event in wanted if disk.gone[event.offset] == event.offset <= min(old, until)]
        replaced = [event for event in wanted if 0 < abs(disk.gone[event.offset] or 0) <= until]
        replaced = [event for event in replaced if disk.gone[event.offset] != event.offset]
        for kind, found in ((disk.compacted, replaced), (disk.thinned, deletions)):
            for event in found:
                kind[event.topic] = max(kind.get(event.topic, 0), event.offset)
                for watcher in self._thin_watchers:
                    watcher(event.topic, event.offset, False)
        gone = {event.offset for event in (*replaced, *deletions)}
        disk.events = [event for event in disk.events if event.offset not in gone]
        return len(gone)

    async def join(self, topics: TopicFilter) -> int:
        """Each text of these topics to which anything was appended becomes one event; returns how many did."""
        abouts = {(one.topic, one.subject) for one in self.disk.events if one.subject is not None}
        return sum([await self._join(*about) for about in sorted(abouts) if topics.matches(about[0])])

    async def _join(self, topic: str, subject: str) -> bool:
        for _ in range(TRIES):
            events = self._value(topic, subject)
            if len(events) < 2 or not all(event.data.startswith('"') for event in events):
                return False
            last, text = events[-1], "".join(event.data[1:-1] for event in events)
            is_final, first = bool((last.mark or 0) & FINAL), events[0].offset
            draft = Draft(
                topic, last.type, f'"{text}"', None, subject, False, is_final, len(events), first, last.offset
            )
            with suppress(GuardError):
                await self.append([draft])
                return True
        return False

    def _value(self, topic: str, subject: str) -> list[Event]:
        """The events that make it; none of a value that lacks its beginning."""
        of_it = [event for event in self.disk.events if (event.topic, event.subject) == (topic, subject)]
        return [event for event in of_it if self.disk.gone[event.offset] is None]

    def _is_as_it_was(self, draft: Draft) -> bool:
        """Whether the value is still that which was read to be joined."""
        events = self._value(draft.topic, draft.subject or "")
        return bool(events) and (events[0].offset, events[-1].offset) == (draft.first, draft.last)

    async def forget(self) -> int:
        """Topics without events that nobody is interested in; returns how many."""
        empty = (disk := self.disk).heads.keys() - {event.topic for event in self.disk.events}
        empty -= {topic for topic, _ in disk.cut}
        gone = [one for one in empty if not is_reserved(one) and not any([await ask(one) for ask in self._interests])]
        for name in gone:
            for floors in (disk.floors, disk.thinned, disk.compacted):
                disk.folded = max(disk.folded, floors.pop(name, 0))
            del disk.heads[name]
        return len(gone)

    async def close(self) -> None:
        self._closed = True
        if self._waiting:
            self._commit()


class MemoryView:
    """A copy of the table, taken when the view began."""

    def __init__(self, disk: Disk) -> None:
        self._table = dict(disk.table)
        self._head = disk.head

    async def rows(self, text: str, parameters: Mapping[str, Value] | None = None) -> Sequence[tuple[Any, ...]]:
        return _answer(self._table, text, parameters or {})

    async def position(self) -> int:
        return self._head


class MemoryTables:
    """The door to a log's table."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @asynccontextmanager
    async def view(self) -> AsyncIterator[MemoryView]:
        yield MemoryView(self._disk)

    async def close(self) -> None:
        """There is nothing to let go of."""


def _follows(one: Event, event: Event, at: int, gone: int | None) -> bool:
    is_later = event.offset < one.offset <= at and (one.topic, one.subject) == (event.topic, event.subject)
    return is_later and (gone is None or gone > at)


def _run(table: dict[Value, Value], text: str, parameters: Mapping[str, Value]) -> None:
    """Raises LookupError if it can't be done."""
    key = parameters["key"]
    if text == "claim":
        table[key] = parameters[str(parameters["what"])]
    elif text == "put" or (text == "add" and key not in table):
        table[key] = parameters["value"]
    else:
        raise LookupError(f"{text} {key}")


def _answer(table: Mapping[Value, Value], text: str, parameters: Mapping[str, Value]) -> list[tuple[Value, ...]]:
    if text == "all":
        return sorted(table.items(), key=repr)
    key = parameters["key"]
    return [(table[key],)] if text == "get" and key in table else []


def _fits(event: Event, search: Search) -> bool:
    return (
        search.topics.matches(event.topic)
        and search.type in (None, event.type)
        and (search.from_time is None or event.time >= search.from_time)
        and (search.to_time is None or event.time <= search.to_time)
    )
