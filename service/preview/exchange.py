"""One request to a program, over HTTP/1.1 on a connection of its own, streamed both ways.

Rule 1: a program's connection serves one request and is closed: what comes behind an answer is nobody's, so nothing can
be smuggled into the answer to somebody else, whatever it says of its length.
Rule 2: each side is read no faster than the other takes: at most PIECE bytes of either wait here, besides what the two
sockets hold.
Rule 3: the head of the answer comes within HEAD_SECONDS after the last that was sent of the request; what follows may
take as long as somebody looks, since an event stream never ends.
Rule 4: an answer that breaks off ends the browser's connection, so that half of it does not look whole.

h11 speaks to the program: it keeps to the letter of RFC 9112, has no I/O of its own, and is what the server in front of
us speaks too, so there is one opinion of where an answer ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import h11

from service.preview.heads import Field, back, towards
from service.stream.asgi import Receive, Scope, Send

PIECE: Final = 64 * 1024
"""Bytes of a body that are read in one step."""

HEAD_MAX: Final = 64 * 1024
"""Bytes of the head of an answer, or of a chunk's line."""

HEAD_SECONDS: Final = 30.0
"""Until the head of an answer."""

CHUNKS: Final = 20
"""Of an answer that are taken in one step."""

BODY_MAX: Final = 16 << 20
"""Bytes of a request's body: what a form with a picture has, and the service itself takes no more."""

CONNECT_SECONDS: Final = 5.0
"""Until the program has taken a connection."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Those that are passed on: TRACE would tell what was taken off, CONNECT makes a tunnel."""

_FIRST: Final = 200
_LAST: Final = 599
"""Statuses of an answer."""

SWITCHING: Final = 101
"""Which nobody has asked for here: it would be a tunnel."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


class BadAnswerError(Exception):
    """The program can't be reached, or what it answers is no answer: says why, for a person.

    `has_left`: it has ended the connection, or takes none: it may have ended itself.
    """

    def __init__(self, detail: str, status: int = 502, *, has_left: bool = False) -> None:
        super().__init__(detail)
        self.status: Final = status
        self.has_left: Final = has_left


class TooMuchError(Exception):
    """A request's body has more than BODY_MAX bytes."""


