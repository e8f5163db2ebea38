"""The OpenAPI document is valid, describes every route and no other, and tells the truth about answers."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from werkzeug.routing import Rule

from service.apps.projects.app import ProjectsApp
from service.apps.projects.described import describe_projects
from service.apps.projects.settings import ProjectsSettings
from service.core.limits import PAGE_DEFAULT, RESERVED_TYPES
from service.settings import Settings
from service.web import openapi
from service.web.app import TwinwireApp, create_app
from service.wire.front import EPHEMERAL, EVENTS, HEALTH, SSE, STATE, WEBSOCKET

Document = dict[str, Any]

FRONT_DOOR: Final = {
    (EVENTS, "get"),
    (EVENTS, "post"),
    (f"{EVENTS}/read", "post"),
    (EPHEMERAL, "post"),
    (STATE, "get"),
    (SSE, "get"),
    (SSE, "post"),
    (f"{SSE}/projects/{{id}}", "get"),
    (WEBSOCKET, "get"),
    (f"{WEBSOCKET}/projects/{{id}}", "get"),
    (HEALTH, "get"),
}
"""What is answered before Quart; `test_front_door_answers` asks for each."""


@pytest_asyncio.fixture
async def app(tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    settings = Settings.read({"database": tmp_path / "twinwire.db", "log_level": "error"})
    application = create_app(settings, [ProjectsApp(ProjectsSettings(generation_pace=0))])
    async with application.test_app():
        yield application


def describe() -> Document:
    """The document of a service with the example."""
    return openapi.describe([describe_projects()])


def operations(document: Document) -> set[tuple[str, str]]:
    return {(path, method) for path, item in document["paths"].items() for method in item}


def routes(rule: Rule) -> set[tuple[str, str]]:
    """A rule as the paths and methods of OpenAPI; HEAD and OPTIONS come with every GET."""
    choice = re.search(r"<any\(([^)]*)\):\w+>", rule.rule)
    paths = [rule.rule.replace(choice[0], one) for one in choice[1].split(",")] if choice else [rule.rule]
    plain = [re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path) for path in paths]
    methods = {method.lower() for method in rule.methods or ()} - {"head", "options"}
    return {(path, method) for path in plain for method in methods}


def unnamed(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Parameter names don't matter for whether a path is there."""
    return {(re.sub(r"\{\w+\}", "{}", path), method) for path, method in found}


def follow(document: Document, item: Document) -> Document:
    """The object behind a `$ref`, or the object itself."""
    for name in item.get("$ref", "#").split("/")[1:]:
        document = document[name]
    return document if "$ref" in item else item


def schema_of(document: Document, path: str, method: str, status: int) -> Document:
    answer = follow(document, document["paths"][path][method]["responses"][str(status)])
    (content,) = answer["content"].values()
    return {"components": document["components"], **content["schema"]}


def check(value: Any, path: str, method: str, status: int) -> None:
    Draft202012Validator(schema_of(describe(), path, method, status)).validate(value)


def test_document_is_valid_openapi() -> None:
    validate(describe())


def test_document_is_made_anew_so_that_a_caller_may_change_it() -> None:
    describe()["paths"].clear()
    assert describe()["paths"]


async def test_every_route_is_described_and_nothing_else(app: TwinwireApp) -> None:
    served = set().union(*(routes(rule) for rule in app.url_map.iter_rules())) | FRONT_DOOR
    assert unnamed(operations(describe())) == unnamed(served)


@pytest.mark.parametrize(("path", "method"), sorted(FRONT_DOOR))
async def test_front_door_answers(app: TwinwireApp, path: str, method: str) -> None:
    """Each is there, and what it says to a request that it refuses is described."""
    url = path.replace("{id}", "nobody") + "?topic=//"
    foreign = {"Sec-Fetch-Site": "cross-site"} if path == HEALTH else {}  # all that it refuses
    response = await app.test_client().open(url, method=method.upper(), headers=foreign)
    described = describe()["paths"][path][method]["responses"]
    assert str(response.status_code) in described
    check(await response.get_json(), path, method, response.status_code)
    assert response.status_code == (
        403 if path == HEALTH else 426 if "/ws" in path else 422 if method == "get" else 400
    )


