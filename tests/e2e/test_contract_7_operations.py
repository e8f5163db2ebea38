"""docs/protocol.md, section 7: operations. Draining is in test_contract_7_draining.py."""

import asyncio
import json
import re
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import Transport, open_stream
from tests.support.http import request
from tests.support.server import SERVED_BY, ServerProcess

LABELS = r'(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="[^"]*",?)*\})?'
SAMPLE = re.compile(rf"[a-zA-Z_:][a-zA-Z0-9_:]*{LABELS} [-+0-9.eEInfNa]+(?: \d+)?")


async def topic_of(url: str, topic: str) -> dict[str, Any]:
    """The entry of `topic` in `GET /api/topics`."""
    response = await request(url, "GET", f"/api/topics?topic={topic}")
    assert response.status == 200
    (entry,) = response.json()["topics"]
    return dict(entry)


async def test_7_health(url: str) -> None:
    """7, `GET /api/health`: 200 while the process lives."""
    assert (await request(url, "GET", "/api/health")).status == 200
    assert (await request(url, "HEAD", "/api/health")).status == 200


async def test_7_ready(url: str) -> None:
    """7, `GET /api/ready`: 200 with each check by name."""
    response = await request(url, "GET", "/api/ready")
    assert response.status == 200
    checks = response.json()["checks"]
    assert len(checks) >= 3, "log writable, migrations current, not draining"


