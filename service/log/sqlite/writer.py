"""The one writer: publishes that wait together share a commit; trims, checkpoints and upkeep run in between.

Rule 1: whatever writes is a job, and jobs are done one after the other: offsets are counted by whoever does a job, so
two at once would give one offset twice. Small publishes, large ones and `Work` take turns, each kind in the order in
which it came, so that nobody waits for more than one job of another kind: all the large ones together take a second,
and so did a small one behind a `Work` that stood behind them.

Rule 2: commit, then the head, then the listeners, then the answers. Nobody hears of what a crash can take back.

Rule 3: a fault of one request is its own. A fault of the disk is everybody's: those in the commit learn it at once,
and whoever comes after it is refused at the door, until a `probe` has found the log well again, so that nobody waits
for a lock that somebody else has just waited for in vain. Not so on a full disk, which may have room for a small one.
What the reserve of a disk keeps out (`room.py`) is no fault at all.

Rule 4: nothing is acknowledged that is in a file which nobody will find (`files.py`).

    job      made by   done as                                 if it fails
    Append   `append`  a commit, with all of its kind that     by the disk, all of them learn it; else each is
                       wait behind it, up to COMMIT_EVENTS     tried again by itself, in the same order, and whose
                       events                                  fault it was learns it
    Work     `run`     a call on the writer's thread           whoever asked for it learns it

A guard that does not hold is no failure, nor is a lack of room for new topics: its append is answered with the error,
and its neighbours commit.

Who runs where. The queue, the head and the answers belong to the event loop: `append` and `run` put a job in, in their
callers' tasks, and wait for its future; the writer's task, `_run`, takes it out. The connection belongs to the writer's
thread, which aiosqlite keeps: a job hops there once, however many statements it has.

What holds at the hop, in `_commit` and `_do`: the loop goes on, and jobs come into the queue. But the writer's task
waits, so there is no other job, and with it nobody who adds a topic, moves the head or changes a count. So the thread
reads these from memory without a lock. The loop may raise floors meanwhile, which no commit looks at.

What holds when it comes back: the disk is ahead of memory. Readers are not: they read up to the head in memory. From
there to the last listener there is no `await`, so nobody on the loop sees half of it.

Who waits may be cancelled at any time: its future then is, and its job is done all the same, for it may be on its way.

Why one statement. A plain commit, without keys, statements, guards or new topics, is one INSERT of all rows, handed
over as JSON, in autocommit mode: the thread lets go of the interpreter once, for the whole of it and its fsync. With a
busy event loop each further statement waits for the interpreter anew, up to 5 ms, and executemany does so for each row.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import aiosqlite

from service.core.errors import (
    OverloadedError,
    ReserveError,
    StorageDownError,
    StorageFullError,
    TwinwireError,
    UnavailableError,
)
from service.core.event import Draft, Event
from service.core.histogram import Histogram
from service.core.time import Clock
from service.log.base import Guard, Receipt, Statement
from service.log.sqlite.commit import Append, Commit
from service.log.sqlite.database import WriterConnection, explain, is_disks, on_thread
from service.log.sqlite.drivers import driver
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.hurry import Hurry
from service.log.sqlite.jobs import COMMIT_EVENTS, COMMIT_PUBLISHES, QUEUE_EVENTS, SMALL, SPARE, Work, fail
from service.log.sqlite.room import Room
from service.log.sqlite.sound import Soundness
from service.log.sqlite.topics import TopicRegistry

T = TypeVar("T")
J = TypeVar("J")

QUIET_AFTER: Final = 5.0
"""Seconds without a publish, after which upkeep takes longer steps."""


class Writer:
    """Owns the writing connection and the order of offsets. `committed` is called on the loop after each commit.

    `head` is the newest offset and its time, in Unix ms.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        files: DatabaseFiles,
        room: Room,
        registry: TopicRegistry,
        head: tuple[int, int],
        committed: Callable[[list[Event]], None],
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._files = files
        self.room = room
        self._registry = registry
        self._head, self._time = head
        """Of the newest event; moved by `_tell` alone."""
        self._steps = clock.steps
        """Of the clock, which have been taken: see `Clock.steps`."""
        self._committed = committed
        self.clock = clock
        self._small: deque[Append] = deque()
        self._large: deque[Append] = deque()
        """Publishes that wait, in the order of their coming; not those under way."""
        self._publishes: Final = (self._small, self._large)
        """Both kinds, which take turns."""
        self._works: deque[Work] = deque()
        """Work that waits, likewise."""
        self.queued_events = 0
        """Drafts of the publishes that wait."""
        self._work = asyncio.Event()
        """Set while there may be something to do."""
        self._hurry = Hurry()
        self._working = False
        """A job is under way."""
        self._closing = False
        """Nothing is taken any more; what is in the queue is done."""
        self.failure: TwinwireError | None = None
        """Why it took the last one not; None once it has taken one, or a `probe` has found it well."""
        self.durations = Histogram()
        """Of commits, in seconds: from the hop to the thread until it was back."""
        self._asked = -math.inf
        """When somebody published last."""
        self._sound = Soundness(files, room, clock)
        self._task = asyncio.create_task(self._run(), name="log-writer")

    @property
    def head(self) -> int:
        """The newest offset that was committed and told."""
        return self._head

    @property
    def time(self) -> int:
        """That of the newest event, in Unix milliseconds."""
        return self._time

    @property
    def journal_used(self) -> int:
        """Bytes of the write-ahead log that are in use."""
        return self._files.journal_used

    @property
    def is_closing(self) -> bool:
        return self._closing

    @property
    def is_idle(self) -> bool:
        return not (self._small or self._large or self._works)

    @property
    def is_still(self) -> bool:
        """Whether nothing is done either."""
        return self.is_idle and not self._working

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has published for a while."""
        return self.clock.monotonic() - self._asked > QUIET_AFTER

    async def append(
        self,
        drafts: Sequence[Draft],
        also: Sequence[Statement] = (),
        guards: Sequence[Guard] = (),
        traceparent: str | None = None,
    ) -> Receipt:
        """As `EventLog.append`."""
        if isinstance(self.failure, StorageDownError):
            raise self.failure.again()
        self._asked = self.clock.monotonic()
        is_small = len(drafts) <= SMALL
        room = QUEUE_EVENTS if is_small else int(QUEUE_EVENTS * (1 - SPARE))
        if self.queued_events + len(drafts) > room and self.queued_events:
            raise OverloadedError("too many publishes wait for the disk")
        done = asyncio.get_running_loop().create_future()
        job = Append(drafts, also, guards, done, traceparent)
        self._put(self._small if is_small else self._large, job)
        self.queued_events += len(drafts)
        return await job.done

    async def probe(self) -> None:
        """Whether the log is well, by a write. Sets `failure`, or lifts it. Raises what it is."""
        await self._ask(self._sound.probe)
        self.failure = None

    async def look(self) -> None:
        """As `probe`, without a write, and without lifting it. Raises what it is."""
        await self._ask(self._sound.look)

    async def _ask(self, question: Callable[[WriterConnection, int], None]) -> None:
        try:
            await self.run(lambda connection: question(connection, self._head))
        except TwinwireError as error:
            self.failure = error
            raise

    async def run(self, call: Callable[[WriterConnection], T]) -> T:
        """What `call(connection)` returns, called on the writer's thread between two commits. Publishes wait for it."""
        job = Work(call, asyncio.get_running_loop().create_future())
        self._put(self._works, job)
        result: T = await job.done
        return result

    def _put(self, queue: deque[J], job: J) -> None:
        if self._closing:
            raise UnavailableError("the log is closed")
        queue.append(job)
        self._work.set()

    async def close(self, last: Callable[[WriterConnection], object] | None = None) -> None:
        """Take nothing more, do what waits, then `last`. The connection stays open for the caller. Raises as `last`."""
        self._closing = True
        self._work.set()
        await self._task
        if last is not None:
            try:
                await on_thread(self._connection, last)
            except Exception as error:
                raise self._explain(error) from error

    # The writer's task

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._working = True
            while not self.is_idle:
                for queue in self._publishes:
                    if jobs := self._gather(queue):
                        await self._commit(jobs)
                if self._works:
                    await self._do(self._works.popleft())
            self._working = False
            self._work.clear()
            if self._closing:
                return

    def _gather(self, queue: deque[Append]) -> list[Append]:
        """The publishes of one kind that wait, up to the bounds; one at least."""
        jobs: list[Append] = []
        events = 0
        while queue and len(jobs) < COMMIT_PUBLISHES:
            size = len(queue[0].drafts)
            if jobs and events + size > COMMIT_EVENTS:
                break
            jobs.append(queue.popleft())
            events += size
        self.queued_events -= events
        return jobs

    async def _do(self, job: Work) -> None:
        try:
            result = await on_thread(self._connection, job.call)
        except Exception as error:
            fail(job.done, self._explain(error))
        else:
            if not job.done.done():
                job.done.set_result(result)

    async def _commit(self, jobs: list[Append]) -> None:
        started = self.clock.monotonic()
        now = self.clock.unix_ms()
        if self._steps != self.clock.steps:
            self._steps, self._time = self.clock.steps, now
        commit = Commit(self._registry, self._head, max(now, self._time))
        try:
            self._sound.check_files()
            with self._hurry:
                await on_thread(self._connection, self._write, commit, jobs)
        except Exception as error:
            await self._after_failure(jobs, self._explain(error))
            return
        self.durations.observe(self.clock.monotonic() - started)
        lost = self._lost()
        self._tell(commit)
        self.failure = lost
        if lost is not None:
            for job in jobs:
                fail(job.done, lost.again())
            return
        for job, answer in zip(jobs, commit.answers, strict=True):
            if isinstance(answer, TwinwireError):
                fail(job.done, answer)
            elif not job.done.done():
                job.done.set_result(answer)

    def _write(self, connection: WriterConnection, commit: Commit, jobs: Sequence[Append]) -> None:
        """On the writer's thread."""
        if not self.room.is_scarce:
            commit.write(connection, jobs)
            return
        self.room.admit(connection, [draft for job in jobs for draft in job.drafts])
        commit.write(connection, jobs)
        self.room.tidy(connection)

    def _lost(self) -> TwinwireError | None:
        """What is wrong with the files if it was while a commit was written: it is in the log, as far as we know, but
        nobody may rely on it.

        On the loop, as before the commit: each look lets go of the interpreter, which a thread beside a busy loop has
        back after a millisecond.
        """
        try:
            self._sound.check_files()
        except StorageDownError as error:
            return error
        return None

    async def _after_failure(self, jobs: list[Append], error: Exception) -> None:
        """Rule 3. Of what failed nothing was kept, neither on disk nor in memory, so each can be tried again."""
        if len(jobs) == 1 or error is self.failure:
            for job in jobs:
                fail(job.done, error)
            return
        for job in jobs:
            if isinstance(self.failure, StorageDownError):
                fail(job.done, self.failure.again())
            else:
                await self._commit([job])

    def _explain(self, error: Exception) -> Exception:
        """What the error means; `failure` is set if it is the disk's."""
        if isinstance(error, driver.Error):
            explained = explain(error, self._files.path)
            if is_disks(error):
                self.failure = explained
            return explained
        if isinstance(error, StorageDownError | StorageFullError) and not isinstance(error, ReserveError):
            self.failure = error
        return error

    def _tell(self, commit: Commit) -> None:
        """Rule 2, in one step of the loop."""
        commit.take_over()
        self._head, self._time = commit.head, commit.time
        if commit.events:
            self._committed(commit.events)
