"""docs/applications.md: its example is complete, rides on a real service, and what it promises of `none` is so."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import validate

from service import create_app
from service.settings import Settings
from service.web.app import TwinwireApp
from tests.support.bearers import KEYS, bearer, token
from tests.support.documents import blocks
from tests.support.wires import call

EXAMPLE, MODULE = blocks("docs/applications.md")


@pytest.fixture
def votes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("votes")
    exec(compile(EXAMPLE, "votes.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "votes", module)
    return module


@pytest.fixture
async def app(votes: ModuleType, tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    application = create_app(
        Settings.read({"database": tmp_path / "votes.db"}), [votes.Votes({"lunch": ["pizza", "soup"]})]
    )
    async with application.test_app():
        yield application


def test_the_module_that_puts_it_on_makes_an_application(votes: ModuleType) -> None:
    module: dict[str, Any] = {}
    exec(compile(MODULE, "live.py", "exec"), module)
    assert isinstance(module["app"], TwinwireApp)


async def test_votes_are_counted_from_the_log_whoever_published_them(app: TwinwireApp) -> None:
    client = app.test_client()
    empty = await (await client.get("/api/votes/lunch")).get_json()
    assert empty["votes"] == {"pizza": 0, "soup": 0}
    answers = [
        await client.post("/api/votes/lunch", json={"choice": "soup"}, headers={"X-Voter": name})
        for name in ("ada", "bob", "ada")
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 200]
    await client.post("/api/events", json={"topic": "votes/lunch", "type": "vote", "data": {"choice": "pizza"}})
    found = await (await client.get("/api/votes/lunch")).get_json()
    assert found["votes"] == {"pizza": 1, "soup": 2}
    assert found["cursor"].endswith("-3")
    again = await (await client.get("/api/votes/lunch")).get_json()
    assert again == found


async def test_its_rule_holds_on_every_way_in(app: TwinwireApp) -> None:
    client = app.test_client()
    for path, body, field in (
        ("/api/votes/lunch", {"choice": "tart"}, "data.choice"),
        ("/api/votes/lunch", {"colour": "red"}, "colour"),
        ("/api/events", {"topic": "votes/lunch", "type": "vote", "data": {"choice": "tart"}}, "data.choice"),
        ("/api/events", {"topic": "votes/lunch", "type": "vote", "data": 1}, "data"),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, (await answer.get_json())["field"]) == (422, field)
    other = await client.post("/api/events", json={"topic": "votes/lunch", "type": "note", "data": 1})
    assert other.status_code == 201
    assert (await client.get("/api/votes/dinner")).status_code == 404


async def test_its_alias_and_its_description_are_served(app: TwinwireApp) -> None:
    document = await (await app.test_client().get("/api/openapi.json")).get_json()
    validate(document)
    assert {"/api/votes/{question}", "/api/sse/votes/{question}", "/api/ws/votes/{question}"} < set(document["paths"])
    assert (await call(app, "HEAD", "/api/sse/votes/lunch")).status == 200
    (await call(app, "GET", "/api/sse/votes/dinner")).problem(404)
    (await call(app, "GET", "/api/sse/projects/x")).problem(404)


async def test_its_routes_ask_for_rights_before_they_tell_what_is_there(votes: ModuleType, tmp_path: Path) -> None:
    settings = Settings.read({"database": tmp_path / "votes.db", "token_keys": KEYS})
    app = create_app(settings, [votes.Votes({"lunch": ["pizza", "soup"]})])
    reader = bearer(token("ada", subscribe=["votes/*"]))
    async with app.test_app():
        client = app.test_client()
        for path in ("/api/votes/lunch", "/api/votes/dinner", "/api/sse/votes/lunch", "/api/sse/votes/dinner"):
            assert (await client.get(path)).status_code == 401
        refused = await client.post("/api/votes/lunch", json={"choice": "soup"}, headers=reader)
        assert refused.status_code == 403
        assert (await client.get("/api/votes/lunch", headers=reader)).status_code == 200
        assert (await client.get("/api/votes/dinner", headers=reader)).status_code == 404
