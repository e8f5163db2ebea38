"""docs/protocol.md, section 4: WebSocket client messages, and the close codes 1003 and 1009."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support import api
from tests.support.clients import WebSocketCollector, open_stream
from tests.support.frames import data_text
from tests.support.websocket import RefusedError, WebSocketClient

DATA_MAX = 64 * 1024
MESSAGE_MAX = DATA_MAX + 4 * 1024
"""Bytes of one client message: the data limit and 4 KiB for the envelope."""


@pytest.fixture
def topic() -> str:
    return api.unique("messages")


@pytest.fixture
async def socket(url: str, topic: str) -> AsyncIterator[WebSocketCollector]:
    """A live WebSocket on `topic`."""
    async with open_stream(url, "websocket", topic) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        yield stream


async def assert_alive(socket: WebSocketCollector) -> None:
    assert (await socket.ask({"op": "ping", "ref": "alive"})).value == {"type": "pong", "ref": "alive"}


async def test_4_subscribe_adds_topics(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4, `subscribe`: the reply has the ref and the position from which the new topics are covered."""
    added = api.unique("added")
    before = await api.publish(url, added, "before")
    reply = await socket.ask({"op": "subscribe", "topics": [added], "ref": "s1"})
    assert (reply.type, reply.value["ref"]) == ("reply", "s1")
    assert api.offset(reply.value["id"]) >= api.offset(before)
    ids = [await api.publish(url, name) for name in (added, topic, added)]
    assert [event.id for event in await socket.events(3)] == ids
    fetched = await api.history(url, [added])
    assert before in [event["id"] for event in fetched]


async def test_4_subscribe_misses_nothing_while_a_publisher_is_busy(url: str, socket: WebSocketCollector) -> None:
    """4, `subscribe`: history up to the reply's `id` and the stream after it are the whole, without
    overlap.
    """
    added = api.unique("busy")
    publishing = asyncio.create_task(api.publish_many(url, added, range(300), batch=3))
    while not await api.history(url, [added]):
        pass
    reply = await socket.ask({"op": "subscribe", "topics": [added]})
    ids = await publishing
    position = api.offset(reply.value["id"])
    before = [cursor for cursor in ids if api.offset(cursor) <= position]
    assert 0 < len(before) < len(ids), "the subscription must fall into the publishing for this test to say anything"
    events = await socket.events_until(ids[-1])
    assert before + [event.id for event in events] == ids


async def test_4_subscribe_with_a_wildcard(url: str, socket: WebSocketCollector) -> None:
    """4, `subscribe`: the topics are filters."""
    root = api.unique("wild")
    await socket.ask({"op": "subscribe", "topics": [f"{root}/*"]})
    cursor = await api.publish(url, f"{root}/leaf")
    assert (await socket.events(1))[0].id == cursor


