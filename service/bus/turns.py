"""Replays take turns, and leave most of the time to what is live.

A publish takes some turns of the event loop, and each would be as long as the pages of all replays together: with
fifty at once a tenth of a second instead of three milliseconds.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from service.core.time import Clock

TURN: Final = 0.0005
"""Seconds of reading in one turn of the event loop, about a page."""

PAUSE: Final = 0.001
"""Seconds without reading after each turn while something is published."""

SHARE: Final = 1 / 3
"""Of the time, for reading: what PAUSE makes of it, and what readers get where the loop's own turns are long."""

READERS_MAX: Final = 10
"""That are let in at once to make up for a long turn of the loop."""


class Turns:
    """`is_busy` tells whether something is being published or fanned out at the moment."""

    def __init__(self, is_busy: Callable[[], bool], clock: Clock) -> None:
        self._is_busy = is_busy
        self._now = clock.monotonic
        self._is_free = True
        self._began = self._until = -math.inf
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return at once, or later if readers have had their turn. First come, first served."""
        now = self._now()
        if self._is_free:
            self._begin(now)
        elif self._waiting or now >= self._until:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _begin(self, now: float) -> None:
        self._is_free = False
        self._began, self._until = now, now + TURN
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """In the next turn of the event loop, after those who were let in have read."""
        loop = asyncio.get_running_loop()
        if self._waiting and self._now() < self._until:  # they read little: there is room for one more
            self._let_in(1)
            loop.call_soon(self._end)
        elif self._is_busy():
            self._until = -math.inf
            loop.call_later(PAUSE, self._next)
        else:
            self._next()

    def _next(self) -> None:
        now = self._now()
        self._is_free = not self._waiting
        if self._waiting:
            self._let_in(max(1, min(READERS_MAX, int((now - self._began) * SHARE / TURN))))
            self._begin(now)

    def _let_in(self, readers: int) -> None:
        while readers and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its reader was not cancelled meanwhile
                turn.set_result(None)
                readers -= 1
