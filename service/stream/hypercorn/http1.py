"""HTTP/1.1 on a guarded connection: what is refused before an application hears of it.

- A request with both Content-Length and Transfer-Encoding: 400, and the connection ends (RFC 9112, 6.1: it may be an
  attempt to smuggle a second request past a proxy). h11 takes the second and goes on.
- HTTP/2 in cleartext, with prior knowledge: 505, unless a setting allows it. `Upgrade: h2c` is ignored, as RFC 9110,
  7.8 allows and RFC 9113, 3.1 suggests: behind a proxy that passes it on it would be a tunnel around the proxy's rules.
- A head that says how long its body is leaves together with it: two writes are two calls of the kernel, the dearest
  part of a small answer.
- A request behind one that is still being answered waits, but not without an end if its peer has sent more than is
  taken: its leaving could not be noticed.
"""

import asyncio
from typing import Any, Final

import h11
from h11._receivebuffer import ReceiveBuffer, blank_line_regex
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H2ProtocolAssumedError, H11Protocol, H11WSConnection

from service.stream.asgi import Header
from service.stream.hypercorn.guards import Guards, Rank
from service.stream.hypercorn.heads import response
from service.stream.hypercorn.websocket import GuardedWebSocket, stream_parts

PIECE: Final = 64 * 1024
"""Bytes that are read and handed on in one step."""

FRAMES_PIECE: Final = 4 * 1024
"""The same of a peer that speaks frames, of which 680 fit in, or small chunks."""

CHUNK: Final = 1_024
"""Bytes of a body's chunk from which on it is worth a message of its own."""

CHUNKS_MAX: Final = 20_000
"""Smaller chunks that a body may have: two for each event of a request, for some write a line and its end apart."""

TINY: Final = 8
TINY_MAX: Final = 2_000
"""Of a body's small chunks, beyond so many of them they hold so many bytes on average: an event is forty at least, and
some write its end apart. Twenty thousand of one byte are 0.3 s of work, also after their sender has left."""

_OVER: Final = frozenset({h11.MUST_CLOSE, h11.CLOSED})

SLICE: Final = 50
"""Smaller chunks after which others may get their turn: half a millisecond."""

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""What h11 takes for a request's head (RFC 9113, 3.4)."""

FIELDS_MAX: Final = 128
"""Lines of a request's head, the first included: browsers send some thirty, and a proxy in front some more."""

OK: Final = 200
"""Below it are answers that come before the one that counts (RFC 9110, 15.2)."""

REQUEST_TIMEOUT: Final = 408
CONTENT_TOO_LARGE: Final = 413
FIELDS_TOO_LARGE: Final = 431
VERSION_NOT_SUPPORTED: Final = 505
BAD_REQUEST: Final = 400


class BoundedHead(ReceiveBuffer):
    """What h11 has not taken apart yet: each field costs it some copies and a match, so they are counted before."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Raises RemoteProtocolError, for 431 (RFC 6585, 5), if a head or a trailer has too many fields."""
        end = self._data.find(b"\r\n\r\n")  # a body may have come with the head: its lines are many, and no fields
        if self._data.count(b"\n", 0, None if end < 0 else end + 2) > FIELDS_MAX:
            blank = blank_line_regex.search(self._data)
            if self._data.count(b"\n", 0, None if blank is None else blank.end() - 1) > FIELDS_MAX:
                raise h11.RemoteProtocolError(f"more than {FIELDS_MAX} fields", error_status_hint=FIELDS_TOO_LARGE)
        lines: list[bytearray] | None = super().maybe_extract_lines()
        return lines


