"""What tests of hostile clients share: frames with nothing right about them, and connections to send them over."""

import asyncio
from collections.abc import Mapping

from tests.support.http import DEADLINE, Connection

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455, 1.3."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it (RFC 6455, 5.2), with a mask of zeros."""
    first = fin << 7 | rsv << 4 | opcode
    size = len(payload)
    length = (
        bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8)
    )
    return bytes((first, length[0] | masked << 7)) + length[1:] + (b"\0\0\0\0" if masked else b"") + payload


async def open_websocket(url: str, path: str = "/api/ws?topic=t") -> Connection:
    """A WebSocket that was accepted, as bare bytes."""
    connection = await Connection.open(url)
    await shake_hands(connection, path)
    assert (await connection.read_head()).status == 101
    return connection


async def shake_hands(connection: Connection, path: str = "/api/ws?topic=t", **changes: str | None) -> None:
    """A handshake; a header by its name with `_` for `-` is another one, or missing if it is None."""
    fields: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    await connection.send("GET", path, headers={name: value for name, value in fields.items() if value is not None})


async def rest(connection: Connection) -> bytes:
    """What the server says until it ends the connection. Raises TimeoutError if it does not."""
    data = bytearray()
    async with asyncio.timeout(DEADLINE):
        try:
            while piece := await connection.reader.read(65_536):
                data += piece
        except ConnectionError:  # a reset: what was said before it counts
            pass
    return bytes(data)


async def pour(connection: Connection, data: bytes) -> None:
    """Send all of it, or as much as is taken before the server ends the connection."""
    try:
        for start in range(0, len(data), 65_536):
            connection.writer.write(data[start : start + 65_536])
            await connection.writer.drain()
    except ConnectionError:
        return


def close_code(data: bytes) -> int | None:
    """The code of the Close frame that ends `data`; None if nothing ends it."""
    for size in range(2, 126):
        if data[-size - 2 : -size] == bytes((0x88, size)):
            return int.from_bytes(data[-size : -size + 2 or None])
    return None


async def one_request(url: str, head: str, body: bytes = b"") -> tuple[int, Connection]:
    """Send a request byte for byte; its status, and the connection."""
    connection = await Connection.open(url)
    connection.writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    return (await connection.read_head()).status, connection


def fields(values: Mapping[str, str]) -> str:
    return "".join(f"\n{name}: {value}" for name, value in values.items())
