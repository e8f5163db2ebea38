"""What a program answers that nobody would; the rest is seen on a real server (tests/e2e/test_preview.py)."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from service.preview.exchange import BadAnswerError, Exchange

CHUNKS = 5_000
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SCOPE = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": []}


async def told(answer: bytes) -> list[dict[str, Any]]:
    """What a browser is sent if the program answers that. Raises BadAnswerError."""
    sent: list[dict[str, Any]] = []
    has_ended = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        has_ended.set()

    async def receive() -> dict[str, Any]:
        return next(asked, None) or await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(dict(message))

    server = await asyncio.start_server(program, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    scope = {**SCOPE, "headers": [(b"host", b"app-a.localhost")]}
    try:
        await Exchange(scope, receive, send, ()).run(lambda: asyncio.open_connection("127.0.0.1", port))
    finally:
        server.close()
        await has_ended.wait()
    return sent


async def test_chunks_of_a_byte_come_together() -> None:
    """Each as a message of its own took a third of a second of the loop for every 64 KiB."""
    _, *bodies = await told(HEAD + b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n")
    assert b"".join(one["body"] for one in bodies) == b"x" * CHUNKS
    assert len(bodies) < CHUNKS / 50
    assert not bodies[-1]["more_body"]


async def test_what_comes_before_an_answer_is_passed_over_and_half_of_one_is_none() -> None:
    start, *_ = await told(b"HTTP/1.1 103 Early\r\n\r\n" * 2_000 + HEAD + b"0\r\n\r\n")
    assert start["status"] == 200
    with pytest.raises(BadAnswerError, match="no answer"):
        await told(b"SSH-2.0-x\r\n\r\n")
