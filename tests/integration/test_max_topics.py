"""`TWINWIRE_MAX_TOPICS`: who would make one more is told so, and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.log.sqlite.log import SQLiteEventLog
from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.wires import Answer, Socket, call, open_sockets


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    application = create_app(Settings.read({"database": tmp_path / "bus.db", "apps": (), "max_topics": 2}))
    async with application.test_app():
        yield application


async def publish(app: TwinwireApp, *topics: str) -> Answer:
    body = json.dumps([{"topic": topic, "type": "x", "data": 1} for topic in topics]).encode()
    return await call(app, "POST", "/api/events", headers={"Content-Type": "application/json"}, body=body)


async def events(app: TwinwireApp) -> list[str]:
    answer: dict[str, Any] = (await call(app, "GET", "/api/events", "after=earliest")).json()
    return [event["topic"] for event in answer["events"]]


async def test_one_topic_too_many_is_503_and_those_that_are_there_go_on(app: TwinwireApp) -> None:
    assert (await publish(app, "a", "b")).status == 201
    refused = await publish(app, "a", "c")
    refused.problem(503, "topic")
    assert float(refused.headers["retry-after"]) > 0
    assert (await publish(app, "b", "a")).status == 201
    assert await events(app) == ["a", "b", "b", "a"], "of what was refused nothing was stored"


async def test_a_socket_is_told_and_lives_on(app: TwinwireApp) -> None:
    await publish(app, "a", "b")
    async with open_sockets() as sockets:
        sockets.append(socket := Socket().open(app, "topic=a"))
        for ref, topic in enumerate(("c", "a")):
            socket.say({"op": "publish", "topic": topic, "type": "x", "data": 1, "ref": ref})
        problem = (await socket.next("problem"))[0]
        assert (problem["status"], problem["field"], problem["ref"]) == (503, "topic", 0)
        assert (await socket.next("reply"))[0]["ref"] == 1


async def test_where_there_is_no_room_one_that_is_empty_is_forgotten(
    app: TwinwireApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its floor stays: an old cursor is told, and the first event on a new topic says that it follows something."""
    await publish(app, "a", "b")
    start = (await call(app, "GET", "/api/events", "after=latest&topic=c")).json()
    assert start["floor"] is None
    json_body = {"Content-Type": "application/json"}
    trimmed = await call(app, "POST", "/api/topics/trim", headers=json_body, body=b'{"topic":"a","keep":0}')
    assert trimmed.status == 200
    refused = await publish(app, "c")
    refused.problem(503, "topic")
    assert app.assembly is not None
    assert isinstance(app.assembly.log, SQLiteEventLog)
    monkeypatch.setattr(app.assembly.log.forgetter, "_least", 0.0)  # as if every stream had been told its position
    async with asyncio.timeout(20):
        while (await publish(app, "c")).status != 201:
            await asyncio.sleep(0)
    listed = (await call(app, "GET", "/api/topics")).json()["topics"]
    assert [one["topic"] for one in listed] == ["b", "c"]
    answer = (await call(app, "GET", "/api/events", "after=earliest&topic=c")).json()
    (event,) = answer["events"]
    epoch = start["head"].split("-")[0]
    assert (event["prev"], answer["floor"]) == (f"{epoch}-1", f"{epoch}-1")
    late = (await call(app, "GET", "/api/events", f"after={epoch}-0&topic=a")).json()
    assert late["gap"]["reason"] == "trimmed"
    assert (await call(app, "GET", "/api/events", f"after={start['cursor']}&topic=c")).json()["gap"] is None
