"""Where a stream's bytes go: the contract of a pipe, and the portable one on plain ASGI.

The direct one, which writes to a connection's transport, is in `stream/hypercorn/pipes.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from service.bus.encoding import P_contra
from service.bus.subscription import Outlet
from service.stream.asgi import Message, Scope, Send


class Pipe(Outlet[P_contra], Protocol[P_contra]):
    """One connection's way out. `direct` tells whether `write` ever takes anything, as ready bytes of this wire."""

    @property
    def direct(self) -> bool: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def is_full(self) -> bool:
        """Whether its peer has to take something before it is sent more."""

    @property
    def waiting(self) -> int | None:
        """Bytes that its peer has yet to take, as far as they are here; None if this pipe can't tell."""

    def on_behind(self, callback: Callable[[], None] | None) -> None: ...
    def push(self, payload: P_contra) -> bool:
        """Write a control frame now, without waiting; False if this pipe can't, or is closed."""

    async def send(self, payload: P_contra) -> None:
        """Write with back-pressure, suspending at least once.

        Raises ConnectionError if the connection is gone, TimeoutError if the peer takes nothing.
        """

    async def drain(self) -> None:
        """Return once there is room for a page; at once if this pipe can't tell. Raises ConnectionError."""

    async def flush(self, seconds: float) -> None:
        """Give what was written so many seconds to leave, if this pipe can tell."""

    def stalled_for(self, now: float) -> float: ...
    def abort(self) -> None: ...


class Pipes(Protocol):
    """Makes pipes for whatever server is in front; handed to the wires by the composition root."""

    def body(self, send: Send, http_version: str) -> Pipe[bytes]:
        """For a response whose head has been sent. A direct one wants its bytes in chunks (RFC 9112, 7.1)."""

    def messages(self, send: Send) -> Pipe[Any]:
        """For a WebSocket that was accepted: a direct one takes frames as bytes, another one tuples of messages."""

    def prepare(self, send: Send) -> None:
        """Before a WebSocket is accepted: see to it that its client can't fill the memory."""

    def lighten(self, scope: Scope, send: Send) -> None:
        """Let go of what a long stream no longer needs of its request."""

    async def end(self, send: Send, message: Message, seconds: float = ...) -> bool:
        """Send the last message of a stream, or a piece of an answer; a peer that does not take it is cut off.

        False if it was, or has gone by itself.
        """


class _ASGIPipe:
    """What both portable pipes share: they never take a write from the fan-out, so their reader is woken instead."""

    direct: Final = False

    def __init__(self, send: Send, timeout: float) -> None:
        self._send = send
        self._timeout = timeout
        self._behind: Callable[[], None] | None = None
        self._limit: asyncio.Timeout | None = None
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        return self._limit is not None

    @property
    def waiting(self) -> int | None:
        return None

    def on_behind(self, callback: Callable[[], None] | None) -> None:
        self._behind = callback

    def behind(self) -> None:
        if self._behind is not None:
            self._behind()

    def write(self, payload: object) -> bool:
        return False

    def push(self, payload: object) -> bool:
        return False

    async def drain(self) -> None:
        return  # `send` waits

    async def flush(self, seconds: float) -> None:
        return  # `send` has waited already

    def stalled_for(self, now: float) -> float:
        return 0.0  # `send` has a time limit of its own

    def abort(self) -> None:
        """Whoever is in `send` comes back with a TimeoutError at once."""
        self.is_closed = True
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Raises TimeoutError if the peer takes nothing for too long; it gets no goodbye then, either.

        Raises ConnectionError for whatever a server raises to who sends to one who has left: a kind of OSError (ASGI,
        "Send"), which is the server's own.
        """
        if self.is_closed:
            raise ConnectionResetError("the connection was given up")
        try:
            async with asyncio.timeout(self._timeout) as self._limit:
                yield
        except OSError as error:
            self.is_closed = True
            if isinstance(error, TimeoutError | ConnectionError):
                raise
            raise ConnectionResetError("the client has left") from error
        finally:
            self._limit = None


class BodyPipe(_ASGIPipe):
    """Chunks of a response body."""

    async def send(self, payload: bytes) -> None:
        async with self._limited():
            await self._send({"type": "http.response.body", "body": payload, "more_body": True})
        await asyncio.sleep(0)  # after a reset, `send` returns without ever suspending


class MessagePipe(_ASGIPipe):
    """WebSocket messages."""

    async def send(self, payload: tuple[bytes, ...]) -> None:
        async with self._limited():
            for message in payload:
                await self._send({"type": "websocket.send", "text": message.decode()})
        await asyncio.sleep(0)
