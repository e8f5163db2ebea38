"""docs/protocol.md, section 2: the control frames. `goodbye` is in test_contract_7_draining.py."""

import asyncio
import time
import uuid

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, Transport, WebSocketCollector, connect, open_sse, open_stream
from tests.support.http import DEADLINE, Connection, request, target
from tests.support.server import ServerProcess
from tests.support.websocket import WebSocketClient

FIRST_FRAME = 0.2
"""Seconds within which `connection` is promised."""
AFTER_A_BURST = 2.0
"""Seconds within which a heartbeat follows the last event of a burst."""
SLACK = 3.0
"""Seconds more that a busy machine may take before a test says "late"."""
RESERVED = [
    "connection",
    "gap",
    "caught_up",
    "heartbeat",
    "goodbye",
    "problem",
    "reply",
    "pong",
    "error",
    "open",
]


async def test_2_connection_is_first_and_quick_on_an_empty_log(serve: Serve) -> None:
    """2, `connection`: the first frame, within 200 ms of the request, also on an empty log."""
    server = serve()
    for transport in STREAMING:
        taken = []
        for _ in range(5):
            started = time.monotonic()
            async with open_stream(server.url, transport) as stream:
                taken.append(time.monotonic() - started)
            assert api.offset(stream.connection["id"]) == 0
            assert stream.connection["head"] == stream.connection["id"]
        # The best of five: a service that waits for something is late every time, a busy machine is not.
        assert min(taken) < FIRST_FRAME, taken


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_connection_fields(url: str, transport: Transport) -> None:
    """2, `connection`: id, connection, transport, topics, head, floor, resumed, heartbeat, retry, and no topic."""
    topics = sorted([api.unique("fields"), api.unique("fields")])
    cursor = await api.publish(url, topics[0])
    frames = []
    for _ in range(2):
        async with open_stream(url, transport, topics) as stream:
            frames.append(stream.connection)
    frame = frames[0]
    assert frame["type"] == "connection"
    assert "topic" not in frame
    assert frame["id"] == cursor
    assert str(uuid.UUID(frame["connection"])) == frame["connection"]
    assert frame["connection"] != frames[1]["connection"]
    assert frame["transport"] == transport
    assert sorted(frame["topics"]) == topics
    assert frame["head"] == cursor
    assert frame["floor"] is None
    assert frame["resumed"] is False
    assert 5 <= frame["heartbeat"] <= 25  # the strictest idle timeout of common proxies is 30 s
    assert isinstance(frame["retry"], int)
    assert 500 <= frame["retry"] <= 2_147_483_647


@pytest.mark.parametrize("transport", STREAMING)
@pytest.mark.parametrize(
    ("after", "resumed"), [(None, False), ("earliest", False), ("latest", False), ("the cursor", True)]
)
async def test_2_resumed(url: str, transport: Transport, after: str | None, resumed: bool) -> None:
    """2, `connection.resumed`: true if a cursor was given and there is no gap; false for the words and
    none.
    """
    topic = api.unique("resumed")
    cursor = await api.publish(url, topic)
    async with open_stream(url, transport, topic, after=cursor if after == "the cursor" else after) as stream:
        assert stream.connection["resumed"] is resumed


@pytest.mark.parametrize("after", [None, "earliest", "the cursor"])
@pytest.mark.parametrize("transport", STREAMING)
async def test_2_connection_floor_is_up_to_where_events_may_be_missing(
    url: str, transport: Transport, after: str | None
) -> None:
    """2, `connection.floor`: of this filter, wherever it starts; so `prev` proves a loss after `earliest` too."""
    topic, other = api.unique("floor"), api.unique("floor")
    ids = await api.publish_many(url, topic, range(5))
    kept = await api.publish(url, other)
    assert await api.trim(url, topic, 2) == 3
    asked = ids[-1] if after == "the cursor" else after
    for topics, floor in (([topic], ids[2]), ([topic, other], ids[2]), ([other], None)):
        async with open_stream(url, transport, topics, after=asked) as stream:
            assert stream.connection["floor"] == floor
            if after == "earliest":
                excused = {None, floor}
                for event in await stream.events_until(kept if other in topics else ids[-1]):
                    assert event.value["prev"] in excused, "what lies before is delivered, or below the floor"
                    excused.add(event.id)
        page = await api.read(url, topic=topics, after=asked or "latest")
        assert page["floor"] == floor


