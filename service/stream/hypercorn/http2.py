"""HTTP/2 on a guarded connection: frames have a price, and streams end for good.

Hypercorn 0.18 takes whatever frames come, some of which cost a millisecond of the event loop for nine bytes; stops at
an exception where a request, or data behind its answer, is not as expected; forgets neither a stream that was reset nor
to hold a writer whose peer takes nothing; and begins no idle timer when the last stream was reset.
"""

import contextlib
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request
from hypercorn.protocol.h2 import BUFFER_LOW_WATER, H2Protocol, StreamBuffer
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import filter_pseudo_headers
from priority.priority import MissingStreamError

from service.stream.hypercorn.budget import Budget
from service.stream.hypercorn.guards import Guards
from service.stream.hypercorn.meter import FrameMeter
from service.stream.hypercorn.websocket import GuardedWebSocket, stream_parts

PIECE: Final = 4 * 1024
"""Bytes that are read and handed on in one step, of which some hundred frames fit in."""

FRAMES: Final = 1_000
FRAMES_RATE: Final = 200
"""Of the meter's units, at once and a second. One is about as long as a frame takes, 20 to 30 microseconds."""

UNANSWERED: Final = 10
"""Units for a request that is taken back before its answer has begun: an application has worked for nothing."""

CREDIT: Final = 3
CREDIT_BYTES: Final = 256
"""Units that a piece of data earns which we send, one for so many bytes and so many at most: it may be answered by a
window for the stream and one for all, but not a byte at a time."""


