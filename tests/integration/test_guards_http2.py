"""HTTP/2 on a guarded connection: floods end it, odd requests end themselves, and with TLS it is the same.

A flood is cheap for who sends it; here it ends the connection before it has cost the loop what a page costs.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from h2.errors import ErrorCodes

from tests.support.certificate import Certificate
from tests.support.hostile import pour, rest
from tests.support.http import DEADLINE, Connection, request
from tests.support.http2 import HTTP2Client, open_http2
from tests.support.inprocess import LOOPS, InProcess

MIB = 1 << 20


@pytest.fixture(scope="module", params=list(LOOPS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with InProcess(tmp_path_factory.mktemp("guards"), request.param, h2c=True) as server:
        yield server


async def nothing_is_left(server: InProcess) -> None:
    async with asyncio.timeout(10):
        while server.connections():
            await asyncio.sleep(0.01)


def raw(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def begun(method: str = "POST", path: str = "/api/events", **more: str) -> tuple[h2.connection.H2Connection, bytes]:
    """A client whose first stream is a request without its end, and what it says."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    client.initiate_connection()
    fields = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), *more.items()]
    client.send_headers(1, fields)
    return client, client.data_to_send()


def resets() -> bytes:
    client, data = begun()
    for stream in range(3, 2_003, 2):
        client.send_headers(
            stream,
            [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/api/health")],
            end_stream=True,
        )
        client.reset_stream(stream, ErrorCodes.CANCEL)
    return data + client.data_to_send()


FLOODS: dict[str, Callable[[], bytes]] = {
    "PRIORITY": lambda: b"".join(raw(2, b"\0\0\0\0\xff", stream=stream) for stream in range(3, 40_003, 2)),
    "SETTINGS": lambda: raw(4, b"\0\4\0\0\x10\0") * 20_000,
    "PING": lambda: raw(6, b"12345678") * 20_000,
    "WINDOW_UPDATE": lambda: raw(8, b"\0\0\0\1") * 20_000,
    "RST_STREAM": resets,
    "empty DATA": lambda: raw(0, stream=1) * 40_000,
    "DATA of a byte": lambda: raw(0, b" ", stream=1) * 20_000,
    "CONTINUATION": lambda: raw(1, b"\x82", stream=3) + raw(9, b"\x82", stream=3) * 20_000,
    "frames of no kind": lambda: raw(200, b"") * 40_000,
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_ends_the_connection(server: InProcess, kind: str) -> None:
    flood = FLOODS[kind]()
    if kind != "RST_STREAM":
        flood = begun(**{"content-type": "application/json"})[1] + flood
    connection = await Connection.open(server.url)
    reading = asyncio.create_task(rest(connection))
    await pour(connection, flood)
    goaway = raw(7, (1).to_bytes(4))[3:5]
    assert goaway in await reading
    connection.reset()
    await nothing_is_left(server)
    assert (await request(server.url, "GET", "/api/health")).status == 200


async def test_windows_that_our_data_asks_for_are_no_flood(server: InProcess) -> None:
    """A client that answers each piece with two windows, as the simplest ones do."""
    async with open_http2(server.url) as client:
        for _ in range(200):
            status, body = await client.answer(await client.request("GET", "/client/index.js"))
            assert status == 200
            client.state.increment_flow_control_window(max(1, len(body)))
            await client._flush()


# Requests that Hypercorn stumbles over


@pytest.mark.parametrize(
    "fields",
    [
        [(":method", "CONNECT"), (":authority", "localhost")],
        [(":method", "CONNECT"), (":protocol", "smtp"), (":scheme", "http"), (":authority", "a"), (":path", "/api/ws")],
        [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", b"/\xff")],
        [(":method", b"G\xffT"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")],
    ],
    ids=["CONNECT", "another protocol", "raw bytes", "a method of raw bytes"],
)
async def test_an_odd_request_is_reset_and_the_others_go_on(
    server: InProcess, fields: list[tuple[str, str | bytes]]
) -> None:
    async with open_http2(server.url) as client:
        stream = client.state.get_next_available_stream_id()
        encoded = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in fields]
        client.state.config.validate_outbound_headers = False
        client.state.send_headers(stream, encoded, end_stream=True)
        await client._flush()
        status, _ = await client.answer(await client.request("GET", "/api/health"))
        assert status == 200
        await client.until(lambda: stream in client.ended)
        assert stream in client.resets


async def test_a_handshake_with_a_byte_beyond_ascii_is_refused(server: InProcess) -> None:
    """Not served without the field: it may be the token that makes one somebody."""
    async with open_http2(server.url) as client:
        stream = client.state.get_next_available_stream_id()
        fields = [
            *((b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"http")),
            *((b":authority", b"localhost"), (b":path", b"/api/ws?topic=t"), (b"sec-websocket-version", b"13")),
            (b"sec-websocket-protocol", b"twinwire.v1, twinwire.bearer.\xe9"),
        ]
        client.state.config.validate_outbound_headers = False
        client.state.send_headers(stream, fields, end_stream=False)
        await client._flush()
        await client.until(lambda: stream in client.headers)
        assert client.headers[stream][":status"] == "400"


async def test_data_behind_an_answer_hurts_nobody(server: InProcess) -> None:
    async with open_http2(server.url) as client:
        fields = {"content-type": "application/json", "content-length": str(9 * MIB)}
        stream = await client.request("POST", "/api/events", headers=fields, is_whole=False)
        await client.until(lambda: stream in client.headers)
        assert client.headers[stream][":status"] == "413"
        client.connection.writer.write(raw(0, b"x" * 4_096, stream=stream) * 4)
        status, _ = await client.answer(await client.request("GET", "/api/health"))
        assert status == 200


async def test_streams_that_were_reset_are_forgotten(server: InProcess) -> None:
    """A few at a time, so that they are no flood: Hypercorn would keep each, and stop at the thousandth."""
    async with open_http2(server.url) as client:
        for _ in range(6):
            streams = [await client.request("GET", "/api/sse?topic=t") for _ in range(6)]
            await client.until(lambda streams=streams: all(stream in client.headers for stream in streams))
            for stream in streams:
                client.state.reset_stream(stream, ErrorCodes.CANCEL)
            await client._flush()
            status, _ = await client.answer(await client.request("GET", "/api/health"))
            assert status == 200
        async with asyncio.timeout(DEADLINE):
            while server.ask(lambda assembly: len(assembly.hub._streams)):
                await asyncio.sleep(0.01)


# What is owed has its time


async def test_a_connection_without_a_stream_and_bodies_that_do_not_come_end(tmp_path: Path) -> None:
    with InProcess(tmp_path, h2c=True, config={"keep_alive_timeout": 1}, send_timeout=1) as server:
        silent = await HTTP2Client.open(server.url)
        owing = await Connection.open(server.url)
        owing.writer.write(begun(**{"content-type": "application/json"})[1])
        undone = await HTTP2Client.open(server.url)
        undone.state.reset_stream(await undone.request("GET", "/api/sse?topic=t"), ErrorCodes.CANCEL)
        await undone._flush()
        for connection in (silent.connection, owing, undone.connection):
            await rest(connection)
            connection.reset()
        await nothing_is_left(server)


# With TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("kind", FLOODS)
async def test_with_tls_a_flood_ends_the_connection_too(tmp_path: Path, certificate: Certificate, kind: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    flood = FLOODS[kind]()
    if kind != "RST_STREAM":
        flood = begun(**{"content-type": "application/json"})[1] + flood
    with InProcess(tmp_path, config={"keyfile": str(certificate.key), "certfile": str(certificate.file)}) as server:
        port = int(server.url.rpartition(":")[2])
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
        assert connection.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        reading = asyncio.create_task(rest(connection))
        await pour(connection, flood)
        await reading
        connection.writer.transport.abort()
        await nothing_is_left(server)