async def test_2_an_event_stream_has_no_block_without_data(serve: Serve) -> None:
    """2: comment, `id:`, `event:`, `data:` and `retry:` of `connection` are one block. Lenient clients hand a block
    without `data:` on as an empty event.
    """
    server = serve(heartbeat="5")
    ids = await api.publish_many(server.url, "a", range(3))
    await api.trim(server.url, "a", 1)
    for named in (0, 1):
        connection = await Connection.open(server.url)
        await connection.send("GET", f"/api/sse?topic=a&after={ids[0]}&named={named}")
        head = await connection.read_head()
        text = b""
        async with asyncio.timeout(DEADLINE):
            async for piece in connection.pieces(head):
                text += piece
                if b'"type":"heartbeat"' in text and text.endswith(b"\n\n"):
                    break
        connection.reset()
        blocks = text.removesuffix(b"\n\n").split(b"\n\n")
        assert [sum(line.startswith(b"data: ") for line in block.split(b"\n")) for block in blocks] == [1] * len(blocks)
        assert blocks[0].startswith(b": ")
        assert b"\nretry: " in blocks[0]
        assert len(blocks) >= 5, "connection, gap, an event, caught_up, heartbeat"


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_connection_id_is_where_the_stream_goes_on(url: str, transport: Transport) -> None:
    """2, `connection.id`: a client that has seen nothing else resumes with it and misses nothing."""
    topic = api.unique("zero")
    async with open_stream(url, transport, topic) as stream:
        cursor = stream.connection["id"]
    first = await api.publish(url, topic, "while it was away")
    async with open_stream(url, transport, topic, after=cursor) as stream:
        assert stream.connection["id"] == cursor
        assert stream.connection["resumed"] is True
        assert (await stream.events(1))[0].id == first


@pytest.mark.parametrize("transport", STREAMING)
@pytest.mark.parametrize("count", [0, 1, 7])
async def test_2_caught_up(url: str, transport: Transport, count: int) -> None:
    """2, `caught_up`: once, when replay ends; `id` is the position then, `replayed` counts the events."""
    topic = api.unique("caught")
    start = await api.publish(url, api.unique("before"))
    ids = await api.publish_many(url, topic, range(count)) if count else []
    async with open_stream(url, transport, topic, after=start) as stream:
        frame = await stream.control("caught_up")
        assert frame.value == {"type": "caught_up", "id": [start, *ids][-1], "replayed": count}
        assert [event.id for event in stream.frames if event.is_event] == ids
        live = await api.publish(url, topic)
        assert (await stream.next()).id == live
    assert [frame.type for frame in stream.frames].count("caught_up") == 1


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_heartbeat_in_silence(brisk: ServerProcess, transport: Transport) -> None:
    """2, `heartbeat`: every `heartbeat` seconds of silence, with the subscriber's cursor and the time."""
    topic = api.unique("silence")
    async with open_stream(brisk.url, transport, topic) as stream:
        assert stream.connection["heartbeat"] == 1
        await stream.control("caught_up")
        started = time.monotonic()
        first, second = [await stream.next() for _ in range(2)]
        assert time.monotonic() - started < 2 * (1 + SLACK)
    assert [first.type, second.type] == ["heartbeat", "heartbeat"]
    assert first.value.keys() == {"type", "id", "time"}
    assert first.id == stream.connection["id"]
    assert second.value["time"] > first.value["time"]
    assert (first.block is None) == (transport == "websocket")
    assert first.block is None or (first.block.event, first.block.id) == ("heartbeat", first.id)


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_heartbeat_after_a_burst(url: str, transport: Transport) -> None:
    """2, `heartbeat`: once within 2 s of the last event of a burst, long before the next regular one.

    It frees the last event from a proxy that holds each message back until another one comes.
    """
    topic = api.unique("burst")
    async with open_stream(url, transport, topic) as stream:
        assert stream.connection["heartbeat"] > AFTER_A_BURST + SLACK
        ids = await api.publish_many(url, topic, range(20))
        await stream.events_until(ids[-1])
        started = time.monotonic()
        beat = await stream.next()
        assert time.monotonic() - started < AFTER_A_BURST + SLACK
    assert beat.type == "heartbeat"
    assert beat.id == ids[-1]


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_a_heartbeat_carries_the_position_on_a_quiet_topic(brisk: ServerProcess, transport: Transport) -> None:
    """2, `heartbeat.id`: the subscriber's cursor, with which it resumes without a gap or a repeat."""
    topic = api.unique("quiet")
    mine = await api.publish(brisk.url, topic)
    async with open_stream(brisk.url, transport, topic, after="earliest") as stream:
        await stream.events_until(mine)
        await api.publish_many(brisk.url, api.unique("loud"), range(5))
        beat = await stream.control("heartbeat")
        assert api.offset(beat.id) >= api.offset(mine)
    later = await api.publish(brisk.url, topic)
    async with open_stream(brisk.url, transport, topic, after=beat.id) as stream:
        assert stream.connection["resumed"] is True
        assert [(await stream.next()).id] == [later]


