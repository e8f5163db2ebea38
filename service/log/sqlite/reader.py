"""Small pages, read from connections that can't write; `slow.py` says on which thread.

Each is one bounded step and ends its read transaction before it returns, so nothing pins the WAL while a page travels
over a network.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from service.core.event import OFFSET, TOPIC, Row, bytes_of
from service.core.time import Clock
from service.core.topics import Matching, TopicFilter
from service.log.base import Page
from service.log.sqlite.database import Connection, Cursor
from service.log.sqlite.slow import Readers
from service.log.sqlite.topics import TopicRegistry

MERGE_TOPICS: Final = 16
"""Topics read through the topic index and merged; with more of them, the log is scanned in windows instead."""

WINDOW: Final = 2_000
"""Offsets looked at in one step of a scan, about a millisecond of it, however few of them match."""

_COMPARISONS: Final = 100_000
"""Segments compared in one such step, some milliseconds: for filters that are hard to match it is a shorter one."""

_ONE_TOPIC: Final = """
SELECT offset, {name}, type, time, prev, data{trace} FROM events INDEXED BY events_topic
WHERE topic = {topic} AND offset > :low AND offset < :high{type}
"""
_ONE_TOPIC_OFFSETS: Final = (
    "SELECT offset FROM events INDEXED BY events_topic WHERE topic = {topic} AND offset > :low AND offset < :high"
)
_ALL_TOPICS: Final = """
SELECT e.offset, t.name, e.type, e.time, e.prev, e.data{trace}
FROM events e CROSS JOIN topics t ON t.id = e.topic
WHERE e.offset > :low AND e.offset < :high{more} ORDER BY e.offset {order} LIMIT :limit
"""
_TIME_AT: Final = "SELECT offset, time FROM events WHERE offset >= ? ORDER BY offset LIMIT 1"


OWN_MAX: Final = 16
"""Topics of the service's own that a statement leaves out; of more, each row is looked at."""

TAKE: Final = 64
"""Rows taken between two looks at their size."""

_OVERSHOOT: Final = 1.5
"""Rows are asked for beyond the mean by this factor; what is too much is read again."""


Found = tuple[Sequence[Row], int]
"""Rows, and where the next page begins."""


class Look(NamedTuple):
    """What one page is looked for in: a range of offsets, both ends exclusive, and what of it is wanted."""

    topics: TopicFilter
    low: int
    high: int
    limit: int
    max_bytes: int
    newest_first: bool
    type: str | None
    is_traced: bool = False
    """With what each event carries of a trace."""

    @property
    def trace(self) -> str:
        """One column more, or none."""
        return ", traceparent" if self.is_traced else ""

    @property
    def order(self) -> str:
        return "DESC" if self.newest_first else "ASC"

    @property
    def all_topics(self) -> str:
        """The statement that reads the range whatever the topic."""
        return self.all_but(())

    def all_but(self, own: Sequence[int]) -> str:
        """The same without these topics, by their ids."""
        left_out = f" AND e.topic NOT IN ({','.join(map(str, own))})" if own else ""
        typed = "" if self.type is None else " AND e.type = :type"
        return _ALL_TOPICS.format(order=self.order, more=typed + left_out, trace=self.trace)

    @property
    def end(self) -> int:
        """Where the next page begins once all of the range was looked at."""
        return self.low + 1 if self.newest_first else self.high - 1

    def first(self, window: int) -> "Look":
        """The range cut after its first `window` offsets."""
        if self.newest_first:
            return self._replace(low=max(self.low, self.high - window - 1))
        return self._replace(high=min(self.high, self.low + window + 1))


class Reader:
    """Reads ranges of offsets, both ends exclusive, forward or newest first."""

    def __init__(self, path: Path, registry: TopicRegistry, clock: Clock) -> None:
        self.readers = Readers(path, clock)
        self._registry = registry
        self._mean_bytes = 256.0
        """Of the rows read last; a guess, which threads may write over one another."""

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
        is_traced: bool | None = None,
    ) -> Page:
        """The first events of `low < offset < high` that match; with a `type`, of the first WINDOW in that range.

        `next` is the `low` of the next page, or its `high` if newest first. `floor` is looked up when the rows are
        there: floors are raised before rows go, so it covers those that went meanwhile. `is_traced` is for who puts
        pages together, whose rows have to be alike; without, it is as the log is now.
        """
        if is_traced is None:
            is_traced = self._registry.is_traced
        look = Look(topics, low, high, limit, max_bytes, newest_first, type, is_traced)
        rows, next = await self.readers.run(self.plan(look))
        return Page(rows, next, self._registry.floor(topics))

    def plan(self, look: Look) -> Callable[[Connection], Found]:
        """What finds it, on whatever thread: all that is asked of the registry is asked here."""
        own = self._registry.own
        if look.topics.covers_all and len(own) <= OWN_MAX:
            if look.type is not None:
                look = look.first(WINDOW)
            return partial(self._fetch, look=look, sql=look.all_but(own), names={"type": look.type})
        matching = self._registry.few(look.topics, MERGE_TOPICS)
        if matching is None:
            return partial(self._window, look=look)
        if not matching:
            return lambda connection: ((), look.end)
        return partial(self._merge, look=look, matching=dict(matching))

    def _merge(self, connection: Connection, look: Look, matching: dict[int, str]) -> Found:
        """Of a few topics, by their index."""
        if look.type is not None:
            look = self._first_indexed(connection, look, matching)
        parts: list[str] = []
        names: dict[str, Any] = {"type": look.type}
        typed = "" if look.type is None else " AND type = :type"
        for n, (id, name) in enumerate(matching.items()):
            parts.append(_ONE_TOPIC.format(name=f":n{n}", topic=f":t{n}", type=typed, trace=look.trace))
            names[f"n{n}"] = name
            names[f"t{n}"] = id
        sql = f"{' UNION ALL '.join(parts)} ORDER BY offset {look.order} LIMIT :limit"
        return self._fetch(connection, look, sql, names)

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

    def _rows_within(self, max_bytes: int) -> int:
        """How many rows to ask for, by the size of those read last, so that little is read in vain."""
        return max(1, int(max_bytes * _OVERSHOOT / self._mean_bytes))

    def _cut(self, rows: list[Row], max_bytes: int) -> int:
        """How many of the rows fill the page: up to the one that reaches `max_bytes`."""
        size = bytes_of(rows)
        if rows:
            self._mean_bytes = max(1.0, size / len(rows))
        if size <= max_bytes:
            return len(rows)
        size = 0
        for kept, row in enumerate(rows, 1):
            size += bytes_of((row,))
            if size >= max_bytes:
                return kept
        return len(rows)

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
    rows: list[Row] = cursor.fetchmany(TAKE)
    taken, size = len(rows), 0
    while taken == TAKE:
        size += bytes_of(rows[-TAKE:])
        if size > max_bytes:
            cursor.close()
            return rows, False
        more = cursor.fetchmany(TAKE)
        taken = len(more)
        rows += more
    return rows, True
