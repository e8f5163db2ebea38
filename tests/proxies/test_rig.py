"""The rig itself: each mode does to raw bytes what it says, and nothing else."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from tests.proxies import modes
from tests.proxies.http1 import Head, body
from tests.proxies.rig import HOST, Mode, Proxy

EVENTS: Final = (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")
STREAM: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)
UPGRADED: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
JSON: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
GET: Final = b"GET /api/sse?topic=a HTTP/1.1\r\nHost: there\r\n\r\n"
UPGRADE: Final = b"GET /api/ws HTTP/1.1\r\nHost: there\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
DEADLINE: Final = 10.0
"""Seconds after which what should have come counts as missing."""

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Accepts, and leaves it to the test what to answer; `requests` are the heads that came."""

    def __init__(self) -> None:
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.requests: list[Head] = []

    async def peer(self) -> Peer:
        """The next connection, once its request is there."""
        reader, writer = await self.peers.get()
        self.requests.append(await Head.read(reader))
        return reader, writer


@asynccontextmanager
async def path(mode: Mode) -> AsyncIterator[tuple[Server, Proxy, Callable[[], Awaitable[Peer]]]]:
    """A server, a proxy with `mode` before it, and the way to connect to the proxy."""
    server = Server()
    opened: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        server.peers.put_nowait((reader, writer))

    listener = await asyncio.start_server(accept, HOST, 0)
    async with Proxy(listener.sockets[0].getsockname()[1], mode) as proxy, asyncio.timeout(DEADLINE):

        async def connect() -> Peer:
            reader, writer = await asyncio.open_connection(HOST, proxy.port)
            opened.append(writer)
            return reader, writer

        yield server, proxy, connect
    for writer in opened:
        writer.close()
    listener.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def streaming(server: Server, connect: Callable[[], Awaitable[Peer]]) -> tuple[Peer, Peer, Head]:
    """An event stream under way: the client's end, the server's end, the head that the client got."""
    client = await connect()
    client[1].write(GET)
    there = await server.peer()
    there[1].write(STREAM)
    return client, there, await Head.read(client[0])


async def upgraded(server: Server, connect: Callable[[], Awaitable[Peer]]) -> tuple[Peer, Peer]:
    """A WebSocket under way."""
    client = await connect()
    client[1].write(UPGRADE)
    there = await server.peer()
    there[1].write(UPGRADED)
    assert (await Head.read(client[0])).status == 101
    return client, there


async def test_a_good_path_carries_a_request_with_its_body_both_ways() -> None:
    async with path(Mode()) as (server, proxy, connect):
        reader, writer = await connect()
        writer.write(b"POST /api/events HTTP/1.1\r\nHost: there\r\nContent-Length: 4\r\n\r\nbody")
        there = await server.peer()
        assert await there[0].readexactly(4) == b"body"
        there[1].write(JSON)
        head = await Head.read(reader)
        assert (head.status, await reader.read()) == (200, b"{}")
        assert server.requests[0].start == "POST /api/events HTTP/1.1"
        assert server.requests[0].get("host") == "there"
        assert proxy.counts["requests"] == 1


