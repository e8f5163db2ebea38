"""The pages and the browser client: plain files, nothing from another host, and what a browser may keep (`site.py`)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from service.access.hosts import split_host
from service.core.errors import NotFoundError
from service.openapi import Description, answer, operation, path
from service.resources import resource
from service.web.files import File
from service.web.problems import respond, respond_to_werkzeug
from service.web.site import FOLDER, Site
from service.wire.problems import MEDIA_TYPE

SECURITY_HEADERS: Final = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_ASK: Final = "no-cache"
"""A browser asks each time whether it is still what it has."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"

_TAG: Final = "pages"
_CLIENT: Final = "/client/"
"""What pages of other origins may load: the library."""

_HOME: Final = "lab.html"
"""What `/` shows where no application has a page for it: the wire lab, with a table of topics."""


Frames = Callable[[str], Sequence[str]]
"""What pages that were asked for under a Host may show in frames, as sources."""


def policy(host: str, frames: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of a page. Old browsers don't take a WebSocket for `'self'`, so the host is named."""
    framed = f"; frame-src {' '.join(frames)}" if frames else ""
    sockets = f" ws://{host} wss://{host}" if host and split_host(host) is not None else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{sockets};"
        f" manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'{framed}"
    )


def _secured(response: Response, frames: Frames) -> Response:
    response.headers.update(SECURITY_HEADERS)
    response.headers["Content-Security-Policy"] = policy(request.host, frames(request.host))
    return response


def _is_a_person() -> bool:
    """Whether somebody looks at the answer: `fetch` and programs prefer nothing, or JSON."""
    accept = request.accept_mimetypes
    is_page = request.method in {"GET", "HEAD"} and not request.path.startswith("/api/")
    return is_page and accept["text/html"] > max(accept["application/json"], accept[MEDIA_TYPE])


def _send(found: File | None, keep: str = _ASK, status: int = 200) -> Response:
    """A file in the best coding of the request's client, if he has not it already. Raises NotFoundError for None."""
    if found is None:
        raise NotFoundError("there is no such page")
    coded = found.best(lambda coding: request.accept_encodings[coding])
    if status == 200 and found.is_known(request.headers.get("If-None-Match")):
        response = Response(b"", 304)
        del response.headers["Content-Type"]
    else:
        response = Response(coded.body, status, content_type=found.media_type)
        if coded.coding:
            response.headers["Content-Encoding"] = coded.coding
    if status == 200:
        response.headers["ETag"] = coded.etag
    response.headers["Cache-Control"] = keep
    if found.varies:
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _path_as_sent() -> str:
    """A slash that is encoded begins no folder: a browser takes the links of a page from the path that it has sent."""
    raw = request.scope.get("raw_path")  # a server need not tell it (ASGI, "HTTP connection scope")
    return request.path if raw is None else str(raw.decode("latin-1"))


def pages_blueprint(pages: Mapping[str, Path], frames: Frames = lambda host: ()) -> Blueprint:
    """`pages` are the applications' files by name; "" is what `/` shows. All are read here, once."""
    blueprint = Blueprint("pages", __name__)
    site = Site.read(resource("static"), pages, _HOME)

    def send_page(name: str) -> Response:
        response = _send(site.find(name))
        with suppress(UnicodeDecodeError):  # bytes that are no text name nothing
            if links := site.links(name, request.args):
                response.headers["Link"] = links
        return response

    @blueprint.get("/")
    async def home() -> Response:
        return send_page("")

    @blueprint.get("/<name>")
    async def page(name: str) -> Response:
        return send_page(name)

    @blueprint.get("/<any(app,client):part>/<path:name>")
    async def file(part: str, name: str) -> Response:
        return _send(site.find(f"{part}/{name}"))

    @blueprint.get(f"/{FOLDER}/<version>/<path:name>")
    async def versioned(version: str, name: str) -> Response:
        return _send(await site.find_versioned(name), _FOR_EVER if version == site.version else _ASK)

    async def missing(error: NotFoundError | HTTPException) -> Response:
        """A person who is nowhere sees a page; a program gets the problem."""
        is_nowhere = isinstance(error, NotFoundError) or error.code == 404
        found = site.missing(_path_as_sent()) if is_nowhere and _is_a_person() else None
        if found is None:
            return await (respond(error) if isinstance(error, NotFoundError) else respond_to_werkzeug(error))
        return _secured(_send(found, status=404), frames)

    blueprint.app_errorhandler(NotFoundError)(missing)
    # Not for `NotFound`: what is registered for a code goes before what an application's blueprint has for a class.
    blueprint.app_errorhandler(HTTPException)(missing)

    @blueprint.after_request
    async def secure(response: Response) -> Response:
        _secured(response, frames)
        if request.path.startswith(_CLIENT):
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return blueprint


def describe() -> Description:
    def file(id: str, summary: str, *names: str) -> dict[str, Any]:
        found = {200: answer("The file."), 304: answer("Not modified.")}
        parameters = [path(name, "A file's name, or path.") for name in names]
        return {"get": operation(_TAG, id, summary, found, parameters=parameters, problems=(404,) if names else ())}

    return Description(
        _TAG,
        {
            "/": file("home", "The page"),
            "/{name}": file("page", "The other pages", "name"),
            "/app/{path}": file("pageFile", "Scripts and styles of the pages", "path"),
            "/client/{path}": file("clientFile", "The browser client", "path"),
            f"/{FOLDER}/{{version}}/{{path}}": file(
                "versionedFile", "What a page of this version needs, for a browser to keep", "version", "path"
            ),
        },
    )