async def connected(connect: Connect) -> Streams:
    """Raises BadAnswerError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await connect()
    except (OSError, TimeoutError) as error:
        raise BadAnswerError("the application takes no connection", has_left=True) from error


class Exchange:
    """Make one for each request, then `run` it. `is_begun` tells whether anything was answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, framers: Sequence[str]) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._framers = framers
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
        self._due = 0.0
        self._waiting: asyncio.Timeout | None = None
        self._sent = 0
        self.is_begun = False

    async def run(self, connect: Connect) -> None:
        """Raises BadAnswerError or TooMuchError as long as nothing was answered; later the connection just ends."""
        reader, writer = await connected(connect)
        try:
            await self._carry(reader, writer)
        except (h11.RemoteProtocolError, ValueError) as error:
            if not self.is_begun:
                raise BadAnswerError(f"what the application answers is no answer: {error}") from error
        except TimeoutError as error:
            if not self.is_begun:
                seconds = f"{HEAD_SECONDS:g} seconds"
                raise BadAnswerError(f"the application has not answered within {seconds}", 504) from error
        except OSError as error:
            if not self.is_begun:
                raise BadAnswerError("the application has hung up", has_left=True) from error
        except (BadAnswerError, TooMuchError):
            if not self.is_begun:
                raise
        finally:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways at once, until the answer is complete or the browser has left."""
        ways = [
            asyncio.create_task(self._there(writer), name="preview-request"),
            asyncio.create_task(self._back(reader), name="preview-answer"),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            way.result()

    # The request

    async def _there(self, writer: asyncio.StreamWriter) -> None:
        """Returns once the browser has left."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            return
        piece, more = message.get("body", b""), message.get("more_body", False)
        request = h11.Request(
            method=self._scope["method"],
            target=target_of(self._scope),
            headers=[*towards(self._scope["headers"]), *self._framing(len(piece), more), (b"connection", b"close")],
        )
        try:
            await self._write(writer, request)
            while True:
                if piece:
                    await self._write(writer, h11.Data(data=piece))
                if not more:
                    break
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return
                piece, more = message.get("body", b""), message.get("more_body", False)
            await self._write(writer, h11.EndOfMessage())
        except ConnectionError:
            pass  # it may have answered without reading all of it
        except h11.LocalProtocolError as error:
            raise BadAnswerError(f"the request can't be passed on: {error}", 400) from error
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _framing(self, first: int, more: bool) -> list[Field]:
        """How long the body is, as far as it is known (RFC 9112, 6)."""
        if not more:
            return [(b"content-length", str(first).encode())] if first or self._has_body else []
        declared = dict(self._scope["headers"]).get(b"content-length")
        return [(b"transfer-encoding", b"chunked")] if declared is None else [(b"content-length", declared)]

    @property
    def _has_body(self) -> bool:
        return self._scope["method"] in {"POST", "PUT", "PATCH"}

    async def _write(self, writer: asyncio.StreamWriter, event: Any) -> None:
        if isinstance(event, h11.Data):
            self._sent += len(event.data)
            if self._sent > BODY_MAX:
                raise TooMuchError
        data = self._protocol.send(event)
        if data:
            writer.write(data)
            await writer.drain()
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time() + HEAD_SECONDS)

    # The answer

    async def _back(self, reader: asyncio.StreamReader) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS) as self._waiting:
                answer = await self._head(reader)
        finally:
            self._waiting = None
        fields = self._answered(answer)
        self.is_begun = True
        await self._send({"type": "http.response.start", "status": answer.status_code, "headers": fields})
        more = True
        while more:
            body, more = await self._body(reader)
            await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _body(self, reader: asyncio.StreamReader) -> tuple[bytes, bool]:
        """What has come of it, as one, and whether there is more. A chunk may have one byte."""
        parts: list[bytes] = []
        while True:
            event = self._protocol.next_event()
            if isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                if len(parts) % CHUNKS == 0:
                    await asyncio.sleep(0)
            elif isinstance(event, h11.EndOfMessage):
                return b"".join(parts), False
            elif event is not h11.NEED_DATA:
                raise BadAnswerError("the answer breaks off")
            elif parts:
                return b"".join(parts), True
            else:
                self._protocol.receive_data(await reader.read(PIECE))

    async def _head(self, reader: asyncio.StreamReader) -> h11.Response:
        """What comes before it (RFC 9110, 15.2) is not passed on."""
        while not isinstance(event := await self._next(reader), h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == SWITCHING:
                raise BadAnswerError("what the application answers is no answer")
            await asyncio.sleep(0)  # there may be thousands
        return event

    async def _next(self, reader: asyncio.StreamReader) -> Any:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            data = await reader.read(PIECE)
            if not data and self._protocol.their_state is h11.SEND_RESPONSE:
                raise BadAnswerError("the application has hung up without an answer", has_left=True)
            self._protocol.receive_data(data)
        return event

    def _answered(self, answer: h11.Response) -> list[Field]:
        """Raises BadAnswerError or ValueError for a head that is not passed on."""
        if not _FIRST <= answer.status_code <= _LAST:
            raise BadAnswerError(f"{answer.status_code} is no status of an answer")
        names = [name for name, _ in answer.headers]
        if b"content-length" in names and b"transfer-encoding" in names:  # RFC 9112, 6.3: perhaps smuggled
            raise BadAnswerError("the answer says its length twice")
        return back(answer.headers, self._framers)


def target_of(scope: Scope) -> bytes:
    """The path and query as they were sent (RFC 9112, 3.2.1)."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    query: bytes = scope.get("query_string", b"")
    path = path.partition(b"?")[0]
    return path + (b"?" + query if query else b"")
