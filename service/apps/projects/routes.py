"""The project resources (docs/protocol.md, section 6): JSON in and out, errors raised for the app to translate."""

import json
from contextlib import AbstractContextManager
from typing import Final

from pydantic import ValidationError
from quart import Blueprint, Response, request, url_for

from service.apps.projects.answers import answer_value, as_text
from service.apps.projects.archive import slug
from service.apps.projects.changes import PROJECTS_TOPIC, topic_of
from service.apps.projects.limits import BODY_MAX, DIGITS, LISTED_MAX
from service.apps.projects.models import NewProject
from service.apps.projects.runs.items import Retry
from service.apps.projects.runs.made import Wish
from service.apps.projects.runs.retry import Start
from service.apps.projects.runs.routes import add_runs
from service.apps.projects.service import ProjectService
from service.core.errors import InvalidError, MalformedError
from service.core.parameters import Parameters
from service.web.caller import visit
from service.web.json import answer, fresh, nothing, read, read_text
from service.web.query import number

CREATE_EVENTS: Final = 2
"""Events with which a project begins: on `projects`, and on its own topic."""
_LISTING: Final = Parameters("limit", "before")


def projects_blueprint(service: ProjectService) -> Blueprint:
    """Every route below `/api/projects`."""
    blueprint = Blueprint("projects", __name__, url_prefix="/api/projects")

    @blueprint.post("")
    async def create() -> Response:
        caller = visit()
        if not caller.caller.rights.publish:
            caller.check_publish(PROJECTS_TOPIC)
        new = await _read_new_project()

        def making() -> AbstractContextManager[object]:
            caller.check_publish(PROJECTS_TOPIC)
            return caller.spending(CREATE_EVENTS, topics=1)

        if new.once:  # who may publish to the one that is there needs no right to make another
            may_publish = caller.caller.rights.may_publish
            project, is_new = await service.once(new.name, lambda id: may_publish(topic_of(id)), making)
        else:
            with making():
                project, is_new = await service.create(new.name, new.brief), True
        response = answer_value(project, 201 if is_new else 200)
        response.headers["Location"] = url_for("projects.show", id=project.id)
        return response

    @blueprint.get("")
    async def index() -> Response:
        _LISTING.check(request.args)
        limit = min(number("limit", LISTED_MAX, 1, DIGITS), LISTED_MAX)
        before, may_read = request.args.get("before"), visit().reader()
        return answer_value(await service.listing(limit, before, lambda id: may_read(topic_of(id))))

    @blueprint.get("/<id>")
    async def show(id: str) -> Response:
        visit().check_read(topic_of(id))
        return answer_value(await service.snapshot(id))

    @blueprint.delete("/<id>")
    async def delete(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            await service.delete(id)
        return nothing()

    _add_generating(blueprint, service)
    _add_files(blueprint, service)
    add_runs(blueprint, service.runs)
    return blueprint


def _add_generating(blueprint: Blueprint, service: ProjectService) -> None:
    @blueprint.post("/<id>/generate")
    async def generate(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            return answer_value(await service.generate(id, _wish(id)), 202)

    @blueprint.post("/<id>/cancel")
    async def cancel(id: str) -> Response:
        visit().check_publish(topic_of(id))
        with visit().spending(1):
            return answer_value(await service.cancel(id, visit().caller.subject), 202)

    @blueprint.post("/<id>/runs/<int:number>/retry")
    async def retry(id: str, number: int) -> Response:
        visit().check_publish(topic_of(id))
        start = Start(number, (await read(Retry, BODY_MAX)).stage)
        with visit().spending(1):
            return answer_value(await service.generate(id, _wish(id), start), 202)


def _add_files(blueprint: Blueprint, service: ProjectService) -> None:
    @blueprint.get("/<id>/files")
    async def files(id: str) -> Response:
        visit().check_read(topic_of(id))
        found = [file.model_dump() for file in await service.files(id)]
        return answer({"files": found})

    @blueprint.get("/<id>/files/<path:path>")
    async def file(id: str, path: str) -> Response:
        visit().check_read(topic_of(id))
        return as_text((await service.file(id, path)).encode())

    @blueprint.get("/<id>/archive")
    async def archive(id: str) -> Response:
        visit().check_read(topic_of(id))
        name, content = await service.archive(id)
        response = Response(content, content_type="application/zip")
        response.headers["Content-Disposition"] = f'attachment; filename="{slug(name)}.zip"'
        response.headers["X-Content-Type-Options"] = "nosniff"
        return fresh(response)


def _wish(id: str) -> Wish:
    """Of whoever asks: a run does not run more than who began it may have run."""
    return Wish(visit().caller.subject, visit().may_run(topic_of(id)))


async def _read_new_project() -> NewProject:
    """The body. Raises MediaTypeError, TooLargeError, MalformedError, or InvalidError that names the field."""
    try:
        value = json.loads(await read_text(BODY_MAX))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidError('the body has to be an object: {"name": "...", "brief": "..."}')
    try:
        new = NewProject.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise InvalidError(first["msg"], field=".".join(map(str, first["loc"]))) from error
    if new.once and new.brief is not None:
        raise InvalidError("only a project without a brief is made once: send null", field="brief")
    return new
