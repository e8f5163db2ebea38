"""Its part of the OpenAPI document."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from service.apps.projects.preview.previews import AppView
from service.openapi import answer, operation, ref, use

_TAG: Final = "projects"
PREVIEW_MODELS: Final[tuple[tuple[type[BaseModel], JsonSchemaMode], ...]] = ((AppView, "serialization"),)
"""Whose shapes the document has."""


def preview_paths() -> dict[str, Any]:
    ids, view = use("project"), answer("How it does.", ref("AppView"))
    about, opened = "The application of the newest completed run", (404, 422, 429, 501, 503)
    return {
        "/api/projects/{id}/app": {
            "get": operation(_TAG, "showApp", about, {200: view}, problems=(404,), parameters=ids),
            "post": operation(_TAG, "openApp", "Start it, and enter it", {200: view}, problems=opened, parameters=ids),
            "delete": operation(
                _TAG, "stopApp", "Stop it", {204: answer("It does not run.")}, problems=(404,), parameters=ids
            ),
        },
    }
