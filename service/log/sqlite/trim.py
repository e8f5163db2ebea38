"""Removing old events: small batches on the writer's thread, floors raised before anything vanishes."""

import asyncio
import json
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from service.log.base import Progress, TrimHerald
from service.log.sqlite.about import lose
from service.log.sqlite.database import WriterConnection, transaction, unsynced
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.writer import Writer

TRIM_ROWS: Final = 1_000
"""Rows of one take, between two looks at the time."""

FIRST_ROWS: Final = 100
"""Of the first step beside others, until it is known how long one takes."""

LEAST_ROWS: Final = 20
"""Of a step beside others, however slow the disk is."""

AHEAD: Final = 2
"""Rows that a step takes, at least, for each event that has come since the last: a log does not outgrow its bounds."""

SCARCE_ROWS: Final = 50
"""Rows in one while the ballast is spent: some pages each, which have to fit in there (`room.BALLAST_BYTES`)."""

TRIM_SECONDS: Final = 0.006
"""Of the writer's thread in one step beside others, and the commit after it, which has the disk keep what the step has
written: publishes wait about so long. The rows of many topics lie far apart, and each that goes may have a page
written, of which a disk takes a few in a millisecond.
"""

QUIET_SECONDS: Final = 0.3
"""Of deleting in one step while nobody else has published for a while: pages are written for many rows each."""

RAISE_SECONDS: Final = 0.002
"""Of the event loop in one step, in which floors are raised."""

JOURNAL_BYTES: Final = 64 << 20
"""Of the write-ahead log, beyond which nothing is deleted until a checkpoint has moved it: a thousand rows may lie in
as many pages, each of which is written whole."""

JOURNAL_PAUSE: Final = 0.02
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
RETURNING offset, length(CAST(data AS BLOB)), iif(gone IS NULL OR gone = 0, subject, NULL), mark
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


