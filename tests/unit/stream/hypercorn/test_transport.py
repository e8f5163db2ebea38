"""A reset is seen although nobody reads."""

import asyncio
import socket
import struct

import pytest
import uvloop

from service.stream.hypercorn.transport import is_reset_unseen


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
