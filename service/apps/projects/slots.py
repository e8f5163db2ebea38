"""The places in which runs work. One that waits for a person lends its own to others: it may wait for a day."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slot:
    """Of one run, which has it between `take` and `give`."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_held = False

    async def take(self) -> None:
        """Waits until there is one."""
        await self._slots.acquire()
        self._is_held = True

    def give(self) -> None:
        """Idempotent."""
        if self._is_held:
            self._is_held = False
            self._slots.release()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Inside, others may have it; after it, it is waited for. Whoever is cancelled inside needs none any more."""
        self.give()
        yield
        await self.take()
