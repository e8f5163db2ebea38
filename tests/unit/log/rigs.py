"""Logs to test with: each rig can restart, be killed, and has a table of notes that commit together with events."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import aiosqlite

from service.core.event import APPEND, OFFSET, TOPIC, Draft, Event
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import EventLog, Guard, Statement, StateSearch, Tables, TopicStats, Value
from service.log.sqlite.compact import Compactor, Remover, keeps_state
from service.log.sqlite.database import connect, connect_writer, on_thread
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.log import SQLiteEventLog
from service.log.sqlite.look import Look
from service.log.sqlite.migrate import migrate
from service.log.sqlite.opening import Opened, read_opened
from service.log.sqlite.ranges import RangeCutter
from service.log.sqlite.reader import Reader
from service.log.sqlite.retention import Policy, Retention
from service.log.sqlite.room import Room
from service.log.sqlite.tables import open_tables
from service.log.sqlite.thin import Thinner
from service.log.sqlite.trim import Trimmer
from service.log.sqlite.writer import Writer
from service.resources import resource
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog, MemoryTables
from tests.support.sqlitelog import as_killed, open_sqlite_log

ALL = TopicFilter.all()
TOMBSTONES = 3_600.0
"""Seconds for which a rig keeps deletions."""

PLENTY = 1 << 30
"""A page bound, events or bytes, that nothing here reaches."""


def drafts(topic: str, count: int, type: str = "log", data: str = "{}") -> list[Draft]:
    return [Draft(topic, type, data) for _ in range(count)]


async def read_all(log: EventLog, topics: TopicFilter = ALL, after: int = 0, limit: int = 1_000) -> list[Event]:
    """Everything after `after`, page by page."""
    found: list[Event] = []
    while after < log.head:
        page = await log.read(topics, after, limit, PLENTY)
        found += page.events
        assert page.next > after, "a page that is not the last one moves on"
        after = page.next
    return found


async def list_topics(log: EventLog, topics: TopicFilter = ALL, limit: int = 1_000) -> list[TopicStats]:
    """Every topic that matches, page by page."""
    found: list[TopicStats] = []
    after: str | None = ""
    while after is not None:
        page = await log.topics(topics, after, limit)
        assert len(page.topics) <= limit
        found += page.topics
        after = page.next
    return found


class Rig(Protocol):
    """A log, the clock it reads, and ways to end it."""

    @property
    def log(self) -> EventLog: ...
    @property
    def clock(self) -> ManualClock: ...

    async def restart(self) -> None:
        """Close, then open the same log again."""

    async def kill(self) -> None:
        """As after `kill -9`: open what was on disk at this instant."""

    async def forget(self) -> int:
        """Later, have the log forget the topics without events that nobody subscribes to; how many they were."""

    async def compact(self, topics: TopicFilter, later: float = 0.0) -> int:
        """So many seconds later, have the log remove what the state of these topics does not need; how much it was.
        Deletions are kept for TOMBSTONES.
        """

    async def join(self, topics: TopicFilter) -> int:
        """Have the log join the texts of these topics to which anything was appended; how many there were."""

    async def discard(self) -> None: ...

    # A table of notes, and what the engine's language has for it.

    def put(self, key: str, value: Value) -> Statement:
        """Write it, whatever was there."""

    def add(self, key: str, value: Value) -> Statement:
        """A fault if there is one of this key."""

    def claim(self, key: str, what: str) -> Statement:
        """Write what the append assigns: `offset_0`, `time`."""

    def expect(self, key: str, value: Value) -> Guard:
        """The note has this value; None: there is no such note."""

    async def tables(self) -> Tables:
        """A door to the notes, for the caller to close."""

    async def notes(self) -> dict[str, Value]: ...


class MemoryRig:
    log: EventLog

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._log = self.log = MemoryEventLog(self.clock)

    async def restart(self) -> None:
        await self.log.close()
        self._log = self.log = MemoryEventLog(self.clock, self._log.disk)

    async def kill(self) -> None:
        self._log = self.log = MemoryEventLog(self.clock, self._log.disk)

    async def forget(self) -> int:
        return await self._log.forget()

    async def compact(self, topics: TopicFilter, later: float = 0.0) -> int:
        self.clock.advance(later)
        old, now = 0, self.clock.now
        for event in self._log.disk.events:
            if event.time < now - TOMBSTONES * 1000:
                old = event.offset
        return await self._log.compact(topics, self._log.head, old)

    async def join(self, topics: TopicFilter) -> int:
        return await self._log.join(topics)

    async def discard(self) -> None:
        await self.log.close()

    def put(self, key: str, value: Value) -> Statement:
        return Statement("put", {"key": key, "value": value})

    def add(self, key: str, value: Value) -> Statement:
        return Statement("add", {"key": key, "value": value})

    def claim(self, key: str, what: str) -> Statement:
        return Statement("claim", {"key": key, "what": what})

    def expect(self, key: str, value: Value) -> Guard:
        return Guard("get", {"key": key}, None if value is None else (value,))

    async def tables(self) -> Tables:
        return MemoryTables(self._log.disk)

    async def notes(self) -> dict[str, Value]:
        return await _read_notes(await self.tables(), "all")


async def _read_notes(tables: Tables, question: str) -> dict[str, Value]:
    try:
        async with tables.view() as view:
            return dict(await view.rows(question))
    finally:
        await tables.close()


def add_notes(path: Path) -> None:
    """A table as an application's migration would make it."""
    connection = connect_writer(path)
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


