"""The Server-Sent Events wire (WHATWG HTML, 9.2; PROTOCOL.md, section 4)."""

import contextlib
from typing import Any, Final

from hypercorn.protocol.http_stream import HTTPStream

from service.access.origins import Origins
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import MethodError, TwinwireError
from service.core.topics import TopicFilter
from service.wire.asgi import Receive, Request, Scope, Send, respond, respond_problem
from service.wire.frames import SSEFrames
from service.wire.hub import StreamHub
from service.wire.hypercorn import TransportPipe, find_writer, lighten
from service.wire.pipe import BodyPipe, Pipe
from service.wire.stream import Stream

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
"""No proxy may keep, compress or hold back a stream; nginx listens to the last one only."""


class SSEWire:
    """An ASGI application for GET and HEAD: one stream a call."""

    def __init__(self, bus: EventBus, hub: StreamHub, origins: Origins, direct: bool) -> None:
        self._bus = bus
        self._hub = hub
        self._origins = origins
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send, topics: TopicFilter | None = None) -> None:
        """`topics` overrides the query's."""
        request = Request(scope)
        head = request.method == "HEAD"
        try:
            if request.method not in ("GET", "HEAD"):
                raise MethodError("a stream is read with GET", field="method")
            topics = topics or request.topics()
            named = request.flag("named", True)
            start = request.start()
            self._hub.admit()
        except TwinwireError as error:
            await respond_problem(send, error, head=head)
            return
        headers = [*HEADERS, *self._origins.cors(request.header(b"origin"))]
        if head:
            await respond(send, 200, headers, b"", head=True)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # HTTP/1.0 has no chunks: there the body ends with the connection (RFC 9112, 6.3).
        writer = find_writer(send, HTTPStream) if self._direct and request.http_version == "1.1" else None
        frames = self._hub.frames.sse(named, chunked=writer is not None)
        pipe: Pipe[bytes] = BodyPipe(send, self._hub.send_timeout) if writer is None else TransportPipe(writer)
        lighten(scope, send)
        del request
        await self._serve(receive, topics, start, pipe, frames)
        with contextlib.suppress(ConnectionError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(
        self, receive: Receive, topics: TopicFilter, start: Start, pipe: Pipe[Any], frames: SSEFrames
    ) -> None:
        subscription, gap = await self._bus.subscribe(topics, start, frames)
        stream = Stream(self._hub, subscription, pipe, frames)
        retry = self._hub.retry()
        resumed = start.cursor is not None and gap is None
        fields = self._hub.connection_fields("sse", topics, subscription.offset, resumed, retry)
        await stream.run(frames.opening(retry, fields), gap, lambda: _until_gone(receive))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
