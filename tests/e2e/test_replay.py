"""Long replays, resets in the middle of them, and readers that stop: nothing freezes, grows or is lost."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import (
    STREAMING,
    TRANSPORTS,
    Collector,
    StreamEndedError,
    Transport,
    open_stream,
)
from tests.support.http import Connection, request
from tests.support.server import ServerProcess

BACKLOG = 50_000
MEMORY_MAX = 64 * 1024 * 1024
"""Bytes that the service may grow while it replays or has a reader that does not read; its tail takes 32
MiB.
"""
TOPIC = "replay"


async def fill(server: ServerProcess, count: int, data: object) -> list[str]:
    return await api.publish_many(server.url, TOPIC, itertools.repeat(data, count), batch=1000)


class Publisher:
    """Publishes batches as fast as it is answered until it is told to stop; `ids` is what was
    acknowledged.
    """

    def __init__(self, url: str, batch: int) -> None:
        self.url = url
        self.batch = batch
        self.ids: list[str] = []
        self.stopping = False

    async def run(self) -> None:
        connection = await Connection.open(self.url)
        try:
            while not self.stopping:
                self.ids += await api.post_lines(connection, TOPIC, ["live"] * self.batch)
        finally:
            await connection.close()


@asynccontextmanager
async def publishing(url: str, batch: int = 20) -> AsyncIterator[Publisher]:
    publisher = Publisher(url, batch)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        publisher.stopping = True
        await task


async def take(stream: Collector, count: int) -> list[str]:
    """The ids of the next `count` events; the frames are let go of, so that a long test stays small
    itself.
    """
    ids: list[str] = []
    while len(ids) < count:
        frame = await stream.next()
        if frame.is_event:
            ids.append(frame.id)
        stream.frames.clear()
    return ids


@pytest.mark.parametrize("transport", STREAMING)
async def test_a_long_replay_ends_live_under_a_publisher_at_full_speed(serve: Serve, transport: Transport) -> None:
    """50,000 events and what is published meanwhile: complete, in order, then live, with flat memory."""
    server = serve()
    ids = await fill(server, BACKLOG, {"text": "x" * 100})
    before = server.reset_peak_memory()
    seen: list[str] = []
    async with open_stream(server.url, transport, TOPIC, after="earliest") as stream:
        async with publishing(server.url) as publisher:
            caught_up = None
            while caught_up is None:
                frame = await stream.next()
                if frame.is_event:
                    seen.append(frame.id)
                elif frame.type == "caught_up":
                    caught_up = frame
                stream.frames.clear()
            assert caught_up.value["replayed"] == len(seen)
            assert caught_up.id == seen[-1]
            seen += await take(stream, 200)
            published_while_live = len(publisher.ids)
        assert published_while_live > 0
        ids += publisher.ids
        seen += await take(stream, len(ids) - len(seen))
        last = await api.publish(server.url, TOPIC, "last")
        assert await take(stream, 1) == [last]
    assert seen == ids
    assert server.peak_memory() - before < MEMORY_MAX


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_reset_in_mid_replay_freezes_nothing(serve: Serve, transport: Transport, loop: str) -> None:
    """A TCP reset while frames are on their way: the process answers, and another replay goes on to its
    end.
    """
    server = serve(loop=loop)
    ids = await fill(server, 20_000, {"text": "x" * 300})
    async with open_stream(server.url, "sse", TOPIC, after="earliest") as other:
        seen = await take(other, 1000)
        for n in range(6):
            victim = open_stream(server.url, transport, TOPIC, after="earliest", receive_buffer=16_384)
            async with victim as stream:
                await take(stream, 1 + 50 * n)
            assert (await request(server.url, "GET", "/api/health")).status == 200
        seen += await take(other, len(ids) - len(seen))
        assert seen == ids
        live = await api.publish(server.url, TOPIC)
        assert await take(other, 1) == [live]
    await _until_nobody_listens(server.url)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_reset_while_nothing_is_read_freezes_nothing(serve: Serve, loop: str) -> None:
    """The write buffer is full and the replay waits for it when the reset comes."""
    server = serve(loop=loop)
    await fill(server, 5_000, {"text": "x" * 2000})
    for transport in STREAMING:
        async with AsyncExitStack() as stack:
            for _ in range(5):
                stuck = open_stream(server.url, transport, TOPIC, after="earliest", receive_buffer=4096)
                await stack.enter_async_context(stuck)
        assert (await request(server.url, "GET", "/api/health")).status == 200
    await _until_nobody_listens(server.url)


async def _until_nobody_listens(url: str) -> None:
    """The service itself says that those who were reset are gone."""
    async with asyncio.timeout(20):
        while True:
            (entry,) = (await request(url, "GET", "/api/topics")).json()["topics"]
            if not any(entry["subscribers"].values()):
                return


async def test_one_of_fifty_stops_reading(serve: Serve) -> None:
    """The 49 others get everything while it is stopped, memory stays flat, and it gets everything when it
    reads.
    """
    server = serve()
    await api.publish(server.url, TOPIC, "first")
    async with AsyncExitStack() as stack:
        opening = [
            open_stream(server.url, STREAMING[n % 2], TOPIC, receive_buffer=16_384 if n < 1 else None)
            for n in range(50)
        ]
        streams = [await stack.enter_async_context(stream) for stream in opening]
        stopped, *others = streams
        before = server.reset_peak_memory()
        reading = [asyncio.create_task(take(stream, 3000)) for stream in others]
        # 12 MB: more than all the kernel's buffers of one connection, so that its socket really stands still.
        ids = await api.publish_many(server.url, TOPIC, ["x" * 4000] * 3000, batch=50)
        assert all(seen == ids for seen in await asyncio.gather(*reading))
        assert server.peak_memory() - before < MEMORY_MAX
        assert await take(stopped, 3000) == ids
        live = await api.publish(server.url, TOPIC, "live")
        assert [await take(stream, 1) for stream in streams] == [[live]] * 50


@pytest.mark.parametrize("transport", STREAMING)
async def test_a_reader_that_makes_no_progress_is_closed_and_resumes(serve: Serve, transport: Transport) -> None:
    """After `send_timeout` without progress the connection ends, the cursor of its client stays good."""
    server = serve(send_timeout="1")
    async with open_stream(server.url, transport, TOPIC, receive_buffer=4096) as stream:
        ids = await api.publish_many(server.url, TOPIC, ["x" * 4000] * 3000, batch=100)
        await _until_nobody_listens(server.url)
        seen: list[str] = []
        try:
            while len(seen) < len(ids):
                seen += await take(stream, 1)
        except (StreamEndedError, OSError):
            pass
        assert seen == ids[: len(seen)]
        assert len(seen) < len(ids), "the kernel held it all: the reader never stood still"
        cursor = stream.cursor
    async with open_stream(server.url, transport, TOPIC, after=cursor) as stream:
        assert seen + await take(stream, len(ids) - len(seen)) == ids
        assert stream.gaps == []
