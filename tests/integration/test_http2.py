"""HTTP/2 in cleartext with prior knowledge, where a setting allows it: the same streams, on the portable way.

A client that grants no window is the attack of this protocol: it costs nothing and asks for everything.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.protocol import h2

from service.stream.hypercorn.http2 import GuardedBuffer
from tests.support import api
from tests.support.clients import open_stream
from tests.support.http2 import HTTP2Client, open_http2
from tests.support.inprocess import LOOPS, InProcess
from tests.support.server import ServerProcess

MIB = 1 << 20
CANCEL = 8
"""RFC 9113, 7."""


@pytest.fixture(scope="module", params=list(LOOPS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("http2"), request.param, h2c=True) as server:
        yield server


# The same streams


async def test_an_event_stream_over_http_2_takes_the_portable_way(server: InProcess) -> None:
    topic = api.unique("sse")
    async with open_http2(server.url) as client:
        stream = await client.request("GET", f"/api/sse?topic={topic}", headers={"accept": "text/event-stream"})
        await client.body_holds(stream, b"event: caught_up")
        assert client.headers[stream][":status"] == "200"
        assert client.headers[stream]["content-type"] == "text/event-stream"
        assert "BodyPipe" in server.pipes()
        assert "TransportPipe" not in server.pipes(), "raw bytes would corrupt the connection"
        ids = await api.publish_many(server.url, topic, range(1_000), batch=100)
        body = await client.body_holds(stream, f"id: {ids[-1]}\n".encode())
        found = [line[4:].decode() for line in body.split(b"\n") if line.startswith(b"id: ")]
        assert [id for id in found if id in set(ids)] == ids


def text_frame(text: str) -> bytes:
    """A client's text message, masked with zeros (RFC 6455, 5.2)."""
    payload = text.encode()
    return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload


