"""Every answer, whoever gives it, tells browsers the same."""

import pytest

from service.access.headers import EVERY_ANSWER
from service.web.app import TwinwireApp
from tests.support.wires import call

WANTED = {name.decode(): value.decode() for name, value in EVERY_ANSWER}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/events"),
        ("POST", "/api/events"),
        ("PUT", "/api/events"),
        ("OPTIONS", "/api/events"),
        ("HEAD", "/api/sse"),
        ("GET", "/api/sse/nothing"),
        ("GET", "/api/ws"),
        ("GET", "/api/health"),
        ("GET", "/api/ready"),
        ("GET", "/api/topics"),
        ("POST", "/api/topics/trim"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/projects"),
        ("GET", "/api/projects/none"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("GET", "/lab.html"),
        ("GET", "/app/shared/dom.js"),
        ("GET", "/nothing"),
    ],
)
async def test_every_answer_is_hardened(app: TwinwireApp, method: str, path: str) -> None:
    answer = await call(app, method, path)
    assert {name: answer.headers.get(name) for name in WANTED} == WANTED


async def test_the_client_may_be_loaded_by_pages_of_others(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/client/index.js")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/api/events", "/client/index.js", "/nothing"])
async def test_under_a_foreign_name_there_is_nothing(app: TwinwireApp, path: str) -> None:
    answer = await call(app, "GET", path, "", {"Host": "evil.example"})
    assert "TWINWIRE_HOSTS" in answer.problem(421, "Host")["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for known in ("/api/health", "/api/ready"):
        assert (await call(app, "GET", known, "", {"Host": "evil.example"})).status == 200
