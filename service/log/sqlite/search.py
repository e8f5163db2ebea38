"""History, looked through step by step: ranges of time become ranges of offsets, types are compared row by row."""

import asyncio
from pathlib import Path
from typing import Final

from service.core.event import OFFSET, TYPE, Row
from service.log.base import Page, Search
from service.log.sqlite.database import explained
from service.log.sqlite.reader import Reader

_STEP_BYTES: Final = 1 << 20
"""Of data, read in one step between two looks at the event loop."""


class History:
    """Searches what stood at a head; nothing that is committed meanwhile is found."""

    def __init__(self, reader: Reader, path: Path) -> None:
        self._reader = reader
        self._path = path

    async def find(self, search: Search, head: int) -> Page:
        """Gives way between the steps, until the page is full or the range is done. Raises StorageError."""
        with explained(self._path):
            low, high = self._range(search, head)
        rows: list[Row] = []
        newest_first = search.newest_first
        while low + 1 < high and len(rows) < search.limit:
            room = search.limit - len(rows) if search.type is None else search.limit
            with explained(self._path):
                page = self._reader.page(search.topics, low, high, room, _STEP_BYTES, newest_first)
            for row in page.rows:
                if search.type is None or row[TYPE] == search.type:
                    rows.append(row)
                    if len(rows) == search.limit:
                        return Page(rows, row[OFFSET], page.floor)
            low, high = (low, page.next) if newest_first else (page.next, high)
            await asyncio.sleep(0)
        # Floors only rise: the one of now covers every step.
        return Page(rows, high if newest_first else max(low, search.after), self._reader.floor(search.topics))

    def _range(self, search: Search, head: int) -> tuple[int, int]:
        """The exclusive range of offsets, times turned into offsets."""
        low, high = search.after, head + 1
        if search.before is not None:
            high = min(high, search.before)
        if search.from_time is not None:
            low = max(low, self._reader.first_at(search.from_time, head) - 1)
        if search.to_time is not None:
            high = min(high, self._reader.first_at(search.to_time + 1, head))
        return low, high
