"""Small pages, read from connections that can't write; `plan.py` says which way, `slow.py` on which thread.

Each is one bounded step, or a few with others between them, and ends its read transactions before it returns, so
nothing pins the WAL while a page travels over a network.
"""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from service.core.event import OFFSET, TOPIC, Row, Width, bytes_of, filling
from service.core.time import Clock
from service.core.topics import Matching, TopicFilter
from service.log.base import Page
from service.log.sqlite.database import Connection, Cursor
from service.log.sqlite.look import Look
from service.log.sqlite.plan import Merge, Scan, Seek, choose
from service.log.sqlite.slow import Readers
from service.log.sqlite.topics import TopicRegistry

WINDOW: Final = 2_000
"""Offsets looked at in one step of a scan, about a millisecond of it, however few of them match."""

_COMPARISONS: Final = 100_000
"""Segments compared in one such step, some milliseconds: for filters that are hard to match it is a shorter one."""

SEEK_STEP: Final = 1_000
"""Topics that the index is asked for in one step, a millisecond or two."""

SEEKS: Final = 24
"""Such steps for one page: topics that lie unevenly may leave it short."""

_CROWDED: Final = 4
"""Times what fills a page, in one step: then the window was too long."""

_LONGER: Final = 4
"""Times as long is the next window, or as short, where the first was not right."""

_ONE_TOPIC: Final = """
SELECT offset, {name}, type, time, prev, data{more} FROM events INDEXED BY events_topic
WHERE topic = {topic} AND offset > :low AND offset < :high{type}
"""
_ONE_TOPIC_OFFSETS: Final = (
    "SELECT offset FROM events INDEXED BY events_topic WHERE topic = {topic} AND offset > :low AND offset < :high"
)
_OFFSETS: Final = """
SELECT offset FROM events INDEXED BY events_topic
WHERE topic IN (SELECT value FROM json_each(:topics)) AND offset > :low AND offset < :high LIMIT :most
"""
_ROWS_AT: Final = """
SELECT e.offset, t.name, e.type, e.time, e.prev, e.data{more}
FROM json_each(:offsets) j CROSS JOIN events e ON e.offset = j.value CROSS JOIN topics t ON t.id = e.topic{type}
"""
_TIME_AT: Final = "SELECT offset, time FROM events WHERE offset >= ? ORDER BY offset LIMIT 1"


OWN_MAX: Final = 16
"""Topics of the service's own that a statement leaves out; of more, each row is looked at."""

FIRST_TAKE: Final = 4
TAKE: Final = 64
"""Rows taken between two looks at their size, at first and at most: each may be a text of a mebibyte."""

STEP_SECONDS: Final = 0.0003
"""Of the processor in one short page, about. Rows of few topics may lie on a page of the file each: in a log of six
million events four hundred of them take 1 to 4 ms, and a publish, which takes four or five turns of the event loop,
waits for one in each.
"""

LEAST_ROWS: Final = 20
"""Of such a page, however long they take."""

_OVERSHOOT: Final = 1.5
"""Rows are asked for beyond the mean by this factor; what is too much is read again."""


Found = tuple[Sequence[Row], int]
"""Rows, and where the next page begins."""


