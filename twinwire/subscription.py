"""What a program iterates over: events in the order of the log, each once, and gaps."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from twinwire.chooser import Transport
from twinwire.connection import Connection, State
from twinwire.cursor import is_cursor
from twinwire.errors import ClosedError
from twinwire.event import Event, Gap
from twinwire.inbox import Inbox, Position
from twinwire.store import CursorStore

Connect = Callable[[str | None, Inbox], Connection]
"""Makes a connection into an inbox, from the stored cursor if there is one."""


class Subscription:
    """`async for event in subscription`, and `async with subscription` to be sure that it has begun: what is published
    after that comes.

    It connects when it is first used, and lives until it is closed, by `aclose`, by the end of its `async with`, or
    with its client.
    """

    def __init__(self, connect: Connect, store: CursorStore | None) -> None:
        self._connect = connect
        self._store = store
        self._inbox = Inbox()
        self._connection: Connection | None = None
        self._pending: str | None = None
        """The cursor of what was given out, and is not done with yet."""
        self._is_closed = False
        self.cursor: str | None = None
        """Behind the last event whose body has run."""

    @property
    def state(self) -> State:
        """`connecting`, `replaying` (events from before), `live`, `reconnecting`, `closed`."""
        if self._is_closed:
            return "closed"
        return self._connection.state if self._connection else "connecting"

    @property
    def transport(self) -> Transport | None:
        """`websocket`, `sse` or `poll`; None while there is no connection."""
        return self._connection.transport if self._connection else None

    async def _begin(self) -> Connection:
        if self._is_closed:
            raise ClosedError("this subscription is closed")
        if self._connection is None:
            after = None
            if self._store is not None:
                loaded = self._store.load()
                after = await loaded if inspect.isawaitable(loaded) else loaded
                if self._is_closed:
                    raise ClosedError("this subscription is closed")
                if self._connection is not None:
                    return self._connection
            self._connection = self._connect(after, self._inbox)
            self.cursor = after if is_cursor(after) else None
        return self._connection

    async def __aenter__(self) -> "Subscription":
        """Raises TwinwireError if it is refused, ClosedError."""
        connection = await self._begin()
        await asyncio.shield(connection.began)
        if connection.state == "closed" and not len(self._inbox):
            await self._inbox.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._done()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """What was given out last, and has not been asked beyond, counts as not done."""
        self._is_closed = True
        if self._connection is not None:
            await self._connection.close()

    def __aiter__(self) -> AsyncIterator[Event | Gap]:
        return self

    async def __anext__(self) -> Event | Gap:
        """Raises TwinwireError once it has ended for a reason, after everything that came before; StopAsyncIteration
        once it was closed."""
        if self._pending is not None:
            await self._done()
        if self._is_closed:
            raise StopAsyncIteration
        if self._connection is None:
            await self._begin()
        while True:
            item = self._inbox.take()
            if item is None:
                if not await self._inbox.wait():
                    raise StopAsyncIteration
                continue
            self._pending = item.id
            if not isinstance(item, Position):
                return item
            await self._done()

    async def take(self, taken: int, count: int) -> list[Event | Gap | Position]:
        """At most `count` items after the first `taken` since the beginning, and at least one, for whoever keeps his
        own account; none once it was closed. Raises as `__anext__`."""
        if self._is_closed:
            return []
        if self._connection is None:
            await self._begin()
        while not (found := self._inbox.next(taken, count)):
            if not await self._inbox.wait():
                return []
        return found

    async def _done(self) -> None:
        """Everything up to what was given out last has been handled."""
        pending, self._pending = self._pending, None
        if pending is None or pending == self.cursor:
            return
        if self._store is not None:
            saved = self._store.save(pending)
            if inspect.isawaitable(saved):
                await saved
        self.cursor = pending

    def __del__(self) -> None:
        connection = self._connection
        if connection is not None and not self._is_closed:
            connection.forget()
