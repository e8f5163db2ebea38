"""What has come and was not taken yet: bounded, so that whoever reads slowly slows his own connection down."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

from twinwire.event import Event, Gap

ITEMS_MAX: Final = 1_000
BYTES_MAX: Final = 4 << 20
"""Of events as text; one alone may be larger."""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `id` was told: nothing to show, and something to remember."""

    id: str


Item = Event | Gap | Position


class Inbox:
    """Items in their order. Put and taken on one event loop."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._size = 0
        self._taken = 0
        """How many were taken since the beginning."""
        self._told = 0
        """Of all since the beginning, how many somebody may know of: they are not put together any more."""
        self._waiting: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._is_ended = False

    @property
    def is_full(self) -> bool:
        return len(self._items) >= ITEMS_MAX or self._size >= BYTES_MAX

    def __len__(self) -> int:
        return len(self._items)

    @property
    def error(self) -> BaseException | None:
        """What it has ended with."""
        return self._error

    async def room(self) -> None:
        """Until there is room for another item."""
        while self.is_full and not self._is_ended:
            self._room = self._room or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def put(self, item: Item) -> None:
        if self._is_ended:
            return
        is_known = self._taken + len(self._items) <= self._told
        if isinstance(item, Position) and self._items and isinstance(self._items[-1], Position) and not is_known:
            self._items.pop()
        self._items.append(item)
        self._size += _size(item)
        self._wake()

    def end(self, error: BaseException | None) -> None:
        """There will be no more: what is there can still be taken; then `take` raises the error, if there is one."""
        if not self._is_ended:
            self._is_ended, self._error = True, error
            self._wake()
            self._tell_room()

    async def wait(self) -> bool:
        """Until there is something to take; False if there will be nothing any more. Raises what it ended with."""
        while not self._items:
            if self._is_ended:
                if self._error is not None:
                    raise self._error
                return False
            self._waiting = self._waiting or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting)
        return True

    def take(self) -> Item | None:
        """The oldest; None if there is none."""
        if not self._items:
            return None
        item = self._items.popleft()
        self._taken += 1
        self._size -= _size(item)
        if self._room is not None and len(self._items) <= ITEMS_MAX // 2 and self._size <= BYTES_MAX // 2:
            self._tell_room()
        return item

    def next(self, taken: int, count: int) -> list[Item]:
        """At most `count` items, the oldest that are left once `taken` were taken since the beginning: so who does not
        know whether he was given them asks again. They stay until a later question."""
        while self._items and self._taken < taken:
            self.take()
        found = list(islice(self._items, count))
        self._told = self._taken + len(found)
        return found

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _tell_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)


def _size(item: Item) -> int:
    return len(item.raw) if isinstance(item, Event) else 0
