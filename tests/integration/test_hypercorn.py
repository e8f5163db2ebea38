"""The service on a real Hypercorn: the fast wire is taken where it can be, and changes nothing that a client sees.

These tests fail when a new Hypercorn moves what `service.stream.hypercorn` looks for.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.support import api
from tests.support.clients import STREAMING, TRANSPORTS, Transport, open_sse, open_stream
from tests.support.http import Connection
from tests.support.inprocess import LOOPS, InProcess
from tests.support.server import ServerProcess
from tests.support.websocket import WebSocketClient

MIB = 1 << 20


@pytest.fixture(scope="module", params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fast(loop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("fast"), loop, heartbeat=0.5) as server:
        yield server


@pytest.fixture(scope="module")
def portable(loop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("portable"), loop, heartbeat=0.5, direct=False) as server:
        yield server


@pytest.fixture(params=["direct", "portable"])
def server(request: pytest.FixtureRequest, fast: InProcess, portable: InProcess) -> InProcess:
    return fast if request.param == "direct" else portable


async def pipes_become(server: InProcess, expected: list[str]) -> None:
    """The open streams' pipes, once those of other tests are gone."""
    async with asyncio.timeout(20):
        while (found := server.pipes()) != expected:
            await asyncio.sleep(0)
    assert found == expected


# The fast wire


@pytest.mark.parametrize("transport", STREAMING)
async def test_the_fast_wire_is_taken_on_http_1_1(fast: InProcess, transport: Transport) -> None:
    await pipes_become(fast, [])
    async with open_stream(fast.url, transport, api.unique("fast")) as stream:
        await stream.control("caught_up")
        await pipes_become(fast, ["TransportPipe"])


async def test_the_fast_wire_can_be_switched_off(portable: InProcess) -> None:
    topic = api.unique("off")
    await pipes_become(portable, [])
    async with open_stream(portable.url, "websocket", topic), open_stream(portable.url, "sse", topic):
        await pipes_become(portable, ["BodyPipe", "MessagePipe"])


async def test_http_1_0_has_no_chunks_and_takes_the_portable_way(server: InProcess) -> None:
    topic = api.unique("old")
    await pipes_become(server, [])
    stream = await open_sse(server.url, f"/api/sse?topic={topic}", version="1.0")
    await stream.control("caught_up")
    await pipes_become(server, ["BodyPipe"])
    assert stream.head.header("transfer-encoding") is None
    id = await api.publish(server.url, topic, "é")
    assert [event.id for event in await stream.events(1)] == [id]
    stream.reset()


async def test_compression_is_refused_though_browsers_always_offer_it(server: InProcess) -> None:
    offers = [ClientPerMessageDeflateFactory(client_max_window_bits=True)]
    client = await WebSocketClient.open(server.url, query={"topic": api.unique("z")}, extensions=offers)
    assert "Sec-WebSocket-Extensions" not in client.handshake
    assert json.loads((await client.receive())[0])["type"] == "connection", "readable without inflating"
    client.reset()


async def test_a_ping_rides_on_each_heartbeat(fast: InProcess) -> None:
    """Raw bytes: `websockets` would answer pings and say nothing of them."""
    connection = await Connection.open(fast.url)
    fields = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    await connection.send("GET", f"/api/ws?topic={api.unique('ping')}", headers=fields)
    assert (await connection.read_head()).status == 101
    async with asyncio.timeout(20):
        text = await connection.reader.readuntil(b'"type":"heartbeat"')
        text += await connection.reader.readuntil(b"}")
        assert await connection.reader.readexactly(2) == b"\x89\x00"
    assert b"\x89\x00" not in text
    connection.reset()


# The same small suite for both ways


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_replay_then_live_is_complete_and_in_order(server: InProcess, transport: Transport) -> None:
    topic = api.unique("suite")
    before = await api.publish_many(server.url, topic, range(1_500))
    async with open_stream(server.url, transport, topic, after="earliest") as stream:
        replayed = await stream.events(1_500)
        live = [await api.publish(server.url, topic, {"n": n}) for n in range(20)]
        live += await api.publish_many(server.url, topic, range(300), batch=100)
        events = replayed + await stream.events(320)
    assert [event.id for event in events] == before + live
    prevs = [event.value["prev"] for event in events]
    assert prevs == [None, *(event.id for event in events[:-1])]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_events_of_every_size_arrive_whole(server: InProcess, transport: Transport) -> None:
    topic = api.unique("sizes")
    texts = ["", "é" * 40, "x" * 90, "x" * 125, "ü" * 20_000, "x" * 65_000, "🎉" * 16_000]
    async with open_stream(server.url, transport, topic) as stream:
        for text in texts:
            await api.publish(server.url, topic, text)
        assert [event.data for event in await stream.events(len(texts))] == texts
    async with open_stream(server.url, transport, topic, after="earliest") as stream:
        assert [event.data for event in await stream.events(len(texts))] == texts