class SQLiteRig:
    log: SQLiteEventLog

    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock = ManualClock()
        self.path = folder / "test.db"
        self._options = options
        self._kills = 0

    async def open(self) -> "SQLiteRig":
        add_notes(self.path)
        self.log = await open_sqlite_log(self.path, self.clock, **self._options)
        return self

    async def restart(self, **options: Any) -> None:
        self._options |= options
        await self.log.close()
        await self.open()

    async def kill(self, **options: Any) -> None:
        self._options |= options
        killed = self.log
        self.path = self.copy()
        await self.open()
        await killed.close()

    async def forget(self) -> int:
        self.log.forgetter.after = 1.0
        self.clock.advance(1.0)
        return await self.log.forgetter.run()

    async def compact(self, topics: TopicFilter, later: float = 0.0) -> int:
        self.clock.advance(later)
        compactor = self.log.compactor(topics.matches, TOMBSTONES)
        return sum([await compactor.run(self.clock.now) for _ in range(2)])

    async def join(self, topics: TopicFilter) -> int:
        texts, after = self.log.joiner.texts, 0
        while after < self.log.head:
            page = await self.log.state(StateSearch(topics, self.log.head, after))
            appended = [event for event in page.events if (event.mark or 0) & APPEND]
            texts.ripe |= {(event.topic, event.subject or ""): None for event in appended}
            after = page.next
        return await self.log.joiner.run()

    def copy(self) -> Path:
        self._kills += 1
        return as_killed(self.path, self.path.parent / f"killed-{self._kills}")

    def put(self, key: str, value: Value) -> Statement:
        return Statement("INSERT OR REPLACE INTO notes VALUES (:key, :value)", {"key": key, "value": value})

    def add(self, key: str, value: Value) -> Statement:
        return Statement("INSERT INTO notes VALUES (:key, :value)", {"key": key, "value": value})

    def claim(self, key: str, what: str) -> Statement:
        return Statement(f"INSERT OR REPLACE INTO notes VALUES (:key, :{what})", {"key": key})

    def expect(self, key: str, value: Value) -> Guard:
        expected = None if value is None else (value,)
        return Guard("SELECT value FROM notes WHERE key = :key", {"key": key}, expected)

    async def tables(self) -> Tables:
        return await open_tables(self.path)

    async def notes(self) -> dict[str, Value]:
        return await _read_notes(await self.tables(), "SELECT key, value FROM notes")

    async def discard(self) -> None:
        await self.log.close()


@dataclass(frozen=True)
class Rule:
    """`max_age` in seconds, `max_bytes` in bytes of data."""

    pattern: str = "**"
    max_age: float | None = None
    max_count: int | None = None
    max_bytes: int | None = None
    keep: Literal["state"] | None = None

    @property
    def filter(self) -> TopicFilter:
        return TopicFilter((self.pattern,))


OpenRig = Callable[..., Awaitable[SQLiteRig]]


class Parts:
    """The parts of a log, put together without its maintenance, for tests that look at one of them."""

    def __init__(
        self, path: Path, connection: aiosqlite.Connection, opened: Opened, clock: Clock, disk_reserve: int
    ) -> None:
        self.path = path
        self.connection = connection
        self.registry = opened.registry
        self.heard: list[list[Event]] = []
        self.files = files = DatabaseFiles(path)
        files.learn()
        self.room = Room(files, disk_reserve)
        self.room.open()
        head = opened.head, opened.time
        self.writer = Writer(connection, files, self.room, self.registry, head, self.heard.append, clock)
        self.reader = Reader(path, self.registry, clock)
        self.trimmer = Trimmer(self.writer, self.registry)
        self.cutter = RangeCutter(self.writer, self.registry, self.trimmer)

    @classmethod
    async def open(cls, path: Path, clock: Clock, disk_reserve: int = 0) -> "Parts":
        migrate(path, resource("migrations"))
        connection = await connect(lambda: connect_writer(path))
        return cls(path, connection, await on_thread(connection, read_opened, "full"), clock, disk_reserve)

    @property
    def head(self) -> int:
        return self.heard[-1][-1].offset if self.heard else 0

    def retention(self, policies: Sequence[Policy]) -> Retention:
        keeps = keeps_state([(policy.filter, policy.keep is not None) for policy in policies])
        remover = Remover(self.writer, self.registry, self.trimmer)
        compactor = Compactor(keeps, self.writer, self.registry, self.reader, remover, TOMBSTONES)
        thinner, clock = Thinner(self.writer, remover), self.writer.clock
        return Retention(policies, self.registry, self.reader, self.trimmer, self.cutter, compactor, thinner, clock)

    async def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement on the writing connection, between two commits."""

        def run(connection: Any) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = connection.execute(statement, parameters).fetchall()
            return found

        return await self.writer.run(run)

    def kept(self, topics: TopicFilter = ALL) -> list[int]:
        """The offsets on disk that match."""
        look = Look(topics, 0, self.head + 1, PLENTY, PLENTY, False, None)
        names = {"low": look.low, "high": look.high, "limit": look.limit}
        rows = self.reader.readers.connection.execute(look.all_topics, names).fetchall()
        return [row[OFFSET] for row in rows if topics.matches(row[TOPIC])]

    async def close(self) -> None:
        await self.writer.close()
        self.reader.close()
        await self.connection.close()
        self.files.close()
