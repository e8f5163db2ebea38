"""docs/protocol.md, section 6: the project resources, on a real log and bus, without a server around them."""

import io
import zipfile
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from service.access.rights import Grants
from service.access.spending import Spending
from service.apps.projects.limits import BODY_MAX
from service.apps.projects.models import Run
from service.apps.projects.routes import projects_blueprint
from service.apps.projects.service import ProjectService
from service.core.rates import Rate, Rates
from tests.support.access import Known, Visitor, caller_of, gate_with
from tests.support.asking import client_of
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, Gate, Plain, World

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def service(world: World, gate: Gate) -> ProjectService:
    return await world.service([Plain("a"), gate])


@pytest.fixture
def client(service: ProjectService) -> Client:
    return client_of(projects_blueprint(service), gate_with())


@pytest.mark.parametrize("may_run", [True, False])
async def test_a_run_remembers_whether_who_began_it_may_run(service: ProjectService, may_run: bool) -> None:
    ada = caller_of("ada", publish=["**"])
    ada = ada._replace(rights=ada.rights._replace(run=Grants(["projects/*" if may_run else "projects/x"])))
    client = client_of(projects_blueprint(service), gate_with(Known(ada=ada)), Visitor(authorization="Bearer ada"))
    project = await create(client)
    run = await (await client.post(f"/api/projects/{project['id']}/generate")).get_json()
    async with service._store.view() as view:
        assert await view.may_run(run["id"]) is may_run


async def test_what_is_done_at_a_callers_wish_is_counted_as_his(service: ProjectService, clock: ManualClock) -> None:
    rates = Rates(publishes=Rate(1, 7), topics=Rate(1, 2))
    client = client_of(projects_blueprint(service), gate_with(spending=Spending(clock, Rates(), rates), clock=clock))
    bad = await client.post("/api/projects", json={"name": "", "brief": BRIEF})
    assert bad.status_code == 422
    first = await create(client)
    await create(client)
    refused = await client.post("/api/projects", json={"name": "P", "brief": BRIEF})
    assert (refused.status_code, (await refused.get_json())["field"], refused.headers["Retry-After"]) == (
        429,
        "topic",
        "1",
    )
    path = f"/api/projects/{first['id']}"
    assert (await client.post(f"{path}/generate")).status_code == 202
    assert (await client.post(f"{path}/generate")).status_code == 409, "which costs nothing"
    assert (await client.post(f"{path}/cancel")).status_code == 202
    assert (await client.delete(path)).status_code == 204
    for method in ("generate", "cancel"):
        assert (await client.post(f"{path}/{method}")).status_code == 429
    clock.advance(1)
    assert (await client.post(f"{path}/generate")).status_code == 404


async def create(client: Client, name: str = "P") -> dict[str, Any]:
    response = await client.post("/api/projects", json={"name": name, "brief": BRIEF})
    assert response.status_code == 201
    project: dict[str, Any] = await response.get_json()
    return project


async def finished(client: Client, world: World, gate: Gate) -> str:
    """The id of a project with a completed run."""
    gate.open.set()
    id = str((await create(client))["id"])
    run = await (await client.post(f"/api/projects/{id}/generate")).get_json()
    await world.completion(run["id"])
    return id


async def test_6_create(client: Client) -> None:
    response = await client.post("/api/projects", json={"name": " P ", "brief": BRIEF})
    project = await response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/projects/{project['id']}"
    assert set(project) == {"id", "name", "brief", "status", "progress", "created", "run"}
    assert (project["name"], project["status"], project["progress"], project["run"]) == ("P", "idle", 0, None)
    shown = await (await client.get(response.headers["Location"])).get_json()
    assert shown.items() >= project.items()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"[" * 60_000, 400, None),
        (b"\xff", 400, None),
        (b"[]", 422, None),
        (b"{}", 422, "name"),
        (b'{"name": "x"}', 422, "brief"),
        (b'{"name": 1, "brief": "a: b int"}', 422, "name"),
        (b'{"name": null, "brief": "a: b int"}', 422, "name"),
        (b'{"name": " ", "brief": "a: b int"}', 422, "name"),
        (b'{"name": "\\ud800", "brief": "a: b int"}', 422, "name"),
        (b'{"name": "x", "brief": "a: b colour"}', 422, "brief"),
        (b'{"name": "x", "brief": "\\ud800"}', 422, "brief"),
        (b'{"name": "x", "brief": "a: b int", "id": "mine"}', 422, "id"),
        (b" " * (BODY_MAX + 1), 413, None),
    ],
)
async def test_6_create_refuses(client: Client, body: bytes, status: int, field: str | None) -> None:
    response = await client.post("/api/projects", data=body, headers=JSON)
    problem = await response.get_json()
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem.get("field") == field
    assert (await (await client.get("/api/projects")).get_json())["projects"] == []


