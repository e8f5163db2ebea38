"""What paths between a browser and a server do to streams, each seen in the wild; docs/proxies.md names where.

A mode that is about SSE or polling also loses `Upgrade`: as long as WebSocket works, nothing else is used.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from tests.proxies.http1 import HOP_BY_HOP, Head, page
from tests.proxies.rig import Exchange, Mode, ResetError, first

SEGMENT: Final = 1_400
"""Bytes that a slow link carries in one piece."""
FRAME_TAIL: Final = 7
"""Bytes that are missing of a frame that was cut: fewer than the smallest event frame has."""


class StripUpgrade(Mode):
    """A proxy that knows no WebSocket: hop-by-hop fields end with it, and a plain GET goes on."""

    def forward(self, request: Head) -> Head:
        return request.without("upgrade").having("Connection", "close")


class RefuseUpgrade(Mode):
    """A filter that lets no tunnel through: neither CONNECT nor Upgrade."""

    async def refuse(self, request: Head) -> bytes | None:
        if request.method == "CONNECT" or request.wants_websocket:
            return page("403 Forbidden", "Tunnels are not allowed here.")
        return None


class BlackHole(Mode):
    """Packets of the handshake vanish: no answer, no error."""

    async def refuse(self, request: Head) -> bytes | None:
        if request.wants_websocket:
            await asyncio.get_running_loop().create_future()
        return None


class SwallowFrames(Mode):
    """The handshake succeeds, then no frame arrives, in either direction."""

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return nothing_of(chunks) if exchange.request.wants_websocket else chunks

    up = down


class KillAfterUpgrade(Mode):
    """The connection is killed a moment after the 101: inspection looked at the first frames."""

    def __init__(self, delay: float) -> None:
        """`delay` in seconds after the 101."""
        self.delay = delay

    async def cut(self, exchange: Exchange) -> None:
        await exchange.answered.wait()
        if not exchange.request.wants_websocket:
            await super().cut(exchange)
        await asyncio.sleep(self.delay)


class BufferBody(StripUpgrade):
    """A virus scanner: the body of an event stream is passed on once it is complete, which is never."""

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return complete(chunks) if exchange.is_stream else chunks


class HoldLastEvent(StripUpgrade):
    """A scanner that looks at whole events: each is held back until the next one has come."""

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return all_but_last_event(chunks) if exchange.is_stream else chunks


class Gzip(StripUpgrade):
    """Compresses whatever is text, `no-transform` or not, and flushes when its buffer is full."""

    def reply(self, answer: Head) -> Head:
        return answer.having("Content-Encoding", "gzip") if answer.is_event_stream else answer

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return gzipped(chunks) if exchange.is_stream else chunks


class CutIdle(Mode):
    """Ends every connection on which nothing has moved for a while."""

    def __init__(self, limit: float) -> None:
        """`limit` in seconds."""
        self.limit = limit

    async def cut(self, exchange: Exchange) -> None:
        clock = asyncio.get_running_loop().time
        while (left := exchange.last_byte + self.limit - clock()) > 0:
            await asyncio.sleep(left)


class CutAll(Mode):
    """Ends every connection at a certain age, busy or not."""

    def __init__(self, age: float) -> None:
        """`age` in seconds."""
        self.age = age

    async def cut(self, exchange: Exchange) -> None:
        await asyncio.sleep(exchange.began + self.age - asyncio.get_running_loop().time())


class ResetMidFrame(Mode):
    """Every stream ends with a RST in the middle of a frame, once it has carried `count` bytes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return cut_short(chunks, self.count) if exchange.is_stream else chunks


class HTTP10(Mode):
    """A proxy of 1996: no Upgrade, no chunks, the end of the connection ends the body (RFC 1945)."""

    def forward(self, request: Head) -> Head:
        method, target, _ = request.start.split(" ")
        return replace(request.without(*HOP_BY_HOP), start=f"{method} {target} HTTP/1.0")

    def reply(self, answer: Head) -> Head:
        status = answer.start.split(" ", 1)[1]
        return replace(answer.without(*HOP_BY_HOP), start=f"HTTP/1.0 {status}")


class BadGateway(Mode):
    """What a proxy says while the server behind it is replaced."""

    async def refuse(self, request: Head) -> bytes | None:
        return page("502 Bad Gateway", "The upstream server can't be reached.")