@pytest.mark.parametrize("transport", STREAMING)
async def test_who_stops_reading_gets_everything_later_and_disturbs_nobody(
    server: InProcess, transport: Transport
) -> None:
    topic = api.unique("slow")
    data = "x" * 8_000
    slow_at = open_stream(server.url, transport, topic, receive_buffer=4_096)
    async with slow_at as slow, open_stream(server.url, transport, topic) as other:
        await slow.control("caught_up")
        ids = await api.publish_many(server.url, topic, [data] * 1_000, batch=50)
        assert [event.id for event in await other.events(1_000)] == ids
        assert [event.id for event in await slow.events(1_000)] == ids
        last = await api.publish(server.url, topic, "live again")
        assert [event.id for event in await slow.events(1)] == [last]
    assert sum(frame.type == "caught_up" for frame in slow.frames) == 1


async def test_client_messages_between_events_break_no_frame(server: InProcess) -> None:
    """Replies go Hypercorn's way or ours, events ours: each message arrives whole and every reply once."""
    topic = api.unique("mixed")
    async with open_stream(server.url, "websocket", topic) as stream:
        publishing = asyncio.create_task(api.publish_many(server.url, topic, range(600), batch=3))
        for ref in range(100):
            await stream.send({"op": "ping", "ref": ref})  # type: ignore[attr-defined]
        ids = await publishing
        last = await api.publish(server.url, topic, "end")
        events = await stream.events_until(last)
        while sum(frame.type == "pong" for frame in stream.frames) < 100:
            await stream.next()
    assert [event.id for event in events] == [*ids, last]
    assert [frame.value["ref"] for frame in stream.frames if frame.type == "pong"] == list(range(100))


async def test_an_event_stream_ends_with_its_last_chunk_and_the_connection_goes_on(tmp_path: Path, loop: str) -> None:
    with InProcess(tmp_path, loop) as server:
        stream = await open_sse(server.url, f"/api/sse?topic={api.unique('end')}")
        await stream.control("caught_up")
        asyncio.get_running_loop().call_soon(server.ask, lambda assembly: assembly.draining.begin())
        loop_of_server = server.ask(lambda service: asyncio.get_running_loop())
        draining = asyncio.run_coroutine_threadsafe(server.assembly.drain(), loop_of_server)
        assert (await stream.control("goodbye")).value["code"] == 1012
        assert await stream.end() is None, "a whole chunked body: a cut one would raise"
        await asyncio.wrap_future(draining)
        health = await stream.http.request("GET", "/api/health")
        assert health.status == 200
        await stream.close()


# Clients that mean harm


def fragment(opcode: int, payload: bytes) -> bytes:
    """One masked frame with FIN 0 and a mask of zeros (RFC 6455, 5.2)."""
    return bytes((opcode, 0x80 | 127)) + len(payload).to_bytes(8, "big") + b"\0\0\0\0" + payload


async def test_a_message_that_never_ends_does_not_fill_the_memory(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        client = await WebSocketClient.open(server.url, query={"topic": "t"})
        before = server.reset_peak_memory()
        writer = client.connection.writer

        async def pour() -> None:
            writer.write(fragment(1, b"a" * 65_536))
            with contextlib.suppress(ConnectionError):  # once it was told, the server need not take it all
                for _ in range(48 * 16):
                    writer.write(fragment(0, b"a" * 65_536))
                    await writer.drain()

        pouring = asyncio.create_task(pour())
        assert await client.wait_closed() == 1009
        await pouring
        assert server.peak_memory() - before < 16 * MIB
        client.reset()


async def test_messages_that_nobody_can_work_off_wait_in_the_socket(tmp_path: Path) -> None:
    """The server answers each message; a client that reads no answers is not read from either."""
    with ServerProcess(tmp_path, env={"TWINWIRE_SEND_TIMEOUT": "600"}) as server:
        client = await WebSocketClient.open(server.url, query={"topic": "t"}, receive_buffer=4_096)
        before = server.reset_peak_memory()
        client.protocol.send_text(json.dumps({"op": "ping", "ref": "r" * 120}).encode())
        message = b"".join(client.protocol.data_to_send())
        writer = client.connection.writer
        writer.transport.set_write_buffer_limits(high=MIB)
        writer.write(message * (32 * MIB // len(message)))
        await api.publish_many(server.url, "t", range(100), batch=1)  # the server works meanwhile
        assert writer.transport.get_write_buffer_size() > 16 * MIB, "most of it was never taken"
        assert server.peak_memory() - before < 16 * MIB
        client.reset()
