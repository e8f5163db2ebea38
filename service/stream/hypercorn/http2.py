"""HTTP/2 in Hypercorn: a stream that is to end although its peer grants no window, and the back-pressure it lacks."""

import asyncio
import contextlib
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.protocol import h2
from hypercorn.protocol.events import StreamClosed

from service.stream.hypercorn.inside import server_of

CUT_OFF_TIMEOUT: Final = 0.5
"""Seconds for a reset to leave, before its connection is aborted."""


async def reset_stream(protocol: Any, stream: Any) -> None:
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
