"""docs/protocol.md, "Streams that begin with the state": the latest of each subject, then every event after it."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import (
    STREAMING,
    Collector,
    RefusedStreamError,
    StreamEndedError,
    Transport,
    WebSocketCollector,
    open_stream,
)
from tests.support.frames import Frame
from tests.support.http import Connection, request
from tests.support.subjects import about, fold, publish
from tests.support.websocket import RefusedError, WebSocketClient

every_transport = pytest.mark.parametrize("transport", STREAMING)
STATE = {"state": "1"}
JSON = {"Content-Type": "application/json"}


async def state_of(stream: Collector) -> list[Frame]:
    """All of the state, up to `state_end`, which is the last of them."""
    found = [await stream.next()]
    while found[-1].type != "state_end":
        found.append(await stream.next())
    return found


@every_transport
async def test_4_a_stream_begins_with_the_state_and_goes_on_from_its_cursor(url: str, transport: Transport) -> None:
    """4, `state=1`: connection without a position, the state, `state_end`, `caught_up`, and what comes then."""
    topic = api.unique("begins")
    text = [about(topic, "text", "a"), about(topic, "text", "b", append=True)]
    ids = await publish(
        url, about(topic, "n", 1), about(topic, "n", 2), *text, {"topic": topic, "type": "x", "data": 0}
    )
    async with open_stream(url, transport, topic, query=STATE) as stream:
        assert (stream.connection["id"], stream.connection["resumed"]) == (None, False)
        *state, end = await state_of(stream)
        assert stream.connection["floor"] == end.id
        assert api.offset(end.id) >= api.offset(ids[-1])
        assert [(frame.id, frame.value["state"], frame.data) for frame in state] == [
            (ids[1], True, 2),
            (ids[2], True, "a"),
            (ids[3], True, "b"),
        ]
        assert [frame.value.get("append") for frame in state] == [None, None, True]
        if transport == "sse":
            assert [frame.block.id for frame in stream.frames if frame.block is not None][:-1] == [None] * 4
        caught_up = await stream.control("caught_up")
        assert (caught_up.id, caught_up.value["replayed"]) == (end.id, 0)
        (later,) = await publish(url, about(topic, "n", 3))
        (event,) = await stream.events(1)
        assert (event.id, event.is_state, stream.cursor) == (later, False, later)


@every_transport
async def test_4_until_the_end_of_the_state_nothing_moves_a_cursor(url: str, transport: Transport) -> None:
    topic = api.unique("unmoved")
    await publish(url, *[about(topic, f"s{n}", "x" * 1_000) for n in range(900)])
    async with open_stream(url, transport, topic, query=STATE) as stream:
        count = 0
        while (frame := await stream.next()).type != "state_end":
            assert stream.cursor in (None, ""), frame.text[:200]
            count += 1
        assert (count, stream.cursor) == (900, frame.id)


@every_transport
async def test_4_the_state_and_what_follows_miss_nothing_and_tell_nothing_twice(
    serve: Serve, transport: Transport
) -> None:
    """4, `state=1`: while everything changes, and the server is killed in between."""
    server = serve()
    root = "changing"
    stop = asyncio.Event()

    async def change(topic: str) -> None:
        n = 0
        while not stop.is_set():
            with suppress(OSError, EOFError):
                connection = await Connection.open(server.url)
                try:
                    while not stop.is_set():
                        n += 1
                        drafts = [about(topic, f"s{n % 7}", f"{n}"), about(topic, f"s{n % 5}", "+", append=True)]
                        drafts += [about(topic, f"s{n % 11}", None)] if n % 3 == 0 else []
                        body = json.dumps(drafts).encode()
                        answer = await connection.request("POST", "/api/events", headers=JSON, body=body)
                        assert answer.status == 201, answer.text
                finally:
                    connection.reset()
            await asyncio.sleep(0.01)

    changing = [asyncio.create_task(change(f"{root}/{n}")) for n in range(2)]
    value: dict[str, Any] = {}
    cursor: str | None = None
    for round in range(4):
        async with open_stream(server.url, transport, f"{root}/*", after=cursor, query=STATE) as stream:
            assert stream.connection["resumed"] == (cursor is not None)
            if cursor is None:
                *state, end = await state_of(stream)
                value = fold({}, [frame.value for frame in state])
                assert len({frame.id for frame in state}) == len(state)
                cursor = end.id
            for event in await stream.events(60):
                assert api.offset(event.id) > api.offset(cursor)
                value = fold(value, [event.value])
                cursor = event.id
            if round == 1:
                await server.akill9()
                with suppress(StreamEndedError, OSError):
                    while True:
                        frame = await stream.next()
                        if frame.is_event:
                            value = fold(value, [frame.value])
                            cursor = frame.id
        if round == 1:
            await server.astart()
    everything = await api.history(server.url, [f"{root}/*"])
    stop.set()
    await asyncio.gather(*changing)
    position = api.offset(cursor or "")
    assert value == fold({}, [event for event in everything if api.offset(event["id"]) <= position])


@every_transport
async def test_4_any_other_cursor_is_a_gap_without_a_position_and_the_state(url: str, transport: Transport) -> None:
    topic = api.unique("other")
    ids = await publish(url, *[about(topic, f"s{n}", n) for n in range(3)])
    await api.trim(url, topic, 1)
    cursors = {"nonsense": "malformed", "elsewhere-3": "epoch", ids[0]: "trimmed"}
    cursors |= {ids[0].partition("-")[0] + "-99999999": "ahead"}
    for after, reason in cursors.items():
        async with open_stream(url, transport, topic, after=after, query=STATE) as stream:
            gap = await stream.gap()
            assert gap is not None
            assert (gap["reason"], gap["id"], gap["requested"]) == (reason, None, after)
            assert gap["floor"] == stream.connection["floor"]
            assert stream.connection["id"] is None
            *state, end = await state_of(stream)
            assert ([frame.id for frame in state], end.id) == ([ids[2]], stream.connection["floor"])
    async with open_stream(url, transport, topic, after=ids[1], query=STATE) as stream:
        assert (stream.connection["id"], stream.connection["resumed"]) == (ids[1], True)
        assert [event.id for event in await stream.events(1)] == [ids[2]]
        assert not [frame for frame in stream.frames if frame.is_state or frame.type in ("gap", "state_end")]


@every_transport
async def test_4_a_text_that_has_grown_comes_as_one(url: str, transport: Transport) -> None:
    topic = api.unique("grown")
    words = [about(topic, "text", "a ")] + [about(topic, "text", f"{n} ", append=True) for n in range(2_000)]
    ids = await publish(url, *words[:1_000]) + await publish(url, *words[1_000:])
    async with open_stream(url, transport, topic, query={**STATE, "join": "text"}) as stream:
        text, _ = await state_of(stream)
        assert text.data == "".join(word["data"] for word in words)
        assert (text.id, text.value.get("append")) == (ids[-1], None)
        await publish(url, about(topic, "text", "end", append=True, final=True))
        (more,) = await stream.events(1)
        assert (more.data, more.value["append"], more.value["final"]) == ("end", True, True)


async def test_4_topics_that_are_subscribed_to_later_come_without_their_state(url: str) -> None:
    first, added = api.unique("first"), api.unique("added")
    await publish(url, about(first, "s", 1), about(added, "s", 2))
    async with open_stream(url, "websocket", first, query=STATE) as stream:
        assert isinstance(stream, WebSocketCollector)
        *state, _ = await state_of(stream)
        assert [frame.data for frame in state] == [1]
        await stream.ask({"op": "subscribe", "topics": [added]})
        await publish(url, about(added, "s", 3), about(first, "s", 4))
        assert [event.data for event in await stream.events(2)] == [3, 4]


async def test_4_topics_in_a_body_or_a_message_have_their_state_too(url: str) -> None:
    topic = api.unique("asked")
    await publish(url, about(topic, "s", "a"), about(topic, "s", "b", append=True))
    body = {"topics": [topic], "state": True, "join": "text"}
    connection = await Connection.open(url)
    await connection.send("POST", "/api/sse", headers=JSON, body=json.dumps(body).encode())
    head = await connection.read_head()
    assert head.status == 200
    text = b""
    async for piece in connection.pieces(head):
        text += piece
        if b"state_end" in text:
            break
    assert b'"state":true,"data":"ab"' in text
    connection.reset()
    client = await WebSocketClient.open(url, query={**STATE, "filter": "later"})
    await client.send_json({"op": "subscribe", "topics": [topic], "ref": 1})
    stream = WebSocketCollector(client)
    await stream.control("connection")
    reply = await stream.next()
    assert (reply.type, reply.value["id"]) == ("reply", None)
    assert [frame.data for frame in (await state_of(stream))[:-1]] == ["a", "b"]
    await stream.close()


@pytest.mark.parametrize(
    ("query", "field"),
    [({"state": "2"}, "state"), ({"join": "text"}, "join"), ({"state": "1", "join": "words"}, "join")],
)
@every_transport
async def test_4_what_is_no_such_question_is_refused(
    url: str, transport: Transport, query: dict[str, str], field: str
) -> None:
    with pytest.raises((RefusedStreamError, RefusedError)) as caught:
        async with open_stream(url, transport, "t", query=query):
            pass
    response = caught.value.response
    assert (response.status, json.loads(response.body)["field"]) == (422, field)


async def test_4_a_poll_has_no_state_in_it(url: str) -> None:
    for name in ("state", "join"):
        problem = (await request(url, "GET", f"/api/events?topic=t&{name}=1")).problem(422)
        assert problem["field"] == name
