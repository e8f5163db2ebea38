"""What a program's WebSocket does that nobody would; the rest is seen on a real server (tests/e2e/test_preview.py)."""

import asyncio
import base64
import hashlib
from contextlib import suppress
from typing import Any

from service.preview.sockets import Socket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SCOPE = {
    "type": "websocket",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"app-a.localhost")],
    "subprotocols": [],
}


async def told(frames: bytes) -> list[dict[str, Any]]:
    """What a browser is sent if the program sends that."""
    sent: list[dict[str, Any]] = []
    has_ended = asyncio.Event()

    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        upgrade = b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        writer.write(upgrade + accept + b"\r\n\r\n" + frames)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        has_ended.set()

    async def receive() -> dict[str, Any]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Any) -> None:
        sent.append(dict(message))

    server = await asyncio.start_server(program, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await Socket(dict(SCOPE), receive, send).run(lambda: asyncio.open_connection("127.0.0.1", port))
    finally:
        server.close()
        await has_ended.wait()
    return sent


async def test_a_message_of_fragments_without_a_byte_ends_it() -> None:
    """There may be any number of them in a message, and no bound counts them."""
    accepted, closed = await told(b"\x01\x00" + b"\x00\x00" * 20_000)
    assert accepted["type"] == "websocket.accept"
    assert (closed["type"], closed["code"], closed["reason"]) == ("websocket.close", 1008, "a fragment without a byte")


async def test_messages_of_nothing_and_fragments_of_a_byte_pass() -> None:
    messages = await told(b"\x81\x00" * 3_000 + b"\x01\x01a\x00\x01b\x80\x00" + b"\x88\x02\x03\xe8")
    assert [one.get("text") for one in messages[1:-1]] == [""] * 3_000 + ["ab"]
    assert messages[-1]["code"] == 1000
