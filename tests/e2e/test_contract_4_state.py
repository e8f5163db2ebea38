"""docs/protocol.md, "State": the latest of each subject, and the stream that goes on from its cursor."""

import asyncio
import json
from typing import Any

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import open_stream
from tests.support.http import Connection, request
from tests.support.server import run_command
from tests.support.subjects import about, fold, publish

JSON = {"Content-Type": "application/json"}


async def state(url: str, query: str) -> tuple[list[dict[str, Any]], str]:
    """All of it, page by page, and its cursor."""
    found: list[dict[str, Any]] = []
    place, cursors = "", set()
    while True:
        answer = await request(url, "GET", f"/api/state?{query}{place}")
        assert answer.status == 200, answer.text
        page = answer.json()
        found += page["events"]
        cursors.add(page["cursor"])
        if not page["more"]:
            (cursor,) = cursors
            return found, cursor
        place = f"&next={page['next']}"


async def test_4_an_event_carries_its_subject_on_every_wire(url: str) -> None:
    """1, `subject`, `append`, `final`: as they were given, and only then, before `data`; in history and live."""
    topic = api.unique("about")
    async with open_stream(url, "websocket", topic) as socket, open_stream(url, "sse", topic) as stream:
        await publish(
            url,
            about(topic, 's "ü"', "a"),
            about(topic, "t", "b", append=True, final=True),
            {"topic": topic, "type": "log", "data": 1, "append": False},
        )
        stored = await api.history(url, [topic])
        for live in (await socket.events(3), await stream.events(3)):
            assert [event.id for event in live] == [event["id"] for event in stored]
    told = [{name: event[name] for name in event if name in ("subject", "append", "final")} for event in stored]
    assert told == [{"subject": 's "ü"'}, {"subject": "t", "append": True, "final": True}, {}]
    assert list(stored[1]) == ["id", "topic", "type", "time", "prev", "subject", "append", "final", "data"]


async def test_4_the_state_and_the_stream_from_its_cursor_miss_nothing_while_everything_changes(url: str) -> None:
    """4, state: all pages include its position and nothing behind it; a stream from there has the rest, once."""
    root = api.unique("changing")
    topics = [f"{root}/{n}" for n in range(3)]
    stop = asyncio.Event()

    async def change(topic: str) -> None:
        connection = await Connection.open(url)
        n = 0
        while not stop.is_set():
            n += 1
            drafts = [about(topic, f"s{n % 7}", f"{n}"), about(topic, f"s{n % 5}", "+", append=True)]
            drafts += [about(topic, f"s{n % 11}", None)] if n % 3 == 0 else []
            body = json.dumps(drafts).encode()
            assert (await connection.request("POST", "/api/events", headers=JSON, body=body)).status == 201
        await connection.close()

    changing = [asyncio.create_task(change(topic)) for topic in topics]
    await asyncio.sleep(0.2)
    for _ in range(5):
        events, cursor = await state(url, f"topic={root}/*&limit=4")
        value = fold({}, events)
        everything = await api.history(url, [f"{root}/*"])
        position = api.offset(cursor)
        assert value == fold({}, [event for event in everything if api.offset(event["id"]) <= position])
    stop.set()
    await asyncio.gather(*changing)
    later = await api.history(url, [f"{root}/*"], after=cursor)
    async with open_stream(url, "sse", f"{root}/*", after=cursor) as stream:
        assert [event.id for event in await stream.events(len(later))] == [event["id"] for event in later]
    now, _ = await state(url, f"topic={root}/*")
    assert fold(value, later) == fold({}, now)


async def test_4_a_state_survives_kill_9(serve: Serve) -> None:
    """4, state: what was acknowledged of a value is there after a kill, closed if it was closed."""
    server = serve()
    begun = await publish(server.url, about("t", "s", "a"), about("t", "s", "b", append=True), about("t", "gone", 1))
    await publish(server.url, about("t", "gone", None), about("t", "s", "c", append=True, final=True))
    await server.akill9()
    await server.astart()
    events, _ = await state(server.url, "topic=t")
    assert fold({}, events) == {"t s": "abc"}
    assert events[0]["id"] == begun[0]
    more = about("t", "s", "d", append=True)
    assert (await request(server.url, "POST", "/api/events", json_body=more)).problem(409)["field"] == "append"


def test_4_the_command_tells_it(url: str) -> None:
    """`twinwire publish --subject`, `--append`, `--final`, and `twinwire state`, for people and as on the wire."""
    topic = api.unique("told")
    for args in (('"a"',), ('"b"', "--append"), ('"c"', "--append", "--final")):
        published = run_command("publish", topic, "note", *args, "--subject", "text", "--url", url)
        assert published.returncode == 0, published.stderr
    run_command("publish", topic, "note", "1", "--subject", "count", "--url", url)
    refused = run_command("publish", topic, "note", '"d"', "--subject", "text", "--append", "--url", url)
    assert refused.returncode == 1
    assert "final" in refused.stderr
    told = run_command("state", topic, "--join", "--url", url)
    text, count = told.stdout.splitlines()
    assert 'text = "abc"' in text
    assert "count = 1" in count
    assert "as of " in told.stderr
    raw = [json.loads(line) for line in run_command("state", topic, "--json", "--url", url).stdout.splitlines()]
    assert [one.get("data") for one in raw] == ["a", "b", "c", 1, None]
    assert api.offset(raw[-1]["cursor"]) >= api.offset(raw[-2]["id"])
    only = run_command("state", topic, "--subject", "count", "--url", url)
    assert len(only.stdout.splitlines()) == 1
