"""The pages and the browser client: plain files, revalidated on every load, nothing from another host."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from quart import Blueprint, Response, request

from service.access.hosts import split_host
from service.core.errors import NotFoundError
from service.openapi import Description, answer, operation, path
from service.resources import resource
from service.web.files import File, read_folder

SECURITY_HEADERS: Final = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_TAG: Final = "pages"
_CLIENT: Final = "/client/"
"""What pages of other origins may load: the library."""

_HOME: Final = "lab.html"
"""What `/` shows where no application has a page for it: the wire lab, with a table of topics."""


def policy(host: str) -> str:
    """The Content-Security-Policy of a page. Old browsers don't take a WebSocket for `'self'`, so the host is named."""
    sockets = f" ws://{host} wss://{host}" if host and split_host(host) is not None else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{sockets};"
        " manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def pages_blueprint(pages: Mapping[str, Path]) -> Blueprint:
    """`pages` are the applications' files by name; "" is what `/` shows. All are read here, once."""
    blueprint = Blueprint("pages", __name__)
    table = read_folder(resource("static"))
    table[""] = table[_HOME]
    table["login"] = table["login.html"]
    table |= {name: File.read(path) for name, path in pages.items()}

    def send(name: str) -> Response:
        found = table.get(name)
        if found is None:
            raise NotFoundError("there is no such page")
        if found.is_known(request.headers.get("If-None-Match")):
            response = Response(b"", 304)
            del response.headers["Content-Type"]
        else:
            response = Response(found.body, content_type=found.media_type)
        response.headers["ETag"] = found.etag
        return response

    @blueprint.get("/")
    async def home() -> Response:
        return send("")

    @blueprint.get("/<name>")
    async def page(name: str) -> Response:
        return send(name)

    @blueprint.get("/<any(app,client):part>/<path:name>")
    async def file(part: str, name: str) -> Response:
        return send(f"{part}/{name}")

    @blueprint.after_request
    async def secure(response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        response.headers["Content-Security-Policy"] = policy(request.host)
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
        },
    )
