"""The Server-Sent Events wire (WHATWG HTML, 9.2; docs/protocol.md, section 4)."""

from typing import Final

from service.access.origins import Origins
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import MethodError, TwinwireError
from service.core.topics import TopicFilter
from service.stream.hub import StreamHub
from service.stream.hypercorn import LAST_TIMEOUT, TransportPipe, find_response_writer, lighten, send_last
from service.stream.pipe import BodyPipe, Pipe
from service.stream.stream import Stream
from service.wire.request import Receive, Request, Scope, Send, respond, respond_problem

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
        cors = self._origins.cors(request.header(b"origin"))
        try:
            if request.method not in ("GET", "HEAD"):
                raise MethodError("a stream is read with GET", field="method")
            topics = topics or request.topics()
            named = request.flag("named", True)
            start = request.start()
            self._hub.admit()
        except TwinwireError as error:
            await respond_problem(send, error, head=head, cors=cors)
            return
        headers = [*HEADERS, *cors]
        if head:
            await respond(send, 200, headers, b"", head=True)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # HTTP/1.0 has no chunks: there the body ends with the connection (RFC 9112, 6.3).
        direct = self._direct and request.http_version == "1.1"
        lighten(scope, send)
        del request, scope, headers, cors
        stream, opening = await self._open(send, topics, start, named, direct)
        del topics, start
        await stream.run(opening, _Listener(receive))
        await send_last(send, {"type": "http.response.body", "body": b"", "more_body": False}, LAST_TIMEOUT)

    async def _open(
        self, send: Send, topics: TopicFilter, start: Start, named: bool, direct: bool
    ) -> tuple[Stream[bytes], list[bytes]]:
        """The stream and its first frames."""
        writer = find_response_writer(send) if direct else None
        frames = self._hub.frames.sse(named, chunked=writer is not None)
        pipe: Pipe[bytes] = BodyPipe(send, self._hub.send_timeout) if writer is None else TransportPipe(writer)
        subscription, gap = await self._bus.subscribe(topics, start, frames)
        stream = Stream(self._hub, subscription, pipe, frames)
        retry = self._hub.retry()
        resumed = start.cursor is not None and gap is None
        fields = self._hub.connection_fields("sse", topics, subscription.offset, resumed, retry)
        return stream, stream.opening(frames.opening(retry, fields), gap)


class _Listener:
    """An event stream's client says nothing; it only leaves."""

    __slots__ = ("_receive",)

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
