"""HTTP2Client: HTTP/2 in cleartext with prior knowledge (RFC 9113, 3.3); its windows open only when told."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.http import DEADLINE, Connection

_READ: Final = 256 * 1024


class HTTP2Client:
    """`generous`: every byte is acknowledged at once. Else a stream gets `window` bytes and no more."""

    def __init__(self, connection: Connection, window: int | None) -> None:
        self.connection = connection
        self.generous = window is None
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        if window is not None:
            settings = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.state.local_settings = h2.settings.Settings(initial_values=settings)
        self.headers: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}

    @classmethod
    async def open(cls, url: str, *, window: int | None = None) -> "HTTP2Client":
        client = cls(await Connection.open(url), window)
        client.state.initiate_connection()
        await client._flush()
        return client

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        is_whole: bool = True,
        protocol: str | None = None,
    ) -> int:
        """Send a request; its stream id. `protocol` makes it an extended CONNECT (RFC 8441, 4).

        `is_whole` False: more of the body is promised, and never comes.
        """
        stream = self.state.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        if protocol is not None:
            fields.append((":protocol", protocol))
        fields += (headers or {}).items()
        self.state.send_headers(stream, fields, end_stream=is_whole and not body and protocol is None)
        await self._flush()
        for start in range(0, len(body), 16_384):
            await self.until(lambda: self.state.local_flow_control_window(stream) >= 16_384)
            self.state.send_data(stream, body[start : start + 16_384], end_stream=start + 16_384 >= len(body))
            await self._flush()
        return stream

    async def send(self, stream: int, data: bytes) -> None:
        self.state.send_data(stream, data)
        await self._flush()

    async def answer(self, stream: int) -> tuple[int, bytes]:
        """Status and body, once the stream has ended."""
        await self.until(lambda: stream in self.ended)
        return int(self.headers[stream][":status"]), bytes(self.bodies[stream])

    async def body_holds(self, stream: int, text: bytes) -> bytes:
        await self.until(lambda: text in self.bodies[stream])
        return bytes(self.bodies[stream])

    async def until(self, condition: object) -> None:
        """Read until `condition()` holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # type: ignore[operator]
                await self.read()

    async def read(self) -> None:
        """Take in what is there, at least one byte. Raises ConnectionError at the end."""
        data = await self.connection.reader.read(_READ)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        for event in self.state.receive_data(data):
            self._take(event)
        await self._flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.headers[event.stream_id] = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            if self.generous:
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = int(event.error_code)
            self.ended.add(event.stream_id)

    async def _flush(self) -> None:
        self.connection.writer.write(self.state.data_to_send())
        with contextlib.suppress(ConnectionError):
            await self.connection.writer.drain()

    def reset(self) -> None:
        self.connection.reset()


@asynccontextmanager
async def open_http2(url: str, *, window: int | None = None) -> AsyncIterator[HTTP2Client]:
    """A client that vanishes at the end."""
    client = await HTTP2Client.open(url, window=window)
    try:
        yield client
    finally:
        client.reset()
