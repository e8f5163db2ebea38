"""The state at a position, page by page in the order of the log: by what it holds, and not by what the log does.

What counts now is in an index of its own, of each topic and of all. What counted at an earlier position and was
superseded since is found by when that was, so a page that comes later tells the same state; who comes so late that it
would be looked for among more than SINCE_MAX has to begin again.

    few topics    each through its indexes, put in order by SQLite as it reads
    more of them  the lowest offsets of all of them, which are then read, if they keep little
    many, all     what counts in the whole log, of which the filter's is kept: a window at a time
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from service.core.errors import GoneError
from service.core.event import APPEND, OFFSET, TOPIC, Event, Row, as_text, bytes_of, filling, mark_of
from service.core.topics import Matching
from service.log.base import Page, StateSearch
from service.log.sqlite.database import Connection, Cursor, as_json
from service.log.sqlite.plan import MERGE_TOPICS
from service.log.sqlite.reader import Reader
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.values import begin_of

GATHERED: Final = 1_000
"""Topics whose offsets are put together, a millisecond or two of seeking; of more, everybody's state is read."""

GATHERED_EVENTS: Final = 5_000
"""That these keep, at most: all that count of them are looked at for each page."""

SINCE_MAX: Final = 5_000
"""Events that were superseded since the position of a state, a millisecond: with more it can't be gone on with."""

FETCHED: Final = 32
"""Events that are fetched at a time: each call has its price, and what lies beyond a page is read for nothing."""

WINDOW: Final = 2_000
"""Events of everybody's that are looked at in one step."""

_COUNT: Final = attrgetter("count")

_CURRENT: Final = """
SELECT offset, {name}, type, time, prev, data, traceparent, subject, mark FROM events INDEXED BY events_current
WHERE topic = {topic} AND subject IS NOT NULL AND gone IS NULL
AND offset > :low AND offset <= :high
"""
_SINCE: Final = """
SELECT offset, name, type, time, prev, data, traceparent, subject, mark
FROM events INDEXED BY events_gone CROSS JOIN topics ON topics.id = events.topic
WHERE topic IN (SELECT value FROM json_each(:topics)) AND subject IS NOT NULL AND gone > :at
AND offset > :low AND offset <= :high
"""
_OF_SUBJECT: Final = """
SELECT offset, {name}, type, time, prev, data, traceparent, subject, mark FROM events INDEXED BY events_subject
WHERE topic = {topic} AND subject = :subject AND (gone IS NULL OR gone > :at)
AND offset > :low AND offset <= :high AND offset >= {begin}
"""
_STRINGS: Final = """
SELECT offset, data FROM events INDEXED BY events_subject
WHERE topic = :topic AND subject = :subject AND (gone IS NULL OR gone > :at)
AND offset > :low AND offset <= :high AND offset >= {begin} ORDER BY offset LIMIT :limit
"""
_CURRENT_OFFSETS: Final = """
SELECT offset FROM events INDEXED BY events_current
WHERE topic IN (SELECT value FROM json_each(:topics)) AND subject IS NOT NULL AND gone IS NULL
AND offset > :low AND offset <= :high ORDER BY offset LIMIT :limit
"""
_SINCE_OFFSETS: Final = """
SELECT offset FROM events INDEXED BY events_gone WHERE subject IS NOT NULL AND gone > :at
AND offset > :low AND offset <= :high AND (:topics IS NULL OR topic IN (SELECT value FROM json_each(:topics)))
ORDER BY offset LIMIT :limit
"""
_SINCE_COUNT: Final = """
SELECT count(*) FROM (SELECT 1 FROM events INDEXED BY events_gone WHERE subject IS NOT NULL AND gone > ? LIMIT ?)
"""
_SUBJECT_OFFSETS: Final = """
SELECT offset FROM events INDEXED BY events_subject
WHERE topic IN (SELECT value FROM json_each(:topics)) AND subject = :subject AND (gone IS NULL OR gone > :at)
AND offset > :low AND offset <= :high ORDER BY offset LIMIT :limit
"""
_ALL_OFFSETS: Final = """
SELECT offset FROM events INDEXED BY events_state
WHERE subject IS NOT NULL AND gone IS NULL
AND offset > :low AND offset <= :high ORDER BY offset LIMIT :limit
"""
_ROWS_AT: Final = """
SELECT e.offset, t.name, e.type, e.time, e.prev, e.data, e.traceparent, e.subject, e.mark
FROM json_each(:offsets) j CROSS JOIN events e ON e.offset = j.value CROSS JOIN topics t ON t.id = e.topic
WHERE 1
"""
_BELOW: Final = """
SELECT gone FROM events INDEXED BY events_subject WHERE topic = ? AND subject = ? AND offset <= ?
ORDER BY offset DESC LIMIT 1
"""
_IS_LAST: Final = """
AND NOT EXISTS (
    SELECT 1 FROM events later INDEXED BY events_subject WHERE later.topic = events.topic
    AND later.subject = events.subject AND later.offset > events.offset AND later.offset <= :at
    AND (later.gone IS NULL OR later.gone > :at)
)
"""
_IS_LAST_NOW: Final = """
AND NOT EXISTS (
    SELECT 1 FROM events later INDEXED BY events_subject WHERE later.topic = events.topic
    AND later.subject = events.subject AND later.offset > events.offset AND later.offset <= :at
)
"""
"""Of what counts now: what comes behind it about the same subject does too, so the index alone can tell."""


