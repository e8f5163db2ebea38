"""The embedded event log: one SQLite file, one writing connection, reads from read-only ones."""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import aiosqlite

from service.core.errors import StorageFullError
from service.core.event import Draft, Event, Width
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import (
    Ability,
    Bounds,
    Guard,
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
    TrimHerald,
    TrimListener,
    Turn,
)
from service.log.health import Health
from service.log.sqlite.compact import Compactor, Remover, keeps_state
from service.log.sqlite.database import Durability, connect, connect_writer, explained, on_thread, wait_little
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.forget import Forgetter
from service.log.sqlite.joining import Joiner
from service.log.sqlite.opening import Opened, read_opened
from service.log.sqlite.ranges import RangeCutter, Wanted
from service.log.sqlite.reader import WINDOW, Reader
from service.log.sqlite.retention import Policy, Retention
from service.log.sqlite.room import Room, spend
from service.log.sqlite.search import History
from service.log.sqlite.state import StateReader
from service.log.sqlite.texts import Texts
from service.log.sqlite.thin import Thinner
from service.log.sqlite.topics import Topic
from service.log.sqlite.trim import Trimmer, untold
from service.log.sqlite.upkeep import Upkeep
from service.log.sqlite.writer import Writer

_TRIM_PAGE: Final = 10_000
"""Topics looked for in one step, a few milliseconds."""