def text_frames(data: bytes) -> list[str]:
    """A server's text messages; the last one may still be on its way."""
    texts = []
    while len(data) >= 2:
        size, start = data[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            break
        if data[0] == 0x81:
            texts.append(data[start : start + size].decode())
        data = data[start + size :]
    return texts


async def test_a_websocket_over_http_2(server: InProcess) -> None:
    """RFC 8441."""
    topic = api.unique("ws")
    async with open_http2(server.url) as client:
        fields = {"sec-websocket-version": "13", "sec-websocket-extensions": "permessage-deflate"}
        stream = await client.request("CONNECT", f"/api/ws?topic={topic}", headers=fields, protocol="websocket")
        await client.body_holds(stream, b"caught_up")
        assert client.headers[stream][":status"] == "200"
        assert "sec-websocket-extensions" not in client.headers[stream]
        assert "MessagePipe" in server.pipes()
        await client.send(stream, text_frame(json.dumps({"op": "publish", "topic": topic, "type": "x", "data": [1]})))
        await client.body_holds(stream, b'"type":"reply"')
        frames = [json.loads(text) for text in text_frames(bytes(client.bodies[stream]))]
        assert [frame["type"] for frame in frames[:2]] == ["connection", "caught_up"]
        assert {frame["type"] for frame in frames[2:]} == {"reply", "x"}


async def test_problems_arrive_though_their_headers_belong_to_http_1(server: InProcess) -> None:
    """`Upgrade` and `Connection` may not travel over HTTP/2 (RFC 9113, 8.2.2)."""
    async with open_http2(server.url) as client:
        status, body = await client.answer(await client.request("GET", "/api/ws"))
        assert (status, json.loads(body)["status"]) == (426, 426)
        fields = {"content-type": "application/json", "content-length": str(9 * MIB)}
        stream = await client.request("POST", "/api/events", headers=fields, is_whole=False)
        await client.until(lambda: stream in client.headers)
        assert client.headers[stream][":status"] == "413"


async def test_publishing_and_polling_over_http_2(server: InProcess) -> None:
    topic = api.unique("publish")
    async with open_http2(server.url) as client:
        body = json.dumps({"topic": topic, "type": "x", "data": "a" * 60_000}).encode()
        fields = {"content-type": "application/json", "content-length": str(len(body))}
        status, answer = await client.answer(await client.request("POST", "/api/events", headers=fields, body=body))
        assert status == 201
        status, page = await client.answer(await client.request("GET", f"/api/events?topic={topic}&after=earliest"))
        assert [event["id"] for event in json.loads(page)["events"]] == [json.loads(answer)["id"]]


# Clients that grant no window


async def read_on(client: HTTP2Client) -> None:
    """Take in whatever comes, without ever opening a window."""
    try:
        while True:
            await client.read()
    except ConnectionError:
        return


async def test_a_client_without_a_window_makes_no_memory_grow_and_disturbs_nobody(tmp_path: Path) -> None:
    data = "x" * 8_000
    with ServerProcess(tmp_path, env={"TWINWIRE_H2C": "true", "TWINWIRE_TAIL_BYTES": str(MIB)}) as server:
        async with open_http2(server.url, window=0) as client:
            streams = [await client.request("GET", "/api/sse?topic=t") for _ in range(10)]
            await client.until(lambda: all(stream in client.headers for stream in streams))
            reading = asyncio.create_task(read_on(client))
            async with open_stream(server.url, "websocket", "t") as other:
                await other.control("caught_up")
                await api.publish_many(server.url, "t", [data] * 500, batch=50)  # warm: pools are filled once
                before = server.reset_peak_memory()
                publishing = asyncio.create_task(api.publish_many(server.url, "t", [data] * 4_000, batch=50))
                events = await other.events(4_500)
                assert [event.id for event in events[500:]] == await publishing
            assert server.peak_memory() - before < 24 * MIB, "32 MB were published to each of ten"
        await reading


async def test_a_stream_that_takes_nothing_is_reset_and_what_it_held_is_given_back(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_H2C": "true", "TWINWIRE_SEND_TIMEOUT": "1"}) as server:
        await api.publish_many(server.url, "t", ["x" * 8_000] * 500, batch=100)
        before = server.memory()
        async with open_http2(server.url, window=0) as client:
            for wave in (1, 2):
                for _ in range(60):
                    await client.request("GET", "/api/sse?topic=t&after=earliest")
                await client.until(lambda wave=wave: len(client.resets) == 60 * wave)
            assert set(client.resets.values()) == {CANCEL}
            assert server.memory() - before < 30 * MIB, "held pages would be twice that"
            client.state.update_settings({4: 65_535})  # SETTINGS_INITIAL_WINDOW_SIZE: as good as new
            status, _ = await client.answer(await client.request("GET", "/api/health"))
            assert status == 200


async def test_answers_that_nobody_takes_are_reset_as_well(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_H2C": "true", "TWINWIRE_SEND_TIMEOUT": "1"}) as server:
        await api.publish_many(server.url, "t", ["x" * 60_000] * 100, batch=50)
        before = server.reset_peak_memory()
        async with open_http2(server.url, window=0) as client:
            for _ in range(10):
                await client.request("GET", "/api/events?topic=t&after=earliest&limit=1000")
            await client.until(lambda: len(client.resets) == 10)
            assert server.peak_memory() - before < 200 * MIB


async def test_a_stop_does_not_wait_for_clients_that_take_nothing(tmp_path: Path) -> None:
    """docs/protocol.md, section 8: SIGTERM drains and exits 0."""
    with ServerProcess(tmp_path, env={"TWINWIRE_H2C": "true", "TWINWIRE_GRACE": "1"}) as server:
        await api.publish_many(server.url, "t", ["x" * 8_000] * 100, batch=100)
        async with open_http2(server.url, window=0) as client:
            streams = [await client.request("GET", f"/api/sse?topic=t&{start}") for start in ("", "after=earliest") * 5]
            fields = {"sec-websocket-version": "13"}
            streams.append(await client.request("CONNECT", "/api/ws?topic=t", headers=fields, protocol="websocket"))
            await client.until(lambda: all(stream in client.headers for stream in streams))
            reading = asyncio.create_task(read_on(client))
            server.signal()
            assert await server.await_exit() == 0, server.log_tail()
            await reading
            assert "Traceback" not in server.log_tail(200)


# The fault of Hypercorn's buffer


async def test_the_buffer_holds_its_writer_until_it_is_below_the_low_water_mark() -> None:
    buffer = GuardedBuffer(EventWrapper)
    writing = asyncio.create_task(buffer.push(b"a" * h2.BUFFER_HIGH_WATER))
    await asyncio.sleep(0)
    for _ in range(3):  # a closed window: nothing may be taken
        assert await buffer.pop(0) == b""
        await asyncio.sleep(0)
        assert not writing.done()
    low = int(h2.BUFFER_LOW_WATER)
    assert len(await buffer.pop(h2.BUFFER_HIGH_WATER - low)) == h2.BUFFER_HIGH_WATER - low
    await asyncio.sleep(0)
    assert not writing.done(), "at the mark it still waits"
    assert await buffer.pop(1) == b"a"
    await asyncio.wait_for(writing, 10)
    assert not buffer.complete
    buffer.set_complete()
    assert len(await buffer.pop(low)) == low - 1
    assert buffer.complete
    await asyncio.wait_for(buffer.drain(), 10)


async def test_hypercorn_still_has_the_fault_that_we_close() -> None:
    """When this fails, Hypercorn was repaired: take our repair out."""
    buffer = h2.StreamBuffer(EventWrapper)
    writing = asyncio.create_task(buffer.push(b"a" * h2.BUFFER_HIGH_WATER))
    await asyncio.sleep(0)
    await buffer.pop(0)
    await asyncio.wait_for(writing, 10)
    assert len(buffer.buffer) == h2.BUFFER_HIGH_WATER, "released although nothing was taken"