class GuardedBuffer(StreamBuffer):
    """With back-pressure: a stream's writer goes on only below the low-water mark.

    Hypercorn's releases it after every short pop, also the empty one of a closed window, so that a client without a
    window makes the server buffer without bound.
    """

    async def pop(self, max_length: int) -> bytes:
        length = min(len(self.buffer), max_length)
        data = bytes(self.buffer[:length])
        del self.buffer[:length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        else:
            await self._paused.clear()
        if not self.buffer:
            await self._is_empty.set()
        return data


class GuardedHTTP2(H2Protocol):
    guards: Guards
    piece: Final = PIECE
    is_whole: Final = False
    """There may always be more on its way, and GOAWAY should arrive (RFC 9113, 5.4.1)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._meter = FrameMeter()
        self._budget = Budget(FRAMES, FRAMES_RATE, self.context.time())
        self._unfinished: set[int] = set()
        """Streams whose request's body is still to come."""
        self._requests = 0
        self._is_over = False
        """We have ended it: what came in the same piece does not count any more."""

    @property
    def owed(self) -> object:
        """Something that is the same for as long as the same bodies are waited for."""
        return (self._requests, len(self._unfinished)) if self._unfinished else None

    async def expire(self) -> None:
        """What was owed did not come."""
        await self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    async def handle(self, event: Event) -> None:
        if self.closed and not isinstance(event, Closed):
            return
        if isinstance(event, RawData) and not self._budget.take(self._meter.price(event.data), self.context.time()):
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
        else:
            await super().handle(event)

    async def _end(self, code: ErrorCodes) -> None:
        self._is_over = True
        with contextlib.suppress(ProtocolError):
            self.connection.close_connection(error_code=code)
        await self._flush()
        await self.send(Closed())

    async def _handle_events(self, events: list[Any]) -> None:
        for event in events:
            if self._is_over:
                return
            match event:
                case RequestReceived():
                    await self._take_request(event)
                case DataReceived():
                    await self._take_data(event)
                case StreamEnded():
                    self._unfinished.discard(event.stream_id)
                    if (stream := self.streams.get(event.stream_id)) is not None:
                        await stream.handle(EndBody(stream_id=event.stream_id))
                case StreamReset():
                    await self._take_reset(event.stream_id)
                case WindowUpdated():
                    await self._window_updated(event.stream_id)
                case RemoteSettingsChanged() if SettingCodes.INITIAL_WINDOW_SIZE in event.changed_settings:
                    await self._window_updated(None)
                case ConnectionTerminated():
                    await self.send(Closed())
        await self._flush()

    async def _take_request(self, event: RequestReceived) -> None:
        assert event.stream_id is not None
        if self.context.terminated.is_set():
            self.connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            self.connection.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 0})
            return
        self._requests += 1
        if event.stream_ended is None:
            self._unfinished.add(event.stream_id)
        await self._create_stream(event)
        await self.send(Updated(idle=self.idle))
        if self.keep_alive_requests > self.config.keep_alive_max_requests:
            self.connection.close_connection()

    async def _take_reset(self, stream_id: int) -> None:
        stream = self.streams.get(stream_id)
        is_unanswered = isinstance(stream, HTTPStream) and stream.state is ASGIHTTPState.REQUEST
        await self._close_stream(stream_id)
        await self._forget(stream_id)
        await self.send(Updated(idle=self.idle))
        if is_unanswered and not self._budget.take(UNANSWERED, self.context.time()):
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)

    async def _take_data(self, event: DataReceived) -> None:
        assert event.stream_id is not None
        if (stream := self.streams.get(event.stream_id)) is not None:
            await stream.handle(Body(stream_id=event.stream_id, data=event.data or b""))
        with contextlib.suppress(ProtocolError):  # the stream is over
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)

    async def _create_stream(self, request: RequestReceived) -> None:
        """As Hypercorn's, but for requests that it stumbles over: those are reset (RFC 9113, 8.1.1)."""
        id = request.stream_id
        assert id is not None
        fields = dict(request.headers or ())
        method, path = fields.get(b":method", b""), fields.get(b":path")
        is_websocket = method == b"CONNECT" and fields.get(b":protocol") == b"websocket"
        if path is None or not (path.isascii() and method.isascii()) or (method == b"CONNECT" and not is_websocket):
            self._unfinished.discard(id)
            self.connection.reset_stream(id, ErrorCodes.PROTOCOL_ERROR)
            return
        if is_websocket:
            self._unfinished.discard(id)  # its body is the client's messages
        parts = stream_parts(self, id)
        stream = GuardedWebSocket(self.guards, *parts) if is_websocket else HTTPStream(*parts)
        self.streams[id] = stream
        self.stream_buffers[id] = GuardedBuffer(self.context.event_class)
        self.priority.insert_stream(id)
        self.priority.block(id)
        self.keep_alive_requests += 1
        await stream.handle(
            Request(
                stream_id=id,
                headers=filter_pseudo_headers(list(request.headers or ())),
                http_version="2",
                method=method.decode().upper(),
                raw_path=path,
                state=self.connection_state,
            )
        )
        await self.context.mark_request()

    async def _close_stream(self, stream_id: int) -> None:
        self._unfinished.discard(stream_id)
        await super()._close_stream(stream_id)

    async def _forget(self, stream_id: int) -> None:
        """A stream that was reset: nothing of it is sent any more."""
        if (buffer := self.stream_buffers.pop(stream_id, None)) is not None:
            await buffer.close()  # whoever waits in `push` or `drain` goes on
            with contextlib.suppress(MissingStreamError):
                self.priority.remove_stream(stream_id)

    async def _send_data(self, stream_id: int) -> None:
        """As Hypercorn's, but for streams that are forgotten meanwhile."""
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            with contextlib.suppress(MissingStreamError):
                self.priority.remove_stream(stream_id)
            return
        try:
            window = self.connection.local_flow_control_window(stream_id)
            data = await buffer.pop(max(0, min(window, self.connection.max_outbound_frame_size)))
            if data:
                self._budget.give(min(CREDIT, len(data) / CREDIT_BYTES))
                self.connection.send_data(stream_id, data)
                await self._flush()
            else:
                self.priority.block(stream_id)
            if buffer.complete:
                self.connection.end_stream(stream_id)
                await self._flush()
                await self._forget(stream_id)
        except (ProtocolError, MissingStreamError):
            await self._forget(stream_id)

    async def _priority_updated(self, event: PriorityUpdated) -> None:
        """Not called: who asks for an order (RFC 9113, 5.3 takes the scheme back) asks for a millisecond a frame."""
