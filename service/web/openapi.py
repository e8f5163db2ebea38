"""The HTTP part of the contract as an OpenAPI 3.1 document, for tools. docs/protocol.md is the text for people.

A table of operations, held against the application's routes by tests/unit/web/test_openapi.py.
"""

from typing import Any, Final

from service.apps.projects.limits import LISTED_MAX
from service.core.limits import FILTER_TOPICS_MAX, PAGE_DEFAULT, PAGE_MAX, WAIT_MAX
from service.version import __version__
from service.web.schemas import COUNT, STRING, Schema, array, ref, schemas
from service.wire.drafts import JSON, NDJSON
from service.wire.problems import MEDIA_TYPE
from service.wire.request import CURSOR_PARAMETERS

Operation = dict[str, Any]

_PROBLEMS: Final = {
    400: "The body is not JSON.",
    403: "Not allowed, such as a page of a foreign origin.",
    404: "There is no such thing.",
    409: "Not in this state.",
    413: "Too large.",
    415: "Another Content-Type is needed.",
    422: "A value breaks the contract; `field` names it.",
    426: "The way here strips `Upgrade`; `sse` is the same stream over SSE.",
    503: "Not now: come back after `Retry-After` seconds.",
}
_READING: Final = (404, 422)
_WRITING: Final = (400, 413, 415, 422, 503)


