"""Removing old events: small batches on the writer's thread, floors raised before anything vanishes."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from service.log.sqlite.database import WriterConnection, transaction
from service.log.sqlite.topics import Topic, TopicRegistry
from service.log.sqlite.writer import Writer

TRIM_ROWS: Final = 1_000
"""Rows in one transaction, a few milliseconds: publishes wait no longer than that."""

_CUTOFF_BY_COUNT: Final = "SELECT offset FROM events WHERE topic = ? ORDER BY offset DESC LIMIT 1 OFFSET ?"
_OLDEST: Final = "SELECT offset, length(data) FROM events WHERE topic = ? AND offset > ? ORDER BY offset LIMIT ?"
_NTH_OLDEST: Final = (
    "SELECT max(offset) FROM (SELECT offset FROM events WHERE topic = ? AND offset <= ? ORDER BY offset LIMIT ?)"
)
_DELETE: Final = "DELETE FROM events WHERE topic = ? AND offset <= ? RETURNING length(data)"
_SAVE_FLOOR: Final = "UPDATE topics SET floor = max(floor, ?) WHERE id = ?"  # two cuts may overlap
_SAVE_COUNTS: Final = """
UPDATE topics SET head = value ->> 1, count = value ->> 2, bytes = value ->> 3
FROM json_each(?) WHERE topics.id = value ->> 0
"""
_SAVE_COUNTED: Final = "UPDATE log SET counted = ?"


class Trimmer:
    """Cuts topics down to a floor. Publishes, and other cuts, commit in between the batches of one."""

    def __init__(self, writer: Writer, registry: TopicRegistry) -> None:
        self._writer = writer
        self._registry = registry
        self._unfinished: set[Topic] = set()
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
        while topic.count and (cutoff > topic.floor or topic in self._unfinished):
            floor = await self._writer.run(partial(_find_floor, topic=topic, cutoff=cutoff))
            if floor is None:
                break
            self._registry.raise_floor(topic, floor)  # before the delete: see log/base.py, "No silent hole"
            try:
                sizes = await self._writer.run(partial(self._delete, topic=topic, floor=floor))
            except BaseException:
                self._unfinished.add(topic)  # the floor is never lowered again
                raise
            removed += len(sizes)
        if cutoff >= topic.floor:
            self._unfinished.discard(topic)
        return removed

    def _delete(self, connection: WriterConnection, topic: Topic, floor: int) -> Sequence[int]:
        """On the writer's thread: the rows, the floor and the sizes change together."""
        with transaction(connection):
            sizes = [size for (size,) in connection.execute(_DELETE, (topic.id, floor))]
            connection.execute(_SAVE_FLOOR, (floor, topic.id))
            save_counts(connection, self._registry, {topic: (len(sizes), sum(sizes))})
        topic.count -= len(sizes)
        topic.bytes -= sum(sizes)
        self._registry.uncounted.clear()
        return sizes


def _find_floor(connection: WriterConnection, topic: Topic, cutoff: int) -> int | None:
    """The offset that the next batch goes up to; None if nothing is left up to `cutoff`."""
    floor: int | None
    (floor,) = connection.execute(_NTH_OLDEST, (topic.id, cutoff, TRIM_ROWS)).fetchone()
    return floor


def save_counts(
    connection: WriterConnection, registry: TopicRegistry, less: Mapping[Topic, tuple[int, int]] | None = None
) -> None:
    """Write the sizes of all topics that changed, and up to where they count; part of a transaction.

    `less` is by how many events and bytes the transaction shrinks some of them: memory follows once it is committed.
    """
    shrunk = less or {}
    changed: list[tuple[int, int, int, int]] = []
    for topic in registry.uncounted | shrunk.keys():
        count, size = shrunk.get(topic, (0, 0))
        changed.append((topic.id, topic.head, topic.count - count, topic.bytes - size))
    connection.execute(_SAVE_COUNTS, (json.dumps(changed),))
    connection.execute(_SAVE_COUNTED, (max((topic.head for topic in registry), default=0),))
