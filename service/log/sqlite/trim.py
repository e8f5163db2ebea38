"""Removing old events: small batches on the writer's thread, floors raised before anything vanishes."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple

from service.log.base import Progress, TrimHerald
from service.log.sqlite.database import WriterConnection, transaction
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.writer import Writer

TRIM_ROWS: Final = 1_000
"""Rows in one transaction, a few milliseconds: publishes wait no longer than that."""

SCARCE_ROWS: Final = 50
"""Rows in one while the ballast is spent: some pages each, which have to fit in there (`room.BALLAST_BYTES`)."""

TRIM_SECONDS: Final = 0.005
"""Of the writer's thread in one step over many topics, whose rows lie far apart: as long as TRIM_ROWS of one take."""

RAISE_SECONDS: Final = 0.002
"""Of the event loop in one step, in which floors are raised."""

JOURNAL_BYTES: Final = 64 << 20
"""Of the write-ahead log, beyond which nothing is deleted until a checkpoint has moved it: a thousand rows may lie in
as many pages, each of which is written whole."""

JOURNAL_PAUSE: Final = 0.05
"""Seconds between two looks at it."""

_CUTOFF_BY_COUNT: Final = "SELECT offset FROM events WHERE topic = ? ORDER BY offset DESC LIMIT 1 OFFSET ?"
_OLDEST: Final = """
SELECT offset, length(CAST(data AS BLOB)) FROM events WHERE topic = ? AND offset > ? ORDER BY offset LIMIT ?
"""
_NTH_OLDEST: Final = (
    "SELECT max(offset) FROM (SELECT offset FROM events WHERE topic = ? AND offset <= ? ORDER BY offset LIMIT ?)"
)
_DELETE_OLDEST: Final = """
DELETE FROM events WHERE offset IN
(SELECT offset FROM events INDEXED BY events_topic WHERE topic = ? AND offset <= ? ORDER BY offset LIMIT ?)
RETURNING offset, length(CAST(data AS BLOB))
"""
_SAVE_COUNTS: Final = """
UPDATE topics SET head = value ->> 1, count = value ->> 2, bytes = value ->> 3, floor = max(floor, value ->> 4),
emptied = value ->> 5 FROM json_each(?) WHERE topics.id = value ->> 0
"""
_SAVE_COUNTED: Final = "UPDATE log SET counted = ?"


class Less(NamedTuple):
    """What goes of a topic: so many events, bytes of data, and the highest offset, which is the floor on disk then."""

    events: int
    bytes: int
    last: int


NOTHING: Final = Less(0, 0, 0)


def untold(removed: int, left: int) -> None:
    """Progress that nobody asks for."""