def test_operation_ids_are_unique_and_parameters_of_a_path_are_declared() -> None:
    document = describe()
    ids = [document["paths"][path][method]["operationId"] for path, method in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method in operations(document):
        listed = document["paths"][path][method].get("parameters", [])
        declared = {one["name"] for one in (follow(document, item) for item in listed) if one["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path


async def test_answers_are_what_the_document_says(app: TwinwireApp) -> None:
    client = app.test_client()
    draft = {"topic": "a/b", "type": "log", "data": {"n": 1}, "key": "one"}
    for status in (201, 200):
        response = await client.post(EVENTS, json=draft)
        assert response.status_code == status
        check(await response.get_json(), EVENTS, "post", status)
    response = await client.post(EVENTS, json=[draft, {**draft, "key": "two"}])
    check(await response.get_json(), EVENTS, "post", 201)
    response = await client.post(EPHEMERAL, json={"topic": "a/b", "type": "x", "data": 1, "key": "k", "ttl": 1})
    check(await response.get_json(), EPHEMERAL, "post", 202)
    for status in (201, 200):
        response = await client.put("/api/presence/a/b/t-1", json={"data": {"n": 1}, "lease": 60})
        assert response.status_code == status
        check(await response.get_json(), "/api/presence/{place}/{member}", "put", status)
    page = await (await client.get(f"{EVENTS}?after=elsewhere-9&ephemeral=1&presence=1")).get_json()
    assert page["events"]
    assert page["gap"]
    check(page, EVENTS, "get", 200)
    for path in ("/api/health", "/api/ready", "/api/topics", "/api/presence", "/api/presence/stats"):
        check(await (await client.get(path)).get_json(), path, "get", 200)
    response = await client.post("/api/topics/trim", json={"topic": "**", "keep": 0})
    check(await response.get_json(), "/api/topics/trim", "post", 200)
    check(await (await client.get("/api/topics")).get_json(), "/api/topics", "get", 200)


async def test_answers_about_projects_are_what_the_document_says(app: TwinwireApp) -> None:
    client = app.test_client()
    response = await client.post("/api/projects", json={"name": "A", "brief": "tasks: title text"})
    project = await response.get_json()
    assert response.status_code == 201
    check(project, "/api/projects", "post", 201)
    base = f"/api/projects/{project['id']}"
    described = "/api/projects/{id}"
    check(await (await client.get("/api/projects")).get_json(), "/api/projects", "get", 200)
    check(await (await client.get(base)).get_json(), described, "get", 200)
    check(await (await client.get(f"{base}/files")).get_json(), f"{described}/files", "get", 200)
    check(await (await client.get(f"{base}/archive")).get_json(), f"{described}/archive", "get", 404)
    check(await (await client.post(f"{base}/generate")).get_json(), f"{described}/generate", "post", 202)
    check(await (await client.post(f"{base}/generate")).get_json(), f"{described}/generate", "post", 409)
    check(await (await client.post(f"{base}/cancel")).get_json(), f"{described}/cancel", "post", 202)
    begun = await client.post(f"{base}/runs", json={"key": "k", "command": "make"})
    check(await begun.get_json(), f"{described}/runs", "post", 201)
    one, described_run = f"{base}/runs/2", f"{described}/runs/{{number}}"
    report = {"from": 1, "items": [{"stage": "a"}, {"output": "line\n"}, {"end": {"exit": 0}}]}
    check(await (await client.post(f"{one}/reports", json=report)).get_json(), f"{described_run}/reports", "post", 200)
    assert await (await client.get(f"{one}/log")).get_data(as_text=True) == "line\n"
    assert (await client.head(f"{one}/log")).headers["Content-Length"] == "5"
    check(await (await client.post(f"{one}/cancel")).get_json(), f"{described_run}/cancel", "post", 409)
    for path in ("", "/lines", "/files"):
        check(await (await client.get(one + path)).get_json(), described_run + path, "get", 200)
    check(await (await client.get(f"{base}/runs")).get_json(), f"{described}/runs", "get", 200)
    check(
        await (await client.post(f"{one}/retry", json={"stage": 1})).get_json(), f"{described_run}/retry", "post", 409
    )
    assert (await client.delete(base)).status_code == 204
    check(await (await client.get(base)).get_json(), described, "get", 404)


async def test_the_schemas_of_reports_are_those_of_what_is_read(app: TwinwireApp) -> None:
    schemas = describe()["components"]["schemas"]
    sent = {"from": 1, "items": [{"output_base64": "AA=="}, {"progress": 4, "message": "m"}, {"end": {"exit": 0}}]}
    validator = Draft202012Validator({"components": {"schemas": schemas}, "$ref": "#/components/schemas/Report"})
    assert validator.is_valid(sent)
    for wrong in ({"from": 0}, {"items": []}, {"more": 1}, {"items": [{"progress": 101}]}):
        assert not validator.is_valid({**sent, **wrong})


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"key": "k"}, True),
        ({"topic": "a//b"}, False),
        ({"topic": "a/*"}, False),
        ({"type": "heart beat"}, False),
        ({"key": ""}, False),
        ({"more": 1}, False),
    ]
    + [({"type": name}, False) for name in sorted(RESERVED_TYPES)],
)
async def test_schema_of_drafts_takes_what_publishing_takes(app: TwinwireApp, change: Document, fits: bool) -> None:
    draft = {"topic": "a/b", "type": "log", "data": None, **change}
    document = describe()
    schema = {"components": document["components"], "$ref": "#/components/schemas/Draft"}
    assert Draft202012Validator(schema).is_valid(draft) is fits
    response = await app.test_client().post(EVENTS, json=draft)
    assert response.status_code == (201 if fits else 422)


async def test_document_is_served(app: TwinwireApp) -> None:
    response = await app.test_client().get("/api/openapi.json")
    document = await response.get_json()
    assert document == describe()
    limit = next(one for one in document["paths"][EVENTS]["get"]["parameters"] if one.get("name") == "limit")
    assert limit["schema"]["default"] == PAGE_DEFAULT
