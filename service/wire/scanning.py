"""A search goes on for as long as somebody waits for its answer, and only so many go on at a time.

Most searches are over after a step or two. What they find is held until it is an answer that somebody counts, so only
MAKING_MAX of them are at it, and the others wait for their turn. One that is not over by then is a scan: from then on
it has a place among those instead (`Reads`), and the caller is listened to, so that a scan whose caller hangs up ends
before its next step.
"""

import asyncio
from functools import partial
from types import TracebackType
from typing import Final, Self

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.access.reads import Reads
from service.log.base import Turn
from service.stream.asgi import Receive
from service.wire.request import DisconnectedError, disconnected

FREE_STEPS: Final = 4
"""Steps of a search that anybody may take: some milliseconds in all."""

MAKING_MAX: Final = 16
"""Answers that are made at a time, of a MiB at most each, before anybody counts them: steps take turns as it is."""


class Scans:
    """All that search; `turn` is what they take turns by, `reads` has the places of those that take long."""

    def __init__(self, turn: Turn, reads: Reads, gate: Gate) -> None:
        self.turn: Final = turn
        self.reads: Final = reads
        self.gate: Final = gate
        self.making: Final = asyncio.Semaphore(MAKING_MAX)

    def of(self, receive: Receive, caller: Caller) -> "Scanning":
        """For one request: a context manager."""
        return Scanning(self, receive, caller)


class Scanning:
    """What one request searches: hand `turn` to each search, and count what was found before the end of it."""

    __slots__ = ("_caller", "_is_making", "_left", "_receive", "_scans", "_steps", "_who")

    def __init__(self, scans: Scans, receive: Receive, caller: Caller) -> None:
        self._scans = scans
        self._receive = receive
        self._caller = caller
        self._steps = 0
        self._is_making = False
        self._left: asyncio.Task[None] | None = None
        """Is done when the caller has left. While it is there, a place is taken, counted by `_who`."""
        self._who = ""

    async def turn(self) -> None:
        """Before each step. Raises OverloadedError if there is no place, RateLimitedError if he has too many,
        DisconnectedError if the caller has left.
        """
        if not self._steps and not self._is_making:
            await self._scans.making.acquire()
            self._is_making = True
        self._steps += 1
        if self._steps > FREE_STEPS:
            if self._left is None:
                self._begin()
                self._leave_making()
            elif self._left.done():
                raise DisconnectedError
        await self._scans.turn()

    def _begin(self) -> None:
        scans = self._scans
        self._who = scans.gate.counted(Act.READ, "share", partial(scans.reads.begin_scan, self._caller))
        self._left = asyncio.create_task(disconnected(self._receive))

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
        left, self._left = self._left, None
        if left is None:
            return False
        self._scans.reads.end_scan(self._who)
        left.cancel()
        await asyncio.wait([left])
        return not left.cancelled()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()
