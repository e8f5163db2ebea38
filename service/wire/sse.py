"""The Server-Sent Events wire (WHATWG HTML, 9.2; docs/protocol.md, section 4)."""

from collections.abc import Coroutine
from typing import Any, Final

from service.access.gate import Act, Gate, Lease
from service.access.headers import EVERY_ANSWER
from service.bus.start import Start
from service.core.errors import OverloadedError, TwinwireError
from service.core.parameters import Parameters
from service.core.topics import TopicFilter
from service.stream.asgi import Receive, Scope, Send
from service.stream.opening import Opened, Opening
from service.stream.pipe import Pipe, Pipes
from service.wire.asking import take_asked
from service.wire.bodies import Bodies
from service.wire.frames import Frames
from service.wire.request import (
    CURSOR_PARAMETERS,
    DisconnectedError,
    Request,
    disconnected,
    respond,
    respond_problem,
)

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
"""No proxy may keep, compress or hold back a stream; nginx listens to the last one only."""

PARAMETERS: Final = Parameters("topic", *CURSOR_PARAMETERS, "named")


class SSEWire:
    """An ASGI application for GET, HEAD and POST, which brings its topics in its body: one stream a call."""

    def __init__(self, gate: Gate, opening: Opening, pipes: Pipes, frames: Frames, bodies: Bodies) -> None:
        self._gate = gate
        self._opening = opening
        self._pipes = pipes
        self._frames = frames
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        head = request.method == "HEAD"
        cors = self._gate.cors(request)
        try:
            if request.method == "POST":
                self._gate.enter(request, Act.READ)  # before it is read; a place is taken once it is known for what
                with self._bodies.open() as body:
                    await take_asked(request, receive, body, PARAMETERS)
            request.only(PARAMETERS)
            topics, named, start = request.topics(), request.flag("named", True), request.start()
            lease = self._gate.enter(request, Act.STREAM)
        except TwinwireError as error:
            # Without a place for a stream there may soon be none for a connection: nobody keeps one for it.
            is_last = request.method == "POST" or isinstance(error, OverloadedError)
            await respond_problem(send, error, head=head, cors=cors, is_last=is_last)
            return
        except DisconnectedError:
            return
        with lease:
            headers = [*HEADERS, *cors]
            if head:
                await respond(send, 200, headers, b"", head=True)
                return
            await send({"type": "http.response.start", "status": 200, "headers": [*headers, *EVERY_ANSWER]})
            pipe = self._pipes.body(send, request.http_version)
            self._pipes.lighten(scope, send)
            del request, scope, headers, cors  # a stream lives for hours: some KiB of its request would, too
            opened = await self._open(pipe, topics, named, start, lease)
            del topics, start
            await opened.stream.run(opened.first, _Listener(receive))
            await self._pipes.end(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _open(
        self, pipe: Pipe[bytes], topics: TopicFilter, named: bool, start: Start, lease: Lease
    ) -> Opened[bytes]:
        encoding = self._frames.sse(named, chunked=pipe.direct)
        return await self._opening.open(pipe, encoding, topics, start, lease.caller)


class _Listener:
    """An event stream's client says nothing; it only leaves."""

    __slots__ = ("_receive",)

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def listen(self) -> Coroutine[Any, Any, None]:
        return disconnected(self._receive)  # not awaited here: one frame less for each stream
