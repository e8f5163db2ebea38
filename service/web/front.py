"""The front door: streams and publishing go straight to their wires, everything else to Quart.

A stream lives for hours and a publish is asked for thousands of times a second; neither needs a framework's
request around it, and a wire on plain ASGI is free of a framework's time limits, queues and context.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from service.assembly import Assembly
from service.core.errors import MethodError, NotFoundError, TwinwireError, UpgradeRequiredError
from service.core.topics import TopicFilter
from service.wire.request import Header, Receive, Request, Scope, Send, refuse_websocket, respond, respond_problem
from service.wire.sse import SSEWire
from service.wire.websocket import WebSocketWire

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

EVENTS: Final = "/api/events"
WEBSOCKET: Final = "/api/ws"
SSE: Final = "/api/sse"
_READ_AND_PUBLISH: Final = "GET, HEAD, POST, OPTIONS"
_PREFLIGHT: Final = [
    (b"access-control-allow-headers", b"content-type, idempotency-key, last-event-id, authorization"),
    (b"access-control-max-age", b"3600"),
]


class FrontDoor:
    """An ASGI application around another. `assembly` is None until the lifespan has started.

    Routing only chooses: every coroutine between the server and a wire would keep its frame for as long as the
    stream lives, so there is none.
    """

    def __init__(self, inner: ASGI) -> None:
        self._inner = inner
        self.assembly: Assembly | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._route(scope)(scope, receive, send)

    def _route(self, scope: Scope) -> ASGI:
        assembly = self.assembly
        if assembly is None or scope["type"] == "lifespan":
            return self._inner
        path: str = scope["path"]
        try:
            if scope["type"] == "websocket":
                return _stream(assembly, assembly.websocket, path, WEBSOCKET)
            if path == EVENTS:
                return _events(assembly, scope["method"])
            if path == SSE or path.startswith(SSE + "/"):
                if scope["method"] == "OPTIONS":
                    return partial(_preflight, assembly, MethodError.allow)
                return _stream(assembly, assembly.sse, path, SSE)
            if path == WEBSOCKET or path.startswith(WEBSOCKET + "/"):
                if scope["method"] not in ("GET", "HEAD"):
                    raise MethodError("a WebSocket is opened with GET", field="method")
                return partial(_upgrade_required, assembly)
        except TwinwireError as error:
            return partial(_refuse, assembly, error)
        return self._inner


def _stream(assembly: Assembly, wire: WebSocketWire | SSEWire, path: str, base: str) -> ASGI:
    """The wire, with the topics that the path stands for. Raises NotFoundError."""
    if path == base:
        return wire
    return partial(wire, topics=_topics_of(assembly, path, base))


def _events(assembly: Assembly, method: str) -> ASGI:
    """Raises MethodError."""
    if method == "POST":
        return assembly.publish
    if method in ("GET", "HEAD"):
        return assembly.poll
    if method == "OPTIONS":
        return partial(_preflight, assembly, _READ_AND_PUBLISH)
    raise MethodError(f"use {_READ_AND_PUBLISH}", field="method", allow=_READ_AND_PUBLISH)


async def _refuse(assembly: Assembly, error: TwinwireError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await refuse_websocket(send, error)
    else:
        await respond_problem(send, error, head=scope["method"] == "HEAD", cors=_cors(assembly, scope))


async def _upgrade_required(assembly: Assembly, scope: Scope, receive: Receive, send: Send) -> None:
    """Something on the way strips `Upgrade`: say so, count it, and name the way that works."""
    assembly.hub.refused["no_upgrade"] += 1
    query = scope.get("query_string", b"").decode("latin-1")
    hint = scope["path"].replace(WEBSOCKET, SSE, 1) + (f"?{query}" if query else "")
    error = UpgradeRequiredError("this is a WebSocket URL; something on the way may strip Upgrade: try SSE")
    await respond_problem(send, error, head=scope["method"] == "HEAD", cors=_cors(assembly, scope), sse=hint)


def _topics_of(assembly: Assembly, path: str, base: str) -> TopicFilter:
    """The filter that a path below `base` stands for. Raises NotFoundError."""
    topics = assembly.alias(path.removeprefix(f"{base}/")) if path.startswith(f"{base}/") else None
    if topics is None:
        raise NotFoundError("there is no such stream")
    return topics


async def _preflight(assembly: Assembly, allow: str, scope: Scope, receive: Receive, send: Send) -> None:
    """What another origin's page may send (Fetch, "CORS-preflight request")."""
    cors = _cors(assembly, scope)
    headers = [(b"allow", allow.encode()), *cors]
    if cors:
        headers += [(b"access-control-allow-methods", allow.encode()), *_PREFLIGHT]
    await respond(send, 204, headers, b"")


def _cors(assembly: Assembly, scope: Scope) -> list[Header]:
    return assembly.origins.cors(Request(scope).header(b"origin"))
