"""The words of an OpenAPI 3.1 document (JSON Schema 2020-12): each resource describes itself in them, beside its code.

Pure functions from values to values. `service.web.openapi` puts the parts together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Schema = dict[str, Any]
Operation = dict[str, Any]

JSON: Final = "application/json"
STRING: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}

READING: Final = (404, 422)
WRITING: Final = (400, 408, 413, 415, 422, 503)
"""Statuses of the problems that any read, and any write, may be answered with."""


@dataclass(frozen=True, slots=True)
class Description:
    """One room's part of the document: `tag` groups its operations; the rest goes under the names of OpenAPI.

    `aliases` are streams of an application: `{"projects/{id}": Alias(...)}` is described for every kind of stream.
    """

    tag: str
    paths: Mapping[str, Any] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, "Alias"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alias:
    """What a stream's path stands for: `of` ends the operations' ids and their summaries, as in `Project`."""

    of: str
    parameters: tuple[str, ...] = ()


# Schemas


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(properties: dict[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object whose members are all required but the `optional` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def whole(pattern: str) -> str:
    """A regular expression that has to match all of a text (ECMA-262, as JSON Schema wants it)."""
    return f"^(?:{pattern})$"


# Operations


def operation(
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
    described: Operation = {"tags": [tag], "operationId": id, "summary": summary}
    if parameters:
        described["parameters"] = parameters
    if body:
        described["requestBody"] = {"required": True, "content": body}
    return described | {"responses": {str(status): answer for status, answer in answers.items()} | refused}


def answer(text: str, schema: Schema | None = None, media_type: str = JSON) -> dict[str, Any]:
    return {"description": text} | ({} if schema is None else {"content": {media_type: {"schema": schema}}})


def query(name: str, text: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema, **more}


def header(name: str, text: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": schema}


def path(name: str, text: str, schema: Schema = STRING) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def use(*names: str) -> list[dict[str, Any]]:
    """Parameters that several operations share, by their names under `components.parameters`."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]