async def test_4_unsubscribe_removes_topics(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4, `unsubscribe`: the others go on; the reply has an id."""
    other = api.unique("other")
    await socket.ask({"op": "subscribe", "topics": [other]})
    reply = await socket.ask({"op": "unsubscribe", "topics": [topic], "ref": 0})
    assert (reply.type, reply.value["ref"]) == ("reply", 0)
    assert reply.value["id"]
    await api.publish(url, topic, "unheard")
    heard = await api.publish(url, other, "heard")
    assert (await socket.events(1))[0].id == heard


async def test_4_a_connection_without_topics_stays_open(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4, `unsubscribe`: a connection left without topics stays open, hears nothing, and may subscribe
    again.
    """
    assert (await socket.ask({"op": "unsubscribe", "topics": [topic]})).type == "reply"
    await api.publish(url, topic, "unheard")
    await assert_alive(socket)
    await socket.ask({"op": "subscribe", "topics": [topic]})
    heard = await api.publish(url, topic, "heard")
    assert [event.id for event in await socket.events(1)] == [heard]


@pytest.mark.parametrize("op", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("topics", [[], ["a//b"], ["ok", "a b"], "a", None, [1], {"a": 1}])
async def test_4_bad_topics_are_a_422_problem(socket: WebSocketCollector, op: str, topics: Any) -> None:
    """4, `subscribe`, `unsubscribe`: an empty list and invalid filters are 422; the connection lives on."""
    problem = await socket.ask({"op": op, "topics": topics, "ref": 1.5})
    assert (problem.type, problem.value["status"], problem.value["ref"]) == ("problem", 422, 1.5)
    await assert_alive(socket)


async def test_4_publish(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4, `publish`: the reply carries the id of the event that everyone gets."""
    message = {"op": "publish", "topic": topic, "type": "note", "data": {"a": [1, None]}, "ref": "p"}
    await socket.send(message)
    answers = [await socket.next(), await socket.next()]
    (reply,) = [frame for frame in answers if frame.type == "reply"]
    (event,) = [frame for frame in answers if frame.is_event]
    assert reply.value["ref"] == "p"
    assert (event.id, event.type, event.data) == (reply.value["id"], "note", {"a": [1, None]})
    assert [item["id"] for item in await api.history(url, [topic])] == [reply.value["id"]]


async def test_4_publish_keeps_data_as_it_was_written(topic: str, socket: WebSocketCollector) -> None:
    """4 and 1, `publish`: data keeps its text, whatever stands around it."""
    data = r'{"big":123456789012345678901,"f":1.50,"s":"\u00e9\/"}'
    await socket.client.send_text(f'{{"data":{data},"ref":"{{}}","op":"publish","topic":"{topic}","type":"log"}}')
    (event,) = await socket.events(1)
    assert data_text(event.text) == data


async def test_4_publish_with_a_key(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4 and 5, `publish.key`: a repeat is answered by the first id, over whatever wire it came first."""
    first = await api.publish(url, topic, 1, key="k")
    message = {"op": "publish", "topic": topic, "type": "log", "data": 2, "key": "k"}
    assert (await socket.ask(message)).value["id"] == first
    assert [event["data"] for event in await api.history(url, [topic])] == [1]


async def test_4_publishes_are_answered_with_their_refs(topic: str, socket: WebSocketCollector) -> None:
    """4, `publish`: many in flight; each ref is answered once and the events keep the order of the
    messages.
    """
    for n in range(200):
        await socket.send({"op": "publish", "topic": topic, "type": "log", "data": n, "ref": n})
    replies: dict[int, str] = {}
    events: list[Any] = []
    while len(replies) < 200 or len(events) < 200:
        frame = await socket.next()
        if frame.type == "reply":
            assert frame.value["ref"] not in replies
            replies[frame.value["ref"]] = frame.value["id"]
        elif frame.is_event:
            events.append(frame)
    assert [event.data for event in events] == list(range(200))
    assert [event.id for event in events] == [replies[n] for n in range(200)]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"topic": "a//b"}, 422),
        ({"topic": "a/*"}, 422),
        ({"topic": None}, 422),
        ({"type": "x y"}, 422),
        ({"type": 1}, 422),
        ({"key": ""}, 422),
        ({"key": "k" * 129}, 422),
        ({"data": "x" * (DATA_MAX - 1)}, 413),
    ],
)
async def test_4_a_bad_publish_is_a_problem(
    url: str, topic: str, socket: WebSocketCollector, change: dict[str, Any], status: int
) -> None:
    """4, `publish`: what cannot be published is a problem with the status that HTTP would give; nothing is
    stored.
    """
    message = {"op": "publish", "topic": topic, "type": "log", "data": 1, "ref": "bad"} | change
    problem = await socket.ask(message)
    assert (problem.type, problem.value["status"], problem.value["ref"]) == ("problem", status, "bad")
    await assert_alive(socket)
    assert await api.history(url, [topic]) == []


async def test_4_publish_without_data_is_422(topic: str, socket: WebSocketCollector) -> None:
    """4, `publish`: data is required; null is a value, absence is not."""
    message = {"op": "publish", "topic": topic, "type": "log"}
    assert (await socket.ask(message)).value["status"] == 422
    assert (await socket.ask({**message, "data": None})).type == "reply"


@pytest.mark.parametrize("ref", ["a", "", "é", 0, 1.5, 12345678901234567890])
async def test_4_ping(socket: WebSocketCollector, ref: Any) -> None:
    """4, `ping`: `pong` with the same ref, text or number."""
    pong = await socket.ask({"op": "ping", "ref": ref})
    assert pong.value == {"type": "pong", "ref": ref}


async def test_4_type_ping_is_answered_too(socket: WebSocketCollector) -> None:
    """4: `{"type":"ping"}` is answered by `{"type":"pong"}`."""
    assert (await socket.ask({"type": "ping"})).value["type"] == "pong"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "not json",
        "[]",
        "null",
        "7",
        '"ping"',
        "{}",
        '{"op":"nothing"}',
        '{"op":1}',
        '{"op":null,"ref":1}',
        '{"op":"ping","ref":[1]}',
        '{"type":"pong"}',
        '{"op":"ping"} {"op":"ping"}',
        '{"op":"publish","topic":"a","type":"log","data":NaN}',
        "[" * 5000,
    ],
)
async def test_4_anything_else_is_a_problem(socket: WebSocketCollector, text: str) -> None:
    """4: anything else gets a `problem`, one for a message, and the connection lives on."""
    await socket.client.send_text(text)
    problem = await socket.answer()
    assert problem.type == "problem"
    assert 400 <= problem.value["status"] < 500
    await assert_alive(socket)


