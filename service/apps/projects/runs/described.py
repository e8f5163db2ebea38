"""Runs in the OpenAPI document. What is answered has the shape of its model; what is sent, that of its struct."""

from typing import Any, Final

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from service.apps.projects.runs.items import NewRun, Report, Retry
from service.apps.projects.runs.limits import LINES_MAX, LISTED_MAX
from service.apps.projects.runs.models import BegunRun, Lines, Reported, RunDetail, RunFile, RunListing
from service.openapi import (
    COUNT,
    JSON,
    STRING,
    WRITING,
    Schema,
    answer,
    array,
    operation,
    path,
    query,
    record,
    ref,
    use,
)

TAG: Final = "projects"
_TEXT: Final = "text/plain"
_POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}

MODELS: Final[list[tuple[type[BaseModel], JsonSchemaMode]]] = [
    (model, "serialization") for model in (BegunRun, Lines, Reported, RunDetail, RunFile, RunListing)
]
"""What is answered."""


def run_parameters() -> dict[str, Schema]:
    return {"run": path("number", "A run's number within the project.", _POSITIVE)}


def run_schemas() -> dict[str, Schema]:
    """Beside those of the models."""
    _, found = msgspec.json.schema_components([NewRun, Report, Retry], ref_template="#/components/schemas/{name}")
    return {**found, "RunFileList": record({"files": array(ref("RunFile"))})}


def run_paths() -> dict[str, Any]:
    return _reading() | _files() | _writing()


def _reading() -> dict[str, Any]:
    ids, run = use("project"), use("project", "run")
    listed = [
        query("limit", f"Runs in the answer, at most {LISTED_MAX}.", _POSITIVE),
        query("before", "The number of the last run of the page before.", _POSITIVE),
    ]
    stage = query("stage", "Only what is of the stages of this name.", STRING)
    lines = [
        query("after", "The number of the line before the first.", COUNT),
        query("limit", f"Lines in the answer, at most {LINES_MAX}.", _POSITIVE),
        query("search", "Only lines that have this in them, whatever its case.", STRING),
        stage,
    ]
    listing, detail = {200: answer("Newest first.", ref("RunListing"))}, {200: answer("The run.", ref("RunDetail"))}
    log, put = {200: answer("All of it.", STRING, _TEXT)}, {200: answer("In order.", ref("Lines"))}
    runs = "/api/projects/{id}/runs"
    return {
        runs: {
            "get": operation(TAG, "listRuns", "The runs", listing, problems=(404, 422), parameters=[*ids, *listed]),
            "post": _begin(ids),
        },
        f"{runs}/{{number}}": {"get": operation(TAG, "showRun", "One run", detail, problems=(404,), parameters=run)},
        f"{runs}/{{number}}/log": {
            "get": operation(TAG, "showLog", "Its log", log, problems=(404, 422), parameters=[*run, stage])
        },
        f"{runs}/{{number}}/lines": {
            "get": operation(TAG, "listLines", "Lines of its log", put, problems=(404, 422), parameters=[*run, *lines])
        },
    }


def _begin(ids: list[Schema]) -> dict[str, Any]:
    location = {"Location": {"description": "The run.", "schema": STRING}}
    begun = {
        201: {**answer("Begun.", ref("BegunRun")), "headers": location},
        200: {**answer("It was begun with this key before.", ref("BegunRun")), "headers": location},
    }
    problems, body = (*WRITING, 404, 409, 429), {JSON: {"schema": ref("NewRun")}}
    return operation(TAG, "beginRun", "Begin to report a command", begun, problems=problems, parameters=ids, body=body)


def _files() -> dict[str, Any]:
    run, problems = use("project", "run"), (404, 410)
    where = path("path", "The file's path, slashes included.")
    files = {200: answer("What it wrote and removed.", ref("RunFileList"))}
    text = {200: answer("Its text.", STRING, _TEXT)}
    below = "/api/projects/{id}/runs/{number}/files"
    return {
        below: {"get": operation(TAG, "listRunFiles", "Its files", files, problems=problems, parameters=run)},
        f"{below}/{{path}}": {
            "get": operation(TAG, "showRunFile", "One as it left it", text, problems=problems, parameters=[*run, where])
        },
    }


def _writing() -> dict[str, Any]:
    run, below = use("project", "run"), "/api/projects/{id}/runs/{number}"
    reported, ended = {200: answer("Accepted.", ref("Reported"))}, {202: answer("The run.", ref("Run"))}
    sent = {name: {JSON: {"schema": ref(name)}} for name in ("Report", "Retry")}
    problems = (*WRITING, 404, 409, 410, 429)
    return {
        f"{below}/reports": {
            "post": operation(
                TAG, "report", "What a command did", reported, problems=problems, parameters=run, body=sent["Report"]
            )
        },
        f"{below}/cancel": {
            "post": operation(
                TAG, "cancelRun", "Have a command ended", ended, problems=(404, 409, 429, 503), parameters=run
            )
        },
        f"{below}/retry": {
            "post": operation(
                TAG, "retry", "Generate from a stage on", ended, problems=problems, parameters=run, body=sent["Retry"]
            )
        },
    }
