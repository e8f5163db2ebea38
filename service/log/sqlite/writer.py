"""The one writer: publishes that wait together share a transaction, trims and checkpoints run in between.

An append without keys, statements or new topics is one SQL statement in autocommit mode, so the connection's
thread gives up the interpreter once a batch: with a busy event loop, every further statement waits for its turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from service.core.errors import GuardError, OverloadedError, StorageFullError, TwinwireError, UnavailableError
from service.core.event import Draft, Event, new_tuple
from service.core.time import Clock
from service.log.base import Guard, Receipt, Statement, Value
from service.log.sqlite.database import WriterConnection, driver, explain, on_thread, transaction
from service.log.sqlite.topics import Topic, TopicRegistry

T = TypeVar("T")

COMMIT_EVENTS: Final = 2_000
"""Events in one group commit, so that one fan-out and one fsync stay short; a larger request still commits whole."""

QUEUE_EVENTS: Final = 100_000
"""Events that may wait for the writer, about a second of them; beyond, publishers are told to come back."""

_INSERT: Final = """
INSERT INTO events (offset, topic, prev, time, type, data, key)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?2)
"""
_INSERT_TOPICS: Final = "INSERT INTO topics (id, name) SELECT value ->> 0, value ->> 1 FROM json_each(?)"
_FIND_KEY: Final = "SELECT offset FROM events WHERE topic = ? AND key = ?"


@dataclass(slots=True)
class Append:
    """One publish that waits: its drafts, the statements that commit with them, and who waits."""

    drafts: Sequence[Draft]
    also: Sequence[Statement]
    guards: Sequence[Guard]
    done: "asyncio.Future[Receipt]"
    has_keys: bool = field(init=False)

    def __post_init__(self) -> None:
        self.has_keys = any(draft.key for draft in self.drafts)

    @property
    def is_plain(self) -> bool:
        """Whether it needs nothing but its events inserted."""
        return not (self.has_keys or self.also or self.guards)


@dataclass(slots=True)
class Task:
    """Work between two commits, on the writer's thread and connection."""

    work: Callable[[WriterConnection], Any]
    done: "asyncio.Future[Any]"


@dataclass(slots=True)
class Growth:
    """What one commit adds to a topic: its head afterwards, and how much more is kept."""

    topic: Topic
    head: int
    count: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Batch:
    """What one commit adds: built on the writer's thread, applied to memory on the loop."""

    time: int
    head: int
    events: list[Event] = field(default_factory=list)
    rows: list[tuple[int, int, int, str, str, str | None]] = field(default_factory=list)
    growth: dict[str, Growth] = field(default_factory=dict)
    fresh: list[Topic] = field(default_factory=list)
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    answers: list[Receipt | GuardError] = field(default_factory=list)
    """One for each append of the commit, in their order."""


