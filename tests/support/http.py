"""HTTP/1.x on bare asyncio streams: what is sent and received is what these lines say, nothing is smoothed
over.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

DEADLINE: Final = 30.0
"""Seconds after which something that should have come counts as missing. Never waited for in a passing
test.
"""
_READ: Final = 64 * 1024
Query = Mapping[str, str | int | float | list[str]]


@dataclass(frozen=True, slots=True)
class Head:
    """Status line and header fields of a response; names in lower case, in the order of the wire."""

    version: str
    status: int
    fields: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The value, several ones joined by `, ` (RFC 9110, 5.3); None if there is none."""
        values = [value for key, value in self.fields if key == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer."""

    head: Head
    body: bytes

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        return self.head.header(name)

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int) -> dict[str, Any]:
        """The body, which must be an RFC 9457 problem of this status."""
        assert self.status == status, f"{self.status}, not {status}: {self.body[:500]!r}"
        media_type = (self.header("content-type") or "").partition(";")[0]
        assert media_type == "application/problem+json", f"{media_type}: {self.body[:500]!r}"
        body = self.json()
        assert body["status"] == status
        assert isinstance(body["title"], str)
        assert body["title"]
        assert isinstance(body["detail"], str)
        assert body["detail"]
        return dict(body)


def target(path: str, query: Query | None = None) -> str:
    """`path?query`, with one `name=value` for each item of a list."""
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


class Connection:
    """One TCP connection. Reads happen only when they are asked for, so that not reading pushes back on the
    server.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, prefix: str = "") -> None:
        """`prefix` is put before each path."""
        self.reader = reader
        self.writer = writer
        self._prefix = prefix

    @classmethod
    async def open(cls, url: str, *, receive_buffer: int | None = None) -> "Connection":
        """Connect to the host of `url`, whose path stands before all that is asked for. `receive_buffer`: bytes the
        kernel takes in before it closes the window.
        """
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        sock = socket.socket(socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET)
        try:
            if receive_buffer is not None:  # before connect: the window scale is negotiated there (tcp(7))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
        except BaseException:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock), parts.path.rstrip("/"))

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        version: str = "1.1",
    ) -> None:
        """Write one request. `headers` beat the ones that are made up here."""
        fields = {"Host": "localhost"}
        if body or method in {"POST", "PUT", "PATCH"}:
            fields["Content-Length"] = str(len(body))
        fields.update(headers or {})
        asked = f"{self._prefix}{path}" if path.startswith("/") else path
        lines = [f"{method} {asked} HTTP/{version}", *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def read_head(self) -> Head:
        """Raises ConnectionError if the peer is gone before the blank line."""
        try:
            block = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError(f"closed after {error.partial!r}") from error
        status_line, *lines = block.decode("latin-1").rstrip("\r\n").split("\r\n")
        version, status, *_ = status_line.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        return Head(version, int(status), tuple((name.lower(), value.strip()) for name, _, value in pairs))

    async def pieces(self, head: Head) -> AsyncIterator[bytes]:
        """The body as it comes in. Raises ConnectionError if it is cut (RFC 9112, 8)."""
        if (head.header("transfer-encoding") or "").lower() == "chunked":
            async for piece in self._chunks():
                yield piece
        elif (length := head.header("content-length")) is not None:
            yield await self._exactly(int(length))
        else:
            while piece := await self.reader.read(_READ):
                yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int((await self._line()).partition(b";")[0], 16):
            yield await self._exactly(size)
            assert await self._line() == b"", "a chunk is longer than its size says"
        while await self._line():
            pass

    async def _line(self) -> bytes:
        line = await self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError(f"closed after {line!r}")
        return line[:-2]

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError(f"closed {size - len(error.partial)} bytes too early") from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        version: str = "1.1",
    ) -> Response:
        """One request and its whole answer; the connection can be used again."""
        async with asyncio.timeout(DEADLINE + 60):
            await self.send(method, path, headers=headers, body=body, version=version)
            head = await self.read_head()
            if method == "HEAD" or head.status in {204, 304}:
                return Response(head, b"")
            return Response(head, b"".join([piece async for piece in self.pieces(head)]))

    def reset(self) -> None:
        """Vanish with a TCP reset instead of a FIN (socket(7): SO_LINGER with a timeout of 0), unless it is
        closed.
        """
        if self.writer.is_closing():
            return
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close with a FIN; a peer that is gone already is no error."""
        self.writer.close()
        try:
            async with asyncio.timeout(DEADLINE):
                await self.writer.wait_closed()
        except OSError:
            pass


async def request(
    url: str,
    method: str,
    path: str,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    json_body: Any = None,
    version: str = "1.1",
) -> Response:
    """One request on a connection of its own. `json_body` is encoded and typed as application/json."""
    fields = dict(headers or {})
    if json_body is not None:
        body = json.dumps(json_body, ensure_ascii=False).encode()
        fields.setdefault("Content-Type", "application/json")
    connection = await Connection.open(url)
    try:
        return await connection.request(method, target(path, query), headers=fields, body=body, version=version)
    finally:
        await connection.close()
