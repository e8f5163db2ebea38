"""docs/protocol.md, "Compaction" and "Joining": what the state does not need goes, and everybody has it right."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, Transport, open_stream
from tests.support.http import request
from tests.support.server import ServerProcess
from tests.support.subjects import about, fold, publish

every_transport = pytest.mark.parametrize("transport", STREAMING)
RULES = json.dumps([{"topics": "kept/**", "keep": "state"}])


@pytest.fixture
def kept(serve: Serve) -> ServerProcess:
    return serve(retention=RULES, retention_interval="0.25")


async def count_of(url: str, topic: str) -> int:
    """Events that are there."""
    (found,) = (await request(url, "GET", f"/api/topics?topic={topic}")).json()["topics"]
    return int(found["count"])


async def until_compacted(url: str, topic: str, count: int) -> None:
    """Until nothing is left but so many: each look is a request, and takes its time."""
    while await count_of(url, topic) != count:
        pass


@every_transport
async def test_5_who_comes_back_is_told_what_was_replaced_and_has_it_right(
    kept: ServerProcess, transport: Transport
) -> None:
    url, topic = kept.url, "kept/devices"
    held: dict[str, Any] = {}
    first = await publish(
        url, about(topic, "lamp", "off"), about(topic, "door", "open"), {"topic": topic, "type": "x", "data": 1}
    )
    fold(held, [about(topic, "lamp", "off"), about(topic, "door", "open")])
    await publish(url, about(topic, "lamp", "on"), about(topic, "door", None), about(topic, "lamp", "dim"))
    await until_compacted(url, topic, 3)
    for again in (False, True):
        if again:
            kept.kill9()
            kept.start()
        async with open_stream(url, transport, topic, after=first[1]) as stream:
            gap = await stream.control("gap")
            assert (gap.value["reason"], gap.value["requested"]) == ("compacted", first[1])
            await stream.control("caught_up")
            events = [frame.value for frame in stream.frames if frame.is_event]
            floor = gap.value["floor"]
        assert all(api.offset(event["prev"]) <= max(api.offset(floor), 6) for event in events)
        assert fold(dict(held), [event for event in events if "subject" in event]) == {f"{topic} lamp": "dim"}
    async with open_stream(url, transport, topic, after=floor) as stream:
        assert await stream.gap() is None
    async with open_stream(url, transport, topic, after=first[0], query={"state": "1"}) as stream:
        gap = await stream.control("gap")
        assert (gap.value["reason"], gap.value["id"]) == ("compacted", None)
        assert [frame.value["data"] for frame in await stream.events(1)] == ["dim"]


async def test_5_a_deletion_that_went_is_no_replacement(serve: Serve) -> None:
    url = serve(retention=RULES, retention_interval="0.25", tombstones="0.5").url
    topic = "kept/devices"
    first = await publish(url, about(topic, "lamp", "off"), about(topic, "door", "open"))
    await publish(url, about(topic, "door", None))
    await until_compacted(url, topic, 1)
    page = await api.read(url, topic=topic, after=first[1])
    assert page["gap"]["reason"] == "trimmed"
    assert (await api.read(url, topic=topic, after="earliest"))["events"][0]["data"] == "off"


async def test_5_a_late_repeat_is_one(kept: ServerProcess) -> None:
    url, topic = kept.url, "kept/keys"
    (id,) = await publish(url, about(topic, "lamp", "off", key="k"))
    await publish(url, about(topic, "lamp", "on"))
    await until_compacted(url, topic, 1)
    answer = await request(url, "POST", "/api/events", json_body=about(topic, "lamp", "off", key="k"))
    assert (answer.status, answer.json()) == (200, {"id": id})
    assert await count_of(url, topic) == 1


async def test_5_a_text_that_grows_is_joined_and_its_followers_have_the_same(kept: ServerProcess) -> None:
    url, topic = kept.url, "kept/text"
    async with open_stream(url, "websocket", topic) as follower, open_stream(url, "sse", topic) as other:
        pieces = [f'{n} "é" ' for n in range(600)]
        await publish(url, *[about(topic, "answer", piece, append=True) for piece in pieces])
        for stream in (follower, other):
            events = [frame.value for frame in await stream.events(601)]
            joined = events.pop()
            assert (joined["joined"], joined["data"], joined.get("append")) == (600, "".join(pieces), None)
            assert list(joined) == ["id", "topic", "type", "time", "prev", "subject", "joined", "data"]
            assert fold({}, events) == fold({}, [joined])
    await until_compacted(url, topic, 1)
    (value,) = (await request(url, "GET", f"/api/state?topic={topic}")).json()["events"]
    assert value == joined
    await publish(url, about(topic, "answer", "and on", append=True))
    answer = await request(url, "GET", f"/api/state?topic={topic}&join=text")
    assert [event["data"] for event in answer.json()["events"]] == ["".join(pieces) + "and on"]


async def test_5_a_text_has_a_bound_and_an_append_beyond_it_is_refused(serve: Serve) -> None:
    url = serve(retention=RULES, subject_max="1024").url
    await publish(url, about("kept/text", "answer", "x" * 1_000))
    answer = await request(
        url,
        "POST",
        "/api/events",
        json_body=[about("kept/a", "s", 1), about("kept/text", "answer", "y" * 30, append=True)],
    )
    problem = answer.json()
    assert (answer.status, problem["status"], problem["field"]) == (413, 413, "1.data")
    assert await api.history(url, ["kept/a"]) == [], "nothing of the request is stored"
    await publish(url, about("kept/text", "answer", "y" * 22, append=True))
    await publish(url, about("free/text", "answer", "x" * 1_000), about("free/text", "answer", "y" * 100, append=True))