class Writer:
    """Owns the writing connection and the order of offsets. `committed` is called on the loop after each commit."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        registry: TopicRegistry,
        head: tuple[int, int],
        committed: Callable[[list[Event]], None],
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._path = path
        self._registry = registry
        self._head, self._time = head
        self._committed = committed
        self._clock = clock
        self._queue: deque[Append | Task] = deque()
        self._queued_events = 0
        self._idle = asyncio.Event()
        self._work = asyncio.Event()
        self._closing = False
        self.failure: TwinwireError | None = None
        self.commits = 0
        self.last_commit_seconds = 0.0
        self._task = asyncio.create_task(self._run(), name="log-writer")

    async def append(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        if self._queued_events + len(drafts) > QUEUE_EVENTS and self._queued_events:
            raise OverloadedError("too many publishes wait for the disk")
        job = Append(drafts, also, guards, asyncio.get_running_loop().create_future())
        self._put(job)
        self._queued_events += len(drafts)
        return await job.done

    async def run(self, work: Callable[[WriterConnection], T]) -> T:
        """Run `work(connection)` on the writer's thread, between two commits."""
        job = Task(work, asyncio.get_running_loop().create_future())
        self._put(job)
        result: T = await job.done
        return result

    def _put(self, job: Append | Task) -> None:
        if self._closing:
            raise UnavailableError("the log is closed")
        self._queue.append(job)
        self._work.set()

    @property
    def head(self) -> int:
        """The newest offset that was committed and told."""
        return self._head

    @property
    def is_idle(self) -> bool:
        return not self._queue

    async def close(self) -> None:
        """Commit what waits, then stop. The connection stays open for the caller."""
        self._closing = True
        self._work.set()
        await self._task

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            while self._queue:
                job = self._queue.popleft()
                if isinstance(job, Task):
                    await self._run_task(job)
                else:
                    await self._run_appends(self._gather(job))
            self._work.clear()
            if self._closing:
                return

    def _gather(self, first: Append) -> list[Append]:
        """Every append that waits behind `first`, up to the bound or the next task."""
        jobs = [first]
        events = len(first.drafts)
        while self._queue and isinstance(job := self._queue[0], Append):
            if events + len(job.drafts) > COMMIT_EVENTS:
                break
            self._queue.popleft()
            jobs.append(job)
            events += len(job.drafts)
        self._queued_events -= events
        return jobs

    async def _run_task(self, job: Task) -> None:
        try:
            result = await on_thread(self._connection, job.work)
        except Exception as error:
            _fail(job.done, self._explain(error))
        else:
            if not job.done.done():
                job.done.set_result(result)

    async def _run_appends(self, jobs: list[Append]) -> None:
        started = self._clock.monotonic()
        try:
            batch: Batch = await on_thread(self._connection, self._commit, jobs)
        except Exception as error:
            await self._after_failure(jobs, error)
            return
        self.failure = None
        self.commits += 1
        self.last_commit_seconds = self._clock.monotonic() - started
        self._apply(batch)
        for job, answer in zip(jobs, batch.answers, strict=True):
            if isinstance(answer, GuardError):
                _fail(job.done, answer)
            elif not job.done.done():
                job.done.set_result(answer)

    async def _after_failure(self, jobs: list[Append], error: Exception) -> None:
        """One request's fault must not fail its neighbours: try each alone."""
        explained = self._explain(error)
        if len(jobs) == 1 or isinstance(explained, StorageFullError):
            for job in jobs:
                _fail(job.done, explained)
            return
        for job in jobs:
            await self._run_appends([job])

    def _explain(self, error: Exception) -> Exception:
        if not isinstance(error, driver.Error):
            return error
        explained = explain(error, self._path)
        if not isinstance(error, driver.IntegrityError | driver.ProgrammingError):  # those are a statement's faults
            self.failure = explained
        return explained

    def _apply(self, batch: Batch) -> None:
        """Memory follows the disk: topics, then the head and the listeners, in one step of the loop."""
        for topic in batch.fresh:
            self._registry.add(topic)
        for growth in batch.growth.values():
            topic = growth.topic
            topic.head = growth.head
            topic.count += growth.count
            topic.bytes += growth.bytes
            self._registry.uncounted.add(topic)
        self._head = batch.head
        self._time = batch.time
        if batch.events:
            self._committed(batch.events)

    # From here on: the writer's thread. The loop does not change what is read here while a commit is under way.

    def _commit(self, connection: WriterConnection, jobs: list[Append]) -> Batch:
        batch = Batch(time=max(self._clock.unix_ms(), self._time), head=self._head)
        if all(job.is_plain for job in jobs):
            for job in jobs:
                batch.answers.append(self._add(connection, batch, job))
            if not batch.fresh:
                self._insert(connection, batch)
                return batch
            jobs = []
        with transaction(connection):
            for job in jobs:
                batch.answers.append(self._carry_out(connection, batch, job))
            self._insert(connection, batch)
        return batch

    def _carry_out(self, connection: WriterConnection, batch: Batch, job: Append) -> Receipt | GuardError:
        """Guards, drafts, statements. A guard that does not hold leaves nothing to undo, so its neighbours go on."""
        for guard in job.guards:
            row = connection.execute(guard.text, dict(guard.parameters)).fetchone()
            if row != guard.expected:
                return GuardError("what this depends on is not so any more", row=row)
        receipt = self._add(connection, batch, job)
        if job.also:
            assigned: dict[str, Value] = {f"offset_{n}": offset for n, offset in enumerate(receipt.offsets)}
            assigned["time"] = batch.time
            for statement in job.also:
                connection.execute(statement.text, {**assigned, **statement.parameters})
        return receipt

    def _add(self, connection: WriterConnection, batch: Batch, job: Append) -> Receipt:
        if not job.has_keys:
            return Receipt(self._assign(batch, job.drafts), True)
        offsets: list[int] = []
        fresh = False
        for draft in job.drafts:
            offset = self._find(connection, batch, draft)
            if offset is None:
                fresh = True
                (offset,) = self._assign(batch, (draft,))
                if draft.key:
                    batch.keys[draft.topic, draft.key] = offset
            offsets.append(offset)
        return Receipt(tuple(offsets), fresh)

    def _find(self, connection: WriterConnection, batch: Batch, draft: Draft) -> int | None:
        """The offset of the event that had this draft's key before."""
        if not draft.key:
            return None
        offset = batch.keys.get((draft.topic, draft.key))
        topic = self._registry.get(draft.topic)
        if offset is None and topic is not None:
            row = connection.execute(_FIND_KEY, (topic.id, draft.key)).fetchone()
            (offset,) = row or (None,)
        return offset

    def _assign(self, batch: Batch, drafts: Sequence[Draft]) -> tuple[int, ...]:
        """Give the drafts their offsets; few steps a draft, since a busy publisher waits for this thread."""
        time, known, events, rows = batch.time, batch.growth, batch.events, batch.rows
        first = batch.head + 1
        for offset, (name, type, data, key) in enumerate(drafts, first):
            growth = known.get(name) or self._grow(batch, name)
            prev = growth.head
            events.append(new_tuple(Event, (offset, name, type, time, prev, data)))
            rows.append((offset, growth.topic.id, prev, type, data, key))
            growth.head = offset
            growth.count += 1
            growth.bytes += len(data)
        batch.head += len(drafts)
        return tuple(range(first, batch.head + 1))

    def _grow(self, batch: Batch, name: str) -> Growth:
        topic = self._registry.get(name)
        if topic is None:
            topic = Topic(self._registry.next_id + len(batch.fresh), name)
            batch.fresh.append(topic)
        growth = batch.growth[name] = Growth(topic, topic.head)
        return growth

    def _insert(self, connection: WriterConnection, batch: Batch) -> None:
        if batch.fresh:
            connection.execute(_INSERT_TOPICS, (_json([(topic.id, topic.name) for topic in batch.fresh]),))
        if batch.rows:
            connection.execute(_INSERT, (batch.time, _json(batch.rows)))


def _json(rows: Sequence[tuple[Any, ...]]) -> str:
    """As text: SQLite takes bytes for its own binary JSON."""
    return msgspec.json.encode(rows).decode()


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
