"""Another front door, in the lines that one takes: it streams exactly, and operators see it as they see the others."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.access.gate import Act
from service.assembly import Assembly
from service.core.ephemeral import Ephemeral
from service.core.event import Event, Row
from service.settings import Settings
from service.stream.asgi import Receive, Scope, Send
from service.stream.pipe import BodyPipe
from service.web.app import TwinwireApp, create_app
from service.wire.frames import EventText, control_json
from service.wire.request import Request
from tests.support.wires import DEADLINE, Exchange, call, drafts, http_scope, until

# --- the wire


class Lines:
    """One JSON text a line."""

    name = transport = "ndjson"
    may_be_held_back = False
    is_fed = True

    def __init__(self, epoch: str) -> None:
        self._text = EventText(epoch)

    def frame(self, event: Event) -> bytes:
        return self.page([event])

    def ephemeral(self, event: Ephemeral) -> bytes:
        return f"{self._text.ephemeral(event)}\n".encode()

    def page(self, rows: Sequence[Row]) -> bytes:
        return "".join(f"{text}\n" for text in self._text.many(rows)).encode()

    def join(self, frames: Sequence[bytes]) -> bytes:
        return b"".join(frames)

    def control(self, type: Any, fields: Mapping[str, Any]) -> bytes:
        return f"{control_json(type, fields)}\n".encode()

    def opening(self, connection: Mapping[str, Any]) -> bytes:
        return self.control("connection", connection)


class LinesWire:
    """An ASGI application: parse, enter, open, listen."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._encoding = Lines(assembly.bus.epoch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        with self._assembly.gate.enter(request, Act.STREAM, request.wish()) as lease:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            pipe, start = BodyPipe(send, 30), request.start()
            opened = await self._assembly.opening.open(pipe, self._encoding, lease.topics, start, lease.caller)
            await opened.stream.run(opened.first, Leaving(receive))


class Leaving:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


# --- what it does


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    application = create_app(Settings.read({"database": tmp_path / "test.db"}), [])
    async with application.test_app():
        assert application.assembly is not None
        application.assembly.doors.add(("http", "GET", "/api/lines"), LinesWire(application.assembly))
        yield application


def frames(exchange: Exchange) -> list[dict[str, Any]]:
    return [json.loads(line) for line in exchange.body.splitlines()]


async def test_it_streams_exactly_and_is_seen(app: TwinwireApp) -> None:
    assembly = app.assembly
    assert assembly is not None
    await assembly.bus.publish(drafts(500))
    exchange = Exchange(app.front, http_scope("GET", "/api/lines", "topic=t&after=earliest"))
    await until(lambda: any(frame["type"] == "caught_up" for frame in frames(exchange)))
    for _ in range(10):
        await assembly.bus.publish(drafts(3))
    await until(lambda: len(frames(exchange)) == 532)
    offsets = [int(frame["id"].partition("-")[2]) for frame in frames(exchange) if frame["type"] == "x"]
    assert offsets == list(range(1, 531))
    topics = (await call(app, "GET", "/api/topics")).json()["topics"]
    assert topics[0]["subscribers"] == {"websocket": 0, "sse": 0, "poll": 0, "ndjson": 1}
    metrics = (await call(app, "GET", "/metrics")).body.decode()
    assert 'twinwire_subscriptions{transport="ndjson"} 1.0' in metrics
    assert 'twinwire_streams_opened_total{transport="ndjson"} 1.0' in metrics
    (peer,) = assembly.hub.peers()
    assert peer.transport == "ndjson"
    await asyncio.wait_for(assembly.drain(), DEADLINE)
    await asyncio.wait_for(exchange.task, DEADLINE)
    assert frames(exchange)[-1]["type"] == "goodbye"
    assert assembly.gate.places == 0
