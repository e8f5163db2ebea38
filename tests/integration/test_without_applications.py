"""The bus alone: `TWINWIRE_APPS=none`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from service.core.errors import ConfigError
from service.named import named_apps
from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.wires import call


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwinwireApp]:
    monkeypatch.setenv("TWINWIRE_APPS", "none")
    application = create_app(Settings.read({"database": tmp_path / "bus.db"}))
    async with application.test_app():
        yield application


async def test_the_home_page_is_the_lab(app: TwinwireApp) -> None:
    home, lab = [await call(app, "GET", path) for path in ("/", "/lab.html")]
    assert (home.status, home.body) == (200, lab.body)
    assert b"<h1>Wire lab</h1>" in lab.body
    (await call(app, "GET", "/project.html")).problem(404)


async def test_there_is_nothing_of_the_example(app: TwinwireApp) -> None:
    for path in ("/api/projects", "/api/projects/x", "/api/sse/projects/x"):
        (await call(app, "GET", path)).problem(404)
    document = await (await app.test_client().get("/api/openapi.json")).get_json()
    validate(document)
    assert not any("project" in path for path in document["paths"])


async def test_no_rule_holds_on_the_examples_topics(app: TwinwireApp) -> None:
    draft = {"topic": "projects/x", "type": "log", "data": "not what the example would take"}
    assert (await app.test_client().post("/api/events", json=draft)).status_code == 201


def test_an_unknown_application_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no application 'chat': projects, or none"):
        named_apps(["projects", "chat"])


def test_an_application_that_is_named_twice_is_there_once() -> None:
    assert [app.name for app in named_apps(["projects", "projects"])] == ["projects"]
