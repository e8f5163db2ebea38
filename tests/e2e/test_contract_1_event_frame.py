"""docs/protocol.md, section 1: the event frame."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import TRANSPORTS, Transport, open_stream
from tests.support.frames import Frame, array_items, data_text
from tests.support.http import request
from tests.support.websocket import RefusedError, WebSocketClient

DATA_MAX = 64 * 1024
"""Bytes of encoded data that are taken by default."""
CURSOR = re.compile(r"[a-z0-9]+-[0-9]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def first_texts(url: str, topic: str) -> dict[str, str]:
    """The first event of `topic` as it comes over each wire and from history."""
    texts: dict[str, str] = {}
    for transport in TRANSPORTS:
        async with open_stream(url, transport, topic, after="earliest") as stream:
            texts[transport] = (await stream.events(1))[0].text
    answer = await api.read_response(url, topic=topic, after="earliest")
    texts["history"] = array_items(answer.text, "events")[0]
    backwards = await api.read_response(url, topic=topic, order="desc")
    texts["history, newest first"] = array_items(backwards.text, "events")[-1]
    return texts


async def test_1_an_event_has_the_fields_of_the_contract(url: str) -> None:
    """1, the frame: id, topic, type, time, prev, data and nothing else, in this order."""
    topic = api.unique("frame")
    before = datetime.now(UTC) - timedelta(seconds=1)
    ids = [await api.publish(url, topic, {"n": n}, type="log.line_1-a") for n in range(2)]
    first, second = await api.history(url, [topic])
    assert list(first) == ["id", "topic", "type", "time", "prev", "data"]
    assert [first["id"], second["id"]] == ids
    assert all(CURSOR.fullmatch(cursor) for cursor in ids)
    assert (first["topic"], first["type"], first["data"]) == (topic, "log.line_1-a", {"n": 0})
    assert TIME.fullmatch(first["time"])
    assert before <= datetime.fromisoformat(first["time"]) <= datetime.now(UTC) + timedelta(seconds=1)
    assert first["time"] <= second["time"]


async def test_1_prev_is_the_event_before_on_the_same_topic(url: str) -> None:
    """1, `prev`: null for the topic's first, then the id of the one before, whatever other topics do
    meanwhile.
    """
    topic, other = api.unique("prev"), api.unique("other")
    ids = []
    for n in range(3):
        ids.append(await api.publish(url, topic, n))
        await api.publish(url, other, n)
    events = await api.history(url, [topic])
    assert [event["prev"] for event in events] == [None, ids[0], ids[1]]


async def test_1_every_wire_carries_the_same_text(url: str) -> None:
    """1: the WebSocket message, the SSE data line, the long-poll item and the history item are one text."""
    topic = api.unique("same")
    await api.publish(url, topic, {"text": 'quote " backslash \\ line\nend', "list": [1, 2.5, None, True]})
    texts = await first_texts(url, topic)
    assert len(texts) == 5
    assert len(set(texts.values())) == 1, texts


async def test_1_a_trace_comes_on_every_wire_and_not_in_data(serve: Serve) -> None:
    """1, `traceparent`: that of the publisher's request, before `data`; also after a restart."""
    server = serve()
    topic, trace = api.unique("trace"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"traceparent": trace}
    draft = {"topic": topic, "type": "log", "data": {"n": 1}}
    assert (await request(server.url, "POST", "/api/events", json_body=draft, headers=headers)).status == 201
    texts = await first_texts(server.url, topic)
    assert len(set(texts.values())) == 1, texts
    server.kill9()
    server.start()
    assert await first_texts(server.url, topic) == texts
    event = json.loads(texts["sse"])
    assert list(event) == ["id", "topic", "type", "time", "prev", "traceparent", "data"]
    assert (event["traceparent"], event["data"]) == (trace, {"n": 1})