class CaptivePortal(Mode):
    """A hotel's network: every request is answered with the page that wants a room number."""

    async def refuse(self, request: Head) -> bytes | None:
        return page("200 OK", "Welcome! Please accept our terms.")


class Unplugged(Mode):
    """No network: whatever is tried is reset at once."""

    async def refuse(self, request: Head) -> bytes | None:
        raise ResetError


class Vanishing(Mode):
    """The network is good until `vanish`: then nothing passes any more, in either direction, and nobody is told."""

    def __init__(self) -> None:
        self._is_gone = False

    def vanish(self) -> None:
        self._is_gone = True

    async def refuse(self, request: Head) -> bytes | None:
        if self._is_gone:
            await asyncio.get_running_loop().create_future()
        return None

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self._passing(chunks)

    up = down

    async def _passing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for data in chunks:
            yield b"" if self._is_gone else data
        if self._is_gone:  # nor is an end
            await asyncio.get_running_loop().create_future()


class Slow(Mode):
    """A thin, long line that all connections share. `latency` in seconds each way, `rate` in bit/s each way."""

    def __init__(self, latency: float, rate: int) -> None:
        self.latency = latency
        self._down = Line(rate)
        self._up = Line(rate)

    async def refuse(self, request: Head) -> bytes | None:
        await self._up.carry(len(request.encode()))
        await asyncio.sleep(self.latency)
        return None

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return delayed(chunks, self._down, self.latency)

    def up(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return delayed(chunks, self._up, self.latency)


class Both(Mode):
    """Two modes in a row, `near` on the client's side."""

    def __init__(self, near: Mode, far: Mode) -> None:
        self.near = near
        self.far = far

    async def refuse(self, request: Head) -> bytes | None:
        answer = await self.near.refuse(request)
        return answer if answer is not None else await self.far.refuse(self.near.forward(request))

    def forward(self, request: Head) -> Head:
        return self.far.forward(self.near.forward(request))

    def reply(self, answer: Head) -> Head:
        return self.near.reply(self.far.reply(answer))

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self.near.down(exchange, self.far.down(exchange, chunks))

    def up(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self.far.up(exchange, self.near.up(exchange, chunks))

    async def cut(self, exchange: Exchange) -> None:
        await first(self.near.cut(exchange), self.far.cut(exchange))


class Line:
    """Carries one piece at a time, whoever sends it."""

    def __init__(self, rate: int) -> None:
        """`rate` in bit/s."""
        self._rate = rate
        self._free = asyncio.Lock()

    async def carry(self, size: int) -> None:
        """Returns when `size` bytes have left; waiters take turns."""
        async with self._free:
            await asyncio.sleep(size * 8 / self._rate)


async def nothing_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for _ in chunks:
        yield b""


async def complete(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"".join([data async for data in chunks])


async def all_but_last_event(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """An event ends with a blank line (HTML, "event stream interpretation")."""
    held = b""
    async for data in chunks:
        held += data
        last = held.rfind(b"\n\n", 0, len(held) - 2) + 2
        if last >= 2:
            yield held[:last]
            held = held[last:]
    yield held


async def gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=31)  # 31: with gzip's header
    async for data in chunks:
        yield packer.compress(data)
    yield packer.flush()


async def cut_short(chunks: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    async for data in chunks:
        count -= len(data)
        if count <= 0:
            yield data[:-FRAME_TAIL]
            await asyncio.sleep(0)
            raise ResetError
        yield data


async def delayed(chunks: AsyncIterator[bytes], line: Line, latency: float) -> AsyncIterator[bytes]:
    """The same bytes over `line`, and `latency` seconds later. The line itself holds what is on its way."""
    clock = asyncio.get_running_loop().time
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        try:
            async for data in chunks:
                for at in range(0, len(data), SEGMENT):
                    piece = data[at : at + SEGMENT]
                    await line.carry(len(piece))
                    way.put_nowait((clock() + latency, piece))
        finally:
            way.put_nowait((clock() + latency, b""))

    sender = asyncio.create_task(send())
    try:
        while (arrival := await way.get())[1]:
            await asyncio.sleep(arrival[0] - clock())
            yield arrival[1]
        await sender
    finally:
        sender.cancel()
