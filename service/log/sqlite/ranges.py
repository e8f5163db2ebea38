"""Cutting many topics at once, in ranges of offsets: each page of the log is written about once.

Retention and trims are both of this kind. Rows lie in the order of their offsets, and those of a topic lie apart: with
a thousand topics a thousand rows of one touch a thousand pages, and each page is written again for every topic that has
a row in it. So where most of a range of offsets may go, as what is too old does, all topics are cut together from its
beginning to its end.

    floors   rise for all topics of the cut, before its first row goes (see log/base.py, "No silent hole")
    a step   is one transaction: rows, the floors on disk and the sizes change together; a floor on disk is the highest
             offset that has gone, so whoever opens the log after a kill finds what is there
    a fault  leaves rows below floors: these topics are `unfinished`, and the next cut takes them along

What remains is the index by topic: a step writes a page of it for about each topic that it meets, however few rows it
takes. So a step is long while nobody else publishes, and ends once somebody comes. Beside others it is as short as they
can bear (`trim.Stride`), and with many topics then slow: a row costs a page of the journal.

Topics whose rows are few in a long range are cut by themselves, through that index (`Trimmer.cut`).
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from service.core.event import Width
from service.log.base import Pace, Progress
from service.log.sqlite.about import lose
from service.log.sqlite.database import WriterConnection, transaction, unsynced
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.trim import (
    NOTHING,
    QUIET_SECONDS,
    RAISE_SECONDS,
    SCARCE_ROWS,
    TRIM_ROWS,
    TRIM_SECONDS,
    Less,
    Trimmer,
    save_counts,
    take_over,
    untold,
)
from service.log.sqlite.writer import Writer

SPARSE: Final = 16
"""Rows looked at for one that goes, up to which a range is looked through: its pages hold about three times as many."""

STEP_TOPICS: Final = 5_000
"""In one step, beyond which it ends: the sizes of each are written with it, some microseconds."""

LOADED: Final = 5_000
"""Topics of a cut that are told to SQLite in one step, a few milliseconds."""

_SPAN: Final = """
SELECT (SELECT offset FROM events INDEXED BY events_topic WHERE topic = ?1 ORDER BY offset LIMIT 1),
(SELECT offset FROM events INDEXED BY events_topic WHERE topic = ?1 AND offset <= ?2 ORDER BY offset DESC LIMIT 1)
"""
_CUTOFF_BY_COUNT: Final = "SELECT offset FROM events WHERE topic = ? ORDER BY offset DESC LIMIT 1 OFFSET ?"
_CUTS: Final = "CREATE TEMP TABLE IF NOT EXISTS cuts (topic INTEGER PRIMARY KEY, last INTEGER NOT NULL)"
_LOAD: Final = "INSERT INTO temp.cuts SELECT value ->> 0, value ->> 1 FROM json_each(?)"
_STOP: Final = (
    "SELECT max(offset) FROM (SELECT offset FROM events WHERE offset > ? AND offset <= ? ORDER BY offset LIMIT ?)"
)
_SIZES: Final = """
SELECT topic, count(*), sum(length(CAST(data AS BLOB))), max(offset) FROM events CROSS JOIN temp.cuts USING (topic)
WHERE offset > ? AND offset <= ? AND offset <= last GROUP BY topic
"""
_LOST: Final = """
SELECT topic, subject, mark, max(offset) FROM events CROSS JOIN temp.cuts USING (topic)
WHERE offset > ? AND offset <= ? AND offset <= last AND subject IS NOT NULL AND (gone IS NULL OR gone = 0)
GROUP BY topic, subject
"""
_DELETE: Final = """
DELETE FROM events WHERE offset > ? AND offset <= ?
AND offset <= (SELECT last FROM temp.cuts WHERE cuts.topic = events.topic)
"""


class Wanted(NamedTuple):
    """A topic that may be cut: up to the offset `cutoff`, and down to its newest `keep` events; None: to any number."""

    topic: Topic
    cutoff: int
    keep: int | None


class Span(NamedTuple):
    """The offsets of a topic's first event, and of the last that goes; how many go, if that is known."""

    topic: Topic
    first: int
    last: int
    known: int | None = None

    @property
    def lost(self) -> int:
        return int(self.rows) if self.known is None else self.known

    @property
    def rows(self) -> float:
        """How many go, about: as if they lay evenly."""
        share = (self.last - self.first + 1) / max(1, self.topic.head - self.first + 1)
        return max(1.0, self.topic.count * share)


