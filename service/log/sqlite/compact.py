"""Compaction: where the state is kept, what it does not need goes.

Every event that was replaced or deleted has in `gone` where that was (`about.py`), and an index has them in that order.
So a pass goes on where the last one ended, and costs what was replaced since:

    replaced    up to the head at the pass before. Whoever comes back within that time misses nothing, and a state that
                was begun within it is told to its end; who began it before begins again (`holes.up_to`)
    deleted     the deletions themselves, once they are `tombstones` seconds old: by then what they deleted has gone
    the keys    of events that went are remembered as long, so that a late repeat of a publish is one

Floors, rows and sizes: as of a trim (`trim.py`). Positions are raised in memory before the first row of a pass goes,
all of them at once, so that a reader is told one gap and not one for each step; and on disk with each step. Who opens
the log after a kill finds what is there, and the first pass takes what was left.

Values that lack their beginning stay until they are replaced: nothing says that anybody could do without them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from service.core.topics import TopicFilter
from service.log.base import Pace
from service.log.sqlite.database import WriterConnection, as_json, transaction, unsynced
from service.log.sqlite.holes import COMPACTED, THINNED, Hole
from service.log.sqlite.reader import Reader
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.trim import (
    NOTHING,
    RAISE_SECONDS,
    SCARCE_ROWS,
    TRIM_ROWS,
    Less,
    Trimmer,
    save_counts,
    take_over,
)
from service.log.sqlite.writer import Writer

LOOK_ROWS: Final = 2_000
"""Entries of the index that are looked at in one step, a millisecond."""

TOPICS: Final = 50_000
"""Of which something goes, at most, in one go: so much of a pass is known at a time."""

REMEMBERED: Final = 10_000
"""Topics of which it is known whether their state is kept."""

_FIND: Final = """
SELECT gone, topic, offset FROM events INDEXED BY events_gone
WHERE subject IS NOT NULL AND gone >= ?1 AND gone <= ?2 AND (gone > ?1 OR offset > ?3)
ORDER BY gone, topic, offset LIMIT ?4
"""
_DELETE: Final = """
DELETE FROM events WHERE offset IN (SELECT value FROM json_each(?))
RETURNING topic, offset, length(CAST(data AS BLOB)), key
"""
_SAVE_HOLES: Final = """
UPDATE topics SET thinned = max(thinned, value ->> 1), compacted = max(compacted, value ->> 2),
removed = removed + (value ->> 3) FROM json_each(?) WHERE topics.id = value ->> 0
"""
_REMEMBER: Final = """
INSERT OR REPLACE INTO removed_keys (topic, key, offset, time)
SELECT value ->> 0, value ->> 1, value ->> 2, ?1 FROM json_each(?2)
"""

_Holes = Mapping[Topic, Hole]


class Remover:
    """Takes single events out, a step at a time, with all that is known of them elsewhere."""

    def __init__(self, writer: Writer, registry: TopicRegistry, trimmer: Trimmer) -> None:
        self._writer = writer
        self._registry = registry
        self._trimmer = trimmer

    @property
    def rows(self) -> int:
        """Of one step."""
        if self._writer.room.is_spent:
            return SCARCE_ROWS
        return TRIM_ROWS if self._writer.is_quiet else self._trimmer.stride.rows

    async def announce(self, highest: Mapping[Topic, int], kind: Hole, *, is_plain: bool = False) -> None:
        """Before anything of it goes: up to where events of these topics do, of a kind;
        `is_plain`: all that have no subject.
        """
        pace = Pace(self._writer.clock.monotonic, RAISE_SECONDS)
        for topic, last in highest.items():
            await self._trimmer.announce(topic)
            self._registry.holes.take_out(topic.stats, kind.at(last), is_plain=is_plain)
            await pace()

    async def take_out(self, found: Iterable[tuple[Topic, int]], kind: Hole, *, is_plain: bool = False) -> int:
        """These, by topic and offset, in one step, of a kind; how many went. The keys
        of those that have no subject are forgotten, as those of what is trimmed. Others have as long then.
        """
        now = self._writer.clock.monotonic
        await self._trimmer.journal_room()
        highest: dict[Topic, int] = {}
        offsets: list[int] = []
        for topic, offset in found:
            highest[topic] = max(highest.get(topic, 0), offset)
            offsets.append(offset)
        holes = {topic: kind.at(last) for topic, last in highest.items()}
        began = now()
        removed = await self._writer.run(partial(self._step, offsets=offsets, holes=holes, has_keys=not is_plain))
        await asyncio.sleep(0 if self._writer.is_quiet else now() - began)
        return removed

    def _step(self, connection: WriterConnection, offsets: Sequence[int], holes: _Holes, has_keys: bool) -> int:
        """On the writer's thread."""
        return self._writer.room.using(connection, partial(self._delete, connection, offsets, holes, has_keys))

    def _delete(self, connection: WriterConnection, offsets: Sequence[int], holes: _Holes, has_keys: bool) -> int:
        """Rows, positions, sizes and keys change together."""
        writer, at = self._writer, self._writer.clock.unix_ms()
        begun, is_quiet = writer.clock.monotonic(), writer.is_quiet
        topics = {topic.id: topic for topic in holes}
        less: dict[Topic, Less] = {}
        with unsynced(connection), transaction(connection):
            rows = connection.execute(_DELETE, (as_json(offsets),)).fetchall()
            for id, _, size, _ in rows:
                before = less.get(topics[id], NOTHING)
                less[topics[id]] = Less(before.events + 1, before.bytes + size, 0)
            keys = [(id, key, offset) for id, offset, _, key in rows if has_keys and key is not None]
            if keys:
                connection.execute(_REMEMBER, (at, as_json(keys)))
            save_counts(connection, self._registry, writer.head, less, at)
            found = [(topic.id, *hole, less.get(topic, NOTHING).events) for topic, hole in holes.items()]
            connection.execute(_SAVE_HOLES, (as_json(found),))
        self._registry.has_removed_keys = self._registry.has_removed_keys or bool(keys)
        if not is_quiet:
            self._trimmer.stride.took(len(rows), writer.clock.monotonic() - begun)
        return take_over(self._registry, less, at)


