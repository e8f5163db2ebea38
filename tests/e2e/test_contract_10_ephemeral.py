"""docs/protocol.md, section 10: ephemeral events, on every wire of a real server."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, TRANSPORTS, Collector, Transport, WebSocketCollector, open_stream
from tests.support.frames import Frame
from tests.support.http import Connection, Response, request

ASKED = {"ephemeral": 1}
DATA_MAX = 4_096


@pytest.fixture
def topic() -> str:
    return api.unique("ephemeral")


async def send(url: str, body: Any) -> Response:
    return await request(url, "POST", "/api/ephemeral", json_body=body)


def light(topic: str, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "type": "cursor", "data": data, **more}


def is_light(frame: Frame) -> bool:
    return "topic" in frame.value and "id" not in frame.value


async def lights(stream: Collector, count: int) -> list[Frame]:
    return [await stream.until(is_light) for _ in range(count)]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_10_who_did_not_ask_never_sees_a_frame_without_an_id(url: str, topic: str, transport: Transport) -> None:
    """10, "Nobody else": over every wire, with ephemeral events between stored ones, live and in a replay."""
    async with open_stream(url, transport, topic) as stream, open_stream(url, "sse", topic, query=ASKED) as witness:
        if transport != "poll":
            await stream.control("caught_up")
        await witness.control("caught_up")
        for n in range(5):
            assert (await send(url, [light(topic, n, key=str(n)), light(topic, n, key=f"{n} too")])).status == 202
            await api.publish(url, topic, n)
        await lights(witness, 10)
        await stream.events(5)
        last = await api.publish(url, topic, "last")
        await stream.events_until(last)
        with_topic = [frame for frame in stream.frames if frame.is_event]
        assert len(with_topic) == 6
        assert all({"id", "prev"} <= frame.value.keys() for frame in with_topic)
        assert "ephemeral" not in stream.frames[0].value
        if transport == "poll":
            assert "ephemeral" not in (await api.read(url, topic=topic, after="earliest"))
    async with open_stream(url, transport, topic, after="earliest") as replay:
        events = await replay.events_until(last)
        assert [frame.data for frame in events] == [0, 1, 2, 3, 4, "last"]
    assert len(await api.history(url, [topic])) == 6


@pytest.mark.parametrize("transport", STREAMING)
async def test_10_who_asked_gets_them_and_his_cursor_stays(url: str, topic: str, transport: Transport) -> None:
    """10, "Who gets them": no `id`, no `prev`, no `id:` line; `after` is the head; `connection` confirms."""
    async with open_stream(url, transport, topic, query=ASKED) as stream:
        assert stream.connection["ephemeral"] is True
        await stream.control("caught_up")
        stored = await api.publish(url, topic, 1)
        await stream.events_until(stored)
        cursor = stream.cursor
        assert (await send(url, light(topic, {"x": 1}))).json() == {"accepted": 1}
        (frame,) = await lights(stream, 1)
        assert list(frame.value) == ["topic", "type", "time", "after", "data"]
        assert (frame.value["topic"], frame.type, frame.data) == (topic, "cursor", {"x": 1})
        assert api.offset(frame.value["after"]) >= api.offset(stored)
        assert stream.cursor == cursor == stored
        if frame.block is not None:
            assert (frame.block.event, frame.block.id, frame.block.retry) == ("cursor", None, None)


async def test_10_an_unnamed_event_stream_has_no_event_lines(url: str, topic: str) -> None:
    async with open_stream(url, "sse", topic, query={**ASKED, "named": 0}) as stream:
        await stream.control("caught_up")
        await send(url, light(topic, 1))
        (frame,) = await lights(stream, 1)
        assert frame.block is not None
        assert (frame.block.event, frame.block.id) == (None, None)


async def test_10_a_websocket_sends_and_asks(url: str, topic: str) -> None:
    """10, `publish` and `subscribe`: a `reply` only to a `ref`, and to the sender himself only with `echo`."""
    async with open_stream(url, "websocket", topic) as mine, open_stream(url, "websocket", topic) as other:
        assert isinstance(mine, WebSocketCollector)
        assert isinstance(other, WebSocketCollector)
        for stream in (mine, other):
            await stream.control("caught_up")
            reply = await stream.ask({"op": "subscribe", "topics": [topic], "ephemeral": True, "ref": "s"})
            assert (reply.value["ephemeral"], reply.value["topics"]) == (True, [topic])
        message = {"op": "publish", "ephemeral": True}
        await mine.send({**message, **light(topic, 1)})
        reply = await mine.ask({**message, **light(topic, 2, key="k"), "ref": 7})
        assert reply.value == {"type": "reply", "ref": 7}
        await mine.send({**message, **light(topic, 3, key="e"), "echo": True})
        assert [frame.data for frame in await lights(other, 3)] == [1, 2, 3]
        assert [frame.data for frame in await lights(mine, 1)] == [3]
        problem = await mine.ask({**message, **light(topic, "x" * DATA_MAX)})
        assert (problem.value["status"], problem.value["field"]) == (413, "data")
        assert await api.history(url, [topic]) == []


async def test_10_a_long_poll_has_what_came_while_it_waited(url: str, topic: str) -> None:
    async def poll(after: str, **query: Any) -> dict[str, Any]:
        return await api.read(url, topic=topic, after=after, wait=20, **ASKED, **query)

    stored = await api.publish(url, topic, 1)
    waiting = asyncio.create_task(poll(stored))
    while not waiting.done():  # whenever it has begun to wait
        await send(url, [light(topic, "old", key="k"), light(topic, "other")])
    answer = await waiting
    assert (answer["events"], answer["gap"]) == ([], None)
    assert api.offset(answer["cursor"]) >= api.offset(stored)
    assert {one["data"] for one in answer["ephemeral"]} <= {"old", "other"}
    assert 1 <= len(answer["ephemeral"]) <= 2
    assert all("id" not in one for one in answer["ephemeral"])
    assert (await poll("earliest"))["ephemeral"] == [], "it did not wait"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (light("a//b"), 422, "topic"),
        (light("twinwire/a"), 403, "topic"),
        ({"topic": "a", "type": "gap", "data": 1}, 422, "type"),
        ([light("a", 1), light("a", "x" * DATA_MAX)], 413, "1.data"),
        ([light("a", 1), light("a", 1, ttl=0)], 422, "1.ttl"),
        (light("a", 1, **{"from": {"user": "eve"}}), 422, "from"),
        ([light("a", 1)] * 101, 422, None),
        ([], 422, None),
    ],
)
async def test_10_what_is_refused_names_the_field(url: str, body: Any, status: int, field: str | None) -> None:
    answer = await send(url, body)
    assert answer.status == status
    assert answer.json().get("field") == field


async def test_10_at_more_than_can_wait_it_is_429(url: str, topic: str) -> None:
    """10, "When": beyond the burst the newest of each key waits, and 64 keys do."""
    async with open_stream(url, "websocket", topic) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        message = {"op": "publish", "ephemeral": True, **light(topic)}
        for n in range(1_000):  # within thirteen seconds
            await stream.send({**message, "key": str(n)})
        problem = await stream.answer()
        assert (problem.type, problem.value["status"], problem.value["ref"]) == ("problem", 429, None)
        assert problem.value["retry"] > 0
        await stream.send({"op": "ping", "ref": "alive"})
        await stream.control("pong")


async def test_10_a_stopped_reader_gets_what_was_on_its_way_and_64_more(serve: Serve, topic: str) -> None:
    """10, "When": whose connection takes nothing gets 64 of them, the newest, once he reads again."""
    url = serve(apps="none", ephemeral_rate="1000000", ephemeral_burst="1000000").url
    count = 3_000
    async with (
        open_stream(url, "websocket", topic, query=ASKED, receive_buffer=4_096) as stream,
        open_stream(url, "websocket", topic, query=ASKED) as other,
    ):
        await stream.control("caught_up")
        await other.control("caught_up")
        connection = await Connection.open(url)
        for first in range(0, count, 100):
            numbers = range(first, first + 100)
            body = [light(topic, [n, "x" * 4_000], key=str(n), ttl=60) for n in numbers]
            answer = await connection.request(
                "POST",
                "/api/ephemeral",
                headers={"Content-Type": "application/json"},
                body=json.dumps(body).encode(),
            )
            assert answer.status == 202, answer.body
        await connection.close()
        await other.until(lambda frame: is_light(frame) and frame.data[0] == count - 1)  # none waits for its turn
        stored = await api.publish(url, topic, "then")
        await stream.until(lambda frame: frame.is_event and not is_light(frame))
        if not any(is_light(frame) and frame.data[0] == count - 1 for frame in stream.frames):
            await stream.until(lambda frame: is_light(frame) and frame.data[0] == count - 1)
        assert stored in [frame.value.get("id") for frame in stream.frames]
        owed = next(n for n, frame in enumerate(stream.frames) if frame.is_event and not is_light(frame))
        before, after = (
            [frame.data[0] for frame in part if is_light(frame)]
            for part in (stream.frames[:owed], stream.frames[owed:])
        )
        assert [*before, *after] == sorted({*before, *after}), "at most once, in order"
        assert after == list(range(count - len(after), count)), "the newest"
        assert len(after) <= 64
        assert len(before) < count / 2, "what was on its way in the buffers between, and nothing else"
