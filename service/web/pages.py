"""The pages and the browser client: plain files, revalidated on every load, nothing from another host."""

from typing import Final

from quart import Blueprint, Response, send_from_directory

from service.resources import resource

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:;"
        " manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def pages_blueprint() -> Blueprint:
    blueprint = Blueprint("pages", __name__)
    folder = resource("static")

    @blueprint.get("/")
    async def home() -> Response:
        return await send_from_directory(folder, "index.html")

    @blueprint.get("/<name>")
    async def page(name: str) -> Response:
        return await send_from_directory(folder, name)

    @blueprint.get("/<any(app,client):part>/<path:name>")
    async def file(part: str, name: str) -> Response:
        return await send_from_directory(folder / part, name)

    @blueprint.after_request
    async def secure(response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        return response

    return blueprint