class Trimmer:
    """Cuts topics down to a floor. Publishes, and other cuts, commit in between the batches of one."""

    def __init__(self, writer: Writer, registry: TopicRegistry) -> None:
        self._writer = writer
        self._registry = registry
        self.heralds: list[TrimHerald] = []
        """Awaited before a floor is raised."""
        self.unfinished: set[Topic] = set()
        """Topics with rows below their floor, which a delete that failed has left."""

    async def to_count(self, topic: Topic, keep: int) -> int:
        """Keep the newest `keep` events; returns how many went."""
        if topic.count <= keep:
            return 0

        def find(connection: WriterConnection) -> int:
            row = connection.execute(_CUTOFF_BY_COUNT, (topic.id, keep)).fetchone()
            (cutoff,) = row or (0,)
            return int(cutoff)

        return await self.to_offset(topic, await self._writer.run(find))

    async def cut(self, wanted: Iterable[tuple[Topic, int]], told: Progress) -> int:
        """Remove each topic's events up to an offset, to which its floor was raised; returns how many went, as `told`
        is after each step.

        What is deleted in one step, of however many topics, is one transaction. Between two steps others have as much
        time as a step took.
        """
        loop, removed, cuts = asyncio.get_running_loop(), 0, deque(wanted)
        while cuts:
            await self.journal_room()
            began = loop.time()
            gone, done = await self._writer.run(partial(self._delete_oldest, cuts=cuts))
            for _ in range(done):
                topic, cutoff = cuts.popleft()
                if cutoff >= topic.floor:
                    self.unfinished.discard(topic)
            removed += gone
            told(removed, 0)
            if cuts:
                await asyncio.sleep(loop.time() - began)
        return removed

    def has_below(self, topic: Topic, cutoff: int) -> bool:
        """Whether it may have events up to there."""
        return cutoff > topic.floor or topic in self.unfinished

    async def announce(self, topic: Topic) -> None:
        for herald in self.heralds:
            await herald(topic.name)

    async def journal_room(self) -> None:
        """Return once there is room for what a step writes, however long another program's reading takes."""
        while self._writer.journal_bytes > JOURNAL_BYTES:  # noqa: ASYNC110 - nobody tells of a file's size
            await asyncio.sleep(JOURNAL_PAUSE)

    def _delete_oldest(self, connection: WriterConnection, cuts: deque[tuple[Topic, int]]) -> tuple[int, int]:
        """On the writer's thread: one step. How many events went, and how many of `cuts` are done."""
        return self._writer.room.using(connection, partial(self._delete, connection, cuts))

    def _delete(self, connection: WriterConnection, cuts: deque[tuple[Topic, int]]) -> tuple[int, int]:
        """The rows, the floors and the sizes change together."""
        now, at = self._writer.clock.monotonic, self._writer.clock.unix_ms()
        until = now() + TRIM_SECONDS
        room, done = SCARCE_ROWS if self._writer.room.is_spent else TRIM_ROWS, 0
        less: dict[Topic, Less] = {}
        with transaction(connection):
            for topic, cutoff in cuts:
                rows = connection.execute(_DELETE_OLDEST, (topic.id, cutoff, room)).fetchall()
                if rows:
                    less[topic] = Less(len(rows), sum(size for _, size in rows), max(offset for offset, _ in rows))
                if len(rows) == room:
                    break  # there may be more of it
                room, done = room - len(rows), done + 1
                if now() > until:
                    break
            save_counts(connection, self._registry, self._writer.head, less, at)
        return take_over(self._registry, less, at), done

    async def to_bytes(self, topic: Topic, keep: int) -> int:
        """Keep at most `keep` bytes of data, the newest; returns how many events went."""
        excess = topic.bytes - keep
        if excess <= 0:
            return 0

        def find(connection: WriterConnection) -> int:
            cutoff, freed = 0, 0
            while freed < excess:
                rows = connection.execute(_OLDEST, (topic.id, cutoff, TRIM_ROWS)).fetchall()
                if not rows:
                    break
                for cutoff, size in rows:  # noqa: B007 - the cutoff is where the loop stops
                    freed += size
                    if freed >= excess:
                        break
            return cutoff

        return await self.to_offset(topic, await self._writer.run(find))

    async def to_offset(self, topic: Topic, cutoff: int) -> int:
        """Remove the topic's events up to and including `cutoff`; returns how many went."""
        removed = 0
        while topic.count and self.has_below(topic, cutoff):
            await self.journal_room()
            floor = await self._writer.run(partial(_find_floor, topic=topic, cutoff=cutoff))
            if floor is None:
                break
            await self.announce(topic)
            self._registry.raise_floor(topic, floor)  # before the delete: see log/base.py, "No silent hole"
            try:
                gone, _ = await self._writer.run(partial(self._delete_oldest, cuts=deque([(topic, floor)])))
            except BaseException:
                self.unfinished.add(topic)  # the floor is never lowered again
                raise
            removed += gone
        if cutoff >= topic.floor:
            self.unfinished.discard(topic)
        return removed


def _find_floor(connection: WriterConnection, topic: Topic, cutoff: int) -> int | None:
    """The offset that the next batch goes up to; None if nothing is left up to `cutoff`."""
    floor: int | None
    (floor,) = connection.execute(_NTH_OLDEST, (topic.id, cutoff, TRIM_ROWS)).fetchone()
    return floor


def take_over(registry: TopicRegistry, less: Mapping[Topic, Less], at: int) -> int:
    """Memory follows what was committed with `save_counts`; how many events went. At the end of a job."""
    for topic, (count, size, _) in less.items():
        topic.count -= count
        topic.bytes -= size
        if not topic.count:
            registry.emptied(topic, at)
    registry.uncounted.clear()
    return sum(one.events for one in less.values())


def save_counts(
    connection: WriterConnection,
    registry: TopicRegistry,
    head: int,
    less: Mapping[Topic, Less] | None = None,
    at: int = 0,
) -> None:
    """Write the sizes of all topics that changed, and that they count up to `head`; part of a transaction.

    `less` is what the transaction takes from some of them `at` a moment, in Unix ms: memory follows once it is
    committed.
    """
    shrunk = less or {}
    changed: list[tuple[int, int, int, int, int, int]] = []
    for topic in registry.uncounted | shrunk.keys():
        count, size, last = shrunk.get(topic, NOTHING)
        kept = topic.count - count
        emptied = 0 if kept else registry.empty.get(topic, at)
        changed.append((topic.id, topic.head, kept, topic.bytes - size, last, emptied))
    connection.execute(_SAVE_COUNTS, (json.dumps(changed),))
    connection.execute(_SAVE_COUNTED, (head,))
