"""One WebSocket to a program: its handshake, then messages both ways, each side no faster than the other takes.

The server in front of us makes messages of frames (ASGI), so they are made into frames anew: by `websockets`, without
I/O, which the Python client has anyway, and which keeps to RFC 6455 where a program does not. Nothing is compressed.
A message waits here alone, whole, and has MESSAGE_MAX bytes at most; control frames end here.
"""

import asyncio
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from service.preview.exchange import HEAD_SECONDS, PIECE, BadAnswerError, Connect, connected, target_of
from service.preview.heads import towards
from service.stream.asgi import Message, Receive, Scope, Send

MESSAGE_MAX: Final = 1 << 20
"""Bytes of a message of the program. Those of a browser are bounded by the server, as all that the service takes."""

SLICE: Final = 2 * 1024
"""Bytes that are taken apart in one step: a frame may have two."""

CLOSE_SECONDS: Final = 2.0
"""In which the other side of a close has to come."""

_NO_CODE: Final = frozenset({CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE})
"""That are never sent (RFC 6455, 7.4.1)."""

_FORBIDDEN: Final = 400
_LAST: Final = 599


class Socket:
    """Make one for each handshake, after `websocket.connect` was received; then `run` it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        path, _, query = target_of(scope).decode("latin-1").partition("?")
        self._protocol = ClientProtocol(
            WebSocketURI(False, "app", 80, path, query),
            subprotocols=scope.get("subprotocols") or None,
            max_size=MESSAGE_MAX,
        )
        self._text: bool | None = None
        self._whole = bytearray()
        self._early: list[Any] = []
        """What came with the answer to the handshake."""
        self._is_failed = False
        """The program has done what is not gone along with: nothing of it counts any more."""
        self.is_begun = False

    async def run(self, connect: Connect) -> None:
        """Raises BadAnswerError, with the program's own status for a handshake that it refuses."""
        reader, writer = await connected(connect)
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                await self._shake_hands(reader, writer)
            self.is_begun = True
            await self._send({"type": "websocket.accept", "subprotocol": self._protocol.subprotocol, "headers": []})
            await self._carry(reader, writer)
        except TimeoutError as error:
            if not self.is_begun:
                raise BadAnswerError("the application has not answered the handshake", 504) from error
        except OSError as error:
            if not self.is_begun:
                raise BadAnswerError("the application has hung up", has_left=True) from error
        finally:
            writer.transport.abort()

    async def _shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = self._protocol.connect()
        fields = list(self._scope["headers"])
        host = next((value for name, value in fields if name == b"host"), None)
        if host is not None:
            del request.headers["Host"]
            request.headers["Host"] = host.decode("latin-1")
        for name, value in towards(fields):
            if name != b"host" and value.isascii():
                request.headers[name.decode("latin-1")] = value.decode("latin-1")
        self._protocol.send_request(request)
        await self._flush(writer)
        while True:
            events = iter(self._protocol.events_received())
            for event in events:
                if isinstance(event, Response):
                    self._check(event)
                    self._early = list(events)
                    return
            if self._protocol.handshake_exc is not None:
                raise BadAnswerError("what the application answers to a handshake is no answer")
            data = await reader.read(SLICE)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
                if self._protocol.handshake_exc is None:
                    raise BadAnswerError("the application has hung up without an answer", has_left=True)

    def _check(self, answer: Response) -> None:
        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            is_refusal = _FORBIDDEN <= answer.status_code <= _LAST
            detail = f"the application answers a handshake with {answer.status_code}"
            raise BadAnswerError(detail, answer.status_code if is_refusal else 502)
        if error is not None:
            raise BadAnswerError("the application answers a handshake as RFC 6455 does not allow")

    async def _flush(self, writer: asyncio.StreamWriter) -> None:
        for data in self._protocol.data_to_send():
            if data:
                writer.write(data)
            elif writer.can_write_eof():
                writer.write_eof()
        await writer.drain()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = asyncio.create_task(self._there(writer), name="preview-socket-there")
        back = asyncio.create_task(self._back(reader, writer), name="preview-socket-back")
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            if there.done() and there.exception() is None:  # the browser has left: the program has its word, too
                await asyncio.wait((back,), timeout=CLOSE_SECONDS)
        finally:
            for way in (there, back):
                way.cancel()
            await asyncio.gather(there, back, return_exceptions=True)

    async def _there(self, writer: asyncio.StreamWriter) -> None:
        """The browser's messages, until it leaves."""
        while (message := await self._receive())["type"] == "websocket.receive":
            if self._protocol.state is not State.OPEN:
                continue
            text = message.get("text")
            if text is None:
                self._protocol.send_binary(message.get("bytes") or b"")
            else:
                self._protocol.send_text(text.encode("utf-8", "surrogatepass"))
            await self._flush(writer)
        if self._protocol.state is State.OPEN:
            code = message.get("code") or CloseCode.NO_STATUS_RCVD
            self._protocol.send_close(*(() if code in _NO_CODE else (code, message.get("reason") or "")))
            await self._flush(writer)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The program's, until it closes; what its close says, the browser is told."""
        await self._pass_on(writer)
        while self._protocol.state is State.OPEN:
            data = await reader.read(PIECE)
            if not data:
                self._protocol.receive_eof()
                await self._pass_on(writer)
                break
            for at in range(0, len(data), SLICE):
                self._protocol.receive_data(data[at : at + SLICE])
                await self._pass_on(writer)
                await asyncio.sleep(0)  # a slice may be a thousand frames
        await self._send(self._closing())

    async def _pass_on(self, writer: asyncio.StreamWriter) -> None:
        """What was received, and our answers to it."""
        early, self._early = self._early, []
        for event in (*early, *self._protocol.events_received()):
            whole = None if self._is_failed else self._gathered(event)
            if whole is not None:
                await self._send(whole)
        await self._flush(writer)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._is_failed = True
        self._protocol.fail(code, reason)

    def _closing(self) -> Message:
        found = self._protocol.close_rcvd or self._protocol.close_sent
        code = CloseCode.GOING_AWAY if found is None else found.code
        if code == CloseCode.NO_STATUS_RCVD:
            code = CloseCode.NORMAL_CLOSURE
        return {"type": "websocket.close", "code": int(code), "reason": "" if found is None else found.reason}

    def _gathered(self, frame: Any) -> Message | None:
        """The message that a frame completes. The protocol has refused what is too long or out of order."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text, self._whole = frame.opcode is Opcode.TEXT, bytearray()
        elif frame.opcode is not Opcode.CONT:
            return None
        if not frame.fin and not frame.data:  # of which there may be any number in a message
            self._fail(CloseCode.POLICY_VIOLATION, "a fragment without a byte")
            return None
        self._whole += frame.data
        if not frame.fin:
            return None
        whole, self._whole = bytes(self._whole), bytearray()
        if not self._text:
            return {"type": "websocket.send", "bytes": whole}
        try:
            return {"type": "websocket.send", "text": whole.decode()}
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "a text is not UTF-8")
            return None
