"""Who is between two pages of a stream."""

import asyncio
from typing import Protocol


class Shared(Protocol):
    """What they share: a lock, which is there while somebody uses it, since a stream is idle for most of its life."""

    lock: asyncio.Lock | None
    users: int


class BetweenPages:
    """Holds the lock, in the order in which they came.

    A class and no generator: each page is read in one, and a generator's own care costs more than the lock.
    """

    __slots__ = ("_shared",)

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def __aenter__(self) -> None:
        shared = self._shared
        lock = shared.lock = shared.lock or asyncio.Lock()
        shared.users += 1
        try:
            await lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        assert self._shared.lock is not None
        self._shared.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._shared.users -= 1
        if not self._shared.users:
            self._shared.lock = None
