"""How late the event loop is: what anybody waits who has nothing to wait for but his turn."""

import asyncio
from typing import Final

from service.core.histogram import Histogram
from service.core.time import Clock

INTERVAL: Final = 0.1
"""Seconds from one look to the next: a step of the loop as long as that is always seen."""


class LoopDelay:
    """`start` it once on the loop, and `close` it there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.delays = Histogram()
        """Seconds by which a timer went off after its time."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._look(), name="loop-delay")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        now, sleep, observe = self._clock.monotonic, self._clock.sleep, self.delays.observe
        while True:
            due = now() + INTERVAL
            await sleep(INTERVAL)
            observe(max(0.0, now() - due))  # a loop's own clock is coarser than ours: it may be early
