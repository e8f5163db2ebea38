"""What popular clients hand to a page: events and control frames with JSON in them, and nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import httpx_sse
import pytest

from tests.support import api
from tests.support.needs import node
from tests.support.server import ROOT, ServerProcess

Message = tuple[str, str, str]
"""Type, id and data, as it was handed on."""

DEADLINE = 30.0
COUNT = 5


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ServerProcess(tmp_path_factory.mktemp("strangers"), env={"TWINWIRE_HEARTBEAT": "1"}) as server:
        yield server.url


def in_node(client: str) -> Callable[[str], Any]:
    async def read(stream: str) -> list[Message]:
        program = Path(__file__).with_name("read.mjs")
        process = await asyncio.create_subprocess_exec(
            node("eventsource"), str(program), client, stream, str(COUNT), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        output, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
        found = [tuple(json.loads(line)) for line in output.decode().splitlines()]
        assert process.returncode == 0, found
        return found

    return read


async def httpx_sse_client(stream: str) -> list[Message]:
    async with httpx.AsyncClient() as client, httpx_sse.aconnect_sse(client, "GET", stream) as source:
        return await _taken((one.event, one.id, one.data) async for one in source.aiter_sse())


async def httpx2_client(stream: str) -> list[Message]:
    async with httpx2.AsyncClient() as client, client.sse(stream) as source:
        return await _taken((one.event, one.id, one.data) async for one in source)


async def _taken(messages: AsyncIterator[Message]) -> list[Message]:
    found: list[Message] = []
    async with asyncio.timeout(DEADLINE):
        async for message in messages:
            found.append(message)
            if sum('"topic":' in data for _, _, data in found) >= COUNT:
                break
    return found


CLIENTS: dict[str, Callable[[str], Any]] = {
    "httpx-sse": httpx_sse_client,
    "httpx2": httpx2_client,
    **{
        name: in_node(name)
        for name in ("@microsoft/fetch-event-source", "extended-eventsource", "eventsource", "event-source-polyfill")
    },
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_message_has_data_and_every_event_comes_once(url: str, client: str) -> None:
    """A page that parses what it is handed reconnected for ever at the first empty event."""
    topic = api.unique("stranger")
    ids = await api.publish_many(url, topic, range(COUNT))
    messages = await CLIENTS[client](f"{url}/api/sse?topic={topic}&after=earliest&named=0")
    values = [json.loads(data) for _, _, data in messages]
    assert values[0]["type"] == "connection"
    assert [value["id"] for value in values if "topic" in value and "prev" in value] == ids
    assert [id for (_, id, _), value in zip(messages, values, strict=True) if "prev" in value] == ids