class Reader:
    """Reads ranges of offsets, both ends exclusive, forward or newest first."""

    def __init__(self, path: Path, registry: TopicRegistry, clock: Clock) -> None:
        self.readers = Readers(path, clock)
        self._registry = registry
        self._worked = clock.worked
        self._mean_bytes = 256.0
        """Of the rows read last; a guess, which threads may write over one another."""
        self._row_seconds = 0.0
        """Of the processor for a row that is found through an index; likewise."""

    def close(self) -> None:
        self.readers.close()

    async def page(
        self,
        topics: TopicFilter,
        low: int,
        high: int,
        limit: int,
        max_bytes: int,
        newest_first: bool = False,
        type: str | None = None,
        width: Width | None = None,
        *,
        is_short: bool = False,
    ) -> Page:
        """The first events of `low < offset < high` that match; with a `type`, of the first WINDOW in that range.

        `next` is the `low` of the next page, or its `high` if newest first. `floor` is looked up when the rows
        are there: floors are raised before rows go, so it covers those that went meanwhile. That may take
        steps, and raise RateLimitedError (`TopicRegistry.learning`). `is_short`: it holds fewer than that, if
        they take long. `width` is for who puts pages together, whose rows have to be alike; without, it is as
        the log is now.
        """
        if width is None:
            width = self._registry.width
        if is_short and self._row_seconds * limit > STEP_SECONDS and not topics.covers_all:
            limit = min(limit, max(LEAST_ROWS, int(STEP_SECONDS / self._row_seconds)))
        look = Look(topics, low, high, limit, max_bytes, newest_first, type, width)
        rows, next = await self._found(look)
        for _ in self._registry.learning(topics):  # a trim of many topics may have gone on while it was looked for
            await asyncio.sleep(0)
        return Page(rows, next, self._registry.floor(topics))

    async def _found(self, look: Look) -> Found:
        """All that is asked of the registry is asked before a thread may read."""
        own = self._registry.own
        if look.topics.covers_all and len(own) <= OWN_MAX:
            if look.type is not None:
                look = look.first(WINDOW)
            names = {"type": look.type}
            return await self.readers.run(partial(self._fetch, look=look, sql=look.all_but(own), names=names))
        wanted = WINDOW if look.type is not None else min(look.limit, self._rows_within(look.max_bytes))
        match choose(self._registry.matching(look.topics), look.low, look.high, wanted):
            case Merge(topics):
                return await self.readers.run(
                    partial(self._merge, look=look, matching={topic.id: topic.name for topic in topics})
                )
            case Seek() as seek:
                return await self._seek(look, seek, wanted)
            case Scan():
                return await self.readers.run(partial(self._window, look=look))
        return (), look.end

    async def _seek(self, look: Look, seek: Seek, wanted: int) -> Found:
        """Of many topics that lie far apart, in windows, until the page is full or has taken its steps."""
        ids = [topic.id for topic in seek.topics]
        steps = [json.dumps(ids[start : start + SEEK_STEP]) for start in range(0, len(ids), SEEK_STEP)]
        offsets: list[int] = []
        left, window, taken = look, seek.window, 0
        while left.low + 1 < left.high and len(offsets) < wanted and (taken < SEEKS or not taken):
            part = left.first(window)
            if taken:
                await asyncio.sleep(0)
            found = await self._offsets(part, steps, _CROWDED * wanted)
            taken += len(steps)
            if found is None:
                window = max(1, window // _LONGER)
                continue
            offsets += sorted(found, reverse=look.newest_first)
            left = left.behind(part.end)
            window *= _LONGER
        if left == look:  # no window was short enough
            return await self.readers.run(partial(self._window, look=look))
        end = left.high if look.newest_first else left.low
        if len(offsets) > wanted:
            del offsets[wanted:]
            end = offsets[-1]
        return await self.readers.run(partial(self._rows_at, look=look, offsets=offsets, end=end))

    async def _offsets(self, part: Look, steps: Sequence[str], most: int) -> list[int] | None:
        """Of the topics of all steps in this range; None if they are very many."""
        found: list[int] = []
        for n, topics in enumerate(steps):
            if n:
                await asyncio.sleep(0)
            names = {"topics": topics, "low": part.low, "high": part.high, "most": most - len(found)}
            found += await self.readers.run(partial(_offsets, names=names))
            if len(found) >= most:
                return None
        return found

    def _rows_at(self, connection: Connection, look: Look, offsets: Sequence[int], end: int) -> Found:
        """Those that are wanted of these, in their order, and where to go on if all of them were looked at."""
        typed = "" if look.type is None else " WHERE e.type = :type"
        sql = _ROWS_AT.format(more=look.more, type=typed)
        began = self._worked()
        cursor = connection.execute(sql, {"offsets": json.dumps(offsets), "type": look.type})
        rows, is_all = _take(cursor, look.max_bytes)
        self._took(len(rows), self._worked() - began)
        kept = min(look.limit, self._cut(rows, look.max_bytes))
        if is_all and kept == len(rows):
            return rows, end
        del rows[kept:]
        return rows, rows[-1][OFFSET]

    def _merge(self, connection: Connection, look: Look, matching: dict[int, str]) -> Found:
        """Of a few topics, by their index."""
        if look.type is not None:
            look = self._first_indexed(connection, look, matching)
        parts: list[str] = []
        names: dict[str, Any] = {"type": look.type}
        typed = "" if look.type is None else " AND type = :type"
        for n, (id, name) in enumerate(matching.items()):
            parts.append(_ONE_TOPIC.format(name=f":n{n}", topic=f":t{n}", type=typed, more=look.more))
            names[f"n{n}"] = name
            names[f"t{n}"] = id
        sql = f"{' UNION ALL '.join(parts)} ORDER BY offset {look.order} LIMIT :limit"
        began = self._worked()
        rows, next = self._fetch(connection, look, sql, names)
        self._took(len(rows), self._worked() - began)
        return rows, next

    def _first_indexed(self, connection: Connection, look: Look, matching: dict[int, str]) -> Look:
        """The range cut after the first WINDOW events of these topics, which only the index is asked for.

        Without it, a type that none of them has would be looked for in all of them in one step.
        """
        parts = [_ONE_TOPIC_OFFSETS.format(topic=f":t{n}") for n in range(len(matching))]
        sql = f"{' UNION ALL '.join(parts)} ORDER BY offset {look.order} LIMIT 1 OFFSET :window"
        names = {f"t{n}": id for n, id in enumerate(matching)}
        row = connection.execute(sql, {**names, "low": look.low, "high": look.high, "window": WINDOW}).fetchone()
        if row is None:
            return look
        return look._replace(low=row[0]) if look.newest_first else look._replace(high=row[0])

    def _fetch(self, connection: Connection, look: Look, sql: str, names: dict[str, Any]) -> Found:
        limit = min(look.limit, self._rows_within(look.max_bytes))
        names = {**names, "low": look.low, "high": look.high, "limit": limit}
        rows, is_all = _take(connection.execute(sql, names), look.max_bytes)
        kept = self._cut(rows, look.max_bytes)
        if kept < len(rows):
            del rows[kept:]
        elif is_all and kept < limit:
            return rows, look.end
        return rows, rows[-1][OFFSET]

    def _took(self, rows: int, seconds: float) -> None:
        if rows >= LEAST_ROWS:
            self._row_seconds += (seconds / rows - self._row_seconds) / 2

    def _rows_within(self, max_bytes: int) -> int:
        """How many rows to ask for, by the size of those read last, so that little is read in vain."""
        return max(1, int(max_bytes * _OVERSHOOT / self._mean_bytes))

    def _cut(self, rows: list[Row], max_bytes: int) -> int:
        """How many of the rows fill the page: up to the one that reaches `max_bytes`."""
        size = bytes_of(rows)
        if rows:
            self._mean_bytes = max(1.0, size / len(rows))
        return filling(rows, size, max_bytes)

    def _window(self, connection: Connection, look: Look) -> Found:
        """One step of a scan: whatever matches among the next offsets, WINDOW at most, of so many topics as can be held
        against the filter in the time.
        """
        most = max(1, _COMPARISONS // look.topics.weight)
        look = look.first(WINDOW)
        matching = Matching(look.topics)
        cursor = connection.execute(
            look.all_topics, {"low": look.low, "high": look.high, "limit": WINDOW, "type": look.type}
        )
        rows: list[Row] = []
        size = 0
        for row in cursor:
            if matching[row[TOPIC]]:
                rows.append(row)
                size += bytes_of((row,))
                if len(rows) == look.limit or size >= look.max_bytes:
                    cursor.close()
                    return rows, row[OFFSET]
            if len(matching) >= most:
                cursor.close()
                return rows, row[OFFSET]
        return rows, look.end

    def floor(self, topics: TopicFilter) -> int:
        return self._registry.floor(topics)

    async def first_at(self, time: int, head: int) -> int:
        """The smallest offset whose event is not older than `time` (Unix ms), or head + 1.

        Times never decrease, but where somebody has said that a clock is right which was set back: what counts then is
        the newest event that is older, and what came before it is taken for as old.
        """
        return await self.readers.run(partial(_first_at, time=time, head=head))


def _offsets(connection: Connection, names: dict[str, Any]) -> list[int]:
    return [offset for (offset,) in connection.execute(_OFFSETS, names)]


def _first_at(connection: Connection, time: int, head: int) -> int:
    low, high = 1, head + 1
    step = 1
    while (at := head + 1 - step) > 0:  # from the newest back, in ever longer steps
        offset, then = connection.execute(_TIME_AT, (at,)).fetchone() or (high, time)
        if offset <= head and then < time:
            low = offset + 1
            break
        high, step = at, 2 * step
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_TIME_AT, (middle,)).fetchone()
        offset, then = row or (high, time)
        if offset > head or then >= time:
            high = middle  # also if nothing is kept from here to the head
        else:
            low = offset + 1
    return low


def _take(cursor: Cursor, max_bytes: int) -> tuple[list[Row], bool]:
    """The rows, and whether it is all of them: not if they are more than `max_bytes`, and far more would come.

    They may be larger by far than those that `_rows_within` has judged by.
    """
    rows: list[Row] = []
    size, take = 0, FIRST_TAKE
    while len(more := cursor.fetchmany(take)) == take:
        rows += more
        size += bytes_of(more)
        if size > max_bytes:
            cursor.close()
            return rows, False
        take = min(TAKE, 2 * take)
    rows += more
    return rows, True
