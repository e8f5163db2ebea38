"""The fast wire: from an ASGI `send` to the connection's transport. The only file that knows Hypercorn's inside.

Every step is checked by exact type, because HTTP/2 has the same attributes and raw bytes would corrupt it. What is
not recognised is "not available", and the portable ASGI path serves.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from types import MethodType
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol import h2
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import FrameTooLargeError, WebsocketBuffer, WSStream

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HIGH_WATER: Final = 16 * 1024
"""Bytes in a transport's buffer above which a subscriber reads from its cursor instead of being fed.

Few, since the kernel's own buffer is full by then: what comes on top only costs memory."""

LOW_WATER: Final = 4 * 1024
"""Bytes below which such a reader goes on."""

LAST_TIMEOUT: Final = 1.0
"""Seconds that a peer has to take the end of its stream."""

CUT_OFF_TIMEOUT: Final = 0.5
"""Seconds for a reset to leave over HTTP/2, before its connection is aborted."""


def _owner(method: object, kind: type) -> Any | None:
    """The object that a bound method belongs to, if its type is exactly `kind`."""
    if type(method) is not MethodType or type(method.__self__) is not kind:
        return None
    return method.__self__


def find_response_writer(send: Send) -> asyncio.StreamWriter | None:
    """The writer of the HTTP/1.1 connection behind a request's `send`, or None if there is none that we know."""
    return _find_writer(_owner(send, HTTPStream))


def find_websocket_writer(send: Send) -> asyncio.StreamWriter | None:
    """The same behind a WebSocket's `send`."""
    return _find_writer(_owner(send, WSStream))


def _find_writer(stream: Any | None) -> asyncio.StreamWriter | None:
    protocol = _owner(stream.send, H11Protocol) if stream is not None else None
    server = _owner(protocol.send, TCPServer) if protocol is not None else None
    writer = getattr(server, "writer", None)
    return writer if type(writer) is asyncio.StreamWriter else None


class _BoundedBuffer(WebsocketBuffer):
    """A message in the making that stops growing at its bound.

    Hypercorn 0.18 answers a message beyond the bound with Close 1009 and goes on collecting its fragments, so that a
    client that never ends a message fills the memory.
    """

    def extend(self, event: Any) -> None:
        if self.length > self.max_length:
            raise FrameTooLargeError
        try:
            super().extend(event)
        except FrameTooLargeError:
            self.value = None  # `length` stays: nothing more is taken in
            raise


def harden_websocket(send: Send) -> None:
    """Bound the message buffer of this WebSocket and switch permessage-deflate off; call before accepting it.

    Hypercorn accepts whatever compression a browser offers: about 100 KiB a connection, CPU for each message and
    client, and frames that can't be shared.
    """
    stream = _owner(send, WSStream)
    if stream is not None:
        stream.handshake.extensions = None
        stream.buffer = _BoundedBuffer(stream.buffer.max_length)


def lighten(scope: MutableMapping[str, Any], send: Send) -> None:
    """Let go of what a long stream no longer needs of its request: some KiB a connection.

    Hypercorn itself still reads `method`, and its access log, where that is on, everything.
    """
    stream = _owner(send, HTTPStream) or _owner(send, WSStream)
    if stream is None or stream.config.log.access_logger is not None:
        return
    method = scope.get("method")
    scope.clear()
    if method is not None:
        scope["method"] = method


class TransportPipe:
    """Writes ready bytes straight to a transport. An `Outlet` of bytes."""

    direct: Final = True
    __slots__ = ("_behind", "_progress_at", "_taken", "_transport", "_writer", "_written")

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._transport = writer.transport
        self._transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)
        self._behind: Callable[[], None] | None = None
        self._progress_at = 0.0
        self._written = 0
        self._taken = 0

    def on_behind(self, callback: Callable[[], None]) -> None:
        self._behind = callback

    def behind(self) -> None:
        if self._behind is not None:
            self._behind()

    def write(self, payload: bytes) -> bool:
        transport = self._transport
        if transport.get_write_buffer_size() > HIGH_WATER or transport.is_closing():
            return False
        self._written += len(payload)
        transport.write(payload)
        return True

    def push(self, payload: bytes) -> bool:
        """Write a control frame whatever the buffer holds; False if the connection is gone."""
        if self._transport.is_closing():
            return False
        self._written += len(payload)
        self._transport.write(payload)
        return True

    async def send(self, payload: bytes) -> None:
        """Write and wait until the buffer has drained. Raises ConnectionError if the connection is gone.

        After a reset, `drain` returns or raises without ever suspending: the `sleep` is what lets others run.
        """
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._written += len(payload)
        self._transport.write(payload)
        await self._writer.drain()
        await asyncio.sleep(0)

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


async def send_last(send: Send, message: MutableMapping[str, Any], seconds: float) -> None:
    """Send the message that ends a response; a peer that does not take it within `seconds` is cut off.

    Hypercorn waits for it without a limit, and over HTTP/2 not even the kernel ends that wait: a client that grants no
    window would hold what was written to it, and the stop of the service, for as long as it likes.
    """
    try:
        async with asyncio.timeout(seconds):
            await send(message)
    except TimeoutError:
        await _cut_off(send)
    except ConnectionError:
        return


async def _cut_off(send: Send) -> None:
    """Reset one HTTP/2 stream (RFC 9113, 5.4.2), or abort an HTTP/1.1 connection; nothing on another server."""
    stream = _owner(send, HTTPStream) or _owner(send, WSStream)
    protocol = _owner(stream.send, H2Protocol) if stream is not None else None
    if stream is None or protocol is None:
        writer = _find_writer(stream)
        if writer is not None:
            writer.transport.abort()
        return
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
        server = _owner(protocol.send, TCPServer)
        if server is not None:
            server.writer.transport.abort()


def close_http2_buffer_fault() -> bool:
    """Give Hypercorn's HTTP/2 back-pressure: a stream's writer goes on only below the low-water mark.

    Hypercorn 0.18 releases it after every short pop, also the empty one of a closed window, so that a client
    without a window makes the server buffer without bound. Returns False, and changes nothing, for a version whose
    `StreamBuffer` is not the one this was written for.
    """
    buffer = getattr(h2, "StreamBuffer", None)
    if buffer is None or "_paused" not in buffer.__init__.__code__.co_names:
        return False

    async def pop(self: Any, max_length: int) -> bytes:
        length = min(len(self.buffer), max_length)
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        if len(self.buffer) < h2.BUFFER_LOW_WATER:
            await self._paused.set()
        else:
            await self._paused.clear()
        if not self.buffer:
            await self._is_empty.set()
        return data

    buffer.pop = pop
    return True