class RangeCutter:
    """Cuts of one range at a time; what is cut by topic waits for nobody."""

    def __init__(self, writer: Writer, registry: TopicRegistry, trimmer: Trimmer) -> None:
        self._writer = writer
        self._registry = registry
        self._trimmer = trimmer
        self._one = asyncio.Lock()
        """Whose cut the table of cuts is: a trim may come while retention cuts, or the other way round."""

    async def cut(self, wanted: Iterable[Wanted], told: Progress = untold) -> int:
        """Remove what is to go; returns how many events went, as `told` is after each step.

        The floors of all of them are raised before anything is removed.
        """
        waiting = deque(wanted)
        found: list[Span] = []
        left = 0
        while waiting:
            spans = await self._writer.run(partial(self._find, waiting=waiting))
            left += sum(span.lost for span in spans)
            found += spans
        await self._raise(found)
        together, apart = await asyncio.to_thread(split, found)  # of a million topics it takes seconds
        told(0, left)
        removed = 0
        if together:
            async with self._one:
                removed = await self._cut_range(together, left, told)
        after = partial(_after, told, removed, left)
        return removed + await self._trimmer.cut([(span.topic, span.last) for span in apart], after)

    def _find(self, connection: WriterConnection, waiting: deque[Wanted]) -> list[Span]:
        """On the writer's thread: one step, of the first of `waiting`, which leave it. Those that lose something."""
        now = self._writer.clock.monotonic
        until = now() + TRIM_SECONDS
        found: list[Span] = []
        while waiting:
            topic, cutoff, keep = waiting.popleft()
            known = topic.count - keep if keep is not None and not cutoff else None
            if topic in self._trimmer.unfinished:
                cutoff, known = max(cutoff, topic.floor), None
            if keep is not None and topic.count > keep:
                row = connection.execute(_CUTOFF_BY_COUNT, (topic.id, keep)).fetchone()
                cutoff = max(cutoff, row[0] if row else 0)
            first, last = connection.execute(_SPAN, (topic.id, cutoff)).fetchone()
            if last is not None:
                found.append(Span(topic, first, last, known))
            if now() > until or len(found) == TRIM_ROWS:
                break
        return found

    async def _raise(self, spans: Sequence[Span]) -> None:
        """The floors of all of them."""
        pace = Pace(self._writer.clock.monotonic, RAISE_SECONDS)
        for topic, _, last, _ in spans:
            self._trimmer.unfinished.add(topic)
            await self._trimmer.announce(topic)
            self._registry.raise_floor(topic, last)
            await pace()

    async def _cut_range(self, spans: Sequence[Span], left: int, told: Progress) -> int:
        await self._writer.run(_clear)
        try:
            for start in range(0, len(spans), LOADED):
                await self._writer.run(partial(_load, spans=spans[start : start + LOADED]))
            after, end = min(span.first for span in spans) - 1, max(span.last for span in spans)
            removed, topics = 0, {span.topic.id: span.topic for span in spans}
            while after < end:
                await self._trimmer.journal_room()
                gone, after = await self._writer.run(partial(self._step, topics=topics, after=after, end=end))
                removed += gone
                told(removed, max(left - removed, 0))
                await asyncio.sleep(0)
            pace = Pace(self._writer.clock.monotonic, RAISE_SECONDS)
            for topic, _, last, _ in spans:
                await pace()
                if last >= topic.floor:
                    self._trimmer.unfinished.discard(topic)
            return removed
        finally:
            if not self._writer.is_closing:
                await self._writer.run(_clear)

    def _step(self, connection: WriterConnection, topics: Mapping[int, Topic], after: int, end: int) -> tuple[int, int]:
        """On the writer's thread. How many events went, and up to where all that is to go has gone."""
        return self._writer.room.using(connection, partial(self._delete, connection, topics, after, end))

    def _delete(
        self, connection: WriterConnection, topics: Mapping[int, Topic], after: int, end: int
    ) -> tuple[int, int]:
        """The rows, the floors and the sizes change together."""
        writer, stride = self._writer, self._trimmer.stride
        now, is_quiet, is_spent = writer.clock.monotonic, writer.is_quiet, writer.room.is_spent
        begun = now()
        rows = SCARCE_ROWS if is_spent else TRIM_ROWS if is_quiet else stride.rows
        less: dict[int, Less] = {}
        lost: dict[tuple[int, str], int | None] | None = {} if self._registry.width is Width.WHOLE else None
        with unsynced(connection), transaction(connection):
            while after < end:
                stop = _delete_slice(connection, after, end, rows, less, lost)
                after = end if stop is None else stop
                if is_spent or not (is_quiet and writer.is_idle):
                    break
                if now() - begun > QUIET_SECONDS or len(less) > STEP_TOPICS:
                    break
            shrunk, at = {topics[id]: one for id, one in less.items()}, writer.clock.unix_ms()
            lose(connection, lost or {}, at)
            save_counts(connection, self._registry, writer.head, shrunk, at)
        if not is_quiet:
            stride.took(rows, now() - begun)
        return take_over(self._registry, shrunk, at), after


def _after(told: Progress, before: int, all: int, removed: int, _: int) -> None:
    """`told` of what goes once `before` have gone."""
    told(before + removed, max(all - before - removed, 0))


def split(spans: Iterable[Span]) -> tuple[Sequence[Span], Sequence[Span]]:
    """Those that are cut together, which take a good part of a range of offsets, and those that are not."""
    latest = sorted(spans, key=lambda span: -span.first)
    end = max((span.last for span in latest), default=0)
    rows, together = 0.0, 0
    for n, span in enumerate(latest, 1):
        rows += span.rows
        if rows * SPARSE >= end - span.first + 1:
            together = n
    if together < 2:
        together = 0  # the rows of one are next to each other in the index, and found there
    return latest[:together], latest[together:]


def _delete_slice(
    connection: WriterConnection,
    after: int,
    end: int,
    rows: int,
    less: dict[int, Less],
    lost: dict[tuple[int, str], int | None] | None,
) -> int | None:
    """What is to go of the next rows; up to where, or None if nothing is left. `less` grows, by topic, and `lost` by
    subjects whose value lacks something then; None: there are none.
    """
    stop: int | None
    (stop,) = connection.execute(_STOP, (after, end, rows)).fetchone()
    if stop is None:
        return None
    found = connection.execute(_SIZES, (after, stop)).fetchall()
    if found:
        if lost is not None:
            for topic, subject, mark, _ in connection.execute(_LOST, (after, stop)).fetchall():
                lost[topic, subject] = mark
        connection.execute(_DELETE, (after, stop))
    for id, count, size, last in found:
        before = less.get(id, NOTHING)
        less[id] = Less(before.events + count, before.bytes + size, last)
    return stop


def _clear(connection: WriterConnection) -> None:
    connection.execute(_CUTS)
    connection.execute("DELETE FROM temp.cuts")


def _load(connection: WriterConnection, spans: Sequence[Span]) -> None:
    connection.execute(_LOAD, (json.dumps([(span.topic.id, span.last) for span in spans]),))