async def test_7_metrics(url: str) -> None:
    """7, `GET /metrics`: Prometheus text, every line of it."""
    await api.publish(url, api.unique("metrics"))
    response = await request(url, "GET", "/metrics")
    assert response.status == 200
    assert (response.header("content-type") or "").startswith("text/plain")
    samples = [line for line in response.text.splitlines() if line and not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    assert any(line.startswith("twinwire_") for line in samples)


async def test_7_metrics_do_not_grow_with_topics(url: str) -> None:
    """7, `GET /metrics`: clients name topics, so a topic is no label: the text stays bounded."""
    before = len((await request(url, "GET", "/metrics")).text.splitlines())
    for _ in range(20):
        await api.publish(url, api.unique("cardinality"))
    after = (await request(url, "GET", "/metrics")).text
    assert "cardinality/" not in after
    assert len(after.splitlines()) < before + 20


async def test_7_topics(url: str) -> None:
    """7, `GET /api/topics`: topic, count, head, floor, and subscribers for each transport."""
    topic = api.unique("topics")
    ids = await api.publish_many(url, topic, range(5))
    entry = await topic_of(url, topic)
    assert entry.keys() == {"topic", "count", "bytes", "head", "floor", "present", "subscribers"}
    assert (entry["count"], entry["head"]) == (5, ids[-1])
    assert entry["subscribers"] == {"websocket": 0, "sse": 0, "poll": 0}
    await api.trim(url, topic, 2)
    entry = await topic_of(url, topic)
    assert (entry["count"], entry["head"], entry["floor"]) == (2, ids[-1], ids[2])


async def test_7_topics_count_their_subscribers(url: str) -> None:
    """7, `GET /api/topics`: who listens now, by transport; wildcards count, and who left does not."""
    topic = api.unique("listeners")
    cursor = await api.publish(url, topic)
    poll = asyncio.create_task(api.read(url, topic=topic, after=cursor, wait=25))
    async with open_stream(url, "websocket", topic), open_stream(url, "sse", f"{topic.split('/')[0]}/*"):
        await _until_subscribers(url, topic, {"websocket": 1, "sse": 1, "poll": 1})
    await api.publish(url, topic)
    await poll
    await _until_subscribers(url, topic, {"websocket": 0, "sse": 0, "poll": 0})


async def _until_subscribers(url: str, topic: str, expected: dict[str, int]) -> None:
    seen: dict[str, int] = {}
    try:
        async with asyncio.timeout(20):
            while seen != expected:
                seen = (await topic_of(url, topic))["subscribers"]
    except TimeoutError:
        raise AssertionError(f"{seen}, not {expected}") from None


async def test_7_the_page(url: str) -> None:
    """7, `GET /`: the page."""
    response = await request(url, "GET", "/")
    assert response.status == 200
    assert (response.header("content-type") or "").startswith("text/html")
    assert "<html" in response.text.lower()


@pytest.mark.projects
async def test_7_openapi(url: str) -> None:
    """7, `GET /api/openapi.json`: describes the HTTP part: every route of the contract is in it."""
    response = await request(url, "GET", "/api/openapi.json")
    assert response.status == 200
    document = response.json()
    assert document["openapi"].startswith("3.")
    described = {
        (method, re.sub(r"\{[^}]+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described >= {
        ("get", "/api/events"),
        ("post", "/api/events"),
        ("get", "/api/sse"),
        ("get", "/api/sse/projects/{}"),
        ("get", "/api/projects"),
        ("post", "/api/projects"),
        ("get", "/api/projects/{}"),
        ("delete", "/api/projects/{}"),
        ("post", "/api/projects/{}/generate"),
        ("post", "/api/projects/{}/cancel"),
        ("get", "/api/projects/{}/files"),
        ("get", "/api/projects/{}/files/{}"),
        ("get", "/api/projects/{}/archive"),
        ("get", "/api/health"),
        ("get", "/api/ready"),
        ("get", "/api/topics"),
        ("post", "/api/topics/trim"),
    }


async def test_7_trim(url: str) -> None:
    """7, `POST /api/topics/trim`: keeps the newest n of each matching topic and says how many went."""
    root = api.unique("trim")
    one = await api.publish_many(url, f"{root}/one", range(5))
    two = await api.publish_many(url, f"{root}/two", range(2))
    other = await api.publish_many(url, api.unique("trim"), range(5))
    assert await api.trim(url, f"{root}/*", 3) == 2
    assert [event["id"] for event in await api.history(url, [f"{root}/**"])] == one[2:] + two
    assert await api.trim(url, f"{root}/*", 3) == 0
    assert (await api.history(url, after=api.moved(other[0], -1)))[0]["id"] == other[0]


async def test_7_trim_beyond_one_batch(url: str) -> None:
    """7, `POST /api/topics/trim`: complete, though it works in small batches."""
    topic = api.unique("bigtrim")
    ids = await api.publish_many(url, topic, range(2500), batch=1250)
    assert await api.trim(url, topic, 1) == 2499
    assert [event["id"] for event in await api.history(url, [topic])] == ids[-1:]


async def test_7_offsets_go_on_after_everything_was_trimmed(serve: Serve) -> None:
    """7 and 1: an offset is never used again, not even by a new process on an empty log."""
    server = serve()
    topic = api.unique("reuse")
    ids = await api.publish_many(server.url, topic, range(3))
    assert await api.trim(server.url, "**", 0) == 3
    server.kill9()
    server.start()
    assert await api.publish(server.url, topic) == api.moved(ids[-1], 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"topic": "a"}, "keep"),
        ({"keep": 1}, "topic"),
        ({"topic": "a//b", "keep": 1}, "topic"),
        ({"topic": "a", "keep": -1}, "keep"),
        ({"topic": "a", "keep": "1"}, "keep"),
        ({"topic": "a", "keep": 1.5}, "keep"),
    ],
)
async def test_7_a_bad_trim_is_422(url: str, body: dict[str, Any], field: str) -> None:
    """7, `POST /api/topics/trim`: 422 and the field; nothing is removed by a half-understood request."""
    response = await request(url, "POST", "/api/topics/trim", json_body=body)
    assert response.problem(422)["field"] == field


async def test_7_a_live_reader_is_not_disturbed_by_a_trim(server: ServerProcess) -> None:
    """7: who has an event has it; the stream goes on with the next."""
    topic = api.unique("livetrim")
    async with open_stream(server.url, "websocket", topic, after="earliest") as stream:
        ids = await api.publish_many(server.url, topic, range(10))
        await stream.events(10)
        await api.trim(server.url, topic, 0)
        cursor = await api.publish(server.url, topic)
        (event,) = await stream.events(1)
        assert (event.id, event.value["prev"]) == (cursor, ids[-1])
        assert stream.gaps == []