class _Place(NamedTuple):
    """Where a look through the index goes on."""

    gone: int
    offset: int = 0


class _Gone(NamedTuple):
    """An event that counts no more: until when it did, its topic and its offset."""

    gone: int
    topic: Topic
    offset: int


class Compactor:
    """`keeps_state` says it of a topic; `tombstones` is in seconds. `run` it now and then."""

    def __init__(
        self,
        keeps_state: Callable[[str], bool],
        writer: Writer,
        registry: TopicRegistry,
        reader: Reader,
        remover: Remover,
        tombstones: float,
    ) -> None:
        self._keeps_state = keeps_state
        self._writer = writer
        self._registry = registry
        self._reader = reader
        self._remover = remover
        self._tombstones = tombstones
        self._until = 0
        """The head at the last pass."""
        self._replaced = self._deleted = 0
        """Up to where all that was replaced, and all deletions, were looked at in this run."""

    async def run(self, now: int) -> int:
        """One pass at `now` (Unix ms); how many events went."""
        until, self._until = self._until, self._writer.head
        removed = 0
        if until > self._replaced:
            self._registry.holes.up_to = until
            removed += await self._compact(self._replaced + 1, until, COMPACTED)
            removed += await self._compact(-until, -self._replaced - 1, COMPACTED)
            self._replaced = until
        if until and not self._writer.clock.doubt:  # else nobody knows what is old
            old = await self._reader.first_at(now - int(self._tombstones * 1000), self._writer.head) - 1
            old = min(old, until)
            if old > self._deleted:
                removed += await self._compact(self._deleted + 1, old, THINNED)
                self._deleted = old
        return removed

    async def _compact(self, low: int, high: int, kind: Hole) -> int:
        """What was replaced within these, ends included, if the kind is COMPACTED; THINNED: the deletions."""
        removed = 0
        while low <= high:
            highest, end = await self._highest(low, high, kind)
            if highest:
                await self._remover.announce(highest, kind)
                removed += await self._take_out(low, end, kind)
            low = end + 1
        return removed

    async def _highest(self, low: int, high: int, kind: Hole) -> tuple[dict[Topic, int], int]:
        """The highest offset that goes of each topic, of up to about TOPICS of them, and up to where that is all."""
        highest: dict[Topic, int] = {}
        end = high
        async for found in self._looks(low, high, kind):
            for gone, topic, offset in found:
                if gone > end:  # those that count until the same event go together, on however many looks they are
                    return highest, end
                highest[topic] = max(highest.get(topic, 0), offset)
            if found and end == high and len(highest) >= TOPICS:
                end = found[-1].gone
        return highest, end

    async def _take_out(self, low: int, high: int, kind: Hole) -> int:
        removed = 0
        async for found in self._looks(low, high, kind):
            while found:
                rows = self._remover.rows
                part, found = found[:rows], found[rows:]
                removed += await self._remover.take_out([(topic, offset) for _, topic, offset in part], kind)
        return removed

    async def _looks(self, low: int, high: int, kind: Hole) -> AsyncGenerator[list[_Gone], None]:
        """What there is, in steps."""
        place: _Place | None = _Place(low)
        while place is not None:
            found, place = await self._writer.run(partial(self._find, place=place, high=high, kind=kind))
            yield found
            await asyncio.sleep(0)

    def _find(
        self, connection: WriterConnection, place: _Place, high: int, kind: Hole
    ) -> tuple[list[_Gone], _Place | None]:
        """On the writer's thread: one look, and where the next goes on."""
        rows: list[Any] = connection.execute(_FIND, (place.gone, high, place.offset, LOOK_ROWS)).fetchall()
        wanted: dict[int, Topic | None] = {}
        found: list[_Gone] = []
        for gone, id, offset in rows:
            if (gone == offset) == (kind is THINNED):
                if id not in wanted:
                    topic = self._registry.by_id(id)
                    wanted[id] = topic if self._keeps_state(topic.name) else None
                if (topic_or_none := wanted[id]) is not None:
                    found.append(_Gone(gone, topic_or_none, offset))
        next = _Place(rows[-1][0], rows[-1][2]) if len(rows) == LOOK_ROWS else None
        return found, next


def keeps_state(rules: Sequence[tuple[TopicFilter, bool]]) -> Callable[[str], bool]:
    """By the first filter that matches a topic; none: it does not. Asked for each event that has a subject."""
    if not any(keeps for _, keeps in rules):
        return lambda name: False
    matchers = [(topics.matches, keeps) for topics, keeps in rules]

    @lru_cache(maxsize=REMEMBERED)
    def known(name: str) -> bool:
        return next((keeps for matches, keeps in matchers if matches(name)), False)

    return known