@pytest.mark.parametrize(
    "data",
    [
        "null",
        "true",
        '""',
        "[]",
        "{}",
        "12345678901234567890123456789",
        "-0",
        "1.0",
        "1.10",
        "2.718281828459045235360287471352662497",
        "1E5",
        "1e400",
        '"grüße 🎉 日本"',
        r'"gr\u00fc\u00dfe \ud83c\udf89 \/ \u0000"',
        '"line\u2028separator\u0085next"',
        r'"a\r\nb"',
        '{"b":1,"a":{"b":[[],[{}]]}}',
        '"</script><!-- data: x -->"',
    ],
)
async def test_1_data_is_delivered_as_it_was_written(url: str, data: str) -> None:
    """1, `data`: any JSON value; integers keep their digits. Here each text survives byte for byte on every
    wire.
    """
    topic = api.unique("verbatim")
    response = await api.publish_raw(url, topic, data)
    assert response.status == 201, response.text
    assert {wire: data_text(text) for wire, text in (await first_texts(url, topic)).items()} == dict.fromkeys(
        [*TRANSPORTS, "history", "history, newest first"], data
    )


async def test_1_data_written_over_several_lines_is_one_line_on_the_wire(url: str) -> None:
    """1: a frame is one SSE data line, so white space between tokens may go, the value stays."""
    topic = api.unique("pretty")
    value = {"a": [1, 2, {"b": "two  spaces"}], "c": None}
    await api.publish_raw(url, topic, json.dumps(value, indent=4).replace("\n", "\r\n"))
    texts = await first_texts(url, topic)
    assert len(set(texts.values())) == 1
    assert "\n" not in texts["sse"]
    assert "\r" not in texts["sse"]
    assert json.loads(texts["sse"])["data"] == value


@pytest.mark.parametrize("data", ["NaN", "Infinity", "-Infinity", '{"a":[NaN]}', "01", "+1", "'a'", "{,}", ""])
async def test_1_what_is_no_json_is_400(url: str, data: str) -> None:
    """1, `data`: NaN, Infinity and everything else that RFC 8259 does not know is 400."""
    (await api.publish_raw(url, api.unique("nan"), data)).problem(400)


@pytest.mark.parametrize("character", ["x", "é", "🎉"], ids=["1 byte", "2 bytes", "4 bytes"])
async def test_1_data_may_have_64_kib_and_no_more(url: str, character: str) -> None:
    """1, `data`: at most 64 KiB encoded: at the bound, and one past it. Bytes count, not characters."""
    topic = api.unique("size")
    size = len(character.encode())
    fill, rest = divmod(DATA_MAX - 2, size)
    text = '"' + character * fill + "x" * rest
    full = await api.publish_raw(url, topic, f'{text}"')
    assert full.status == 201, full.text[:300]
    (await api.publish_raw(url, topic, f'{text}x"')).problem(413)
    for transport in TRANSPORTS:
        async with open_stream(url, transport, topic, after="earliest") as stream:
            assert data_text((await stream.events(1))[0].text) == f'{text}"'


@pytest.mark.parametrize("kind", ["a", "A.b_c-9", "x" * 64, "-", "..."])
async def test_1_types_that_are_taken(url: str, kind: str) -> None:
    """1, `type`: 1-64 of A-Z a-z 0-9 _ . -; the SSE event field carries it."""
    topic = api.unique("type")
    await api.publish(url, topic, type=kind)
    async with open_stream(url, "sse", topic, after="earliest") as stream:
        (event,) = await stream.events(1)
    assert event.type == kind
    assert event.block is not None
    assert event.block.event == kind


@pytest.mark.parametrize("kind", ["", "x" * 65, "a b", "a/b", "é", "a\nb", "a\r\ndata: x", "*"])
async def test_1_types_that_are_refused(url: str, kind: str) -> None:
    """1, `type`: anything else is 422 and names the field."""
    response = await api.publish_raw(url, api.unique("type"), "1", type=kind)
    assert response.problem(422)["field"] == "type"


@pytest.mark.parametrize("topic", ["a", "A.b_c~d-9", "a/b/c", "x" * 200, "/".join("a" * 100), ".", "../.."])
async def test_1_topics_that_are_taken(url: str, topic: str) -> None:
    """1, `topic`: 1-200 bytes, segments of [A-Za-z0-9_.~-]+ joined by /."""
    cursor = await api.publish(url, topic, "here")
    assert (await api.history(url, [topic], after=api.moved(cursor, -1)))[0]["id"] == cursor