def describe() -> dict[str, Any]:
    """The document, made anew at each call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Twinwire",
            "version": __version__,
            "summary": "Live events from one durable log.",
            "description": "The WebSocket part, control frames and cursors are described in docs/protocol.md.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "..", "description": "Where this document comes from, path prefix included."}],
        "tags": [{"name": name} for name in ("events", "streams", "projects", "operations", "pages")],
        "paths": _events() | _streams() | _projects() | _files() | _operations() | _pages(),
        "components": {"schemas": schemas(), "parameters": _shared_parameters(), "responses": _shared_responses()},
    }


def _operation(
    tag: str,
    id: str,
    summary: str,
    answers: dict[int, dict[str, Any]],
    *,
    problems: tuple[int, ...] = (),
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> Operation:
    """`answers` by status; `problems` are the statuses that are answered with one."""
    refused = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in problems}
    operation: Operation = {"tags": [tag], "operationId": id, "summary": summary}
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": body}
    return operation | {"responses": {str(status): answer for status, answer in answers.items()} | refused}


def _answer(text: str, schema: Schema | None = None, media_type: str = JSON) -> dict[str, Any]:
    return {"description": text} | ({} if schema is None else {"content": {media_type: {"schema": schema}}})


def _query(name: str, text: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema, **more}


def _header(name: str, text: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": schema}


def _path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": STRING}


def _use(*names: str) -> list[dict[str, Any]]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


# Parameters and answers that several operations share


def _shared_parameters() -> dict[str, Any]:
    cursor = {**STRING, "examples": ["earliest", "latest", "k7f3q2-1042"]}
    text = "The last event that was handled: a cursor, `earliest` or `latest`. Without any, from now."
    found = {
        "topic": _query(
            "topic",
            "Topic filters; all topics without any.",
            array(ref("TopicFilter"), maxItems=FILTER_TOPICS_MAX),
            explode=True,
        ),
        "lastEventIdHeader": _header("Last-Event-ID", f"{text} Beats the query.", cursor),
        "project": _path("id", "A project's id."),
        "named": _query("named", "0 leaves the `event:` lines out.", {"enum": ["0", "1"], "default": "1"}),
    }
    for name in CURSOR_PARAMETERS:
        found[name] = _query(name, text if name == "after" else "Another name of `after`.", cursor)
    return found


def _shared_responses() -> dict[str, Any]:
    found = {}
    for status, text in _PROBLEMS.items():
        answer = _answer(text, ref("Problem"), MEDIA_TYPE)
        if status == 503:
            answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": COUNT}}
        found[f"Problem{status}"] = answer
    return found


# Operations, by resource


def _events() -> dict[str, Any]:
    one, many = ref("Published"), ref("PublishedMany")
    search = [
        _query("before", "A cursor, exclusive: read up to there.", STRING),
        _query("order", "`desc` with `before` alone, else `asc`.", {"enum": ["asc", "desc"]}),
        _query("wait", "Seconds to wait for something.", {"type": "number", "minimum": 0, "maximum": WAIT_MAX}),
        _query(
            "limit",
            f"Events in the answer; more than {PAGE_MAX} is capped.",
            {"type": "integer", "minimum": 1, "default": PAGE_DEFAULT},
        ),
        _query("type", "One event type.", ref("EventType")),
        _query("from", "Not older than this.", {**STRING, "format": "date-time"}),
        _query("to", "Not younger than this.", {**STRING, "format": "date-time"}),
    ]
    drafts = {
        JSON: {"schema": {"oneOf": [ref("Draft"), ref("Drafts")]}},
        NDJSON: {"schema": {**STRING, "description": "One draft a line."}},
    }
    return {
        "/api/events": {
            "get": _operation(
                "events",
                "readEvents",
                "Long poll and history",
                {200: _answer("A page, perhaps empty.", ref("EventPage"))},
                problems=(422,),
                parameters=[*_use("topic", *CURSOR_PARAMETERS, "lastEventIdHeader"), *search],
            ),
            "post": _operation(
                "events",
                "publish",
                "Publish one event, an array or NDJSON: all of it or nothing",
                {
                    201: _answer("On disk.", {"oneOf": [one, many]}),
                    200: _answer("Nothing of it was new: the first ids.", {"oneOf": [one, many]}),
                },
                problems=(*_WRITING, 403),
                parameters=[_header("Idempotency-Key", "The key of a single event.", ref("Key"))],
                body=drafts,
            ),
        }
    }


def _streams() -> dict[str, Any]:
    stream = {200: _answer("Events and control frames.", STRING, "text/event-stream")}
    handshake = {101: _answer("A WebSocket, for a request with `Upgrade`.")}
    start = _use(*CURSOR_PARAMETERS, "lastEventIdHeader")
    named = [*start, *_use("named")]
    topic, project = _use("topic"), _use("project")
    return {
        "/api/sse": {
            "get": _operation(
                "streams", "sse", "Server-Sent Events", stream, problems=(422, 503), parameters=[*topic, *named]
            )
        },
        "/api/sse/projects/{id}": {
            "get": _operation(
                "streams",
                "sseOfProject",
                "Server-Sent Events of a project",
                stream,
                problems=(*_READING, 503),
                parameters=[*project, *named],
            )
        },
        "/api/ws": {
            "get": _operation(
                "streams",
                "webSocket",
                "WebSocket",
                handshake,
                problems=(403, 422, 426, 503),
                parameters=[*topic, *start],
            )
        },
        "/api/ws/projects/{id}": {
            "get": _operation(
                "streams",
                "webSocketOfProject",
                "WebSocket of a project",
                handshake,
                problems=(403, 404, 422, 426, 503),
                parameters=[*project, *start],
            )
        },
    }


def _projects() -> dict[str, Any]:
    listed = [
        _query("limit", f"Projects in the answer, at most {LISTED_MAX}.", {"type": "integer", "minimum": 1}),
        _query("before", "The id of the last project of the page before.", STRING),
    ]
    created = _answer("Created.", ref("Project"))
    created["headers"] = {"Location": {"description": "The project.", "schema": STRING}}
    snapshot = {200: _answer("The project as of `cursor`.", ref("Snapshot"))}
    run = {202: _answer("The run.", ref("Run"))}
    body = {JSON: {"schema": ref("NewProject")}}
    listing = {200: _answer("Newest first.", ref("Listing"))}
    ids, changing = _use("project"), (404, 409, 503)
    return {
        "/api/projects": {
            "get": _operation("projects", "listProjects", "All projects", listing, problems=(422,), parameters=listed),
            "post": _operation(
                "projects", "createProject", "Create a project", {201: created}, problems=_WRITING, body=body
            ),
        },
        "/api/projects/{id}": {
            "get": _operation("projects", "showProject", "One project", snapshot, problems=(404,), parameters=ids),
            "delete": _operation(
                "projects",
                "deleteProject",
                "Delete a project and its events",
                {204: _answer("Gone.")},
                problems=(404, 503),
                parameters=ids,
            ),
        },
        "/api/projects/{id}/generate": {
            "post": _operation("projects", "generate", "Start a run", run, problems=changing, parameters=ids)
        },
        "/api/projects/{id}/cancel": {
            "post": _operation("projects", "cancel", "Stop the run", run, problems=changing, parameters=ids)
        },
    }


def _files() -> dict[str, Any]:
    ids, missing = _use("project"), (404,)
    path = _path("path", "The file's path, slashes included.")
    files = {200: _answer("Their names and sizes.", ref("FileList"))}
    text = {200: _answer("Its text.", STRING, "text/plain")}
    archive = {200: _answer("All files.", {}, "application/zip")}
    return {
        "/api/projects/{id}/files": {
            "get": _operation("projects", "listFiles", "The files", files, problems=missing, parameters=ids)
        },
        "/api/projects/{id}/files/{path}": {
            "get": _operation("projects", "showFile", "One file", text, problems=missing, parameters=[*ids, path])
        },
        "/api/projects/{id}/archive": {
            "get": _operation("projects", "archive", "A zip of the files", archive, problems=missing, parameters=ids)
        },
    }


def _operations() -> dict[str, Any]:
    def get(id: str, summary: str, answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
        return {"get": _operation("operations", id, summary, answers)}

    ready = {
        200: _answer("Ready.", ref("Readiness")),
        503: _answer("Not ready: `checks` says why.", ref("Readiness")),
    }
    trim = _operation(
        "operations",
        "trim",
        "Keep the newest events of each topic that matches",
        {200: _answer("How many went.", ref("Trimmed"))},
        problems=(400, 415, 422, 503),
        body={JSON: {"schema": ref("TrimRequest")}},
    )
    return {
        "/api/health": get("health", "Whether the process lives", {200: _answer("It does.", ref("Health"))}),
        "/api/ready": get("ready", "Whether to send clients here", ready),
        "/api/topics": get("listTopics", "All topics", {200: _answer("By topic.", ref("TopicList"))}),
        "/api/topics/trim": {"post": trim},
        "/api/openapi.json": get("openapi", "This document", {200: _answer("OpenAPI 3.1.", {"type": "object"})}),
        "/metrics": get("metrics", "Metrics", {200: _answer("Prometheus text.", STRING, "text/plain")}),
    }


def _pages() -> dict[str, Any]:
    def file(id: str, summary: str, *names: str) -> dict[str, Any]:
        found = {200: _answer("The file."), 304: _answer("Not modified.")}
        parameters = [_path(name, "A file's name, or path.") for name in names]
        problems = (404,) if names else ()
        return {"get": _operation("pages", id, summary, found, parameters=parameters, problems=problems)}

    return {
        "/": file("home", "The page"),
        "/{name}": file("page", "The other pages", "name"),
        "/app/{path}": file("pageFile", "Scripts and styles of the pages", "path"),
        "/client/{path}": file("clientFile", "The browser client", "path"),
    }
