"""What the service itself does for streams on bad paths, seen from behind the rig with plain HTTP."""

import asyncio
from typing import Final

import pytest

from tests.proxies.modes import HTTP10, HoldLastEvent
from tests.proxies.rig import Proxy
from tests.support.api import publish, unique
from tests.support.http import Connection
from tests.support.server import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON: Final = 5.0
"""Seconds: well before the first regular heartbeat, after 20, would free a message that is held back."""


async def test_a_quiet_stream_is_known_to_be_live_soon_though_each_message_is_held_back(server: ServerProcess) -> None:
    async with Proxy(server.port, HoldLastEvent()) as proxy, asyncio.timeout(SOON):
        stream = await Connection.open(proxy.url)
        await stream.send("GET", f"/api/sse?topic={unique('quiet')}&after=earliest")
        await stream.reader.readuntil(b"event: caught_up")
        await stream.close()


async def test_the_last_event_of_a_burst_is_freed_soon(server: ServerProcess) -> None:
    topic = unique("burst")
    async with Proxy(server.port, HoldLastEvent()) as proxy, asyncio.timeout(SOON):
        stream = await Connection.open(proxy.url)
        await stream.send("GET", f"/api/sse?topic={topic}&after=earliest")
        last = await publish(server.url, topic, "last")
        await stream.reader.readuntil(f"id: {last}\n".encode())
        await stream.close()


async def test_a_stream_of_http_1_0_has_no_chunks(server: ServerProcess) -> None:
    topic = unique("old")
    async with Proxy(server.port, HTTP10()) as proxy, asyncio.timeout(SOON):
        stream = await Connection.open(proxy.url)
        await stream.send("GET", f"/api/sse?topic={topic}", version="1.0")
        head = await stream.read_head()
        assert (head.version, head.header("transfer-encoding")) == ("HTTP/1.0", None)
        opening = await stream.reader.readuntil(b"event: caught_up\n")
        assert opening.startswith(b":"), "a chunk's size would stand before the comment"
        await publish(server.url, topic, "old")
        assert await stream.reader.readuntil(b"event: log\n")
        await stream.close()
