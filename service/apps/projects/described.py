"""The example's part of the OpenAPI document. Shapes are those of its models, so that they can't fall behind."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from service.apps.projects.limits import LISTED_MAX
from service.apps.projects.llm.described import SCHEMAS, proposal_paths
from service.apps.projects.models import Listing, NewProject, Run, Snapshot, StoredFile
from service.apps.projects.preview.described import PREVIEW_MODELS, preview_paths
from service.apps.projects.questions.described import describe_questions, question_schemas
from service.apps.projects.runs.described import MODELS, run_parameters, run_paths, run_schemas
from service.openapi import (
    JSON,
    STRING,
    WRITING,
    Alias,
    Description,
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

_TAG: Final = "projects"


def describe_projects() -> Description:
    return Description(
        _TAG,
        paths=_projects() | _files() | run_paths() | describe_questions() | proposal_paths(_TAG) | preview_paths(),
        schemas=_schemas()
        | run_schemas()
        | question_schemas()
        | SCHEMAS
        | {"FileList": record({"files": array(ref("StoredFile"))})},
        parameters={"project": path("id", "A project's id."), **run_parameters()},
        aliases={"projects/{id}": Alias("Project", ("project",))},
    )


def _projects() -> dict[str, Any]:
    listed = [
        query("limit", f"Projects in the answer, at most {LISTED_MAX}.", {"type": "integer", "minimum": 1}),
        query("before", "The id of the last project of the page before.", STRING),
    ]
    created = answer("Created.", ref("Project"))
    known = answer("It was there, and `once` was asked for.", ref("Project"))
    created["headers"] = known["headers"] = {"Location": {"description": "The project.", "schema": STRING}}
    snapshot = {200: answer("The project as of `cursor`.", ref("Snapshot"))}
    run = {202: answer("The run.", ref("Run"))}
    body = {JSON: {"schema": ref("NewProject")}}
    listing = {200: answer("Newest first.", ref("Listing"))}
    made = {201: created, 200: known}
    ids, changing = use("project"), (404, 409, 429, 503)
    gone, writing = {204: answer("Gone.")}, (*WRITING, 429)
    return {
        "/api/projects": {
            "get": operation(_TAG, "listProjects", "All projects", listing, problems=(422,), parameters=listed),
            "post": operation(_TAG, "createProject", "Create a project", made, problems=writing, body=body),
        },
        "/api/projects/{id}": {
            "get": operation(_TAG, "showProject", "One project", snapshot, problems=(404,), parameters=ids),
            "delete": operation(
                _TAG, "deleteProject", "Delete a project and its events", gone, problems=(404, 429, 503), parameters=ids
            ),
        },
        "/api/projects/{id}/generate": {
            "post": operation(_TAG, "generate", "Start a run", run, problems=changing, parameters=ids)
        },
        "/api/projects/{id}/cancel": {
            "post": operation(_TAG, "cancel", "Stop the run", run, problems=changing, parameters=ids)
        },
    }


def _files() -> dict[str, Any]:
    ids, missing = use("project"), (404,)
    where = path("path", "The file's path, slashes included.")
    files = {200: answer("Their names and sizes.", ref("FileList"))}
    text = {200: answer("Its text.", STRING, "text/plain")}
    archive = {200: answer("All files.", {}, "application/zip")}
    return {
        "/api/projects/{id}/files": {
            "get": operation(_TAG, "listFiles", "The files", files, problems=missing, parameters=ids)
        },
        "/api/projects/{id}/files/{path}": {
            "get": operation(_TAG, "showFile", "One file", text, problems=missing, parameters=[*ids, where])
        },
        "/api/projects/{id}/archive": {
            "get": operation(_TAG, "archive", "A zip of the files", archive, problems=missing, parameters=ids)
        },
    }


def _schemas() -> dict[str, Schema]:
    """From the models themselves, as they are serialised, and those they are made of."""
    _, found = models_json_schema(
        [
            (NewProject, "validation"),
            (Listing, "serialization"),
            (Snapshot, "serialization"),
            (Run, "serialization"),
            (StoredFile, "serialization"),
            *MODELS,
            *PREVIEW_MODELS,
        ],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Schema] = found["$defs"]
    return definitions