async def test_4_a_message_at_the_bound_is_read(socket: WebSocketCollector) -> None:
    """4: the data limit and 4 KiB for the envelope: a message of exactly that size is read."""
    empty = json.dumps({"op": "ping", "ref": ""})
    await socket.client.send_text(json.dumps({"op": "ping", "ref": "x" * (MESSAGE_MAX - len(empty))}))
    assert (await socket.answer()).type == "pong"
    await assert_alive(socket)


async def test_4_a_message_over_the_bound_closes_with_1009(socket: WebSocketCollector) -> None:
    """4, close codes: one byte more closes with 1009."""
    await socket.client.send_text("x" * (MESSAGE_MAX + 1))
    assert await socket.end() == 1009


async def test_4_a_message_in_many_fragments_over_the_bound_closes_with_1009(
    socket: WebSocketCollector,
) -> None:
    """4, close codes: the bound holds for the message, not for the frame (RFC 6455, 5.4)."""
    protocol, writer = socket.client.protocol, socket.client.connection.writer
    protocol.send_text(b"x" * 1024, fin=False)
    for _ in range(MESSAGE_MAX // 1024 + 8):
        protocol.send_continuation(b"x" * 1024, fin=False)
    protocol.send_continuation(b"", fin=True)
    writer.write(b"".join(protocol.data_to_send()))
    assert await socket.end() == 1009


@pytest.mark.parametrize("data", [b"\x00\x01", b"", b'{"op":"ping"}'], ids=["bytes", "empty", "json"])
async def test_4_a_binary_message_closes_with_1003(socket: WebSocketCollector, data: bytes) -> None:
    """4, close codes: binary messages close with 1003, an empty one too."""
    await socket.client.send_binary(data)
    assert await socket.end() == 1003


async def test_4_the_full_data_limit_fits_a_message(url: str, topic: str, socket: WebSocketCollector) -> None:
    """4 and 1: data of exactly 64 KiB can be published over a WebSocket."""
    text = "x" * (DATA_MAX - 2)
    await socket.send({"op": "publish", "topic": topic, "type": "log", "data": text, "ref": 1})
    (event,) = await socket.events(1)
    assert event.data == text


# A filter that comes later


async def test_4_a_filter_that_comes_later_is_as_if_it_had_stood_in_the_url(url: str, topic: str) -> None:
    """4, `?filter=later`: `connection` comes after the first `subscribe`, and replay from the URL's `after`."""
    others = [f"{topic}/{'x' * 150}{n:03}" for n in range(99)]
    id = await api.publish(url, others[98], "before")
    client = await WebSocketClient.open(url, query={"filter": "later", "after": "earliest"})
    socket = WebSocketCollector(client)
    await client.send_json({"op": "ping", "ref": 1})
    assert (await socket.next()).value["status"] == 409
    await client.send_text("{")
    assert (await socket.next()).value["status"] == 400
    await client.send_json({"op": "subscribe", "topics": ["a//b"], "ref": 2})
    problem = (await socket.next()).value
    assert (problem["status"], problem["field"], problem["ref"]) == (422, "topic", 2)
    await client.send_json({"op": "subscribe", "topics": [topic, *others], "ref": 3})
    connection = (await socket.next()).value
    assert connection["type"] == "connection"
    assert sorted(connection["topics"]) == sorted([topic, *others])
    reply = (await socket.next()).value
    assert (reply["type"], reply["ref"], reply["id"]) == ("reply", 3, connection["id"])
    assert [event.id for event in await socket.events(1)] == [id]
    await socket.control("caught_up")
    live = await api.publish(url, topic)
    assert [event.id for event in await socket.events(1)] == [live]
    await socket.close()


async def test_4_a_filter_that_does_not_come_ends_the_connection(url: str) -> None:
    """4: `goodbye` with `idle`, and 1013."""
    client = await WebSocketClient.open(url, query={"filter": "later"})
    socket = WebSocketCollector(client)
    goodbye = (await socket.next()).value
    assert (goodbye["type"], goodbye["reason"], goodbye["code"]) == ("goodbye", "idle", 1013)
    assert await client.wait_closed() == 1013


@pytest.mark.parametrize("query", [{"filter": "now"}, {"filter": ""}, {"filter": "later", "topic": "a"}])
async def test_4_another_filter_is_422(url: str, query: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as caught:
        await WebSocketClient.open(url, query=query)
    assert caught.value.response.problem(422)["field"] == "filter"
