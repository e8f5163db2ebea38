"""Twinwire: live events over WebSocket, SSE and long polling from one durable log."""

from service.version import __version__ as __version__

TYPE_CHECKING = False  # checkers know the name: to import `typing` takes ten milliseconds before a Ctrl-C is quiet
if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.apps.base import App
    from service.settings import Settings
    from service.web.app import TwinwireApp


def create_app(settings: "Settings | None" = None, apps: "Sequence[App] | None" = None) -> "TwinwireApp":
    """The ASGI application, as in `hypercorn -c hypercorn.toml "service:create_app()"`.

    Without `settings`, the environment's; without `apps`, those that the settings name.
    """
    from service.web.app import create_app as create  # here, so that importing `service` stays cheap

    return create(settings, apps)
