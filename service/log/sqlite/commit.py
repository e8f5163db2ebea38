"""One commit of the writer's: what it adds to the log, built and written on the writer's thread, then taken over.

A commit is built from what memory knows, the registry's topics and the newest offset and time, and changes none of it:
if it fails, nothing has to be set right, and the same appends are tried again as other commits. Once it is on disk,
`take_over` makes memory follow, on the event loop. See `writer.py` for who runs when.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from service.core.errors import GuardError, OverloadedError, TwinwireError
from service.core.event import Draft, Event, Width, new_tuple
from service.core.topics import is_own
from service.log.base import Guard, Receipt, Statement, Value
from service.log.sqlite.about import Subjects
from service.log.sqlite.database import WriterConnection, as_json, transaction
from service.log.sqlite.topics import Topic, TopicRegistry

_INSERT: Final = """
INSERT INTO events (offset, topic, prev, time, type, data, key)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?2)
"""
_INSERT_TRACED: Final = """
INSERT INTO events (offset, topic, prev, time, type, data, key, traceparent)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?2)
"""
"""For a commit in which at least one event carries a trace: it takes longer, and most carry none."""
_INSERT_WHOLE: Final = """
INSERT INTO events (offset, topic, prev, time, type, data, key, traceparent, subject, mark, gone)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
value ->> 8, value ->> 9 FROM json_each(?2)
"""
"""Likewise for one with a subject."""
_INSERT_TOPICS: Final = """
INSERT INTO topics (id, name, floor, head) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 2 FROM json_each(?)
"""
_MARK_WIDTH: Final = "UPDATE log SET traced = traced OR ?, subjects = subjects OR ?"
_FIND_KEYS: Final = """
SELECT value ->> 0, value ->> 2, offset
FROM json_each(?) CROSS JOIN events ON events.topic = value ->> 1 AND events.key = value ->> 2
"""
"""Of topics by name and id: all of a publish at once, since each statement waits for the interpreter anew (see
`writer.py`), and ten thousand are a fifth of a second for everybody else."""

_FIND_REMOVED_KEYS: Final = _FIND_KEYS.replace("events", "removed_keys")

_INSERTS: Final = {Width.PLAIN: _INSERT, Width.TRACED: _INSERT_TRACED, Width.WHOLE: _INSERT_WHOLE}

INSERT_BYTES: Final = 1 << 20
"""Of data that are inserted with one statement: it is copied four times on its way, so that a request of 8 MiB took 32
more. A commit with more is a transaction of several."""


@dataclass(slots=True)
class Append:
    """One publish that waits: what it asks for, and where the writer puts its answer. Made for each; so not frozen."""

    drafts: Sequence[Draft]
    also: Sequence[Statement]
    guards: Sequence[Guard]
    done: "asyncio.Future[Receipt]"
    traceparent: str | None = None
    """Of all its events."""
    has_keys: bool = field(init=False)
    has_subjects: bool = field(init=False)
    is_plain: bool = field(init=False)
    """It needs nothing but its events inserted."""

    def __post_init__(self) -> None:
        # One look for both, and mostly at one draft: generators cost more.
        has_more = any([draft.key or draft.subject for draft in self.drafts])  # noqa: C419
        self.has_keys = has_more and any(draft.key for draft in self.drafts)
        self.has_subjects = has_more and any(draft.subject for draft in self.drafts)
        self.is_plain = not (self.has_keys or self.has_subjects or self.also or self.guards)


# The collector sees none of these: with ten thousand in a commit it would look at them again and again, in vain.


class _Row(msgspec.Struct, array_like=True, gc=False):
    """The columns of an event as they are inserted."""

    offset: int
    topic: int
    prev: int
    type: str
    data: str
    key: str | None


class _TracedRow(_Row, array_like=True, gc=False):
    """The same with one more. A row without it has nothing at that place, which is NULL."""

    traceparent: str


class _WholeRow(_Row, array_like=True, gc=False):
    """The same with all there are. `gone` is as in the migration: it is set anew while later drafts come."""

    traceparent: str | None
    subject: str
    mark: int | None
    gone: int | None


class _Sought(msgspec.Struct, array_like=True, gc=False):
    """A key of a topic, by name and id."""

    name: str
    topic: int
    key: str


class _Growth(msgspec.Struct, eq=False, gc=False):
    """What the commit adds to a topic: its head afterwards, and how much more is kept."""

    topic: Topic
    head: int
    count: int = 0
    bytes: int = 0


class Commit:
    """`head` and `time` are those of the newest event: before the commit when it is made, and after it in the end."""

    def __init__(self, registry: TopicRegistry, head: int, time: int) -> None:
        self._registry = registry
        self.head = head
        self.time = time
        self.events: list[Event] = []
        self.answers: list[Receipt | TwinwireError] = []
        """One for each append, in their order."""
        self._rows: list[_Row] = []
        """The events once more, as they are inserted."""
        self._width = Width.PLAIN
        """That any of them needs."""
        self._about = Subjects(registry)
        self._growth: dict[str, _Growth] = {}
        """By topic: what these events do to it."""
        self._fresh: list[Topic] = []
        """Topics that there were none of, in the order of their ids."""
        self._keys: dict[str, dict[str, int]] = {}
        """By topic: key to offset, of what was looked for: of stored events, and of those that are not inserted yet."""

    # On the writer's thread

    def write(self, connection: WriterConnection, appends: Sequence[Append]) -> None:
        """Commit them all, but those whose guards do not hold. Raises what the driver raises: then none.

        Plain appends on topics that are there are one statement, its own transaction.
        """
        has_room = sum([len(append.drafts) for append in appends]) <= self._registry.room
        if has_room and all([append.is_plain for append in appends]):  # noqa: C419 - as above
            self.answers = [Receipt(self._assign(append.drafts, append.traceparent), True) for append in appends]
            if not self._fresh and not self._is_wider and self._size() <= INSERT_BYTES:
                self._insert(connection)
                return
            appends = ()
        with transaction(connection):
            for append in appends:
                self.answers.append(self._carry_out(connection, append))
            self._insert(connection)

    def _carry_out(self, connection: WriterConnection, append: Append) -> Receipt | TwinwireError:
        """Guards, drafts, statements. A guard that does not hold leaves nothing to undo, so its neighbours go on."""
        for guard in append.guards:
            row = connection.execute(guard.text, dict(guard.parameters)).fetchone()
            if row != guard.expected:
                return GuardError("what this depends on is not so any more", row=row)
        if (full := self._too_many_topics(append.drafts)) is not None:
            return full
        if append.has_keys:
            self._find_keys(connection, append.drafts)
        if append.has_subjects and (closed := self._about.check(connection, self._fresh_of(append.drafts))) is not None:
            return closed
        receipt = self._add(append)
        if append.also:
            assigned: dict[str, Value] = {f"offset_{n}": offset for n, offset in enumerate(receipt.offsets)}
            assigned["time"] = self.time
            for statement in append.also:
                connection.execute(statement.text, {**assigned, **statement.parameters})
        return receipt

    def _too_many_topics(self, drafts: Sequence[Draft]) -> OverloadedError | None:
        """What is answered if there is no room for the topics that these drafts would make."""
        registry = self._registry
        room = registry.room - len(self._fresh)
        if len(drafts) <= room:
            return None
        names = {draft.topic for draft in drafts}
        fresh = sum(name not in self._growth and registry.get(name) is None and not is_own(name) for name in names)
        if fresh <= max(0, room):
            return None
        registry.wanted = max(registry.wanted, fresh)
        return OverloadedError("there are as many topics as there may be: no new one can be made", field="topic")

    def _fresh_of(self, drafts: Sequence[Draft]) -> Iterator[tuple[int, Draft]]:
        """Those that repeat no key, with their numbers."""
        seen: set[tuple[str, str]] = set()
        for number, draft in enumerate(drafts):
            if draft.key is not None:
                key = draft.topic, draft.key
                if key in seen or draft.key in self._keys.get(draft.topic, ()):
                    continue
                seen.add(key)
            yield number, draft

    def _add(self, append: Append) -> Receipt:
        if not append.has_keys:
            return Receipt(self._assign(append.drafts, append.traceparent), True)
        offsets: list[int] = []
        fresh = False
        for draft in append.drafts:
            key = draft.key
            known = self._keys.setdefault(draft.topic, {}) if key else {}
            offset = known.get(key) if key else None
            if offset is None:
                fresh = True
                (offset,) = self._assign((draft,), append.traceparent)
                if key:
                    known[key] = offset
            offsets.append(offset)
        return Receipt(tuple(offsets), fresh)

    def _find_keys(self, connection: WriterConnection, drafts: Sequence[Draft]) -> None:
        """Remember which of these drafts' keys stored events have."""
        topics = {name: topic.id for name in {draft.topic for draft in drafts} if (topic := self._registry.get(name))}
        sought = [_Sought(one.topic, topics[one.topic], one.key) for one in drafts if one.key and one.topic in topics]
        found = as_json(sought)
        for statement in (_FIND_KEYS, _FIND_REMOVED_KEYS) if self._registry.has_removed_keys else (_FIND_KEYS,):
            for name, key, offset in connection.execute(statement, (found,)):
                self._keys.setdefault(name, {})[key] = offset

    def _assign(self, drafts: Sequence[Draft], traceparent: str | None) -> tuple[int, ...]:
        """Give the drafts their offsets; few steps a draft, since a busy publisher waits for this thread."""
        time, known, events, rows = self.time, self._growth, self.events, self._rows
        first = self.head + 1
        for offset, draft in enumerate(drafts, first):
            name, type, data = draft.topic, draft.type, draft.data
            growth = known.get(name) or self._grow(name)
            prev = growth.head
            subject, mark = draft.subject, None
            if subject is not None:
                mark = draft.mark or None
                row = _WholeRow(offset, growth.topic.id, prev, type, data, draft.key, traceparent, subject, mark, None)
                self._about.take(growth.topic, draft, row)
                self._width = Width.WHOLE
                rows.append(row)
            elif traceparent is None:
                rows.append(_Row(offset, growth.topic.id, prev, type, data, draft.key))
            else:
                rows.append(_TracedRow(offset, growth.topic.id, prev, type, data, draft.key, traceparent))
            events.append(new_tuple(Event, (offset, name, type, time, prev, data, traceparent, subject, mark)))
            growth.head = offset
            growth.count += 1
            growth.bytes += len(data) if data.isascii() else len(data.encode())
        self.head += len(drafts)
        if traceparent is not None:
            self._width = max(self._width, Width.TRACED)
        return tuple(range(first, self.head + 1))

    def _grow(self, name: str) -> _Growth:
        topic = self._registry.get(name)
        if topic is None:
            prev = self._registry.first_prev(name)
            topic = Topic(self._registry.next_id + len(self._fresh), name, floor=prev, head=prev)
            self._fresh.append(topic)
        growth = self._growth[name] = _Growth(topic, topic.head)
        return growth

    def _insert(self, connection: WriterConnection) -> None:
        if self._fresh:
            rows = [(topic.id, topic.name, topic.floor) for topic in self._fresh]
            connection.execute(_INSERT_TOPICS, (as_json(rows),))
        events, insert = self._rows, _INSERTS[self._width]
        step = len(events) if (size := self._size()) <= INSERT_BYTES else max(1, len(events) * INSERT_BYTES // size)
        if self._is_wider:
            connection.execute(_MARK_WIDTH, (self._width >= Width.TRACED, self._width >= Width.WHOLE))
        self._about.supersede(connection)
        for start in range(0, len(events), step or 1):
            connection.execute(insert, (self.time, as_json(events[start : start + step])))

    @property
    def _is_wider(self) -> bool:
        """Whether readers have to ask for more columns from now on."""
        return self._width > self._registry.width

    def _size(self) -> int:
        """Bytes of the events' data."""
        return sum([growth.bytes for growth in self._growth.values()])

    # On the event loop

    def take_over(self) -> None:
        """The registry follows the disk, in one step."""
        self._registry.add_new(self._fresh)
        self._registry.width = max(self._registry.width, self._width)
        self._registry.texts.learn(self._about.texts())
        grown, empty = self._growth.values(), self._registry.empty
        for growth in grown:
            topic = growth.topic
            if not topic.count:
                empty.pop(topic, None)
            topic.head = growth.head
            topic.count += growth.count
            topic.bytes += growth.bytes
        self._registry.uncounted.update([growth.topic for growth in grown])