async def test_6_create_wants_json(client: Client) -> None:
    response = await client.post("/api/projects", form={"name": "x", "brief": BRIEF})
    assert response.status_code == 415


async def test_6_a_brief_is_refused_with_what_is_wrong_and_where(client: Client) -> None:
    response = await client.post("/api/projects", json={"name": "x", "brief": "tasks: title txt"})
    problem = await response.get_json()
    assert problem["detail"].startswith("line 1, column 14 (character 14): 'txt' is not a type")


async def test_6_list(client: Client, world: World) -> None:
    ids = [(await create(client, name))["id"] for name in ("P", "Q", "R")]
    whole = await (await client.get("/api/projects")).get_json()
    assert [one["id"] for one in whole["projects"]] == ids[::-1]
    assert (whole["more"], whole["cursor"]) == (False, world.bus.cursor(world.bus.head))
    page = await (await client.get(f"/api/projects?limit=1&before={ids[2]}")).get_json()
    assert ([one["id"] for one in page["projects"]], page["more"]) == ([ids[1]], True)
    assert (await client.get("/api/projects?limit=0")).status_code == 422
    assert (await client.get("/api/projects?limit=x")).status_code == 422


async def test_6_generate_conflicts_and_cancels(client: Client, gate: Gate) -> None:
    id = (await create(client))["id"]
    assert (await client.post(f"/api/projects/{id}/cancel")).status_code == 409
    response = await client.post(f"/api/projects/{id}/generate")
    run = await response.get_json()
    assert (response.status_code, run["project"], run["status"]) == (202, id, "queued")
    await gate.reached.wait()
    assert (await client.post(f"/api/projects/{id}/generate")).status_code == 409
    snapshot = await (await client.get(f"/api/projects/{id}")).get_json()
    assert [stage["status"] for stage in snapshot["stages"]] == ["completed", "started"]
    assert snapshot["run"]["id"] == run["id"]
    response = await client.post(f"/api/projects/{id}/cancel")
    assert (response.status_code, (await response.get_json())["status"]) == (202, "cancelled")


async def test_6_snapshot_after_a_run(client: Client, world: World, gate: Gate) -> None:
    id = await finished(client, world, gate)
    response = await client.get(f"/api/projects/{id}")
    snapshot = await response.get_json()
    assert (snapshot["status"], snapshot["progress"], snapshot["files"]) == ("completed", 100, 2)
    assert snapshot["cursor"] == world.bus.cursor(world.bus.head)
    assert set(snapshot["run"]) == set(Run.model_fields)
    assert response.headers["Cache-Control"] == "no-store"


async def test_6_files(client: Client, world: World, gate: Gate) -> None:
    id = await finished(client, world, gate)
    listed = await (await client.get(f"/api/projects/{id}/files")).get_json()
    assert [(one["path"], one["size"]) for one in listed["files"]] == [("a.txt", 5), ("gate.txt", 8)]
    response = await client.get(f"/api/projects/{id}/files/a.txt")
    assert await response.get_data(as_text=True) == "by a\n"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert (await client.get(f"/api/projects/{id}/files/b.txt")).status_code == 404


async def test_6_archive(client: Client, world: World, gate: Gate) -> None:
    empty = (await create(client))["id"]
    assert (await client.get(f"/api/projects/{empty}/archive")).status_code == 404
    id = await finished(client, world, gate)
    response = await client.get(f"/api/projects/{id}/archive")
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"] == 'attachment; filename="p.zip"'
    body = await response.get_data(as_text=False)
    assert isinstance(body, bytes)
    assert zipfile.ZipFile(io.BytesIO(body)).namelist() == ["p/a.txt", "p/gate.txt"]
    assert await (await client.get(f"/api/projects/{id}/archive")).get_data(as_text=False) == body


async def test_6_head_tells_what_get_would(client: Client, world: World, gate: Gate) -> None:
    id = await finished(client, world, gate)
    for path in ("", f"/{id}", f"/{id}/files", f"/{id}/files/a.txt", f"/{id}/archive"):
        response = await client.head(f"/api/projects{path}")
        shown = await client.get(f"/api/projects{path}")
        assert response.status_code == 200
        for name in ("Content-Length", "Content-Type"):
            assert response.headers[name] == shown.headers[name]


async def test_6_delete(client: Client) -> None:
    id = (await create(client))["id"]
    response = await client.delete(f"/api/projects/{id}")
    assert (response.status_code, await response.get_data()) == (204, b"")
    assert (await client.delete(f"/api/projects/{id}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/files"),
        ("GET", "/files/a"),
        ("GET", "/archive"),
        ("POST", "/generate"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ],
)
async def test_6_unknown_projects_are_404(client: Client, method: str, path: str) -> None:
    call = {"GET": client.get, "POST": client.post, "DELETE": client.delete}[method]
    response = await call(f"/api/projects/nobody{path}")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"
