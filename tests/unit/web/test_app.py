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


@pytest.mark.parametrize(
    "path",
    ["/api/topics", "/api/projects", "/api/ready", "/api/openapi.json", "/metrics", "/client/index.js", "/api/nothing"],
)
async def test_a_page_of_an_allowed_origin_reads_everything_that_it_needs(tmp_path: Path, path: str) -> None:
    """With its credentials (Fetch, "CORS protocol and credentials"), a preflight before it, and nobody else."""
    settings = Settings.read({"database": tmp_path / "test.db", "allowed_origins": ["https://app.example"]})
    app = create_app(settings)
    async with app.test_app():
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
            headers = (await call(app.front, method, path, "", asked)).headers
            assert headers["access-control-allow-origin"] == "https://app.example"
            assert headers["access-control-allow-credentials"] == "true"
            assert "Origin" in headers["vary"]
        for stranger in ({"Origin": "https://evil.example"}, {}):
            headers = (await call(app.front, "GET", path, "", stranger)).headers
            assert "access-control-allow-origin" not in headers
            assert "Origin" in headers["vary"]
        page = (await call(app.front, "GET", "/", "", {"Origin": "https://app.example"})).headers
        assert "access-control-allow-origin" not in page, "a page is looked at, not read"


async def test_a_preflight_says_what_may_be_sent(tmp_path: Path) -> None:
    settings = Settings.read({"database": tmp_path / "test.db", "allowed_origins": ["https://app.example"]})
    app = create_app(settings)
    async with app.test_app():
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        for path in ("/api/topics/trim", "/api/events", "/api/projects"):
            answer = await call(app.front, "OPTIONS", path, "", asked)
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert "authorization" in answer.headers["access-control-allow-headers"]