BAD_TOPICS = ["", "/", "/a", "a/", "a//b", "a b", "ä", "a?b", "a%2Fb", "x" * 201, "a\n"]


@pytest.mark.parametrize("topic", [*BAD_TOPICS, "*", "a/*", "**", "a/**"])
async def test_1_topics_that_are_refused(url: str, topic: str) -> None:
    """1, `topic`: anything else is 422 and names the field; a wildcard is no topic."""
    response = await api.publish_raw(url, topic, "1")
    assert response.problem(422)["field"] == "topic"


@pytest.mark.parametrize("pattern", [*BAD_TOPICS, "a*", "*a", "***", "**/a", "a/**/b", "a/ *"])
async def test_1_filters_that_are_refused(url: str, pattern: str) -> None:
    """1, filters: an invalid one is 422 on every read, on a WebSocket before the handshake."""
    for path in ("/api/events", "/api/sse"):
        response = await request(url, "GET", path, query={"topic": [pattern]})
        assert response.problem(422)["field"] == "topic"
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(url, query={"topic": [pattern]})
    assert refused.value.response.status == 422


async def test_1_a_filter_among_good_ones_may_not_be_bad(url: str) -> None:
    """1, filters: one invalid filter refuses the request."""
    response = await request(url, "GET", "/api/events", query={"topic": ["good", "not good"]})
    response.problem(422)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["R/a"], ["R/a"]),
        (["R/*"], ["R/a", "R/b"]),
        (["R/**"], ["R/a", "R/a/x", "R/b", "R/b/x", "R/b/x/y"]),
        (["R/*/x"], ["R/a/x", "R/b/x"]),
        (["R/*/*"], ["R/a/x", "R/b/x"]),
        (["R/*/**"], ["R/a/x", "R/b/x", "R/b/x/y"]),
        (["R/a", "R/*/x"], ["R/a", "R/a/x", "R/b/x"]),
        (["R/a", "R/a", "R/*"], ["R/a", "R/b"]),
        (["R"], ["R"]),
        (["R/c"], []),
    ],
)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_1_filters(url: str, transport: Transport, filters: list[str], expected: list[str]) -> None:
    """1, filters: `*` is one segment, a last `**` one or more; several filters are a union without
    repeats.
    """
    root, end = api.unique("filter"), api.unique("end")
    async with open_stream(url, transport, [end, *(text.replace("R", root) for text in filters)]) as stream:
        for rest in ("", "/a", "/a/x", "/b", "/b/x", "/b/x/y"):
            await api.publish(url, f"{root}{rest}")
        events = await stream.events_until(await api.publish(url, end))
    assert _topics(events) == [*(text.replace("R", root) for text in expected), end]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_1_without_a_topic_a_stream_covers_all(url: str, transport: Transport) -> None:
    """1: without `topic` a stream or a read covers all topics."""
    one, two = api.unique("all"), api.unique("every/thing")
    async with open_stream(url, transport) as stream:
        await asyncio.gather(api.publish(url, one), api.publish(url, two))
        assert set(_topics(await stream.events(2))) == {one, two}
    async with open_stream(url, transport, "**") as stream:
        await api.publish(url, one)
        assert _topics(await stream.events(1)) == [one]


def _topics(frames: Sequence[Frame]) -> list[str]:
    return [frame.value["topic"] for frame in frames]


@pytest.mark.parametrize("named", [True, False], ids=["named", "named=0"])
async def test_1_sse_framing(url: str, named: bool) -> None:
    """1, SSE framing: event, id, data; with `?named=0` no event line, not on control frames either."""
    topic = api.unique("framing")
    cursor = await api.publish(url, topic, {"a": 1}, type="log")
    query = {} if named else {"named": 0}
    async with open_stream(url, "sse", topic, after="earliest", query=query) as stream:
        await stream.control("caught_up")
    connection, event, caught_up = stream.frames
    assert [frame.type for frame in stream.frames] == ["connection", "log", "caught_up"]
    for frame in stream.frames:
        assert frame.block is not None
        assert frame.block.event == (frame.type if named else None)
        assert frame.block.id == frame.id
        assert frame.block.data == frame.text
    assert event.id == cursor
    assert caught_up.id == cursor
    assert connection.id != cursor