Found = tuple[Sequence[Row], int]
"""Rows, and the offset up to which all was looked at."""


class StateReader:
    """Pages of states; each is one bounded step, or a few."""

    def __init__(self, reader: Reader, registry: TopicRegistry) -> None:
        self._readers = reader.readers
        self._registry = registry
        self._far = 0
        """The latest position that was found to be too far back: those before it are too."""

    async def page(self, search: StateSearch) -> Page:
        """As `EventLog.state`; `floor` is looked up when the rows are there."""
        if search.at <= self._far or await self._readers.run(partial(_is_far, at=search.at)):
            self._far = max(self._far, search.at)
            raise GoneError(f"over {SINCE_MAX:,} events were replaced since this state was begun: begin again")
        found = self._registry.matching(search.topics)
        if search.is_text and found is not None and len(found) == 1:
            (topic,) = found
            rows, next = await self._found(search, partial(_text, search=search, topic=topic))
        elif found is not None and len(found) <= MERGE_TOPICS:
            rows, next = await self._found(search, partial(_merge, search=search, topics=tuple(found)))
        elif found is not None and len(found) <= GATHERED and sum(map(_COUNT, found)) <= GATHERED_EVENTS:
            ids = as_json([topic.id for topic in found])
            rows, next = await self._found(search, partial(_gather, search=search, topics=ids))
        else:
            rows, next = await self._found(search, partial(_look_through, search=search))
        for _ in self._registry.learning(search.topics):  # as in reader.py
            await asyncio.sleep(0)
        holes = self._registry.holes
        if search.at < holes.up_to and holes.floor(search.topics):  # raised before rows go
            raise GoneError("events of this state may have been removed since it was begun: begin again")
        return Page(rows, next, self._registry.floor(search.topics))

    async def _found(self, search: StateSearch, find: Callable[[Connection], Found]) -> Found:
        return await self._readers.run(partial(_in_one_look, find=find, at=search.at, registry=self._registry))


def _in_one_look(
    connection: Connection, find: Callable[[Connection], Found], at: int, registry: TopicRegistry
) -> Found:
    """What is found, all of it as of one commit, without values of which retention takes the beginning: floors are
    raised long before the last row below them goes. Who runs it ends its transaction (`slow.py`).
    """
    connection.execute("BEGIN")
    rows, next = find(connection)
    if not any((topic := registry.get(name)) is None or topic.floor for name in {row[TOPIC] for row in rows}):
        return rows, next  # where nothing was ever removed, nothing lacks its beginning
    cut: dict[tuple[str, str], bool] = {}
    return [row for row in rows if not _is_cut(connection, row, at, registry, cut)], next


def _is_cut(
    connection: Connection, row: Row, at: int, registry: TopicRegistry, known: dict[tuple[str, str], bool]
) -> bool:
    """Whether the beginning of its value lies below its topic's floor; `known` by topic and subject."""
    topic = registry.get(row[TOPIC])
    if topic is None or row[OFFSET] <= topic.floor:
        return True
    if not topic.floor or not mark_of(row) & APPEND:
        return False
    key = row[TOPIC], Event(*row).subject or ""
    if key not in known:
        before = connection.execute(_BELOW, (topic.id, key[1], topic.floor)).fetchone()
        known[key] = before is not None and (before[0] is None or before[0] > at)
    return known[key]


