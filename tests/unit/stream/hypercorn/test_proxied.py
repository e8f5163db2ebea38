"""The PROXY protocol: both versions, what names nobody, and what is none."""

import asyncio
import struct

import pytest

from service.stream.hypercorn.proxied import LINE_MAX, REST_MAX, SIGNATURE, Client, read_client

V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack("!HH", 4711, 8000)
V6 = bytes.fromhex("20010db8" + "0" * 23 + "7" + "20010db8" + "0" * 23 + "8") + struct.pack("!HH", 4711, 8000)


def second(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


async def read(data: bytes) -> tuple[Client | None, bytes]:
    """Who it is, and what is left for the request."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await read_client(reader), await reader.read()


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8000\r\n", ("192.0.2.7", 4711)),
        (b"PROXY TCP6 2001:db8::7 2001:db8::8 4711 8000\r\n", ("2001:db8::7", 4711)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        (second(0x21, 0x11, V4), ("192.0.2.7", 4711)),
        (second(0x21, 0x11, V4 + b"\x04\x00\x01x"), ("192.0.2.7", 4711)),
        (second(0x21, 0x21, V6), ("2001:db8::7", 4711)),
        (second(0x20, 0x00, b""), None),
        (second(0x21, 0x00, b""), None),
        (second(0x21, 0x31, b"\x00" * 216), None),
        (second(0x21, 0x11, V4 + bytes(REST_MAX - len(V4))), ("192.0.2.7", 4711)),
    ],
)
async def test_a_header_names_who_asks_and_leaves_the_request(header: bytes, client: Client | None) -> None:
    assert await read(header + b"GET / HTTP/1.1\r\n") == (client, b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PROXY",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8000 1\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 4711 8000\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::8 4711 8000\r\n",
        b"PROXY TCP5 192.0.2.7 198.51.100.1 4711 8000\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 8000\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 8000\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8000\n",
        b"PROXY \xff\xff\xff\xff\xff\xff\xff\r\n",
        b"PROXY UNKNOWN " + b"x" * LINE_MAX + b"\r\n",
        b"PROXY UNKNOWN " + b"x" * 100_000,
        second(0x21, 0x11, V4)[:-1],
        second(0x21, 0x11, V4[:-1]),
        second(0x22, 0x11, V4),
        second(0x11, 0x11, V4),
        second(0x21, 0x11, bytes(REST_MAX + 1)),
    ],
)
async def test_what_is_no_header_ends_the_connection(data: bytes) -> None:
    with pytest.raises(ConnectionAbortedError):
        await read(data)


async def test_a_line_of_the_bound_is_read() -> None:
    line = b"PROXY UNKNOWN " + b"x" * (LINE_MAX - 16) + b"\r\n"
    assert (len(line), await read(line)) == (LINE_MAX, (None, b""))
