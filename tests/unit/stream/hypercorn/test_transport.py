"""A peer's end is seen although nobody reads, and what it has sent is looked at and left."""

import asyncio
import socket
import struct

import pytest
import uvloop

from service.stream.hypercorn.transport import changes_nothing, has_left, is_reset_unseen


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, uvloop.Loop])
def test_a_reset_is_seen_while_reading_is_paused(factory: type[asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
        client = socket.create_connection(server.sockets[0].getsockname())
        writer = await accepted.get()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"a" * 1_000)
        assert not is_reset_unseen(writer.transport)
        assert not is_reset_unseen(writer.transport), "a look leaves the descriptor open"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        async with asyncio.timeout(10):
            while not is_reset_unseen(writer.transport):
                await asyncio.sleep(0.001)
        writer.transport.abort()
        await asyncio.sleep(0)
        server.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, uvloop.Loop])
@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"OPTIONS *", b"GE", b""])
def test_a_peer_that_has_left_is_seen_and_what_it_has_sent(
    factory: type[asyncio.AbstractEventLoop], begun: bytes
) -> None:
    async def main() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
        client = socket.create_connection(server.sockets[0].getsockname())
        writer = await accepted.get()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(begun)
        assert not has_left(writer.transport)
        client.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(10):
            while not has_left(writer.transport):
                await asyncio.sleep(0.001)
        is_safe = begun.startswith((b"GET ", b"OPTIONS"))
        assert changes_nothing(writer.transport, b"") == is_safe
        assert changes_nothing(writer.transport, b"") == is_safe, "it was only looked at"
        assert changes_nothing(writer.transport, b"HEAD / H")
        client.close()
        writer.transport.abort()
        await asyncio.sleep(0)
        server.close()
        assert has_left(writer.transport), "closed"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