def _merge(connection: Connection, search: StateSearch, topics: Sequence[Topic]) -> Found:
    if not topics:
        return (), search.at
    names = {**_names(search), "topics": as_json([topic.id for topic in topics])}
    statement = _OF_SUBJECT if search.subject is not None else _CURRENT
    places = [(f":n{n}", f":t{n}") for n in range(len(topics))]
    parts = [
        statement.format(name=name, topic=topic, begin=begin_of(topic, ":subject", at=":at")) for name, topic in places
    ]
    for n, topic in enumerate(topics):
        names |= {f"n{n}": topic.name, f"t{n}": topic.id}
    if search.lasts:
        last = _IS_LAST if search.subject is not None else _IS_LAST_NOW
        parts = [f"{part}{last}" for part in parts]
    if search.subject is None:
        parts.append(f"{_SINCE}{_IS_LAST if search.lasts else ''}")
    sql = f"{' UNION ALL '.join(parts)} ORDER BY offset LIMIT :limit"
    return _filled(connection.execute(sql, names), search, search.limit, search.at)


def _text(connection: Connection, search: StateSearch, topic: Topic) -> Found:
    """The strings of a value as one event, without what else each of them has: half the work. What is not whole or no
    text is read as all else.
    """
    begin = "0" if search.after else begin_of(":topic", ":subject", at=":at")
    cursor = connection.execute(_STRINGS.format(begin=begin), {**_names(search), "topic": topic.id})
    first, last, strings = 0, 0, []
    left = search.max_bytes
    for offset, data in cursor:
        if not data.startswith('"') or offset <= topic.floor:
            cursor.close()
            return _merge(connection, search, (topic,))
        first, last = first or offset, offset
        strings.append(data)
        left -= len(data) if data.isascii() else len(data.encode())
        if left <= 0:
            break
    cursor.close()
    if not strings:
        return (), search.at
    begun, grown = _rows_at(connection, search, [first, last]).fetchall()
    is_full = left <= 0 or len(strings) == search.limit
    return [as_text(begun, grown, strings)], last if is_full else search.at


def _gather(connection: Connection, search: StateSearch, topics: str) -> Found:
    names = {**_names(search), "topics": topics}
    if search.subject is not None:
        found = _offsets(connection, _SUBJECT_OFFSETS, names)
    else:
        found = _offsets(connection, _CURRENT_OFFSETS, names) + _offsets(connection, _SINCE_OFFSETS, names)
    offsets = sorted(found)[: search.limit]
    end = search.at if len(offsets) < search.limit else offsets[-1]
    return _filled(_rows_at(connection, search, offsets), search, search.limit + 1, end)


def _look_through(connection: Connection, search: StateSearch) -> Found:
    """One window of everybody's."""
    names = {**_names(search), "limit": WINDOW, "topics": None}
    found = _offsets(connection, _ALL_OFFSETS, names)
    high = found[-1] if len(found) == WINDOW else search.at
    since = _offsets(connection, _SINCE_OFFSETS, {**names, "high": high})
    if len(since) == WINDOW:
        high = min(high, since[-1])
    offsets = [offset for offset in sorted({*found, *since}) if offset <= high]
    matching, rows, size = Matching(search.topics), [], 0
    cursor = _rows_at(connection, search, offsets)
    for row in cursor:
        if matching[row[TOPIC]] and search.subject in (None, row[-2]):
            rows.append(row)
            size += bytes_of((row,))
            if len(rows) == search.limit or size >= search.max_bytes:
                cursor.close()
                return rows, row[OFFSET]
    return rows, high


def _names(search: StateSearch) -> dict[str, Any]:
    """What statements call it."""
    at = search.at
    return {"at": at, "low": search.after, "high": at, "limit": search.limit, "subject": search.subject}


def _rows_at(connection: Connection, search: StateSearch, offsets: Sequence[int]) -> Cursor:
    sql = f"{_ROWS_AT}{_IS_LAST.replace('events.', 'e.')}" if search.lasts else _ROWS_AT
    return connection.execute(sql, {"offsets": as_json(offsets), "at": search.at})


def _offsets(connection: Connection, sql: str, names: dict[str, Any]) -> list[int]:
    return [offset for (offset,) in connection.execute(sql, names)]


def _is_far(connection: Connection, at: int) -> bool:
    (count,) = connection.execute(_SINCE_COUNT, (at, SINCE_MAX + 1)).fetchone()
    return bool(count > SINCE_MAX)


def _filled(cursor: Cursor, search: StateSearch, limit: int, end: int) -> Found:
    """The rows up to the one that fills the page; if none does, all of the state was looked at."""
    rows: list[Row] = []
    left = search.max_bytes
    while len(rows) < limit:
        more: list[Row] = cursor.fetchmany(min(FETCHED, limit - len(rows)))
        if not more:
            return rows, end
        size = bytes_of(more)
        rows += more[: filling(more, size, left)]
        left -= size
        if left <= 0:
            break
    cursor.close()
    return rows, rows[-1][OFFSET]