async def test_7_retention_from_the_settings_does_the_same_by_itself(serve: Serve) -> None:
    """7: what the settings say is trimmed in the background; a cursor below gets its gap."""
    policies = [{"topics": "kept/**"}, {"topics": "**", "max_count": 10}]
    server = serve(retention=json.dumps(policies), retention_interval="0.1")
    kept = await api.publish_many(server.url, "kept/a", range(30))
    cut = await api.publish_many(server.url, "cut", range(30))
    async with asyncio.timeout(20):
        while [event["id"] for event in await api.history(server.url)] != kept + cut[20:]:
            pass
    assert (await topic_of(server.url, "cut"))["count"] == 10
    async with open_stream(server.url, "sse", "cut", after=cut[0]) as stream:
        gap = await stream.gap()
    assert gap is not None
    assert (gap["reason"], gap["floor"]) == ("trimmed", cut[19])


async def test_7_connections(url: str) -> None:
    """7, `GET /api/connections`: who is connected, in pages; a timeline of each."""
    topic = api.unique("connected")
    cursor = await api.publish(url, topic)
    async with open_stream(url, "websocket", topic) as one, open_stream(url, "sse", topic) as other:
        await one.control("caught_up")
        await other.control("caught_up")
        listed = (await request(url, "GET", f"/api/connections?topic={topic}&limit=1")).json()
        (entry,) = listed["connections"]
        assert listed["more"] is True
        assert (entry["transport"], entry["topics"], entry["cursor"], entry["lag"]) == ("websocket", [topic], cursor, 0)
        rest = await request(url, "GET", f"/api/connections?topic={topic}&after={listed['cursor']}")
        assert [found["transport"] for found in rest.json()["connections"]] == ["sse"]
        timeline = (await request(url, "GET", f"/api/connections/{entry['connection']}/timeline")).json()
        assert [(turn["turn"], turn["cursor"]) for turn in timeline["turns"]] == [("opened", cursor)]
    (await request(url, "GET", "/api/connections/nobody/timeline")).problem(404)


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_7_a_connection_is_ended_and_may_come_back(url: str, transport: Transport) -> None:
    """7, `DELETE /api/connections/{id}`: 204, then `goodbye` `restart`, and 1012 on a WebSocket."""
    topic = api.unique("ended")
    async with open_stream(url, transport, topic) as stream:
        await stream.control("caught_up")
        path = f"/api/connections/{stream.connection['connection']}"
        assert (await request(url, "DELETE", path)).status == 204
        goodbye = (await stream.control("goodbye")).value
        assert (goodbye["reason"], goodbye["code"]) == ("restart", 1012)
        assert goodbye["retry"] > 0
        assert await stream.end() == (1012 if transport == "websocket" else None)
    (await request(url, "DELETE", path)).problem(404)
    turns = (await request(url, "GET", f"{path}/timeline")).json()["turns"]
    assert (turns[-1]["turn"], turns[-1]["reason"]) == ("ended", "restart")


async def test_7_trace(url: str) -> None:
    """7, `GET /api/events/{id}/trace`: when it was accepted, committed and fanned out, and why one did not get it."""
    topic = api.unique("traced")
    async with open_stream(url, "websocket", topic) as stream, open_stream(url, "sse", f"{topic}/*") as other:
        for one in (stream, other):
            await one.control("caught_up")
        cursor = await api.publish(url, topic)
        await stream.events(1)
        path = f"/api/events/{cursor}/trace"
        found = (await request(url, "GET", f"{path}?connection={stream.connection['connection']}")).json()
        assert (found["topic"], found["connection"]["got"], found["connection"]["why"]) == (topic, True, "live")
        assert found["accepted"]["time"] <= found["committed"]["time"] <= found["fanned_out"]["time"]
        assert found["fanned_out"]["groups"] >= 1
        assert found["fanned_out"]["written"] >= (not SERVED_BY), "elsewhere those who read are woken"
        found = (await request(url, "GET", f"{path}?connection={other.connection['connection']}")).json()
        assert (found["connection"]["got"], found["connection"]["why"]) == (False, "filter")
