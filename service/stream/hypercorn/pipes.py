"""Pipes on Hypercorn: straight to the transport of an HTTP/1.1 connection where it is found, else on plain ASGI."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol.events import StreamClosed

from service.stream.asgi import Message, Scope, Send
from service.stream.hypercorn.inside import (
    find_response_writer,
    find_websocket_writer,
    find_writer,
    http2_of,
    server_of,
    stream_of,
)
from service.stream.hypercorn.unguarded import harden_websocket
from service.stream.pipe import BodyPipe, MessagePipe, Pipe

HIGH_WATER: Final = 16 * 1024
"""Bytes in a transport's buffer above which a subscriber reads from its cursor instead of being fed.

Few, since the kernel's own buffer is full by then: what comes on top only costs memory."""

LOW_WATER: Final = 4 * 1024
"""Bytes below which such a reader goes on."""

LAST_TIMEOUT: Final = 1.0
"""Seconds that a peer has to take the end of its stream."""

CUT_OFF_TIMEOUT: Final = 0.5
"""Seconds for a reset to leave, before its connection is aborted."""


class HypercornPipes:
    """Implements `service.stream.pipe.Pipes`. `direct` False: on plain ASGI always; `timeout` is in seconds."""

    def __init__(self, *, direct: bool, timeout: float) -> None:
        self._direct = direct
        self._timeout = timeout

    def body(self, send: Send, http_version: str) -> Pipe[bytes]:
        # HTTP/1.0 has no chunks: there the body ends with the connection (RFC 9112, 6.3).
        writer = find_response_writer(send) if self._direct and http_version == "1.1" else None
        return BodyPipe(send, self._timeout) if writer is None else TransportPipe(writer)

    def messages(self, send: Send) -> Pipe[Any]:
        writer = find_websocket_writer(send) if self._direct else None
        return MessagePipe(send, self._timeout) if writer is None else TransportPipe(writer)

    def prepare(self, send: Send) -> None:
        harden_websocket(send)

    def lighten(self, scope: Scope, send: Send) -> None:
        lighten(scope, send)

    async def end(self, send: Send, message: Message, seconds: float = LAST_TIMEOUT) -> bool:
        return await send_last(send, message, seconds)


def lighten(scope: Scope, send: Send) -> None:
    """Let go of what a long stream no longer needs of its request: some KiB a connection.

    Hypercorn itself still reads `method`, and its access log, where that is on, everything.
    """
    stream = stream_of(send)
    if stream is None:
        return
    if stream.config.log.access_logger is not None:
        return
    method = scope.get("method")
    scope.clear()
    if method is not None:
        scope["method"] = method


class TransportPipe:
    """Writes ready bytes straight to a transport. A `Pipe` of bytes."""

    direct: Final = True
    __slots__ = ("_behind", "_progress_at", "_taken", "_transport", "_writer", "_written")

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._transport = writer.transport
        if not self._transport.is_closing():  # a reset may come before its answer, and uvloop raises once it has closed
            self._transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self._behind: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._written = 0
        self._taken = 0

    def on_behind(self, callback: Callable[[], None] | None) -> None:
        self._behind = callback

    def behind(self) -> None:
        if self._behind is not None:
            self._behind()

    def write(self, payload: bytes) -> bool:
        transport = self._transport
        if transport.get_write_buffer_size() > HIGH_WATER or transport.is_closing():
            return False
        try:
            transport.write(payload)
        except RuntimeError:  # our side has ended, and only what still comes is awaited
            return False
        self._written += len(payload)
        return True

    def push(self, payload: bytes) -> bool:
        """Write a control frame whatever the buffer holds; False if the connection is gone."""
        if self._transport.is_closing():
            return False
        try:
            self._transport.write(payload)
        except RuntimeError:
            return False
        self._written += len(payload)
        return True

    async def send(self, payload: bytes) -> None:
        """Write and wait until the buffer has drained. Raises ConnectionError if the connection is gone.

        After a reset, `drain` returns or raises without ever suspending: the `sleep` is what lets others run.
        """
        if not self.push(payload):
            raise ConnectionResetError("the connection is closed")
        await self._writer.drain()
        await asyncio.sleep(0)

    async def drain(self) -> None:
        await self._writer.drain()

    async def flush(self, seconds: float) -> None:
        """Wait up to `seconds` until the kernel has taken everything; then abort.

        Closing waits for the buffer without a limit, so a peer that reads nothing would hold up a restart.
        """
        if self._transport.is_closing():
            return
        try:
            self._transport.set_write_buffer_limits(high=0)
            async with asyncio.timeout(seconds):
                await self._writer.drain()
        except (ConnectionError, TimeoutError):
            self._transport.abort()

    @property
    def is_closed(self) -> bool:
        return self._transport.is_closing()

    @property
    def is_full(self) -> bool:
        return self._transport.get_write_buffer_size() > LOW_WATER

    @property
    def waiting(self) -> int | None:
        return self._transport.get_write_buffer_size()

    def stalled_for(self, now: float) -> float:
        """Seconds for which the peer has taken nothing although there is something to take.

        Judged by what left the buffer, not by its size: a replay refills it as fast as a peer empties it.
        """
        size = self._transport.get_write_buffer_size()
        taken = self._written - size  # Hypercorn's own few writes are not counted in, so it may lag a little
        if not size or taken > self._taken or not self._progress_at:
            self._progress_at = now
        self._taken = taken
        return now - self._progress_at

    def abort(self) -> None:
        self._transport.abort()


async def send_last(send: Send, message: Message, seconds: float) -> bool:
    """Send what ends a response; a peer that does not take it within `seconds` is cut off, and False returned.

    Hypercorn waits for it without a limit, and over HTTP/2 not even the kernel ends that wait: a client that grants no
    window would hold what was written to it, and the stop of the service, for as long as it likes.
    """
    try:
        async with asyncio.timeout(seconds):
            await send(message)
    except TimeoutError:
        await _cut_off(send)
        return False
    except OSError:  # of another server's own kind, perhaps
        return False
    return True


async def _cut_off(send: Send) -> None:
    """Reset one HTTP/2 stream, or abort an HTTP/1.1 connection; nothing on another server."""
    stream = stream_of(send)
    protocol = http2_of(stream) if stream is not None else None
    if stream is not None and protocol is not None:
        await _reset_stream(protocol, stream)
        return
    writer = find_writer(stream)
    if writer is not None:
        writer.transport.abort()


async def _reset_stream(protocol: Any, stream: Any) -> None:
    """End one stream at once (RFC 9113, 5.4.2), whatever its peer takes; or its connection, if not even that leaves."""
    stream.closed = True  # nothing more to the application, which is on its way out
    with contextlib.suppress(ProtocolError):
        protocol.connection.reset_stream(stream.stream_id, ErrorCodes.CANCEL)
    try:
        async with asyncio.timeout(CUT_OFF_TIMEOUT):
            if (buffer := protocol.stream_buffers.get(stream.stream_id)) is not None:
                await buffer.close()
            await protocol._window_updated(stream.stream_id)  # wakes the sender, which then forgets the buffer
            await protocol.stream_send(StreamClosed(stream_id=stream.stream_id))
            await protocol._flush()
    except TimeoutError:  # not even the reset leaves: the whole connection is stuck
        server = server_of(protocol)
        if server is not None:
            server.writer.transport.abort()
