"""docs/protocol.md, section 6: projects. Crash and follow-through are in test_generation.py."""

import io
import json
import re
import zipfile
from typing import Any

import pytest

from tests.support import api
from tests.support.clients import TRANSPORTS, Transport, WebSocketCollector, open_stream
from tests.support.frames import Frame
from tests.support.http import Response, request
from tests.support.websocket import WebSocketClient

pytestmark = pytest.mark.projects

BRIEF = "tasks: title text, done bool, due date; people: name text, email text, age int"


async def create(url: str, name: str = "Contract", brief: str = BRIEF) -> dict[str, Any]:
    response = await request(url, "POST", "/api/projects", json_body={"name": name, "brief": brief})
    assert response.status == 201, response.text
    project: dict[str, Any] = response.json()
    return project


async def run_to_the_end(url: str, project: str, transport: Transport = "sse") -> list[Frame]:
    """Generate, and the events of the run up to its completion."""
    async with open_stream(url, transport, f"projects/{project}") as stream:
        response = await request(url, "POST", f"/api/projects/{project}/generate")
        assert response.status == 202, response.text
        await stream.until(lambda frame: frame.is_event and frame.type == "completion")
    return [frame for frame in stream.frames if frame.is_event]


async def get(url: str, path: str) -> Response:
    return await request(url, "GET", path)


async def test_6_create(url: str) -> None:
    """6, `POST /api/projects`: 201, Location, the project."""
    body = {"name": "Tasks & people", "brief": BRIEF}
    response = await request(url, "POST", "/api/projects", json_body=body)
    project = response.json()
    assert response.status == 201
    assert (response.header("location") or "").endswith(f"/api/projects/{project['id']}")
    assert (project["name"], project["brief"], project["status"]) == ("Tasks & people", BRIEF, "idle")


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"brief": BRIEF}, {"name": "", "brief": BRIEF}, {"name": 1, "brief": BRIEF}, [], 7],
)
async def test_6_create_needs_a_name_and_a_brief(url: str, body: Any) -> None:
    """6, `POST /api/projects`: 422 otherwise."""
    (await request(url, "POST", "/api/projects", json_body=body)).problem(422)


@pytest.mark.parametrize("brief", ["", "tasks", "tasks: title colour", "tasks title text", ": a text"])
async def test_6_a_brief_that_cannot_be_read_is_422(url: str, brief: str) -> None:
    """6, `POST /api/projects`: 422 with what is wrong and where."""
    body = {"name": "x", "brief": brief}
    problem = (await request(url, "POST", "/api/projects", json_body=body)).problem(422)
    assert "brief" in str(problem["field"])


async def test_6_list_and_one(url: str) -> None:
    """6, `GET /api/projects`, `/{id}`: the list; one with status, progress, stages, last run and cursor."""
    project = await create(url)
    listed = (await get(url, "/api/projects")).json()
    projects = listed["projects"] if isinstance(listed, dict) else listed
    assert project["id"] in [item["id"] for item in projects]
    one = (await get(url, f"/api/projects/{project['id']}")).json()
    assert one["id"] == project["id"]
    assert (one["status"], one["progress"]) == ("idle", 0)
    assert isinstance(one["stages"], list)
    assert api.offset(one["cursor"]) >= 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/generate"),
        ("POST", "/cancel"),
        ("GET", "/files"),
        ("GET", "/files/app/x.py"),
        ("GET", "/archive"),
        ("DELETE", ""),
    ],
)
async def test_6_no_such_project_is_404(url: str, method: str, path: str) -> None:
    """6: every route of a project that does not exist is 404."""
    (await request(url, method, f"/api/projects/none-such{path}")).problem(404)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_6_a_run_publishes_the_events_of_the_contract(url: str, transport: Transport) -> None:
    """6, event types: their fields, in an order that a page can draw; the same over each transport."""
    project = (await create(url))["id"]
    events = await run_to_the_end(url, project, transport)
    by_type = {kind: [e.data for e in events if e.type == kind] for kind in {e.type for e in events}}
    assert by_type.keys() == {"status_update", "agent_update", "log", "file_update", "run_update", "completion"}
    _check_status(by_type["status_update"])
    _check_agents(by_type["agent_update"])
    assert all(item.keys() >= {"level", "message", "agent", "run", "stage"} for item in by_type["log"])
    _check_files(by_type["file_update"])
    (completion,) = by_type["completion"]
    assert completion.keys() >= {"run", "status", "duration", "files", "message"}
    assert completion["status"] == "completed"
    assert {item["run"] for item in by_type["status_update"]} == {completion["run"]}


