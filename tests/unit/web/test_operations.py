"""docs/protocol.md, section 7: health, readiness, metrics, topics, trimming."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from service.assembly import Assembly
from service.bus.start import Start
from service.core.errors import StorageFullError
from service.core.presence import Party
from service.core.topics import TopicFilter
from service.log.sqlite.migrate import load
from service.resources import resource
from service.web import operations
from service.web.app import TwinwireApp
from service.web.operations import TOPICS_MAX
from tests.support.wires import DEADLINE, Answer, Exchange, OffsetText, call, drafts, http_scope

METRICS = [
    "twinwire_commit_seconds",
    "twinwire_commits_total",
    "twinwire_events_delivered_total",
    "twinwire_events_published_total",
    "twinwire_events_replayed_total",
    "twinwire_log_head",
    "twinwire_log_wal_bytes",
    "twinwire_start_time_seconds",
    "twinwire_subscriptions",
    "twinwire_tail_bytes",
    "twinwire_tail_events",
]


async def test_health_is_about_the_process_alone(app: TwinwireApp, assembly: Assembly) -> None:
    assembly.draining.begin()
    answer = await call(app, "GET", "/api/health")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


async def test_ready_names_each_check(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/api/ready")
    assert answer.status == 200
    assert answer.json() == {
        "ready": True,
        "checks": dict.fromkeys(("log", "disk", "migrations", "descriptors", "clock", "draining"), "ok"),
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_not_ready_while_draining(app: TwinwireApp, assembly: Assembly) -> None:
    assembly.draining.begin()
    answer = await call(app, "GET", "/api/ready")
    assert (answer.status, answer.json()["ready"]) == (503, False)
    assert answer.json()["checks"]["draining"] != "ok"


async def test_not_ready_while_the_disk_is_full(app: TwinwireApp, assembly: Assembly) -> None:
    assembly.log.writer.failure = StorageFullError("no space left")
    answer = await call(app, "GET", "/api/ready")
    assert (answer.status, answer.json()["checks"]["log"]) == (503, "no space left")


async def test_a_disk_below_its_reserve_is_told_and_readers_are_sent_here(app: TwinwireApp, assembly: Assembly) -> None:
    room = assembly.log.writer.room
    room.is_reserved, room.free = True, 1_000
    answer = await call(app, "GET", "/api/ready")
    assert (answer.status, answer.json()["ready"]) == (200, True)
    assert answer.json()["checks"]["disk"].startswith("1,000 bytes of the disk are left, of 268,435,456")
    assert answer.json()["checks"]["log"] == "ok"


async def test_metrics_have_names_to_rely_on(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish(drafts(3))
    stream = Exchange(app, http_scope("GET", "/api/sse", "after=earliest"))
    await stream.body_holds(b"caught_up")
    answer = await call(app, "GET", "/metrics")
    stream.disconnect()
    await stream.answer()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#"))
    assert set(METRICS) <= {name.partition("{")[0] for name in values}
    assert float(values["twinwire_log_head"]) == 3
    assert float(values["twinwire_events_published_total"]) == 3
    assert float(values["twinwire_events_replayed_total"]) == 3
    assert float(values['twinwire_subscriptions{transport="sse"}']) == 1
    assert float(values['twinwire_streams_opened_total{transport="sse"}']) == 1


async def test_topics_are_listed_with_their_subscribers(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish([*drafts(2, "a"), *drafts(1, "b")])
    await assembly.bus.trim(TopicFilter(("a",)), 1)
    assembly.bus.presence.enter("b", ":m", Party("me", "+", is_ours=True))
    stream = Exchange(app, http_scope("GET", "/api/sse", "topic=a"))
    await stream.body_holds(b"caught_up")
    listed = (await call(app, "GET", "/api/topics")).json()["topics"]
    stream.disconnect()
    await stream.answer()
    cursor = assembly.bus.cursor
    assert listed == [
        {
            "topic": "a",
            "count": 1,
            "bytes": 1,
            "head": cursor(2),
            "floor": cursor(1),
            "present": 0,
            "subscribers": {"websocket": 0, "sse": 1, "poll": 0},
        },
        {
            "topic": "b",
            "count": 1,
            "bytes": 1,
            "head": cursor(3),
            "floor": None,
            "present": 1,
            "subscribers": {"websocket": 0, "sse": 0, "poll": 0},
        },
    ]


async def test_subscribers_on_a_wire_of_another_name_are_counted(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish(drafts(1, "a"))
    subscription, _ = await assembly.bus.subscribe(TopicFilter(("a",)), Start.now(), OffsetText("ndjson"))
    listed = (await call(app, "GET", "/api/topics")).json()["topics"]
    assert listed[0]["subscribers"] == {"websocket": 0, "sse": 0, "poll": 0, "ndjson": 1}
    assert 'twinwire_subscriptions{transport="ndjson"} 1.0' in (await call(app, "GET", "/metrics")).body.decode()
    subscription.close()


async def trim(app: TwinwireApp, body: bytes, media_type: str = "application/json") -> Answer:
    return await call(app, "POST", "/api/topics/trim", "", {"Content-Type": media_type}, body)


async def test_trimming_keeps_the_newest_of_each_topic(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish([*drafts(5, "a/1"), *drafts(3, "a/2"), *drafts(2, "b")])
    answer = await trim(app, b'{"topic":"a/*","keep":1}')
    assert (answer.status, answer.json()) == (200, {"removed": 6})
    assert (await trim(app, b'{"topic":"a/*","keep":1}')).json() == {"removed": 0}
    assert (await trim(app, b'{"topic":"**","keep":0}')).json() == {"removed": 4}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b"[" * 5_000, 422, None),
        (b"[]", 422, None),
        (b'{"topic":"a"}', 422, "keep"),
        (b'{"keep":1}', 422, "topic"),
        (b'{"topic":"a","keep":-1}', 422, "keep"),
        (b'{"topic":"a","keep":1.5}', 422, "keep"),
        (b'{"topic":"a","keep":9007199254740992}', 422, "keep"),
        (b'{"topic":"a","keep":"1"}', 422, "keep"),
        (b'{"topic":"a//b","keep":1}', 422, "topic"),
        (b'{"topic":"a","keep":1,"zz":2}', 422, "zz"),
    ],
)
async def test_a_wrong_trim_removes_nothing(
    app: TwinwireApp, assembly: Assembly, body: bytes, status: int, field: Any
) -> None:
    await assembly.bus.publish(drafts(3, "a"))
    (await trim(app, body)).problem(status, field)
    assert [stats.count for stats, _ in (await assembly.bus.topics(TopicFilter.all())).found] == [3]


async def test_trim_needs_a_media_type_that_no_form_can_send(app: TwinwireApp) -> None:
    (await trim(app, b'{"topic":"a","keep":1}', "text/plain")).problem(415, "Content-Type")


async def test_not_ready_when_another_file_stands_in_the_databases_place(app: TwinwireApp, assembly: Assembly) -> None:
    database = assembly.settings.log.database
    kept = database.rename(database.with_name("kept.db"))
    try:
        gone = await call(app, "GET", "/api/ready")
        assert (gone.status, gone.json()["ready"]) == (503, False)
        assert "can't be opened" in gone.json()["checks"]["migrations"]
        with closing(sqlite3.connect(database)) as other:
            other.execute("CREATE TABLE something (else_ TEXT)")
        other_file = await call(app, "GET", "/api/ready")
        assert "migrations" in other_file.json()["checks"]["migrations"]
        database.unlink()
    finally:
        kept.rename(database)
    async with asyncio.timeout(DEADLINE):  # the log's own look at its files, once a second, may have seen it gone
        while (await call(app, "GET", "/api/ready")).status != 200:
            await asyncio.sleep(0)


async def test_not_ready_when_a_migration_is_missing_or_another(app: TwinwireApp, assembly: Assembly) -> None:
    with closing(sqlite3.connect(assembly.settings.log.database)) as other, other:
        other.execute("UPDATE migrations SET checksum = 'edited' WHERE number = 1")
    answer = await call(app, "GET", "/api/ready")
    assert (answer.status, answer.json()["ready"]) == (503, False)
    assert "edited" in answer.json()["checks"]["migrations"]
    with closing(sqlite3.connect(assembly.settings.log.database)) as other, other:
        other.execute("DELETE FROM migrations WHERE number = (SELECT max(number) FROM migrations)")
        other.execute(
            "UPDATE migrations SET checksum = ? WHERE number = 1", (load(resource("migrations"))[0].checksum,)
        )
    assert "is not applied" in (await call(app, "GET", "/api/ready")).json()["checks"]["migrations"]


async def test_a_trim_that_takes_long_goes_on_and_can_be_asked_for(
    app: TwinwireApp, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "TRIM_WAIT", 0.0)
    await assembly.bus.publish(drafts(3, "a"))
    body = b'{"topic":"a","keep":1}'
    async with assembly.trims._turn:
        answer = await trim(app, body)
        assert (answer.status, answer.json()) == (202, {"state": "running", "removed": 0, "left": None})
        where = answer.headers["location"]
        assert (await trim(app, body)).headers["location"] == where, "an equal one joins it"
        assert (await call(app, "GET", where)).json()["state"] == "running"
    job = assembly.trims.find(where.rpartition("/")[2])
    assert job is not None
    assert await job.wait(20)
    assert (await call(app, "GET", where)).json() == {"state": "done", "removed": 2, "left": 0}
    (await call(app, "GET", "/api/topics/trim/none")).problem(404)


async def listed(app: TwinwireApp, query: str = "") -> tuple[list[str], bool, str]:
    answer = await call(app, "GET", "/api/topics", query)
    assert answer.status == 200, answer.body
    page = answer.json()
    return [one["topic"] for one in page["topics"]], page["more"], page["cursor"]


async def test_topics_come_in_pages_by_name(app: TwinwireApp, assembly: Assembly) -> None:
    names = [f"t/{n}" for n in range(7)]
    await assembly.bus.publish([draft for name in reversed(names) for draft in drafts(1, name)])
    assert await listed(app, "limit=3") == (names[:3], True, "t/2")
    assert await listed(app, "limit=3&after=t/2") == (names[3:6], True, "t/5")
    assert await listed(app, "limit=3&after=t/5") == (names[6:], False, "t/6")
    assert await listed(app, "limit=7") == (names, False, "t/6"), "nothing behind a full page"
    assert await listed(app, "after=t/6") == ([], False, "t/6")
    assert await listed(app, "topic=t/1&topic=*/5") == (["t/1", "t/5"], False, "t/5")


async def test_a_page_of_topics_is_capped(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish([draft for n in range(TOPICS_MAX + 1) for draft in drafts(1, f"t/{n:04}")])
    for query in ("", f"limit={TOPICS_MAX + 1}"):
        names, more, cursor = await listed(app, query)
        assert (len(names), more, cursor) == (TOPICS_MAX, True, "t/0999")
    assert await listed(app, "after=t/0999") == (["t/1000"], False, "t/1000")


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1" * 20])
async def test_a_limit_that_is_none_is_422(app: TwinwireApp, text: str) -> None:
    (await call(app, "GET", "/api/topics", f"limit={text}")).problem(422, "limit")


@pytest.mark.parametrize("text", ["", "a//b", "**/a"])
async def test_a_filter_that_is_none_is_422(app: TwinwireApp, text: str) -> None:
    assert (await call(app, "GET", "/api/topics", f"topic={text}")).status == 422


async def test_listing_takes_turns(app: TwinwireApp, assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among all that read, as soon as its time is over: here with each topic."""
    monkeypatch.setattr("service.bus.bus.TOPICS_LOOK", 0)
    await assembly.bus.publish([draft for n in range(100) for draft in drafts(1, f"t/{n}")])
    filters = [TopicFilter(("t/*", f"x/{n}")) for n in range(100)]
    subscriptions = [(await assembly.bus.subscribe(one, Start.now(), OffsetText("sse")))[0] for one in filters]
    asked = 0
    turn = assembly.bus.reading.turn

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await turn()

    monkeypatch.setattr(assembly.bus.reading, "turn", counted)
    page = (await call(app, "GET", "/api/topics")).json()
    for subscription in subscriptions:
        subscription.close()
    assert {one["subscribers"]["sse"] for one in page["topics"]} == {100}
    assert asked >= 100
