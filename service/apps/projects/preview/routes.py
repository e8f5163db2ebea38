"""`/api/projects/{id}/app`: the application that a project's newest completed run has made (docs/protocol.md, 6)."""

from quart import Blueprint, Response, request

from service.apps.projects.answers import answer_value
from service.apps.projects.changes import topic_of
from service.apps.projects.preview.previews import Previews
from service.apps.projects.service import ProjectService
from service.core.errors import NotFoundError
from service.preview.names import Site
from service.web.caller import visit
from service.web.json import nothing


def previews_blueprint(service: ProjectService, previews: Previews) -> Blueprint:
    """Every route that is about one."""
    blueprint = Blueprint("previews", __name__, url_prefix="/api/projects")

    def check_exists(id: str) -> None:
        if not service.exists(id):
            raise NotFoundError(f"there is no project {id!r}")

    @blueprint.post("/<id>/app")
    async def open_app(id: str) -> Response:
        visit().check_run(topic_of(id))
        check_exists(id)
        seen = visit()
        with seen.spending(1):  # to start a process is dearer than an event
            view = await previews.open(id, page_of(), seen.caller, seen.gate.authority.check)
        return answer_value(view)

    @blueprint.get("/<id>/app")
    async def show_app(id: str) -> Response:
        visit().check_run(topic_of(id))
        check_exists(id)
        return answer_value(await previews.show(id, page_of()))

    @blueprint.delete("/<id>/app")
    async def stop_app(id: str) -> Response:
        visit().check_run(topic_of(id))
        check_exists(id)
        previews.stop(id)
        return nothing()

    return blueprint


def page_of() -> Site:
    """Where the page is that asks, as its browser says: by its Origin, or its Referer; else by the host that was asked
    for, which a proxy may have lost."""
    referer = "/".join(request.headers.get("Referer", "").split("/")[:3])
    found = Site.of_origin(request.headers.get("Origin")) or Site.of_origin(referer)
    return found or Site("https" if visit().is_https() else "http", request.host.lower())
