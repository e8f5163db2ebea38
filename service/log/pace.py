"""Long work in short steps: whoever does it gives way to others between two of them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

Turn = Callable[[], Awaitable[None]]
"""Awaited by a search before each of its steps: others may go first, and what it raises ends the search."""

ONE_TURN: Final[Turn] = partial(asyncio.sleep, 0)
"""Of the event loop, for everybody else."""


class Pace:
    """Awaited between two looks, gives way once a step has taken `seconds` on the clock `now`: `turn` is waited for."""

    __slots__ = ("_now", "_seconds", "_turn", "_until")

    def __init__(self, now: Callable[[], float], seconds: float, turn: Turn = ONE_TURN) -> None:
        self._now = now
        self._seconds = seconds
        self._turn = turn
        self._until = now() + seconds

    async def __call__(self) -> None:
        if self._now() >= self._until:
            await self._turn()
            self._until = self._now() + self._seconds
