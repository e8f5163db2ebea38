"""docs/protocol.md, section 7: connections, their timelines, traces of events, and figures."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.assembly import Assembly
from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.wires import Exchange, call, drafts, http_scope


@asynccontextmanager
async def stream(app: TwinwireApp, query: str = "topic=t") -> AsyncIterator[tuple[Exchange, str]]:
    """An SSE stream and its connection."""
    exchange = Exchange(app, http_scope("GET", "/api/sse", query))
    body = (await exchange.body_holds(b"caught_up")).decode()
    yield exchange, json.loads(body.partition("data: ")[2].partition("\n")[0])["connection"]
    exchange.disconnect()
    await exchange.answer()


async def get(app: TwinwireApp, path: str, query: str = "") -> Any:
    answer = await call(app, "GET", path, query)
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_who_is_connected_is_listed_in_pages(app: TwinwireApp, assembly: Assembly) -> None:
    async with stream(app) as (_, first), stream(app, "topic=u") as (_, second):
        listed = await get(app, "/api/connections", "limit=1")
        assert [one["connection"] for one in listed["connections"]] == [first]
        assert listed["connections"][0]["transport"] == "sse"
        assert listed["more"] is True
        rest = await get(app, "/api/connections", f"after={listed['cursor']}")
        assert ([one["connection"] for one in rest["connections"]], rest["more"]) == ([second], False)
        for query, expected in (("topic=u", [second]), ("transport=websocket", []), ("subject=ada", [])):
            assert [one["connection"] for one in (await get(app, "/api/connections", query))["connections"]] == expected
    gone = await get(app, "/api/connections", "gone=1")
    assert {one["connection"] for one in gone["connections"]} == {first, second}
    assert (await get(app, "/api/connections"))["connections"] == []


async def test_one_is_ended_and_told_that_it_may_come_back(app: TwinwireApp) -> None:
    async with stream(app) as (exchange, id):
        answer = await call(app, "DELETE", f"/api/connections/{id}")
        assert (answer.status, answer.body) == (204, b"")
        assert "content-type" not in answer.headers
        told = (await exchange.body_holds(b"goodbye")).decode().rpartition("data: ")[2]
        goodbye = json.loads(told.partition("\n")[0])
        assert (goodbye["reason"], goodbye["code"]) == ("restart", 1012)
        assert goodbye["retry"] > 0
    (await call(app, "DELETE", f"/api/connections/{id}")).problem(404)
    turns = (await get(app, f"/api/connections/{id}/timeline"))["turns"]
    assert [(one["turn"], one.get("reason")) for one in turns] == [("opened", None), ("ended", "restart")]
    (await call(app, "GET", "/api/connections/nobody/timeline")).problem(404)


async def test_an_event_is_traced(app: TwinwireApp, assembly: Assembly) -> None:
    async with stream(app) as (exchange, id):
        await assembly.bus.publish(drafts(1))
        await exchange.body_holds(b'"topic":"t"')
        cursor = assembly.bus.cursor(1)
        found = await get(app, f"/api/events/{cursor}/trace", f"connection={id}")
        assert (found["connection"]["got"], found["topic"]) == (True, "t")
        assert found["committed"]["ms"] >= 0
        assert found["fanned_out"]["groups"] == 1
    (await call(app, "GET", f"/api/events/{assembly.bus.cursor(2)}/trace")).problem(404)
    (await call(app, "GET", "/api/events/nonsense/trace")).problem(422, "id")
    (await call(app, "GET", f"/api/events/{cursor}/trace", "connection=nobody")).problem(404, "connection")


async def test_figures_have_the_policies_of_retention(tmp_path: Any) -> None:
    policy = {"topics": "a/*", "max_count": 5}
    app = create_app(Settings.read({"database": tmp_path / "a.db", "retention": json.dumps([policy])}))
    async with app.test_app():
        found = await get(app, "/api/figures")
    assert found["retention"] == [{"max_age": None, "max_bytes": None, "keep": None, **policy}]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("after=-1", "after"),
        ("after=", "after"),
        ("gone=2", "gone"),
        ("topic=a//b", "topic"),
        ("subjects=a", "subjects"),
    ],
)
async def test_what_is_no_value_is_422_and_named(app: TwinwireApp, query: str, field: str) -> None:
    (await call(app, "GET", "/api/connections", query)).problem(422, field)


@pytest.mark.parametrize("path", ["connections/a/timeline", "events/a/trace", "figures"])
async def test_other_parameters_are_422(app: TwinwireApp, path: str) -> None:
    (await call(app, "GET", f"/api/{path}", "topics=a")).problem(422, "topics")


async def test_the_services_own_topics_are_nobodys(app: TwinwireApp) -> None:
    (await call(app, "GET", "/api/connections", "topic=twinwire/revocations")).problem(403, "topic")


async def test_with_the_setting_off_nothing_is_remembered(tmp_path: Any) -> None:
    app = create_app(Settings.read({"database": tmp_path / "a.db", "timeline": 0}))
    async with app.test_app():
        assert app.assembly is not None
        async with stream(app) as (_, id):
            await app.assembly.bus.publish(drafts(1))
            found = await get(app, f"/api/events/{app.assembly.bus.cursor(1)}/trace")
            assert (found["remembered"], found["fanned_out"]) == (False, None)
            assert (await get(app, f"/api/connections/{id}/timeline"))["whole"] is True
        assert (await get(app, "/api/connections", "gone=1"))["connections"] == []
