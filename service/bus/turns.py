"""Replays take turns, and leave most of the time to what is live.

A publish takes some turns of the event loop, and each would be as long as the pages of all replays together: with
fifty at once a tenth of a second instead of three milliseconds.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

TURN: Final = 0.0005
"""Seconds of reading in one turn of the event loop, about a page."""

PAUSE: Final = 0.001
"""Seconds without reading after each turn while something is published: live events get two thirds of the time."""


class Turns:
    """`is_busy` tells whether something is being published or fanned out at the moment."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._began: float | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return at once, or later if readers have had their turn. First come, first served."""
        now = time.perf_counter()
        if self._began is None:
            self._begin(now)
        elif self._waiting or now - self._began >= TURN:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _begin(self, now: float) -> None:
        self._began = now
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """In the next turn of the event loop."""
        if self._is_busy():
            self._began = 0.0  # long ago: whoever comes now has to wait
            asyncio.get_running_loop().call_later(PAUSE, self._next)
        else:
            self._next()

    def _next(self) -> None:
        self._began = None
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its reader was not cancelled meanwhile
                turn.set_result(None)
                self._begin(time.perf_counter())
                return