class GuardedHTTP1(H11Protocol):
    guards: Guards

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        vars(self.connection)["_receive_buffer"] = BoundedHead()
        self._is_closed = False
        """Nothing that comes counts any more, and nobody waits for a turn."""
        self._head = b""
        """Of an answer, until its body comes or its end."""
        self._chunks = bytearray()
        """Small chunks of a body that were taken in this step, and not handed on."""
        self._small = 0
        self._small_bytes = 0
        """How many there were of them, and what they held."""
        self._is_chunked = False
        """Whether the request's body comes in chunks; else its pieces are the network's."""
        self._is_read = True
        """Whether somebody has a use for it. A GET's means nothing (RFC 9110, 9.3.1): it is thrown away at once."""

    @property
    def piece(self) -> int:
        return FRAMES_PIECE if type(self.connection) is H11WSConnection or self._small else PIECE

    @property
    def is_whole(self) -> bool:
        """Whether the peer has sent a whole request and nothing behind it."""
        connection = self.connection
        return connection.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED) and not connection.trailing_data[0]

    @property
    def owed(self) -> object:
        """What the peer has begun and not finished; a connection that has not begun is the idle timer's business."""
        if isinstance(self.stream, GuardedWebSocket):
            return self.stream.owed
        state = self.connection.their_state
        if state is h11.DONE:  # nearly always
            return None
        is_begun = state is h11.SEND_BODY or (state is h11.IDLE and self.connection.trailing_data[0])
        return (state, self.keep_alive_requests) if is_begun else None

    async def expire(self) -> None:
        """What was owed did not come."""
        if isinstance(self.stream, GuardedWebSocket):
            await self.stream.fail(1008, "the message does not go on")
        elif self.connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send_error_response(REQUEST_TIMEOUT)

    async def handle(self, event: Event) -> None:
        if type(event) is Closed:
            self._is_closed = True
            await self.can_read.set()
        elif self._is_closed:
            return
        await super().handle(event)

    async def _handle_events(self) -> None:
        while not self._is_closed:
            if self.connection.they_are_waiting_for_100_continue:
                await self._continue()
            try:
                event: Any = self.connection.next_event()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                break
            kind = type(event)  # `isinstance` asks much more of a class that is abstract
            if event is h11.NEED_DATA:
                break
            if event is h11.PAUSED:
                await self._pause()
                await self.guards.turns.take(Rank.BUSY)
            elif kind is h11.Request:
                await self._begin(event)
            elif kind is h11.ConnectionClosed or self.stream is None:
                break
            elif kind is Data:
                await self.stream.handle(event)
            elif kind is h11.Data:
                await self._take_chunk(event.data)
            elif kind is h11.EndOfMessage:
                await self._hand_on()
                if self.stream is not None:  # it may have been answered meanwhile
                    await self.stream.handle(EndBody(stream_id=STREAM_ID))
        await self._hand_on()

    async def _take_chunk(self, data: bytes | bytearray) -> None:
        """Large ones are handed on as they come; small ones together, as one message to the application."""
        if not self._is_chunked or (len(data) >= CHUNK and not self._chunks):
            await self._hand_on_as(bytes(data))
            return
        self._chunks += data
        self._small += 1
        self._small_bytes += len(data)
        if self._small > CHUNKS_MAX or (self._small > TINY_MAX and self._small_bytes < TINY * self._small):
            await self._refuse(CONTENT_TOO_LARGE)
            return
        if len(self._chunks) >= PIECE:
            await self._hand_on()
        if self._small % SLICE == 0:
            await self.guards.turns.take(Rank.BUSY)

    async def _hand_on(self) -> None:
        if self._chunks:
            data, self._chunks = bytes(self._chunks), bytearray()
            await self._hand_on_as(data)

    async def _hand_on_as(self, data: bytes) -> None:
        if self.stream is not None and self._is_read:
            await self.stream.handle(Body(stream_id=STREAM_ID, data=data))

    async def stream_send(self, event: StreamEvent) -> None:
        if type(event) is not Response or event.status_code < OK:
            await super().stream_send(event)
            return
        fields = [*event.headers, *self.config.response_headers("h11")]
        if self.keep_alive_requests >= self.config.keep_alive_max_requests:
            fields.append((b"connection", b"close"))
        await self._send_h11_event(response(event.status_code, fields))

    async def _send_h11_event(self, event: Any) -> None:
        if self.connection.our_state in _OVER:
            return  # `expire` has answered, in the moment in which a body's own time was up
        try:
            data = self.connection.send(event)
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return
        if self._head:
            data, self._head = self._head + data, b""
        if type(event) is h11.Response and _has_length(event):
            self._head = data
        elif data:
            await self.send(RawData(data=data))

    async def _continue(self) -> None:
        await self._send_h11_event(
            h11.InformationalResponse(status_code=100, headers=self.config.response_headers("h11"))
        )

    async def _refuse(self, status: int) -> None:
        """Answer, if it is not too late for that, and end the connection."""
        self._is_closed = True
        if self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._send_error_response(status)
        await self.send(Closed())

    async def _begin(self, request: h11.Request) -> None:
        if request.method == b"PRI" and request.target == b"*" and request.http_version == b"2.0":
            if self.guards.h2c:
                raise H2ProtocolAssumedError(PREFACE + self.connection.trailing_data[0])
            await self._refuse(VERSION_NOT_SUPPORTED)
            return
        fields = list(request.headers)  # h11 makes each anew whenever it is asked for it
        names = {name for name, _ in fields}
        if b"content-length" in names and b"transfer-encoding" in names:
            await self._refuse(BAD_REQUEST)
            return
        self._small = self._small_bytes = 0
        self._is_chunked = b"transfer-encoding" in names
        self._is_read = request.method not in (b"GET", b"HEAD")
        await self.send(Updated(idle=False))
        if b"upgrade" in names and _wants_websocket(request.method, fields):
            await self._create_websocket(request, fields)
        else:
            await self._create_stream(request)

    async def _create_websocket(self, request: h11.Request, fields: list[Header]) -> None:
        assert isinstance(self.connection, h11.Connection)
        self.stream = GuardedWebSocket(self.guards, *stream_parts(self, STREAM_ID))
        self.connection = H11WSConnection(self.connection)
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=_with_one_connection(fields),
                http_version=request.http_version.decode(),
                method="GET",
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def _pause(self) -> None:
        """Wait until the request before this one is answered."""
        await self.can_read.clear()
        while not self._is_closed and not self.can_read.is_set():
            try:
                async with asyncio.timeout(self.config.keep_alive_timeout):
                    await self.can_read.wait()
            except TimeoutError:
                if not self._is_reading():
                    await self.send(Closed())
                    return

    def _is_reading(self) -> bool:
        """Whether the connection would notice its peer's leaving: not when it has sent more than is taken."""
        transport = self.send.__self__.writer.transport  # type: ignore[attr-defined]
        return bool(transport.is_reading())


def _has_length(answer: h11.Response) -> bool:
    """Whether a body follows at once, if any: a stream's head has no length, and is waited for."""
    return any(name.lower() == b"content-length" for name, _ in answer.headers.raw_items())


def _connection(fields: list[Header]) -> bytes:
    """The field may be in several lines, which are one list (RFC 9110, 5.3)."""
    return b", ".join([value for name, value in fields if name == b"connection"])


def _with_one_connection(fields: list[Header]) -> list[Header]:
    """The fields with that list as one, since Hypercorn's handshake takes the last line for it."""
    return [field for field in fields if field[0] != b"connection"] + [(b"connection", _connection(fields))]


def _wants_websocket(method: bytes, fields: list[Header]) -> bool:
    """RFC 6455, 4.2.1: a GET whose Connection names Upgrade, and whose Upgrade is websocket."""
    if method != b"GET":
        return False
    tokens = [token.strip() for token in _connection(fields).lower().split(b",")]
    return b"upgrade" in tokens and dict(fields)[b"upgrade"].strip().lower() == b"websocket"
