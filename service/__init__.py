"""Twinwire: live events over WebSocket, SSE and long polling from one durable log."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.web.app import TwinwireApp

__version__ = "0.1.0"


def create_app(*args: Any, **kwargs: Any) -> "TwinwireApp":
    """The ASGI application, as in `hypercorn -c hypercorn.toml "service:create_app()"`."""
    from service.web.app import create_app as create  # here, so that importing `service` stays cheap

    return create(*args, **kwargs)