class Stride:
    """Rows of a step beside others, so that it takes TRIM_SECONDS: as many as the last would have had in that time."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rows = float(FIRST_ROWS)
        self._head = writer.head
        self._commits = 0
        """Until the last step."""

    @property
    def rows(self) -> int:
        """Of the next step."""
        came = self._writer.head - self._head
        return int(min(TRIM_ROWS, max(self._rows, AHEAD * came)))

    def took(self, rows: int, seconds: float) -> None:
        """A step of so many rows; what it has cost who published after the one before is told by the last commit."""
        commits = self._writer.durations
        if commits.count != self._commits:
            seconds += commits.last
        self._commits, self._head = commits.count, self._writer.head
        if rows:
            share = TRIM_SECONDS * rows / max(seconds, 1e-9)
            self._rows = min(TRIM_ROWS, 1.5 * self._rows, max(LEAST_ROWS, self._rows / 2, share))


class Trimmer:
    """Cuts topics down to a floor. Publishes, and other cuts, commit in between the batches of one."""

    def __init__(self, writer: Writer, registry: TopicRegistry) -> None:
        self._writer = writer
        self._registry = registry
        self.heralds: list[TrimHerald] = []
        """Awaited before a floor is raised."""
        self.unfinished: set[Topic] = set()
        """Topics that may have rows below their floor: they are about to go, or a delete that failed has left them."""
        self.stride = Stride(writer)

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
        time as a step took, if there are others.
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
                await asyncio.sleep(0 if self._writer.is_quiet else loop.time() - began)
        return removed

    async def settle(self) -> None:
        """Return once what was deleted is gone after a power loss too: its steps are not synced one by one."""
        at = self._writer.clock.unix_ms()
        await self._writer.run(lambda connection: self._writer.room.using(connection, partial(_sync, connection, at)))

    def has_below(self, topic: Topic, cutoff: int) -> bool:
        """Whether it may have events up to there."""
        return cutoff > topic.floor or topic in self.unfinished

    async def announce(self, topic: Topic) -> None:
        for herald in self.heralds:
            await herald(topic.name)

    async def journal_room(self) -> None:
        """Return once there is room for what a step writes, however long another program's reading takes."""
        while self._writer.journal_used > JOURNAL_BYTES:  # noqa: ASYNC110 - nobody tells of a file's size
            await asyncio.sleep(JOURNAL_PAUSE)

    def _delete_oldest(self, connection: WriterConnection, cuts: deque[tuple[Topic, int]]) -> tuple[int, int]:
        """On the writer's thread: one step. How many events went, and how many of `cuts` are done."""
        return self._writer.room.using(connection, partial(self._delete, connection, cuts))

    def _delete(self, connection: WriterConnection, cuts: deque[tuple[Topic, int]]) -> tuple[int, int]:
        """The rows, the floors and the sizes change together."""
        writer, at = self._writer, self._writer.clock.unix_ms()
        now, is_quiet = writer.clock.monotonic, writer.is_quiet
        begun = now()
        until = begun + (QUIET_SECONDS if is_quiet else TRIM_SECONDS)
        room = SCARCE_ROWS if writer.room.is_spent else math.inf if is_quiet else self.stride.rows
        less: dict[Topic, Less] = {}
        lost: dict[tuple[int, str], int | None] = {}
        removed = done = 0
        with unsynced(connection), transaction(connection):
            for topic, cutoff in cuts:
                is_done = is_over = False
                while not (is_done or is_over):
                    most = int(min(TRIM_ROWS, room - removed))
                    rows = connection.execute(_DELETE_OLDEST, (topic.id, cutoff, most)).fetchall()
                    removed += len(rows)
                    is_done = len(rows) < most
                    is_over = removed >= room or now() > until or (is_quiet and not writer.is_idle)
                    if rows:
                        before = less.get(topic, NOTHING)
                        size, last = sum(size for _, size, _, _ in rows), max(offset for offset, _, _, _ in rows)
                        lost.update(_lost(topic, rows))
                        less[topic] = Less(before.events + len(rows), before.bytes + size, max(before.last, last))
                done += is_done
                if is_over:
                    break
            lose(connection, lost, at)
            save_counts(connection, self._registry, writer.head, less, at)
        if not is_quiet:
            self.stride.took(removed, now() - begun)
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
            rows = TRIM_ROWS if self._writer.is_quiet else self.stride.rows
            floor = await self._writer.run(partial(_find_floor, topic=topic, cutoff=cutoff, rows=rows))
            if floor is None:
                break
            await self.announce(topic)
            self._registry.raise_floor(topic, floor)  # before the delete: see log/base.py, "No silent hole"
            self.unfinished.add(topic)  # whatever becomes of the delete: the floor is never lowered again
            gone, _ = await self._writer.run(partial(self._delete_oldest, cuts=deque([(topic, floor)])))
            removed += gone
        if cutoff >= topic.floor:
            self.unfinished.discard(topic)
        return removed


def _lost(topic: Topic, rows: Sequence[tuple[int, int, str | None, int | None]]) -> dict[tuple[int, str], int | None]:
    """Subjects of which something counted, and the mark of the last that did."""
    if not any([subject for _, _, subject, _ in rows]):  # noqa: C419 - mostly none
        return {}
    return {(topic.id, subject): mark for _, _, subject, mark in sorted(rows) if subject is not None}


def _sync(connection: WriterConnection, at: int) -> None:
    """A commit, for which something has to change."""
    with transaction(connection):
        connection.execute("UPDATE log SET probed = max(probed + 1, ?)", (at,))


def _find_floor(connection: WriterConnection, topic: Topic, cutoff: int, rows: int) -> int | None:
    """The offset that the next batch goes up to; None if nothing is left up to `cutoff`."""
    floor: int | None
    (floor,) = connection.execute(_NTH_OLDEST, (topic.id, cutoff, rows)).fetchone()
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