class SQLiteEventLog:
    """Implements `service.log.base.EventLog`. Make it with `open_log`."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        files: DatabaseFiles,
        room: Room,
        opened: Opened,
        policies: Sequence[Policy],
        retention_interval: float,
        forget_after: float,
        forget_least: float,
        tombstones: float,
        subject_max: int,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._path = path = files.path
        self._epoch = opened.epoch
        self._registry = registry = opened.registry
        self._listeners: list[Listener] = []
        """Told of every commit, in this order."""
        self._reader = Reader(path, registry, clock)
        self._state = StateReader(self._reader, registry)
        self._history = History(self._reader, registry, path, clock)
        self._files = files
        self.writer = Writer(connection, files, room, registry, (opened.head, opened.time), self._committed, clock)
        self._trimmer = Trimmer(self.writer, registry)
        self._cutter = RangeCutter(self.writer, registry, self._trimmer)
        self._remover = Remover(self.writer, registry, self._trimmer)
        keeps = keeps_state([(policy.filter, policy.keep is not None) for policy in policies])
        compactor, thinner = self.compactor(keeps, tombstones), Thinner(self.writer, self._remover)
        registry.texts = Texts(keeps, subject_max)
        self.joiner = Joiner(self.writer, self._reader.readers, registry)
        retention = Retention(policies, registry, self._reader, self._trimmer, self._cutter, compactor, thinner, clock)
        self.forgetter = Forgetter(self.writer, registry, self._trimmer, forget_after, forget_least)
        upkeep = Upkeep(
            self.writer, registry, retention, self.forgetter, self.joiner, retention_interval, tombstones, files, clock
        )
        self.upkeep = upkeep
        self.upkeep.start()
        self._closed = False
        """Set by the first `close`."""

    @property
    def epoch(self) -> str:
        return self._epoch

    @property
    def head(self) -> int:
        return self.writer.head

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset(Ability)

    @property
    def step(self) -> int:
        return WINDOW

    def health(self) -> Health:
        writer, room, failed = self.writer, self.writer.room, self.upkeep.failure
        failure = None if failed is None else failed.detail
        return Health(
            failure,
            writer.durations.count,
            writer.durations.last,
            self.upkeep.wal_bytes,
            writer.time,
            room.ballast,
            room.spent,
            room.free,
            room.reserve,
            room.is_reserved,
            self.upkeep.database_bytes,
            len(self._registry),
            writer.queued_events,
            writer.durations,
        )

    def follow(
        self,
        committed: Listener,
        trimmed: TrimListener,
        announced: TrimHerald | None = None,
        thinned: ThinListener | None = None,
    ) -> None:
        self._listeners.append(committed)
        self._registry.watch(trimmed)
        if thinned is not None:
            self._registry.holes.watch(thinned)
        if announced is not None:
            self._trimmer.heralds.append(announced)

    def keep_while(self, interest: Interest) -> None:
        self.forgetter.interests.append(interest)

    def compactor(self, keeps: Callable[[str], bool], tombstones: float) -> Compactor:
        """One that begins anew, of the topics of which `keeps` is true."""
        return Compactor(keeps, self.writer, self._registry, self._reader, self._remover, tombstones)

    def _committed(self, events: list[Event]) -> None:
        for listener in self._listeners:
            listener(events)

    def bounds(self, topics: TopicFilter) -> Bounds:
        trimmed = self._registry.trimmed(topics)
        return Bounds(self._epoch, max(trimmed, self._registry.holes.floor(topics)), self.head, trimmed)

    async def learn(self, topics: TopicFilter, turn: Turn) -> None:
        for _ in self._registry.learning(topics):
            await turn()

    async def topics(self, topics: TopicFilter, after: str, limit: int) -> TopicPage:
        found, next, looked = self._registry.page(topics, after, limit)
        return TopicPage([self._registry.holes.told(topic.stats) for topic in found], next, looked)

    def has_topic(self, topic: str) -> bool:
        return self._registry.get(topic) is not None

    async def append(
        self,
        drafts: Sequence[Draft],
        also: Sequence[Statement] = (),
        guards: Sequence[Guard] = (),
        traceparent: str | None = None,
    ) -> Receipt:
        if not drafts and not also and not guards:
            return Receipt((), False)
        return await self.writer.append(drafts, also, guards, traceparent)

    async def read(
        self, topics: TopicFilter, after: int, limit: int, max_bytes: int, *, is_short: bool = False
    ) -> Page:
        with explained(self._path):
            return await self._reader.page(topics, after, self.writer.head + 1, limit, max_bytes, is_short=is_short)

    async def search(self, search: Search, turn: Turn | None = None) -> Page:
        return await self._history.find(search, self.head, turn)

    async def state(self, search: StateSearch, turn: Turn | None = None) -> Page:
        if turn is not None:
            await turn()
            await self.learn(search.topics, turn)
        if self._registry.width < Width.WHOLE:
            return Page((), search.at, self._registry.floor(search.topics))
        with explained(self._path):
            return await self._state.page(search)

    async def trim(self, topics: TopicFilter, keep: int, told: Progress | None = None) -> int:
        found: list[Topic] = []
        after: str | None = ""
        if topics.exact is not None:  # at once, whether or not all names are in order
            found, after = [topic for name in topics.exact if (topic := self._registry.get(name))], None
        while after is not None:
            page, after, _ = self._registry.page(topics, after, _TRIM_PAGE)
            found += page
            await asyncio.sleep(0)
        wanted = (Wanted(topic, 0, keep) for topic in found if topic.count > keep)
        removed = await self._cutter.cut(wanted, told or untold)
        if removed:
            await self._trimmer.settle()
        return removed

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self.upkeep.close()
        self._reader.close()
        await self._connection.close()
        self._files.close()


async def open_log(
    path: Path,
    *,
    clock: Clock,
    durability: Durability,
    policies: Sequence[Policy],
    retention_interval: float,
    max_topics: int,
    disk_reserve: int,
    max_scan: int = 0,
    forget_after: float = 0.0,
    forget_least: float = 0.0,
    tombstones: float = 86_400.0,
    subject_max: int = 1 << 20,
) -> SQLiteEventLog:
    """Open a migrated database at its real path; `retention_interval` in seconds, `disk_reserve` in bytes, `max_scan` 0
    for no bound, `forget_after` in seconds, 0 for never, and no sooner than `forget_least`; `tombstones` in seconds.

    Raises StorageError if it can't be used.
    """
    open = partial(
        _open,
        path,
        clock,
        durability,
        policies,
        retention_interval,
        max_topics,
        disk_reserve,
        max_scan,
        forget_after,
        forget_least,
        tombstones,
        subject_max,
    )
    try:
        return await open()
    except StorageFullError:
        if not spend(path):
            raise
        return await open()


async def _open(
    path: Path,
    clock: Clock,
    durability: Durability,
    policies: Sequence[Policy],
    retention_interval: float,
    max_topics: int,
    disk_reserve: int,
    max_scan: int,
    forget_after: float,
    forget_least: float,
    tombstones: float,
    subject_max: int,
) -> SQLiteEventLog:
    with explained(path):
        files = DatabaseFiles(path)
        connection = await connect(partial(connect_writer, path, durability))
        try:
            opened = await on_thread(connection, read_opened, durability)
            await on_thread(connection, wait_little)
            opened.registry.max_topics = max_topics
            opened.registry.raised.max_scan = max_scan or math.inf
            opened.registry.holes.compacted.max_scan = max_scan or math.inf
            files.learn()
            room = Room(files, disk_reserve)
            await on_thread(connection, lambda _: room.open())
            return SQLiteEventLog(
                connection,
                files,
                room,
                opened,
                policies,
                retention_interval,
                forget_after,
                forget_least,
                tombstones,
                subject_max,
                clock,
            )
        except BaseException:
            await connection.close()
            files.close()
            raise
