"""What the guarded connections of one server share."""

import asyncio
from collections import deque
from typing import Final

STATE: Final = "twinwire.guards"
"""Where they are in the lifespan's state (ASGI, "Lifespan State"), which a server hands to each of its connections."""


TURN: Final = 0.001
"""Seconds of each turn of the loop for those who have more to be taken in."""

LET_IN: Final = 4
"""Of those who wait, in each turn of the loop. What each does then takes a tenth of a millisecond, or one at most."""


class Turns:
    """Whoever has something to be taken in asks first, and waits if that has had its share of this turn of the loop.

    So a thousand connections that send as fast as they can take as much of the loop as a few, and everybody else's work
    comes in between. While nobody waits and there is time left, asking costs next to nothing.
    """

    __slots__ = ("_is_begun", "_until", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        """First come, first served; those that were cancelled are in it until their turn."""
        self._is_begun = False
        """`_next` is called in the next turn of the loop, as long as somebody has asked in this one."""
        self._until = 0.0
        """When this turn's time is over."""

    async def take(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._is_begun:
            self._begin(loop)
        elif self._waiting or loop.time() >= self._until:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_begun = True
        self._until = loop.time() + TURN
        loop.call_soon(self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_begun = False
        let_in = 0
        while self._waiting and let_in < LET_IN:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                let_in += 1
        if let_in:
            self._begin(loop)


class Guards:
    """Made by the composition root, one for each server. `h2c`: whether HTTP/2 is spoken without TLS."""

    __slots__ = ("h2c", "turns")

    def __init__(self, *, h2c: bool = False) -> None:
        self.turns: Final = Turns()
        self.h2c: Final = h2c