async def test_a_good_path_carries_a_stream_as_it_comes_and_its_end() -> None:
    async with path(Mode()) as (server, _, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        content = body(reader, head, answers="GET")
        for event in EVENTS:
            there.write(chunk(event))
            assert await anext(content) == event
        there.write(b"0\r\n\r\n")
        assert [data async for data in content] == []


async def test_a_client_that_leaves_is_told_to_the_server() -> None:
    async with path(Mode()) as (server, _, connect):
        (_, writer), (there, _), _ = await streaming(server, connect)
        writer.close()
        assert await there.read() == b""


async def test_a_good_path_carries_a_websocket_both_ways() -> None:
    async with path(Mode()) as (server, proxy, connect):
        client, there = await upgraded(server, connect)
        there[1].write(b"down")
        client[1].write(b"up")
        assert await client[0].readexactly(4) == b"down"
        assert await there[0].readexactly(2) == b"up"
        assert proxy.counts["websockets"] == 1


async def test_a_forward_proxy_takes_absolute_targets_and_tunnels() -> None:
    async with path(Mode()) as (server, _, connect):
        _, writer = await connect()
        writer.write(b"GET http://elsewhere:80/page?x=1 HTTP/1.1\r\nHost: elsewhere:80\r\n\r\n")
        await server.peer()
        assert server.requests[0].target == "/page?x=1"
        reader, writer = await connect()
        writer.write(b"CONNECT elsewhere:80 HTTP/1.1\r\nHost: elsewhere:80\r\n\r\n")
        assert (await Head.read(reader)).status == 200
        writer.write(UPGRADE)
        await server.peer()
        assert server.requests[1].wants_websocket


async def test_upgrade_is_stripped() -> None:
    async with path(modes.StripUpgrade()) as (server, _, connect):
        _, writer = await connect()
        writer.write(UPGRADE)
        await server.peer()
        assert not server.requests[0].wants_websocket
        assert server.requests[0].get("connection") == "close"


@pytest.mark.parametrize("request_", [UPGRADE, b"CONNECT there:80 HTTP/1.1\r\n\r\n"], ids=["Upgrade", "CONNECT"])
async def test_tunnels_are_refused_and_nothing_else(request_: bytes) -> None:
    async with path(modes.RefuseUpgrade()) as (server, proxy, connect):
        reader, writer = await connect()
        writer.write(request_)
        assert (await Head.read(reader)).status == 403
        await streaming(server, connect)
        assert proxy.counts["refused"] == 1


async def test_a_handshake_vanishes() -> None:
    async with path(modes.BlackHole()) as (server, proxy, connect):
        reader, writer = await connect()
        writer.write(UPGRADE)
        await proxy.seen("requests", 1)
        await streaming(server, connect)  # something else works meanwhile
        assert server.peers.empty()
        answer = asyncio.ensure_future(reader.read())
        await proxy.switch(Mode())
        assert await answer == b""


async def test_frames_are_swallowed_both_ways() -> None:
    async with path(modes.SwallowFrames()) as (server, proxy, connect):
        client, there = await upgraded(server, connect)
        there[1].write(b"down")
        client[1].write(b"up")
        await streaming(server, connect)
        await proxy.switch(Mode())
        assert (await client[0].read(), await there[0].read()) == (b"", b"")


async def test_a_websocket_is_killed_a_moment_after_the_101_and_a_stream_is_not() -> None:
    async with path(modes.KillAfterUpgrade(0.5)) as (server, proxy, connect):
        (reader, _), (_, stream), head = await streaming(server, connect)
        client, there = await upgraded(server, connect)
        there[1].write(b"first frame")
        assert await client[0].read() == b"first frame"
        assert await there[0].read() == b""
        assert proxy.counts["cut"] == 1
        stream.write(chunk(EVENTS[0]))
        assert await anext(body(reader, head, answers="GET")) == EVENTS[0]


async def test_a_body_is_buffered_to_its_end() -> None:
    async with path(modes.BufferBody()) as (server, _, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        there.write(b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n")
        assert [data async for data in body(reader, head, answers="GET")] == [b"".join(EVENTS)]


async def test_the_last_event_is_held_back_until_the_next() -> None:
    async with path(modes.HoldLastEvent()) as (server, _, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        content = body(reader, head, answers="GET")
        there.write(chunk(EVENTS[0] + EVENTS[1][:3]) + chunk(EVENTS[1][3:]))
        assert await anext(content) == EVENTS[0]
        there.write(chunk(EVENTS[2]))
        assert await anext(content) == EVENTS[1]


async def test_a_stream_is_compressed_and_not_flushed() -> None:
    async with path(modes.Gzip()) as (server, _, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        assert head.get("content-encoding") == "gzip"
        there.write(b"".join(map(chunk, EVENTS)) + b"0\r\n\r\n")
        pieces = [data async for data in body(reader, head, answers="GET")]
        assert gzip.decompress(b"".join(pieces)) == b"".join(EVENTS)
        assert len(pieces[0]) <= 10  # gzip's header (RFC 1952, 2.3), and nothing of the events


async def test_idle_connections_are_cut_and_busy_ones_are_not() -> None:
    async with path(modes.CutIdle(1.0)) as (server, proxy, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        idle, _ = await upgraded(server, connect)
        content = body(reader, head, answers="GET")
        ended = asyncio.ensure_future(idle[0].read())
        while not ended.done():
            there.write(chunk(EVENTS[0]))
            assert await anext(content) == EVENTS[0]
            await asyncio.wait([ended], timeout=0.02)
        assert proxy.counts["cut"] == 1


async def test_every_connection_is_cut_at_an_age() -> None:
    async with path(modes.CutAll(1.0)) as (server, proxy, connect):
        (reader, _), (_, there), head = await streaming(server, connect)
        there.write(chunk(EVENTS[0]))
        with pytest.raises(asyncio.IncompleteReadError):  # cut, not ended
            _ = [data async for data in body(reader, head, answers="GET")]
        assert proxy.counts["cut"] == 1


async def test_a_stream_is_reset_in_mid_frame() -> None:
    async with path(modes.ResetMidFrame(100)) as (server, proxy, connect):
        client, there = await upgraded(server, connect)
        frame = b"\x81\x3c" + b"x" * 60
        there[1].write(frame)
        assert await client[0].readexactly(len(frame)) == frame
        there[1].write(frame)
        with pytest.raises(ConnectionResetError):
            await client[0].readexactly(len(frame))
        await proxy.seen("cut", 1)


async def test_the_old_version_is_spoken_on_both_sides() -> None:
    async with path(modes.HTTP10()) as (server, _, connect):
        reader, writer = await connect()
        writer.write(UPGRADE)
        there = await server.peer()
        assert server.requests[0].start == "GET /api/ws HTTP/1.0"
        assert not server.requests[0].wants_websocket
        there[1].write(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + EVENTS[0])
        there[1].close()
        head = await Head.read(reader)
        assert head.start == "HTTP/1.0 200 OK"
        assert await reader.read() == EVENTS[0]


@pytest.mark.parametrize(
    ("mode", "status"), [(modes.BadGateway(), 502), (modes.CaptivePortal(), 200)], ids=["502", "portal"]
)
async def test_an_outage_answers_everything_with_a_page_and_ends(mode: Mode, status: int) -> None:
    async with path(Mode()) as (server, proxy, connect):
        (reader, _), _, _ = await streaming(server, connect)
        await proxy.switch(mode)
        assert await reader.read() == b""  # what ran on the good path is cut
        for request in (GET, UPGRADE):
            reader, writer = await connect()
            writer.write(request)
            head = await Head.read(reader)
            assert (head.status, head.get("content-type")) == (status, "text/html")
        await proxy.switch(Mode())
        await streaming(server, connect)


async def test_a_slow_line_keeps_its_latency_and_rate() -> None:
    async with path(modes.Slow(0.05, 80_000)) as (server, _, connect):
        clock = asyncio.get_running_loop().time
        client, there = await upgraded(server, connect)
        began = clock()
        there[1].write(bytes(2_000))
        assert await client[0].readexactly(2_000) == bytes(2_000)
        assert clock() - began >= 0.05 + 2_000 * 8 / 80_000
        there[1].close()
        assert await client[0].read() == b""


async def test_two_modes_in_a_row_do_both() -> None:
    both = modes.Both(modes.StripUpgrade(), modes.CutAll(1.0))
    async with path(both) as (server, proxy, connect):
        _, writer = await connect()
        writer.write(UPGRADE)
        there = await server.peer()
        assert not server.requests[0].wants_websocket
        there[1].write(STREAM)
        await proxy.seen("cut", 1)
