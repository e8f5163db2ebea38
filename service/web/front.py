"""The front door: streams and publishing go straight to their wires, everything else to Quart.

A stream lives for hours and a publish is asked for thousands of times a second; neither needs a framework's
request around it, and a wire on plain ASGI is free of a framework's time limits, queues and context.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from service.core.errors import InvalidError, MethodError, NotFoundError, TwinwireError, UpgradeRequiredError
from service.core.topics import TopicFilter, is_topic
from service.web.service import Service
from service.wire.asgi import Receive, Request, Scope, Send, refuse_websocket, respond, respond_problem

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

EVENTS: Final = "/api/events"
WEBSOCKET: Final = "/api/ws"
SSE: Final = "/api/sse"
_PROJECTS: Final = "/projects/"
_ALLOW: Final = "GET, HEAD, POST, OPTIONS"
_PREFLIGHT: Final = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"content-type, idempotency-key, last-event-id, authorization"),
    (b"access-control-max-age", b"3600"),
]


class FrontDoor:
    """An ASGI application around another. `service` is None until the lifespan has started."""

    def __init__(self, inner: ASGI) -> None:
        self._inner = inner
        self.service: Service | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = self.service
        if scope["type"] == "lifespan" or service is None:
            await self._inner(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(service, scope, receive, send)
        else:
            await self._http(service, scope, receive, send)

    async def _websocket(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            topics = _project_topics(service, scope["path"], WEBSOCKET)
        except TwinwireError as error:
            await receive()
            await refuse_websocket(send, error)
            return
        await service.websocket(scope, receive, send, topics)

    async def _http(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == EVENTS:
            await self._events(service, scope, receive, send)
        elif path == SSE or path.startswith(SSE + "/"):
            await self._sse(service, scope, receive, send)
        elif path == WEBSOCKET or path.startswith(WEBSOCKET + "/"):
            service.hub.refused["no_upgrade"] += 1
            error = UpgradeRequiredError("this is a WebSocket URL; something on the way may strip Upgrade: try SSE")
            query = scope.get("query_string", b"").decode("latin-1")
            hint = path.replace(WEBSOCKET, SSE, 1) + (f"?{query}" if query else "")
            await respond_problem(send, error, head=scope["method"] == "HEAD", sse=hint)
        else:
            await self._inner(scope, receive, send)

    async def _events(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "POST":
            await service.publish(scope, receive, send)
        elif method in ("GET", "HEAD"):
            await service.poll(scope, receive, send)
        elif method == "OPTIONS":
            await _preflight(service, scope, send)
        else:
            await respond_problem(send, MethodError(f"use {_ALLOW}", field="method"))

    async def _sse(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await _preflight(service, scope, send)
            return
        try:
            topics = _project_topics(service, scope["path"], SSE)
        except TwinwireError as error:
            await respond_problem(send, error, head=scope["method"] == "HEAD")
            return
        await service.sse(scope, receive, send, topics)


def _project_topics(service: Service, path: str, base: str) -> TopicFilter | None:
    """The filter that `base/projects/{id}` stands for; None for `base` itself. Raises NotFoundError."""
    if path == base:
        return None
    prefix, id = base + _PROJECTS, path.removeprefix(base + _PROJECTS)
    topic = f"projects/{id}"
    if not path.startswith(prefix) or "/" in id or not is_topic(topic) or not service.projects.exists(id):
        raise NotFoundError("there is no such project" if path.startswith(prefix) else "there is no such stream")
    try:
        return TopicFilter((topic,))
    except InvalidError as error:
        raise NotFoundError("there is no such project") from error


async def _preflight(service: Service, scope: Scope, send: Send) -> None:
    """What another origin's page may send (Fetch, "CORS-preflight request")."""
    origin = Request(scope).header(b"origin")
    allowed = service.origins.cors(origin)
    headers = [(b"allow", _ALLOW.encode()), *allowed, *(_PREFLIGHT if allowed else ())]
    await respond(send, 204, headers, b"")
