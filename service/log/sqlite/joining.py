"""Texts that grew where the state is kept: one event in place of the many that each came in.

A text that is ripe (`texts.py`) is joined by an event of the service's own, which replaces the value by the same text.
It depends on nothing having been appended since the text was read, else what is new is read too. What it has replaced
goes by compaction. So it is an event like any other, at one place of the order: a follower who replaces what he has is
right, and so is who begins with the state.
"""

from functools import partial
from typing import Any, Final

from service.core.errors import GuardError
from service.core.event import FINAL, Draft
from service.log.sqlite.database import Connection
from service.log.sqlite.slow import Readers
from service.log.sqlite.texts import Texts
from service.log.sqlite.topics import TopicRegistry
from service.log.sqlite.values import begin_of
from service.log.sqlite.writer import Writer

READ_ROWS: Final = 1_000
"""Events of a text that are read in one step, some milliseconds."""

TRIES: Final = 5
"""To join a text to which somebody appends; the next append makes it ripe again."""

_READ: Final = """
SELECT offset, type, data, mark FROM events INDEXED BY events_subject
WHERE topic = ?1 AND subject = ?2 AND offset > ?3 AND gone IS NULL ORDER BY offset LIMIT ?4
"""
_READ_FIRST: Final = _READ.replace("offset > ?3", f"offset > ?3 AND offset >= {begin_of('?1', '?2')}")

_IS_CURRENT: Final = "SELECT 1 FROM events WHERE offset = ? AND gone IS NULL"


class Joiner:
    """`run` it now and then."""

    def __init__(self, writer: Writer, readers: Readers, registry: TopicRegistry) -> None:
        self._writer = writer
        self._readers = readers
        self._registry = registry

    @property
    def texts(self) -> Texts:
        """Which are ripe."""
        return self._registry.texts

    async def run(self) -> int:
        """Join the texts that are ripe; how many were."""
        ripe = self.texts.ripe
        joined = 0
        for name, subject in list(ripe):
            ripe.pop((name, subject), None)
            joined += await self._join(name, subject)
        return joined

    async def _join(self, name: str, subject: str) -> bool:
        topic = self._registry.get(name)
        if topic is None:
            return False
        rows: list[Any] = []
        for _ in range(TRIES):
            if not await self._read_on(topic.id, subject, rows):
                return False
            if len(rows) < 2 or not all(data.startswith('"') for _, _, data, _ in rows):
                return False
            last, type, _, mark = rows[-1]
            text = "".join([data[1:-1] for _, _, data, _ in rows])
            is_final, first = bool((mark or 0) & FINAL), rows[0][0]
            draft = Draft(name, type, f'"{text}"', None, subject, False, is_final, len(rows), first, last)
            try:
                await self._writer.append([draft])
            except GuardError:  # something was appended meanwhile, or it was replaced
                continue
            return True
        return False

    async def _read_on(self, topic: int, subject: str, rows: list[Any]) -> bool:
        """Add to what is read of a value what is not yet; False if it has another one by now, which is not ripe."""
        while True:
            after, first = (rows[-1][0], rows[0][0]) if rows else (0, 0)
            step = partial(_read, parameters=(topic, subject, after, READ_ROWS), first=first)
            found = await self._readers.run(step)
            if found is None:
                return False
            rows += found
            if len(found) < READ_ROWS:
                return True


def _read(connection: Connection, parameters: tuple[Any, ...], first: int) -> list[Any] | None:
    """The next events of the value that begins with `first`, if that is known; None if it is no more."""
    rows: list[Any] = connection.execute(_READ if first else _READ_FIRST, parameters).fetchall()
    if first and connection.execute(_IS_CURRENT, (first,)).fetchone() is None:
        return None
    return rows
