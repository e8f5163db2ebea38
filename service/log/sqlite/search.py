"""History, looked through step by step: ranges of time become ranges of offsets, types are compared by SQLite."""

import asyncio
from pathlib import Path
from typing import Final

from service.core.event import Row, bytes_of
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Page, Search, Turn
from service.log.sqlite.database import explained
from service.log.sqlite.reader import Reader
from service.log.sqlite.topics import TopicRegistry

_STEP_BYTES: Final = 256 * 1024
"""Of data, read in one step between two looks at the event loop, about half a millisecond."""


class History:
    """Searches what stood at a head; nothing that is committed meanwhile is found."""

    def __init__(self, reader: Reader, registry: TopicRegistry, path: Path, clock: Clock) -> None:
        self._reader = reader
        self._registry = registry
        self._path = path
        self._clock = clock

    async def find(self, search: Search, head: int, turn: Turn | None = None) -> Page:
        """Gives way between the steps, until the page is full or the range is done. Raises StorageError."""
        width = self._registry.width  # as of the head
        with explained(self._path):
            low, high = await self._range(search, head)
        rows: list[Row] = []
        size, newest_first, is_cut = 0, search.newest_first, False
        until: float | None = None
        while low + 1 < high and len(rows) < search.limit and size < search.max_bytes and not is_cut:
            if turn is not None:
                await turn()
            await self._learn(search.topics, turn)
            if until is None:
                until = self._clock.monotonic() + search.seconds  # waiting for the first turn is not looking
            room, room_bytes = search.limit - len(rows), min(_STEP_BYTES, search.max_bytes - size)
            with explained(self._path):
                page = await self._reader.page(
                    search.topics, low, high, room, room_bytes, newest_first, search.type, width
                )
            rows += page.rows
            size += bytes_of(page.rows)
            low, high = (low, page.next) if newest_first else (page.next, high)
            is_cut = low + 1 < high and self._clock.monotonic() >= until
            await asyncio.sleep(0)
        await self._learn(search.topics, turn)
        # Floors only rise: the one of now covers every step.
        next = high if newest_first else max(low, search.after)
        return Page(rows, next, self._registry.floor(search.topics), is_cut)

    async def _learn(self, topics: TopicFilter, turn: Turn | None) -> None:
        """Of floors that were raised while the search goes on: each page tells the filter's."""
        for _ in self._registry.learning(topics):
            await (asyncio.sleep(0) if turn is None else turn())

    async def _range(self, search: Search, head: int) -> tuple[int, int]:
        """The exclusive range of offsets, times turned into offsets."""
        low, high = search.after, head + 1
        if search.before is not None:
            high = min(high, search.before)
        if search.from_time is not None:
            low = max(low, await self._reader.first_at(search.from_time, head) - 1)
        if search.to_time is not None:
            high = min(high, await self._reader.first_at(search.to_time + 1, head))
        return low, high
