"""Twinwire: live events over WebSocket, SSE and long polling from one durable log."""

from typing import TYPE_CHECKING, Any

from service.version import __version__ as __version__

if TYPE_CHECKING:
    from service.web.app import TwinwireApp


def create_app(*args: Any, **kwargs: Any) -> "TwinwireApp":
    """The ASGI application, as in `hypercorn -c hypercorn.toml "service:create_app()"`."""
    from service.web.app import create_app as create  # here, so that importing `service` stays cheap

    return create(*args, **kwargs)
