"""A batch: many publishes at once become few requests, in their order, one request at a time.

What is added waits for `linger` seconds, so that others can come along; with 0, whatever came while a request was under
way is the next one. One that the service refuses for its own sake (422, 413, 409) is told so alone, and the others of
its request are sent again without it.
"""

import asyncio
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final, NamedTuple, Unpack

from twinwire.encoding import encode, keyed
from twinwire.errors import ClosedError, TwinwireError
from twinwire.event import About, Draft
from twinwire.publishing import EVENTS_MAX, Publisher, fitting

WAITING_MAX: Final = 8 << 20
"""Bytes that wait to be sent, or are under way; who adds more waits. One event alone may be larger."""

_OWN: Final = frozenset({409, 413, 422})
"""Refusals that are about one event, if they name one."""

_CLOSED: Final = "the batch is closed, or was never entered: async with live.batch() as batch"


class _Waiting(NamedTuple):
    encoded: bytes
    id: "asyncio.Future[str]"


class Batch:
    """`async with live.batch() as batch`: at its end everything is on disk, or the first error is raised."""

    def __init__(self, publisher: Publisher, linger: float) -> None:
        """`linger` in seconds."""
        self._publisher = publisher
        self._linger = linger
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._more = asyncio.Event()
        self._is_due = asyncio.Event()
        """Nothing is gained by waiting for more."""
        self._is_ending = False
        self._first: Exception | None = None
        self._sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Batch":
        self._sender = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._is_ending = True
        self._more.set()
        self._is_due.set()
        assert self._sender is not None
        if kind is not None and not issubclass(kind, Exception):  # cancelled, or interrupted: nobody waits
            self._sender.cancel()
        await asyncio.gather(self._sender, return_exceptions=True)
        if kind is None and self._first is not None:
            raise self._first

    async def add(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> "asyncio.Future[str]":
        """Takes it along, once there is room; its id is there when it is on disk. An error that nobody awaits is that
        of the batch. Raises InvalidError for what can't be sent, ClosedError."""
        encoded = encode(keyed(Draft(topic, type, data, **about)))
        while self._is_open and self._bytes and self._bytes + len(encoded) > WAITING_MAX:
            self._room.clear()
            self._is_due.set()
            await self._room.wait()
        if not self._is_open:
            raise ClosedError(_CLOSED)
        waiting = _Waiting(encoded, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._bytes += len(encoded)
        self._more.set()
        if len(self._waiting) >= EVENTS_MAX:
            self._is_due.set()
        return waiting.id

    async def publish(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
        """As `add`, and waits for the id. Raises TwinwireError."""
        return await asyncio.shield(await self.add(topic, type, data, **about))

    @property
    def _is_open(self) -> bool:
        return self._sender is not None and not self._sender.done() and not self._is_ending

    async def _send_all(self) -> None:
        try:
            while True:
                await self._more.wait()
                if self._linger > 0:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._linger):
                            await self._is_due.wait()
                self._is_due.clear()
                while self._waiting:
                    await self._send(self._taken())
                if self._is_ending:
                    return
                self._more.clear()
        finally:  # also where we are let go of: nobody is to wait for what will never be sent
            self._is_ending = True
            self._fail(self._waiting, ClosedError("the batch ended before it was sent"))
            self._waiting.clear()
            self._room.set()

    def _taken(self) -> list[_Waiting]:
        return [self._waiting.popleft() for _ in range(fitting(one.encoded for one in self._waiting))]

    async def _send(self, taken: list[_Waiting]) -> None:
        """Until each of them has its id, or its error."""
        left = taken
        try:
            while left:
                left = await self._attempt(left)
        finally:
            self._fail(left, ClosedError("the batch ended, and nobody knows whether it was published"))
            self._bytes -= sum(len(one.encoded) for one in taken)
            self._room.set()

    async def _attempt(self, sent: list[_Waiting]) -> list[_Waiting]:
        """Those that are to be sent again."""
        try:
            ids = await self._publisher.post([one.encoded for one in sent])
        except Exception as error:  # whatever a program's function for tokens raises, too
            blamed = _blamed(error, len(sent))
            if blamed is None:
                self._fail(sent, error)
                return []
            self._fail([sent[blamed]], error)
            return [*sent[:blamed], *sent[blamed + 1 :]]
        for one, id in zip(sent, ids, strict=True):
            if not one.id.done():
                one.id.set_result(id)
        return []

    def _fail(self, those: Collection[_Waiting], error: Exception) -> None:
        if those:
            self._first = self._first or error
        for one in those:
            if not one.id.done():
                one.id.set_exception(error)
                one.id.exception()  # told by the batch, if nobody asks


def _blamed(error: Exception, count: int) -> int | None:
    """Which of so many events it is about, from 0; None if it is about all of them."""
    if not isinstance(error, TwinwireError) or error.status not in _OWN or error.line is None:
        return None
    return error.line - 1 if 0 < error.line <= count else None
