"""The other bounds of a topic whose state is kept: they take events without a subject, and leave the rest among them.

found    what is too old is known by its offset; what is too many, or too much, by counting from the newest down to
         where nothing without a subject is left
taken    from the oldest on, and up to where that goes nothing without a subject is kept: the next pass begins there
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Final, NamedTuple

from service.log.sqlite.compact import Remover
from service.log.sqlite.database import WriterConnection
from service.log.sqlite.holes import THINNED
from service.log.sqlite.topics import Topic
from service.log.sqlite.writer import Writer

LOOK_ROWS: Final = 1_000
"""Events of a topic that are looked at in one step, a millisecond or two."""

SIZED_ROWS: Final = 100
"""Likewise where it is looked how much data they have, which is read for that."""

KNOWN_MAX: Final = 1_000_000
"""Topics of which is known how far they were looked at; of one beyond all is looked at again."""

_NEWEST: Final = """
SELECT offset, {size}, subject IS NULL FROM events INDEXED BY events_topic
WHERE topic = ? AND offset > ? AND offset < ? ORDER BY offset DESC LIMIT ?
"""
_COUNTED: Final = _NEWEST.format(size=0)
_SIZED: Final = _NEWEST.format(size="length(CAST(data AS BLOB))")
_OLDEST: Final = """
SELECT offset, subject IS NULL FROM events INDEXED BY events_topic
WHERE topic = ? AND offset > ? AND offset <= ? ORDER BY offset LIMIT ?
"""


class Plain(NamedTuple):
    """What may go of a topic's events without a subject: up to the offset `cutoff`, and beyond the newest `max_count`
    and `max_bytes` of data; None: any number.
    """

    topic: Topic
    cutoff: int
    max_count: int | None = None
    max_bytes: int | None = None


class _Seen(NamedTuple):
    """Of a topic at the last pass: up to where none without a subject was left, and its head."""

    swept: int = 0
    head: int = -1


class Thinner:
    """One topic at a time."""

    def __init__(self, writer: Writer, remover: Remover) -> None:
        self._writer = writer
        self._remover = remover
        self._seen: dict[Topic, _Seen] = {}

    async def thin(self, plain: Plain) -> int:
        """How many events went."""
        topic, head = plain.topic, plain.topic.head
        seen = self._seen.get(topic, _Seen())
        cutoff = min(plain.cutoff, head)
        if topic.head != seen.head and (plain.max_count is not None or plain.max_bytes is not None):
            cutoff = max(cutoff, await self._excess(plain, seen.swept, head))
        removed = 0
        if cutoff > seen.swept:
            removed = await self._take(topic, seen.swept, cutoff)
        self._seen.pop(topic, None)
        self._seen[topic] = _Seen(max(cutoff, seen.swept), head)
        if len(self._seen) > KNOWN_MAX:
            del self._seen[next(iter(self._seen))]
        return removed

    async def _excess(self, plain: Plain, swept: int, head: int) -> int:
        """The offset up to which there are too many, or too much; 0 if there are not."""
        count = size = 0
        sql, most = (_COUNTED, LOOK_ROWS) if plain.max_bytes is None else (_SIZED, SIZED_ROWS)
        async for rows in self._newest(plain.topic, swept, head, sql, most):
            for offset, length, is_plain in rows:
                if is_plain:
                    count, size = count + 1, size + length
                    is_over = plain.max_count is not None and count > plain.max_count
                    if is_over or (plain.max_bytes is not None and size > plain.max_bytes):
                        return int(offset)
        return 0

    async def _take(self, topic: Topic, after: int, cutoff: int) -> int:
        last = await self._last(topic, after, cutoff)
        if not last:
            return 0
        await self._remover.announce({topic: last}, THINNED, is_plain=True)
        removed = 0
        while after < last:
            most = self._remover.rows
            rows = await self._writer.run(partial(_rows, sql=_OLDEST, parameters=(topic.id, after, last, most)))
            found = [(topic, offset) for offset, is_plain in rows if is_plain]
            if found:
                removed += await self._remover.take_out(found, THINNED, is_plain=True)
            after = rows[-1][0] if len(rows) == most else last
            await asyncio.sleep(0)
        return removed

    async def _last(self, topic: Topic, after: int, cutoff: int) -> int:
        """The last event without a subject up to there; 0 if there is none."""
        async for rows in self._newest(topic, after, cutoff, _COUNTED, LOOK_ROWS):
            if found := next((offset for offset, _, is_plain in rows if is_plain), 0):
                return int(found)
        return 0

    async def _newest(
        self, topic: Topic, after: int, last: int, sql: str, most: int
    ) -> AsyncGenerator[list[Any], None]:
        """The topic's events from `last` back to the one behind `after`, so many in a step."""
        before = last + 1
        while before > after + 1:
            rows = await self._writer.run(partial(_rows, sql=sql, parameters=(topic.id, after, before, most)))
            yield rows
            if len(rows) < most:
                return
            before = rows[-1][0]
            await asyncio.sleep(0)


def _rows(connection: WriterConnection, sql: str, parameters: tuple[int, ...]) -> list[Any]:
    return connection.execute(sql, parameters).fetchall()
