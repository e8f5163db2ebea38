"""The application: Quart for resources and pages, the front door before it for streams and publishing."""

from typing import Any, cast

from quart import Quart

from service.settings import Settings
from service.web import problems
from service.web.front import ASGI, FrontDoor
from service.web.operations import operations_blueprint
from service.web.pages import pages_blueprint
from service.web.projects import projects_blueprint
from service.web.service import Service
from service.wire.hypercorn import close_http2_buffer_fault


class TwinwireApp(Quart):
    """`front.service` is there while the application is being served."""

    front: FrontDoor


def create_app(settings: Settings | None = None) -> TwinwireApp:
    """An ASGI application; its lifespan opens and closes the service. Without `settings`, the environment's."""
    app = TwinwireApp("service", static_folder=None)
    app.url_map.strict_slashes = False
    front = FrontDoor(cast(ASGI, app.asgi_app))
    app.front = front
    app.asgi_app = cast(Any, front)  # type: ignore[method-assign]
    problems.install(app)
    app.register_blueprint(pages_blueprint())

    @app.before_serving
    async def start() -> None:
        close_http2_buffer_fault()
        service = await Service.open(settings or Settings())
        app.register_blueprint(operations_blueprint(service))
        app.register_blueprint(projects_blueprint(service.projects))
        front.service = service

    @app.after_serving
    async def stop() -> None:
        service, front.service = front.service, None
        if service is not None:
            await service.close()

    return app
