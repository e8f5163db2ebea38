"""The application: what is asked of every request, and the lifespan around it."""

from pathlib import Path

import pytest

from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.wires import call

FOREIGN = {"Origin": "https://evil.example", "Host": "127.0.0.1:8000"}


async def test_a_foreign_page_may_change_nothing(app: TwinwireApp) -> None:
    body = b'{"topic":"**","keep":0}'
    headers = {"Content-Type": "application/json", **FOREIGN}
    (await call(app, "POST", "/api/topics/trim", "", headers, body)).problem(403, "Origin")
    (await call(app, "DELETE", "/api/projects/x", "", FOREIGN)).problem(403, "Origin")
    assert (await call(app, "GET", "/api/topics", "", FOREIGN)).status == 200
    unseen = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    (await call(app, "GET", "/api/topics", "", unseen)).problem(403, "Sec-Fetch-Site")
    assert (await call(app, "GET", "/client/index.js", "", unseen)).status == 200


async def test_nothing_is_changed_while_the_service_goes_away(app: TwinwireApp) -> None:
    assert app.assembly is not None
    app.assembly.draining.begin()
    refused = await call(app, "POST", "/api/projects", "", {"Content-Type": "application/json"}, b"{}")
    refused.problem(503)
    assert int(refused.headers["retry-after"]) > 0
    assert (await call(app, "GET", "/api/projects")).status == 200


async def test_the_lifespan_opens_what_it_closes(tmp_path: Path) -> None:
    app = create_app(Settings.read({"database": tmp_path / "test.db"}), [])
    assert app.assembly is None
    async with app.test_app():
        assert app.assembly is not None
        assert (await call(app.front, "GET", "/api/health")).status == 200
    assert app.assembly is None
    assert app.front.doors is None


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing"])
async def test_what_is_not_there_is_a_problem(app: TwinwireApp, path: str) -> None:
    (await call(app, "GET", path)).problem(404)
