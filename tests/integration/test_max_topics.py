"""`TWINWIRE_MAX_TOPICS`: who would make one more is told so, and nobody else notices."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

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
