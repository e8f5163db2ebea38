"""The project resources (docs/protocol.md, section 6): JSON in and out, errors raised for the app to translate."""

import json
from typing import Final

from pydantic import ValidationError
from quart import Blueprint, Response, request, url_for

from service.apps.projects.archive import slug
from service.apps.projects.changes import PROJECTS_TOPIC, topic_of
from service.apps.projects.limits import BODY_MAX, LISTED_MAX
from service.apps.projects.models import NewProject, Value
from service.apps.projects.service import ProjectService
from service.core.errors import InvalidError, MalformedError
from service.core.parameters import Parameters
from service.web.caller import visit
from service.web.json import answer, answer_text, fresh, nothing, read_text

_LIMIT_DIGITS: Final = 9
CREATE_EVENTS: Final = 2
"""Events with which a project begins: on `projects`, and on its own topic."""
_LISTING: Final = Parameters("limit", "before")


def projects_blueprint(service: ProjectService) -> Blueprint:
    """Every route below `/api/projects`."""
    blueprint = Blueprint("projects", __name__, url_prefix="/api/projects")

    @blueprint.post("")
    async def create() -> Response:
        visit().check_publish(PROJECTS_TOPIC)
        new = await _read_new_project()
        with visit().spending(CREATE_EVENTS, topics=1):
            project = await service.create(new.name, new.brief)
        response = _answer(project, 201)
        response.headers["Location"] = url_for("projects.show", id=project.id)
        return response

    @blueprint.get("")
    async def index() -> Response:
        _LISTING.check(request.args)
        limit, before, may_read = _read_limit(), request.args.get("before"), visit().reader()
        return _answer(await service.listing(limit, before, lambda id: may_read(topic_of(id))))

    @blueprint.get("/<id>")
    async def show(id: str) -> Response:
        visit().check_read(topic_of(id))
        return _answer(await service.snapshot(id))

    @blueprint.delete("/<id>")
    async def delete(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            await service.delete(id)
        return nothing()

    @blueprint.post("/<id>/generate")
    async def generate(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            return _answer(await service.generate(id), 202)

    @blueprint.post("/<id>/cancel")
    async def cancel(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            return _answer(await service.cancel(id), 202)

    _add_files(blueprint, service)
    return blueprint


def _add_files(blueprint: Blueprint, service: ProjectService) -> None:
    @blueprint.get("/<id>/files")
    async def files(id: str) -> Response:
        visit().check_read(topic_of(id))
        found = [file.model_dump() for file in await service.files(id)]
        return answer({"files": found})

    @blueprint.get("/<id>/files/<path:path>")
    async def file(id: str, path: str) -> Response:
        visit().check_read(topic_of(id))
        # Plain text whatever it holds: what an agent wrote must not run as a page of this origin.
        response = Response((await service.file(id, path)).encode(), content_type="text/plain; charset=utf-8")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return fresh(response)

    @blueprint.get("/<id>/archive")
    async def archive(id: str) -> Response:
        visit().check_read(topic_of(id))
        name, content = await service.archive(id)
        response = Response(content, content_type="application/zip")
        response.headers["Content-Disposition"] = f'attachment; filename="{slug(name)}.zip"'
        response.headers["X-Content-Type-Options"] = "nosniff"
        return fresh(response)


def _answer(value: Value, status: int = 200) -> Response:
    return answer_text(value.model_dump_json(), status)


def _read_limit() -> int:
    text = request.args.get("limit")
    if text is None:
        return LISTED_MAX
    if not (text.isascii() and text.isdigit() and len(text) <= _LIMIT_DIGITS and int(text) >= 1):
        raise InvalidError("limit is a number from 1", field="limit")
    return min(int(text), LISTED_MAX)


async def _read_new_project() -> NewProject:
    """The body. Raises MediaTypeError, TooLargeError, MalformedError, or InvalidError that names the field."""
    try:
        value = json.loads(await read_text(BODY_MAX))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidError('the body has to be an object: {"name": "...", "brief": "..."}')
    try:
        return NewProject.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidError(first["msg"], field=".".join(map(str, first["loc"]))) from error
