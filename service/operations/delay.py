"""How late the event loop is: what anybody waits who has nothing to wait for but his turn."""

import asyncio
from collections import deque
from typing import Final

from service.core.histogram import Histogram
from service.core.time import Clock

INTERVAL: Final = 0.1
"""Seconds from one look to the next: a step of the loop as long as that is always seen."""

WINDOW: Final = 5.0
"""Seconds of which the worst is told."""


class LoopDelay:
    """`start` it once on the loop, and `close` it there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.delays = Histogram()
        """Seconds by which a timer went off after its time."""
        self._latest: deque[float] = deque(maxlen=round(WINDOW / INTERVAL))

    @property
    def worst(self) -> float:
        """Seconds, of those in the last WINDOW."""
        return max(self._latest, default=0.0)

    def start(self) -> None:
        self._task = asyncio.create_task(self._look(), name="loop-delay")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        now, sleep = self._clock.monotonic, self._clock.sleep
        while True:
            due = now() + INTERVAL
            await sleep(INTERVAL)
            late = max(0.0, now() - due)  # a loop's own clock is coarser than ours: it may be early
            self.delays.observe(late)
            self._latest.append(late)
