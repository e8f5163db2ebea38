"""Proxy: a TCP proxy on 127.0.0.1 in front of one server, as bad as its mode makes it.

It understands HTTP/1.1 one request at a time (`Connection: close`), WebSocket as the bytes after a 101, and can be
used both as a gateway (its URL is the service's) and as a forward proxy (absolute targets and CONNECT, which a
browser that is configured for a proxy sends). Whatever host is asked for, it connects to its own server only.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from tests.proxies.http1 import Head, body, raw

HOST: Final = "127.0.0.1"
ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: close sends RST (socket(7))."""


class ResetError(Exception):
    """Raised by a mode: end the exchange with a RST, not with a FIN."""


@dataclass(eq=False)
class Exchange:
    """One request and its answer, on their way."""

    request: Head
    began: float
    """Loop time at which the client had connected, seconds."""
    last_byte: float = 0.0
    """Loop time of the last byte in either direction, seconds."""
    answer: Head | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the head of the answer has been passed on."""

    @property
    def is_stream(self) -> bool:
        return self.answer is not None and self.answer.is_stream


class Mode:
    """A path that does nothing wrong. A bad one overrides what it does otherwise; see modes.py."""

    async def refuse(self, request: Head) -> bytes | None:
        """A complete answer instead of the server's; None lets the request pass. May take its time."""
        return None

    def forward(self, request: Head) -> Head:
        """The request as the server sees it."""
        return request

    def reply(self, answer: Head) -> Head:
        """The head of the answer as the client sees it."""
        return answer

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The body of the answer, or a WebSocket's bytes from the server. May raise ResetError."""
        return chunks

    def up(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A WebSocket's bytes from the client."""
        return chunks

    async def cut(self, exchange: Exchange) -> None:
        """Returns when the exchange is to be cut, if it still lives."""
        await asyncio.get_running_loop().create_future()


class Proxy:
    """Runs between `async with`; `mode` may be changed by `switch` only."""

    def __init__(self, port: int, mode: Mode | None = None) -> None:
        """`port` of the server on 127.0.0.1."""
        self.mode = mode or Mode()
        self.counts: Counter[str] = Counter()
        """What happened so far: `requests`, `websockets` (101), `refused`, `cut` (a stream, by the mode)."""
        self._upstream = port
        self._news = asyncio.Condition()
        self._running: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._end_all()

    @property
    def url(self) -> str:
        """The root URL without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    async def switch(self, mode: Mode) -> None:
        """From now on the path is like this; whatever runs on the old one is cut."""
        self.mode = mode
        await self._end_all()

    async def seen(self, what: str, count: int) -> None:
        """Wait until `what` has happened `count` times in all."""
        async with self._news:
            await self._news.wait_for(lambda: self.counts[what] >= count)

    async def _note(self, what: str) -> None:
        async with self._news:
            self.counts[what] += 1
            self._news.notify_all()

    async def _end_all(self) -> None:
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connection(reader, writer))
        self._running.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            writer.close()  # not in the task: one that is cancelled before its first step comes to no `finally`

        task.add_done_callback(done)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = asyncio.get_running_loop().time()
        try:
            request = await Head.read(reader)
            await self._note("requests")
            if request.method == "CONNECT" and not await self._refused(request, writer):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                request = await Head.read(reader)
            if request.method != "CONNECT" and not await self._refused(request, writer):
                await self._exchange(Exchange(request, began, began), reader, writer)
        except ResetError:
            await self._note("cut")
            reset(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side may go at any time

    async def _refused(self, request: Head, writer: asyncio.StreamWriter) -> bool:
        """Whether the mode has answered."""
        answer = await self.mode.refuse(request)
        if answer is None:
            return False
        await self._note("refused")
        writer.write(answer)
        await writer.drain()
        return True

    async def _exchange(self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(HOST, self._upstream)
        try:
            await self._send(exchange, reader, to_server)
            ended = await first(
                self.mode.cut(exchange),
                self._answer(exchange, upstream, writer),
                self._follow(exchange, reader, to_server),
            )
            if ended == 0 and exchange.is_stream:
                await self._note("cut")
        finally:
            to_server.close()

    async def _send(self, exchange: Exchange, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        """The request, with its body."""
        to_server.write(self.mode.forward(origin_form(exchange.request)).encode())
        async for data in body(reader, exchange.request):
            to_server.write(framed(data, exchange.request))
            await to_server.drain()
        if exchange.request.get("transfer-encoding") == "chunked":
            to_server.write(b"0\r\n\r\n")

    async def _answer(self, exchange: Exchange, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The answer, to its end."""
        original = await Head.read(upstream)
        exchange.answer = head = self.mode.reply(original if original.status == 101 else last_one(original))
        if head.status == 101:
            await self._note("websockets")
        writer.write(head.encode())
        exchange.answered.set()
        content = touching(exchange, body(upstream, original, answers=exchange.request.method))
        async for data in self.mode.down(exchange, content):
            writer.write(framed(data, head))
            await writer.drain()
        if head.get("transfer-encoding") == "chunked":
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def _follow(self, exchange: Exchange, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        """What the client sends after its request: a WebSocket's frames, or only its end."""
        if exchange.request.wants_websocket:
            await exchange.answered.wait()
        async for data in self.mode.up(exchange, touching(exchange, raw(reader))):
            to_server.write(data)
            await to_server.drain()


def origin_form(request: Head) -> Head:
    """The request for the server itself: no scheme and host in the target, and the only one on its connection."""
    method, target, version = request.start.split(" ")
    parts = urlsplit(target)
    if parts.scheme:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
    there = replace(request.without("proxy-connection"), start=f"{method} {target} {version}")
    return there if there.wants_websocket else last_one(there)


def last_one(head: Head) -> Head:
    return head.having("Connection", "close")


def framed(data: bytes, head: Head) -> bytes:
    """`data` as a piece of the body that `head` announces."""
    if head.get("transfer-encoding") != "chunked":
        return data
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


async def touching(exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes; `exchange` remembers when they came."""
    async for data in chunks:
        exchange.last_byte = asyncio.get_running_loop().time()
        yield data


async def first(*ways: Coroutine[Any, Any, None]) -> int:
    """Run all until one ends, then cancel the others. The number of that one; raises what it raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ended = next(number for number, task in enumerate(tasks) if task in done)
    tasks[ended].result()
    return ended


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a RST; what still waits to be sent is lost."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    writer.transport.abort()
