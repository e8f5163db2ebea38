"""The application: Quart for resources and pages, the front door before it for streams and publishing."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, Final, cast

import structlog
from quart import Blueprint, Quart, Response, request

from service.access.caller import Caller
from service.access.deciding import DECIDED
from service.access.gate import Act
from service.access.headers import EVERY_ANSWER, preflight
from service.apps.base import App
from service.assembly import Assembly
from service.core.errors import TwinwireError
from service.settings import Settings
from service.stream.asgi import ASGI
from service.stream.hypercorn.guards import STATE
from service.stream.hypercorn.upstream import install
from service.web import problems
from service.web.access import access_blueprint
from service.web.caller import meet
from service.web.connections import connections_blueprint
from service.web.json import answer_text, as_text
from service.web.openapi import describe
from service.web.operations import operations_blueprint
from service.web.pages import pages_blueprint
from service.web.presence import presence_blueprint
from service.wire.front import FrontDoor

logger = structlog.get_logger(__name__)

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110, 9.2.1)."""

_SHARED: Final = ("/api/", "/client/", "/metrics")
"""Below these is what a page of an allowed origin may read."""

ANSWERING: Final = ("/api/", "/metrics")
"""Below these, answers are made; everything else is a file that anybody may show."""


class TwinwireApp(Quart):
    """`assembly` is there while the application is being served; `front` is what the server calls."""

    front: FrontDoor
    assembly: Assembly | None = None

    def attach(self, assembly: Assembly) -> None:
        """Serve `assembly`, and close it with the lifespan. Call once, before the first request."""
        self.register_blueprint(operations_blueprint(assembly))
        self.register_blueprint(connections_blueprint(assembly))
        self.register_blueprint(access_blueprint(assembly))
        self.register_blueprint(presence_blueprint(assembly))
        self.register_blueprint(_document(assembly))
        for app in assembly.apps:
            for blueprint in app.routes():
                self.register_blueprint(blueprint)
        pages = {name: file for app in reversed(assembly.apps) for name, file in app.pages().items()}
        self.register_blueprint(pages_blueprint(pages, assembly.guests.frames))
        self.assembly = assembly
        self.front.doors = assembly.doors


def _document(assembly: Assembly) -> Blueprint:
    """What describes all of the others stands beside them: it has to know every application's part."""
    blueprint = Blueprint("document", __name__)

    @cache
    def text() -> str:
        """Always the same, and 60 kB: made when it is first asked for."""
        return as_text(describe([part for app in assembly.apps if (part := app.describe()) is not None]))

    @blueprint.get("/api/openapi.json")
    async def openapi() -> Response:
        return answer_text(text())

    return blueprint


def _act() -> Act:
    if request.method not in _SAFE_METHODS:
        return Act.CHANGE
    return Act.READ if request.path.startswith(ANSWERING) else Act.PAGE


UNASKED: Final = ("/api/ready", "/api/openapi.json")
"""What anybody may read of those, as the health that the front door tells."""

_OPEN: Final = frozenset(product(("GET", "HEAD"), UNASKED)) | {
    ("DELETE", "/api/session"),
    ("POST", "/api/presence/leave"),
}
"""What anybody may have, what helps with a cookie that is no good, and what pages send that can't say who they are: who
asks is not looked at."""


class _Asker:
    """Quart's request, as the gate looks at it."""

    @property
    def address(self) -> str | None:
        return request.remote_addr

    @property
    def method(self) -> str:
        return request.method

    @property
    def scheme(self) -> str:
        return request.scheme

    def header(self, name: bytes) -> str | None:
        return request.headers.get(name.decode())

    def fields(self, name: bytes) -> list[str]:
        return request.headers.getlist(name.decode())

    def parameter(self, name: str) -> str | None:
        return None

    @property
    def decided(self) -> Caller | TwinwireError | None:
        scope: Mapping[str, Any] = request.scope
        return scope.get(DECIDED)


def create_app(settings: Settings | None = None, apps: Sequence[App] | None = None) -> TwinwireApp:
    """An ASGI application. Its lifespan opens a service, unless one was attached, and closes it.

    Without `settings`, the environment's; without `apps`, those that the settings name.
    """
    app = TwinwireApp("service", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # a file's path is what it says
    front = FrontDoor(cast(ASGI, app.asgi_app))
    app.front = front
    app.asgi_app = cast(Any, front)  # type: ignore[method-assign]
    problems.install(app)

    @app.before_serving
    async def start() -> None:
        if changed := install():
            logger.warning("hypercorn_not_guarded", reason="another Hypercorn than ours was written for", files=changed)
        assembly = app.assembly
        if assembly is None:
            assembly = await Assembly.open(settings or Settings.read(), apps)
            app.attach(assembly)
        front.state[STATE] = assembly.guards

    @app.before_request
    async def guard() -> None:
        """A page of another origin can send a form without asking; what changes something asks where it is from."""
        if app.assembly is not None:
            act = _act()
            is_open = (request.method, request.path.rstrip("/")) in _OPEN or request.method == "OPTIONS"
            meet(app.assembly.gate, _Asker(), act, is_open=is_open)

    @app.after_request
    async def harden(response: Response) -> Response:
        for name, value in EVERY_ANSWER:
            response.headers.setdefault(name.decode(), value.decode())
        if app.assembly is not None and request.path.startswith(_SHARED):
            cors = app.assembly.gate.cors(_Asker())
            allow = response.headers.get("Allow", "")
            for name, value in preflight(allow, cors) if request.method == "OPTIONS" else cors:
                if name == b"vary":  # a file has its own already
                    response.vary.add(value.decode())
                else:
                    response.headers.add(name.decode(), value.decode("latin-1"))
        return response

    @app.after_serving
    async def stop() -> None:
        assembly, app.assembly, front.doors = app.assembly, None, None
        if assembly is not None:
            await assembly.close()

    return app
