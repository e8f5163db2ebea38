"""WebSocketClient: RFC 6455 on a bare connection, on the protocol part of `websockets`, without its I/O."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.extensions.base import ClientExtensionFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response as HandshakeResponse
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.support.http import DEADLINE, Connection, Head, Query, Response, target

_READ: Final = 256 * 1024


class RefusedError(Exception):
    """The handshake was answered by something else than 101."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status}: {response.body[:500]!r}")
        self.response = response


class WebSocketClient:
    """One WebSocket. Pings are answered, nothing else happens unless it is asked for."""

    def __init__(self, connection: Connection, protocol: ClientProtocol) -> None:
        self.connection = connection
        self.protocol = protocol
        self.handshake: Headers = Headers()
        self._messages: deque[str] = deque()
        self._partial = b""
        self._over = False

    @classmethod
    async def open(
        cls,
        url: str,
        path: str = "/api/ws",
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[str] = (),
        receive_buffer: int | None = None,
    ) -> "WebSocketClient":
        """The handshake. Raises RefusedError with the HTTP answer, ConnectionError if there is none."""
        connection = await Connection.open(url, receive_buffer=receive_buffer)
        uri = parse_uri("ws" + url.removeprefix("http") + target(path, query))
        client = cls(
            connection,
            ClientProtocol(
                uri,
                max_size=None,
                extensions=extensions,
                subprotocols=[Subprotocol(one) for one in subprotocols] or None,
            ),
        )
        try:
            async with asyncio.timeout(DEADLINE):
                await client._shake_hands(headers or {})
        except BaseException:
            connection.reset()
            raise
        return client

    async def _shake_hands(self, headers: Mapping[str, str]) -> None:
        request = self.protocol.connect()
        for name in request.headers.keys() & headers.keys():  # else it would be sent twice
            del request.headers[name]
        request.headers.update(headers)
        self.protocol.send_request(request)
        await self._flush()
        while not (events := self.protocol.events_received()):
            if self._over:
                raise ConnectionResetError("closed in the middle of the handshake")
            await self._read_some()
        response = events[0]
        if isinstance(self.protocol.handshake_exc, InvalidStatus):
            answer = self.protocol.handshake_exc.response
            raise RefusedError(_as_response(answer))
        assert isinstance(response, HandshakeResponse), f"no handshake: {self.protocol.handshake_exc!r}"
        self.handshake = response.headers
        self._sort(events[1:])

    @property
    def close_code(self) -> int | None:
        """The code of the server's Close frame; None if it has sent none (RFC 6455 would call that 1006)."""
        received = self.protocol.close_rcvd
        return None if received is None else received.code

    async def receive(self) -> list[str]:
        """The text messages that are there, at least one. Empty: the server has ended the connection."""
        while not self._messages and not self._over:
            await self._read_some()
            self._sort(self.protocol.events_received())
        messages = list(self._messages)
        self._messages.clear()
        return messages

    async def send_text(self, text: str) -> None:
        self.protocol.send_text(text.encode())
        await self._flush()

    async def send_json(self, message: Any) -> None:
        await self.send_text(json.dumps(message))

    async def send_binary(self, data: bytes) -> None:
        self.protocol.send_binary(data)
        await self._flush()

    async def wait_closed(self) -> int | None:
        """Read to the end, and the close code."""
        async with asyncio.timeout(DEADLINE):
            while await self.receive():
                pass
        return self.close_code

    def reset(self) -> None:
        self.connection.reset()

    async def close(self, code: int = 1000) -> None:
        """The closing handshake as far as the peer plays along, then the TCP close."""
        if not self._over and not self.connection.writer.transport.is_closing():
            try:
                self.protocol.send_close(code)
                await self._flush()
                await self.wait_closed()
            except (OSError, TimeoutError):
                pass
        await self.connection.close()

    async def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.connection.writer.write(data)
            elif self.connection.writer.can_write_eof():
                self.connection.writer.write_eof()
        await self.connection.writer.drain()

    async def _read_some(self) -> None:
        try:
            data = await self.connection.reader.read(_READ)
        except ConnectionError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self._over = True
            self.protocol.receive_eof()
        try:
            await self._flush()
        except ConnectionError:
            self._over = True

    def _sort(self, events: Sequence[object]) -> None:
        for event in events:
            assert isinstance(event, Frame), f"not a frame: {event!r}"
            if event.opcode in {Opcode.TEXT, Opcode.CONT}:
                self._partial += bytes(event.data)
                if event.fin:
                    self._messages.append(self._partial.decode())
                    self._partial = b""
            assert event.opcode is not Opcode.BINARY, "the server never sends binary messages"
            if event.opcode is Opcode.CLOSE:
                self._over = True


def _as_response(answer: HandshakeResponse) -> Response:
    fields = tuple((name.lower(), value) for name, value in answer.headers.raw_items())
    return Response(Head("HTTP/1.1", answer.status_code, fields), bytes(answer.body or b""))
