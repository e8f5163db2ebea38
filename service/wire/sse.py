"""The Server-Sent Events wire (WHATWG HTML, 9.2; docs/protocol.md, section 4)."""

from collections.abc import Coroutine
from typing import Any, Final

from service.access.caller import Caller
from service.access.carriers import AUTH, STREAM_COOKIE, TICKET, cookie_of, set_cookie
from service.access.gate import Act, Gate
from service.access.headers import EVERY_ANSWER
from service.access.lease import Lease
from service.bus.start import Start
from service.core.errors import (
    OverloadedError,
    RateLimitedError,
    TwinwireError,
    UnauthorizedError,
    UnavailableError,
)
from service.core.parameters import Parameters
from service.core.topics import TopicFilter
from service.stream.asgi import Header, Receive, Scope, Send
from service.stream.ending import ending_of
from service.stream.opening import Opened, Opening
from service.stream.pipe import Pipe, Pipes
from service.wire.asking import take_asked
from service.wire.bodies import Bodies
from service.wire.frames import Frames
from service.wire.messages import Beyond
from service.wire.request import (
    CURSOR_PARAMETERS,
    EPHEMERAL,
    PRESENCE,
    STATE_PARAMETERS,
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

PARAMETERS: Final = Parameters(
    "topic", *CURSOR_PARAMETERS, *STATE_PARAMETERS, EPHEMERAL, PRESENCE, "named", AUTH, TICKET
)

SSE_PATH: Final = "/api/sse"
"""Below which the cookie of a ticket is sent, and below the root."""

COOKIE_LIFE: Final = 86_400
"""Seconds that the cookie lives at most, where a token has no end."""

UNHEARD_RETRY: Final = 30_000
"""Milliseconds after which an EventSource comes back whose credential is no good: it can't be told to stop."""


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
        named = True
        try:
            if request.method == "POST":
                self._gate.enter(request, Act.READ)  # before it is read; a place is taken once it is known for what
                with self._bodies.open() as body:
                    await take_asked(request, receive, body, PARAMETERS)
            request.only(PARAMETERS)
            wish, named, start = request.wish(), request.flag("named", True), request.start()
            asked = Beyond(request.flag(EPHEMERAL, False), request.flag(PRESENCE, False))
            lease = self._gate.enter(request, Act.STREAM, wish)
        except (UnauthorizedError, RateLimitedError, UnavailableError) as error:
            if head or not _is_deaf(request):
                await self._refuse(send, error, request, head, cors)
            else:
                await self._tell(send, error, named, [*HEADERS, *cors])
            return
        except TwinwireError as error:
            await self._refuse(send, error, request, head, cors)
            return
        except DisconnectedError:
            return
        with lease:
            headers = [*HEADERS, *cors, *self._cookie(request, lease.caller)]
            if head:
                await respond(send, 200, headers, b"", head=True)
                return
            await send({"type": "http.response.start", "status": 200, "headers": [*headers, *EVERY_ANSWER]})
            pipe = self._pipes.body(send, request.http_version)
            self._pipes.lighten(scope, send)
            topics = lease.topics
            del request, scope, headers, cors, wish  # a stream lives for hours: some KiB of its request would, too
            try:
                opened = await self._open(pipe, topics, named, start, lease, asked)
            except (RateLimitedError, OverloadedError) as error:
                last = {"type": "http.response.body", "body": self._goodbye(error, named), "more_body": False}
                await self._pipes.end(send, last)
                return
            opened.stream.lease = lease
            del topics, start
            await opened.stream.run(opened.first, _Listener(receive))
            await self._pipes.end(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _refuse(self, send: Send, error: TwinwireError, request: Request, head: bool, cors: list[Header]) -> None:
        # Without a place for a stream there may soon be none for a connection: nobody keeps one for it.
        is_last = request.method == "POST" or isinstance(error, OverloadedError)
        await respond_problem(send, error, head=head, cors=cors, is_last=is_last)

    async def _tell(self, send: Send, error: TwinwireError, named: bool, headers: list[Header]) -> None:
        """An EventSource is dead after anything but 200, and its page is not told why: so it is told in a stream."""
        await respond(send, 200, headers, self._goodbye(error, named))

    def _goodbye(self, error: TwinwireError, named: bool) -> bytes:
        """A whole stream of one that was refused."""
        ending = ending_of(error)
        retry = UNHEARD_RETRY if ending.is_final else round((error.retry_after or 1.0) * 1_000)
        fields = self._opening.goodbye(ending, retry)
        return self._frames.sse(named, chunked=False).control("goodbye", fields, retry=retry)

    def _cookie(self, request: Request, caller: Caller) -> list[Header]:
        """What lets an EventSource come back with the ticket that it has spent."""
        ticket = request.value(TICKET)
        tickets = self._gate.authority.tickets
        if ticket is None or caller.is_anonymous or tickets.unseal(ticket, cookie_of(request, STREAM_COOKIE)):
            return []
        value = tickets.seal(ticket, caller, cookie_of(request, STREAM_COOKIE))
        if value is None:
            return []
        left = int(min(COOKIE_LIFE, self._gate.authority.seconds_left(caller)))
        is_secure = self._gate.is_https(request)
        cookie = set_cookie(STREAM_COOKIE, value, path=request.root + SSE_PATH, max_age=left, is_secure=is_secure)
        return [(b"set-cookie", cookie)]

    async def _open(
        self, pipe: Pipe[bytes], topics: TopicFilter, named: bool, start: Start, lease: Lease, asked: Beyond
    ) -> Opened[bytes]:
        encoding = self._frames.sse(named, chunked=pipe.direct)
        return await self._opening.open(pipe, encoding, topics, start, lease.caller, **asked.said)


def _is_deaf(request: Request) -> bool:
    """Whether it is an EventSource, which hears nothing but streams, of a page that has thought of a credential."""
    is_meant = request.parameter(TICKET) is not None or request.parameter(AUTH) is not None
    is_source = (request.header(b"accept") or "").lower() == "text/event-stream"
    return is_meant and is_source and request.header(b"x-twinwire-fetch") != "1"


class _Listener:
    """An event stream's client says nothing; it only leaves."""

    __slots__ = ("_receive",)

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def listen(self) -> Coroutine[Any, Any, None]:
        return disconnected(self._receive)  # not awaited here: one frame less for each stream