def _check_status(updates: list[dict[str, Any]]) -> None:
    assert all(item.keys() >= {"status", "progress", "run", "message"} for item in updates)
    allowed = {"idle", "queued", "running", "completed", "failed", "cancelled"}
    assert {item["status"] for item in updates} <= allowed
    progress = [item["progress"] for item in updates]
    assert progress == sorted(progress)
    assert (updates[-1]["status"], progress[-1]) == ("completed", 100)
    assert all(0 <= value <= 100 for value in progress)


def _check_agents(updates: list[dict[str, Any]]) -> None:
    names = [item["agent"] for item in updates if item["status"] == "started"]
    assert len(names) == len(set(names)) == 12
    assert [item["agent"] for item in updates if item["status"] == "completed"] == names
    for item in updates:
        assert item.keys() >= {"agent", "stage", "stages", "status", "message"}
        assert item["stages"] == 12
        if item["status"] == "started":
            assert item["message"] == f"Starting {item['agent']} agent"
        else:
            assert item["message"].startswith(f"Completed {item['agent']} agent in ")
            assert re.search(r" \d+\.\d\ds(: .+)?\Z", item["message"])  # behind it what a stage remarks
            assert item["duration"] >= 0


def _check_files(updates: list[dict[str, Any]]) -> None:
    assert updates
    for item in updates:
        assert item.keys() >= {"path", "size", "action", "preview"}
        assert item["action"] in {"created", "updated"}
        assert item["size"] >= 0


async def test_6_files_and_archive(url: str) -> None:
    """6, `/files`, `/files/{path}`, `/archive`: list, one file, a zip; they agree with each other."""
    project = (await create(url))["id"]
    await run_to_the_end(url, project)
    listed = (await get(url, f"/api/projects/{project}/files")).json()
    files = listed["files"] if isinstance(listed, dict) else listed
    archive = await get(url, f"/api/projects/{project}/archive")
    assert archive.status == 200
    assert archive.header("content-type") == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.body)) as unzipped:
        packed = {name: unzipped.read(name) for name in unzipped.namelist() if not name.endswith("/")}
    assert len(packed) == len(files) > 12
    for item in files:
        one = await get(url, f"/api/projects/{project}/files/{item['path']}")
        assert one.status == 200
        assert len(one.body) == item["size"]
        assert any(name.endswith(item["path"]) and body == one.body for name, body in packed.items())


@pytest.mark.parametrize("path", ["none/such.py", "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd"])
async def test_6_no_such_file_is_404(url: str, path: str) -> None:
    """6, `/files/{path}`: what no agent wrote is 404, however it is spelled."""
    project = (await create(url))["id"]
    (await get(url, f"/api/projects/{project}/files/{path}")).problem(404)


async def test_6_nothing_runs_so_cancel_is_409(url: str) -> None:
    """6, `/cancel`: 409 if nothing runs, before the first run and after the last."""
    project = (await create(url))["id"]
    (await request(url, "POST", f"/api/projects/{project}/cancel")).problem(409)
    await run_to_the_end(url, project)
    (await request(url, "POST", f"/api/projects/{project}/cancel")).problem(409)


async def test_6_generate_works_again(url: str) -> None:
    """6, `/generate`: 202 with the run; after its end another run may start."""
    project = (await create(url))["id"]
    first = await run_to_the_end(url, project)
    second = await run_to_the_end(url, project)
    assert first[-1].data["run"] != second[-1].data["run"]
    assert second[-1].data["status"] == "completed"


async def test_6_the_snapshot_after_a_run(url: str) -> None:
    """6, `GET /api/projects/{id}`: completed, 100, and the cursor includes every event of the run."""
    project = (await create(url))["id"]
    events = await run_to_the_end(url, project)
    snapshot = (await get(url, f"/api/projects/{project}")).json()
    assert (snapshot["status"], snapshot["progress"]) == ("completed", 100)
    assert len(snapshot["stages"]) == 12
    assert api.offset(snapshot["cursor"]) >= api.offset(events[-1].id)
    assert (await api.read(url, topic=f"projects/{project}", after=snapshot["cursor"]))["events"] == []


async def test_6_other_types_may_be_published_freely(url: str) -> None:
    """6: events of types that the contract does not name live on the same topic."""
    project = (await create(url))["id"]
    cursor = await api.publish(url, f"projects/{project}", {"any": "thing"}, type="my.note")
    assert (await api.history(url, [f"projects/{project}"]))[-1]["id"] == cursor


