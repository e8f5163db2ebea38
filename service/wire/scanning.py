"""A search goes on for as long as somebody waits for its answer, and only so many go on at a time.

Most searches are over after a step or two. What they find is held until it is an answer that somebody counts, so only
MAKING_MAX of them are at it, and the others wait for their turn. One that is not over by then is a scan: from then on
it has one of SCANS_MAX places instead, and the caller is listened to, so that a scan whose caller hangs up ends before
its next step.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from service.core.errors import OverloadedError
from service.log.base import Turn
from service.stream.asgi import Receive
from service.wire.request import DisconnectedError, disconnected

FREE_STEPS: Final = 4
"""Steps of a search that anybody may take: some milliseconds in all."""

MAKING_MAX: Final = 16
"""Answers that are made at a time, of a MiB at most each, before anybody counts them: steps take turns as it is."""

SCANS_MAX: Final = 32
"""Searches that go on beyond them at a time. They take turns, so more would only take longer, each of them."""


class Scans:
    """The places of all scans; `turn` is what they take turns by."""

    def __init__(self, turn: Turn) -> None:
        self.turn: Final = turn
        self.running = 0  # only `Scanning` writes it
        self.making: Final = asyncio.Semaphore(MAKING_MAX)

    def of(self, receive: Receive) -> "Scanning":
        """For one request: a context manager."""
        return Scanning(self, receive)


class Scanning:
    """What one request searches: hand `turn` to each search, and count what was found before the end of it."""

    __slots__ = ("_caller", "_is_making", "_receive", "_scans", "_steps")

    def __init__(self, scans: Scans, receive: Receive) -> None:
        self._scans = scans
        self._receive = receive
        self._steps = 0
        self._is_making = False
        self._caller: asyncio.Task[None] | None = None
        """Is done when the caller has left. While it is there, a place is taken."""

    async def turn(self) -> None:
        """Before each step. Raises OverloadedError if there is no place, DisconnectedError if the caller has left."""
        if not self._steps and not self._is_making:
            await self._scans.making.acquire()
            self._is_making = True
        self._steps += 1
        if self._steps > FREE_STEPS:
            if self._caller is None:
                self._begin()
                self._leave_making()
            elif self._caller.done():
                raise DisconnectedError
        await self._scans.turn()

    def _begin(self) -> None:
        if self._scans.running >= SCANS_MAX:
            raise OverloadedError(f"{SCANS_MAX} long searches are under way", retry_after=1.0)
        self._scans.running += 1
        self._caller = asyncio.create_task(disconnected(self._receive))

    def _leave_making(self) -> None:
        if self._is_making:
            self._is_making = False
            self._scans.making.release()

    async def pause(self) -> None:
        """Between two searches: others may have the place, and listen. Raises DisconnectedError if the caller left."""
        if await self._end():
            raise DisconnectedError

    async def _end(self) -> bool:
        """Whether the caller has left."""
        self._steps = 0
        self._leave_making()
        caller, self._caller = self._caller, None
        if caller is None:
            return False
        self._scans.running -= 1
        caller.cancel()
        await asyncio.wait([caller])
        return not caller.cancelled()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()
