"""Echo: a server that answers each request with the head that reached it, as JSON; what a proxy has made of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.proxies.http1 import Head
from tests.support.http import Response
from tests.support.server import HOST


@dataclass(frozen=True, slots=True)
class Echo:
    port: int


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    peers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peers[task] = writer
        try:
            while True:
                head = await Head.read(reader)
                body = json.dumps({"start": head.start, "fields": head.fields}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listener = await asyncio.start_server(answer, HOST, 0)
    try:
        yield Echo(listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        for writer in peers.values():
            writer.close()
        await asyncio.gather(*peers)


def received(response: Response) -> Head:
    """What reached the server of this answer."""
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return Head(found["start"], tuple((name, value) for name, value in found["fields"]))