OWN = (
    "status_update",
    "agent_update",
    "log",
    "file_update",
    "completion",
    "output",
    "removed",
    "project_created",
    "project_deleted",
)


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("topic", ["projects", "projects/{}", "projects/nobody"])
async def test_6_the_application_alone_tells_of_projects(url: str, kind: str, topic: str) -> None:
    """6: the named types on `projects` and `projects/*` are 403 for others, and nothing of a batch is stored."""
    project = (await create(url))["id"]
    topic = topic.format(project)
    note = {"topic": topic, "type": "note", "data": 1}
    lie = {"topic": topic, "type": kind, "data": {"id": project, "message": "lie"}}
    before = len(await api.history(url, [topic]))
    assert (await request(url, "POST", "/api/events", json_body=lie)).problem(403)["field"] == "type"
    assert (await request(url, "POST", "/api/events", json_body=[note, lie])).problem(403)["field"] == "1.type"
    lines = "".join(f"{json.dumps(one)}\n" for one in (note, lie))
    ndjson = {"Content-Type": "application/x-ndjson"}
    refused = (await request(url, "POST", "/api/events", body=lines.encode(), headers=ndjson)).problem(403)
    assert (refused["field"], refused["line"]) == ("type", 2)
    client = await WebSocketClient.open(url, "/api/ws", query={"topic": ["none"]})
    problem = (await WebSocketCollector(client).ask({"op": "publish", "ref": 1, **lie})).value
    assert (problem["status"], problem["field"], problem["ref"]) == (403, "type", 1)
    await client.close()
    assert len(await api.history(url, [topic])) == before


@pytest.mark.parametrize("topic", ["projects", "projects/{}", "projects/nobody"])
async def test_6_the_application_alone_says_what_an_event_of_a_project_is_about(url: str, topic: str) -> None:
    """6: with a subject any type is 403, since a stranger's `null` would delete a part of the project's state."""
    project = (await create(url))["id"]
    topic = topic.format(project)
    free = {"topic": topic, "type": "note", "data": None}
    lie = {**free, "subject": "status"}
    assert (await request(url, "POST", "/api/events", json_body=lie)).problem(403)["field"] == "subject"
    assert (await request(url, "POST", "/api/events", json_body=[free, lie])).problem(403)["field"] == "1.subject"
    client = await WebSocketClient.open(url, "/api/ws", query={"topic": ["none"]})
    problem = (await WebSocketCollector(client).ask({"op": "publish", "ref": 1, **lie})).value
    assert (problem["status"], problem["field"]) == (403, "subject")
    await client.close()
    deeper = {**lie, "topic": f"projects/{project}/own"}
    assert (await request(url, "POST", "/api/events", json_body=[free, deeper])).status == 201


async def test_6_the_state_of_its_topic_is_a_picture_of_a_project(url: str) -> None:
    """6: `GET /api/state` and a stream with `state=1` agree with the snapshot; nothing is left of what is deleted."""
    project = (await create(url))["id"]
    await run_to_the_end(url, project)
    snapshot = (await get(url, f"/api/projects/{project}")).json()
    files = (await get(url, f"/api/projects/{project}/files")).json()["files"]
    query = f"/api/state?topic=projects/{project}&limit=1000"
    page = (await get(url, query)).json()
    assert not page["more"]
    found = {event["subject"]: event["data"] for event in page["events"]}
    assert (found["status"]["status"], found["status"]["progress"]) == (snapshot["status"], snapshot["progress"])
    stages = {f"agents/{stage['agent']}": stage["status"] for stage in snapshot["stages"]}
    assert {name: data["status"] for name, data in found.items() if name.startswith("agents/")} == stages
    sizes = {f"files/{file['path']}": file["size"] for file in files}
    assert {name: data["size"] for name, data in found.items() if name.startswith("files/")} == sizes
    async with open_stream(url, "sse", f"projects/{project}", query={"state": "1"}) as stream:
        await stream.control("state_end")
        assert {frame.value["subject"] for frame in stream.frames if frame.is_event} == set(found)
    assert (await request(url, "DELETE", f"/api/projects/{project}")).status == 204
    assert (await get(url, query)).json()["events"] == []


async def test_6_elsewhere_the_same_types_are_free(url: str) -> None:
    """6: the types are the application's on its topics alone."""
    for topic in (api.unique("log"), "projects/a/b"):
        assert await api.publish(url, topic, {"any": "thing"}, type="log")


async def test_6_delete(url: str) -> None:
    """6, `DELETE /api/projects/{id}`: 204; its events go with it."""
    project = (await create(url))["id"]
    await run_to_the_end(url, project)
    response = await request(url, "DELETE", f"/api/projects/{project}")
    assert (response.status, response.body) == (204, b"")
    (await get(url, f"/api/projects/{project}")).problem(404)
    assert await api.history(url, [f"projects/{project}"]) == []
    (await request(url, "DELETE", f"/api/projects/{project}")).problem(404)
