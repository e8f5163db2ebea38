"""The fourth agent: the shape of requests and responses, and the API as an OpenAPI document."""

from typing import Any

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.naming import counted, label, required, singular
from service.apps.projects.agents.render import json_text, render
from service.apps.projects.brief import Entity, Kind

SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": ["string", "null"], "maxLength": 10_000},
    Kind.INT: {"type": ["integer", "null"], "format": "int64"},
    Kind.FLOAT: {"type": ["number", "null"]},
    Kind.BOOL: {"type": "boolean"},
    Kind.DATE: {"type": ["string", "null"], "format": "date"},
    Kind.RELATION: {"type": ["integer", "null"], "format": "int64", "minimum": 1},
}


class ApiDesign(Agent):
    name = "API design"
    needs = ("app/model.py",)
    writes = ("app/web.py", "app/static/openapi.json")

    async def run(self, work: Workspace) -> None:
        await work.write("app/web.py", render("app/web.py"))
        await work.log("Requests, responses and errors are values: 400, 403, 404, 405, 413, 415, 422")
        for entity in work.brief.entities:
            await work.log(f"/api/{entity.name}: GET, POST; /api/{entity.name}/<id>: GET, PUT, DELETE")
        document = openapi(work.title, work.brief.entities)
        await work.write("app/static/openapi.json", json_text(document))
        await work.log(f"The OpenAPI document has {counted(len(document['paths']), 'path')}")


def openapi(title: str, entities: tuple[Entity, ...]) -> dict[str, Any]:
    """An OpenAPI 3.1 document of the whole API."""
    paths: dict[str, Any] = {}
    for entity in entities:
        paths[f"/api/{entity.name}"] = _collection(entity)
        paths[f"/api/{entity.name}/{{id}}"] = _record(entity)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {entity.name: _schema(entity) for entity in entities},
            "responses": {"Problem": _problem()},
        },
    }


def _schema(entity: Entity) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": {"type": "integer", "readOnly": True}}
    key = required(entity)
    for field in entity.fields:
        schema = dict(SCHEMAS[field.kind])
        if field is key:
            schema["type"] = schema["type"][0]
        if field.to:
            schema["description"] = f"The id of one of /api/{field.to}; 422 if there is none"
        properties[field.name] = {"title": label(field.name), **schema}
    names = ["id"] if key is None else ["id", key.name]
    return {"type": "object", "required": names, "properties": properties, "additionalProperties": False}


def _problem() -> dict[str, Any]:
    fields = {"type": "object", "additionalProperties": {"type": "string"}}
    schema = {"type": "object", "properties": {"error": {"type": "string"}, "fields": fields}}
    return {"description": "What is wrong", "content": {"application/json": {"schema": schema}}}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(summary: str, answers: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    responses = {**answers, "default": {"$ref": "#/components/responses/Problem"}}
    request = {} if body is None else {"requestBody": {"required": True, "content": _content(body)}}
    return {"summary": summary, **request, "responses": responses}


def _collection(entity: Entity) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{entity.name}"}
    many = {"type": "array", "items": reference}
    one = singular(entity.name).lower()
    listing = _operation("List, newest first", {"200": {"description": "OK", "content": _content(many)}})
    listing["parameters"] = _parameters(entity)
    created = {"201": {"description": "Created", "content": _content(reference)}}
    return {"get": listing, "post": _operation(f"Create a {one}", created, reference)}


def _parameters(entity: Entity) -> list[dict[str, Any]]:
    """What a list may be asked for."""
    fields = ["id", *(field.name for field in entity.fields)]
    number = {"type": "integer", "minimum": 0}
    schemas: dict[str, dict[str, Any]] = {
        "limit": number,
        "offset": number,
        "search": {"type": "string", "maxLength": 200, "description": "What one of the texts has to contain"},
        "sort": {"enum": [f"{sign}{name}" for name in fields for sign in ("", "-")], "default": "-id"},
    }
    relations = [field.name for field in entity.fields if field.to]
    if relations:
        where = {"type": "string", "pattern": f"^({'|'.join(relations)}):[0-9]+$"}
        schemas["where"] = {**where, "description": "A relation, and the id that it has to lead to"}
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _record(entity: Entity) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{entity.name}"}
    found = {"200": {"description": "OK", "content": _content(reference)}}
    one = singular(entity.name).lower()
    kept = {"description": "Other records lead to it", "$ref": "#/components/responses/Problem"}
    deleted = {"204": {"description": "Deleted"}, "409": kept}
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    return {
        "parameters": [id],
        "get": _operation(f"Read a {one}", found),
        "put": _operation(f"Replace a {one}", found, reference),
        "delete": _operation(f"Delete a {one}", deleted),
    }