@pytest.mark.parametrize("kind", RESERVED)
async def test_2_reserved_types_cannot_be_published(url: str, kind: str) -> None:
    """2: publishing a control type, `error` or `open` is 422, over HTTP and over a WebSocket."""
    topic = api.unique("reserved")
    draft = {"topic": topic, "type": kind, "data": 1}
    response = await request(url, "POST", "/api/events", json_body=draft)
    assert response.problem(422)["field"] == "type"
    async with open_stream(url, "websocket", topic) as stream:
        assert isinstance(stream, WebSocketCollector)
        answer = await stream.ask({"op": "publish", "ref": 1, **draft})
        assert (answer.type, answer.value["status"]) == ("problem", 422)
    assert await api.history(url, [topic]) == []


@pytest.mark.parametrize("kind", ["Error", "opened", "gap.x", "message", "status_update"])
async def test_2_only_exact_names_are_reserved(url: str, kind: str) -> None:
    """2: other types are free, `message` too."""
    await api.publish(url, api.unique("free"), type=kind)


async def test_2_problem_reply_and_pong(url: str) -> None:
    """2, `problem`: status, title, detail, ref; `reply` and `pong`: ref. None has a topic."""
    async with open_stream(url, "websocket", api.unique("ops")) as stream:
        assert isinstance(stream, WebSocketCollector)
        problem = await stream.ask({"op": "no such thing", "ref": "a"})
        assert problem.value.keys() >= {"type", "status", "title", "detail", "ref"}
        assert problem.value["type"] == "problem"
        assert problem.value["ref"] == "a"
        assert 400 <= problem.value["status"] < 500
        assert problem.value["title"]
        assert problem.value["detail"]
        reply = await stream.ask({"op": "subscribe", "topics": ["x"], "ref": 7})
        assert (reply.type, reply.value["ref"]) == ("reply", 7)
        pong = await stream.ask({"op": "ping", "ref": ""})
        assert (pong.type, pong.value["ref"]) == ("pong", "")
        assert not any(frame.is_event for frame in stream.frames)


async def test_2_positioned_frames_on_sse_have_a_name_an_id_and_data(brisk: ServerProcess) -> None:
    """2, SSE: connection, gap, caught_up and heartbeat are named events with data and an id line."""
    async with open_stream(brisk.url, "sse", api.unique("named"), after="no cursor") as stream:
        await stream.control("heartbeat")
    assert [frame.type for frame in stream.frames] == ["connection", "gap", "caught_up", "heartbeat"]
    for frame in stream.frames:
        assert frame.block is not None
        assert (frame.block.event, frame.block.id) == (frame.type, frame.id)


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_connection_comes_before_a_long_replay(url: str, transport: Transport) -> None:
    """2, `connection` and `caught_up`: the first frame and the one after the last replayed event."""
    topic = api.unique("order")
    ids = await api.publish_many(url, topic, range(700))
    stream = await connect(url, transport, topic, after="earliest")
    await stream.control("caught_up")
    await stream.close()
    kinds = [frame.type for frame in stream.frames]
    assert kinds == ["connection", *["log"] * 700, "caught_up"]
    assert [frame.id for frame in stream.frames[1:-1]] == ids


async def test_2_no_frame_before_connection(url: str) -> None:
    """2, `connection`: first even if events are published while the handshake is under way."""
    topic = api.unique("race")
    for path in ("ws", "sse"):
        publishing = asyncio.create_task(api.publish_many(url, topic, range(50), batch=5))
        if path == "ws":
            client = await WebSocketClient.open(url, query={"topic": topic})
            texts = await client.receive()
            assert '"type":"connection"' in texts[0]
            client.reset()
        else:
            sse = await open_sse(url, target("/api/sse", {"topic": topic}))
            assert (await sse.next()).type == "connection"
            sse.reset()
        await publishing
