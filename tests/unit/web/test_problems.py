"""Whatever goes wrong behind Quart is an RFC 9457 problem, too."""

import pytest

from service.core.errors import UnavailableError
from service.web.app import TwinwireApp
from tests.support.wires import call


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/events/", "/api/projects/none", "/app/nothing.js"])
async def test_what_is_not_there_is_404(app: TwinwireApp, path: str) -> None:
    (await call(app, "GET", path)).problem(404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/api/ready", "GET"), ("GET", "/api/topics/trim", "POST"), ("PUT", "/api/projects", "POST")],
)
async def test_a_wrong_method_is_405_with_what_works(app: TwinwireApp, method: str, path: str, allowed: str) -> None:
    answer = await call(app, method, path)
    answer.problem(405)
    assert allowed in answer.headers["allow"]


async def test_a_fault_of_the_service_is_500_and_tells_nothing_of_its_inside(
    app: TwinwireApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode() -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(app.assembly, "checks", explode)
    answer = await call(app, "GET", "/api/ready")
    answer.problem(500)
    assert b"secret" not in answer.body


async def test_our_own_errors_keep_their_status_and_headers(app: TwinwireApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UnavailableError("later")

    monkeypatch.setattr(app.assembly, "checks", refuse)
    answer = await call(app, "GET", "/api/ready")
    answer.problem(503)
    assert answer.headers["retry-after"] == "5"
