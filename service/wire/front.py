"""The front door: streams and publishing go straight to their wires, everything else to the application behind it.

A stream lives for hours and a publish is asked for thousands of times a second; neither needs a framework's
request around it, and a wire on plain ASGI is free of a framework's time limits, queues and context.

Routes are a table, by kind of scope, method and path. A path below a stream's, such as `/api/ws/projects/42`, is an
alias: what it stands for is asked of `alias`, and handed to the wire in its scope.

Before all of it stands the host: what an application answers under names of its own is nobody else's, whatever path is
asked for, and by whatever hop the name is told.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from service.access.gate import Act, Gate
from service.access.headers import preflight
from service.core.errors import (
    InvalidError,
    MalformedError,
    MethodError,
    NotFoundError,
    TwinwireError,
    UpgradeRequiredError,
)
from service.core.topics import TopicFilter
from service.log.base import Turn
from service.stream.asgi import ASGI, Receive, Scope, Send
from service.wire.behind import Behind
from service.wire.bodies import Bodies
from service.wire.elsewhere import Elsewhere
from service.wire.request import CURSOR_PARAMETERS, MISSING, TOPICS, Request, refuse_websocket, respond, respond_problem

Kind = Literal["http", "websocket"]
Route = tuple[Kind, str, str]
"""The scope's type, the method (`GET` for a WebSocket, as in its handshake), and the path."""

Alias = Callable[[str], TopicFilter | None]
"""The topics that a path below a stream's stands for; None if it is unknown. Raises NotFoundError."""

EVENTS: Final = "/api/events"
EVENTS_READ: Final = "/api/events/read"
EPHEMERAL: Final = "/api/ephemeral"
STATE: Final = "/api/state"
WEBSOCKET: Final = "/api/ws"
SSE: Final = "/api/sse"
HEALTH: Final = "/api/health"
QUERY_FREE: Final = 512
"""Bytes of a query up to which it is read without waiting for a turn: some topics and a cursor."""

_WHOLE: Final = re.compile(r"https?://([^/?#@]+)(/.*)?\Z", re.IGNORECASE | re.DOTALL)
_STREAMS: Final = (f"{WEBSOCKET}/", f"{SSE}/")


class Doors:
    """The routes of one service. Methods that a path does not have are answered here, `OPTIONS` among those it has."""

    def __init__(
        self,
        gate: Gate,
        bodies: Bodies,
        turn: Turn,
        alias: Alias,
        routes: Mapping[Route, ASGI],
        elsewhere: Elsewhere,
    ) -> None:
        """`turn` is waited for before the application behind the doors is asked, and before what takes long to read."""
        self._gate = gate
        self._bodies = bodies
        self._turn = turn
        self._behind = Behind(turn)
        self._alias = alias
        self._elsewhere = elsewhere
        self._routes: dict[Route, ASGI] = {}
        self._methods: dict[str, list[str]] = {}  # of each path, in the order in which they were added
        for route, app in routes.items():
            self.add(route, app)

    def add(self, route: Route, app: ASGI) -> None:
        """One more route; it beats one that is there."""
        kind, method, path = route
        if kind == "http" and route not in self._routes:
            self._methods.setdefault(path, []).append(method)
        self._routes[route] = app

    def find(self, scope: Scope) -> ASGI | None:
        """Who answers; None if it is nobody here. Only chooses: see `FrontDoor`."""
        try:
            path = _path(scope)
        except MalformedError as error:  # but under a host that is not ours it is not for us to say anything
            return self._elsewhere.find(scope, _host(scope)) or partial(self._refuse, error)
        kind: Kind = scope["type"]
        method: str = scope.get("method", "GET")
        try:
            host = _host(scope)
            if (other := self._elsewhere.find(scope, host)) is not None:
                return other
            self._gate.knock(host, path)
            found = self._routes.get((kind, method, path))
            base = next((base for base in _STREAMS if path.startswith(base)), None) if found is None else None
            if base is not None:
                found = self._below(scope, kind, method, base)
            if found is not None:
                return partial(self._in_turn, found) if self._takes_long(scope, kind) else found
            if kind == "websocket":
                raise NotFoundError("there is no such stream")
            return self._other_method(method, path)
        except TwinwireError as error:
            return partial(self._refuse, error)

    def _takes_long(self, scope: Scope, kind: Kind) -> bool:
        """Whether it takes a millisecond to find out what is asked for, or who asks."""
        if len(scope.get("query_string", b"")) > QUERY_FREE:
            return True
        authority = self._gate.authority
        return authority.takes_long and authority.is_new(Request(scope), is_socket=kind == "websocket")

    async def _in_turn(self, app: ASGI, scope: Scope, receive: Receive, send: Send) -> None:
        """A few of those in a turn of the loop."""
        await self._turn()
        await app(scope, receive, send)

    def _below(self, scope: Scope, kind: Kind, method: str, base: str) -> ASGI | None:
        found = self._routes.get((kind, method, base[:-1]))
        if found is None:
            return self._other_method(method, base[:-1])
        if kind == "http" and base == f"{WEBSOCKET}/":
            return found  # says what is wrong with any of them
        path = scope["path"].removeprefix(base)
        try:
            topics = self._alias(path)
        except NotFoundError as error:  # the wire goes the way that it would go if it were there, up to who asks
            scope[MISSING], topics = error, _topics_of(error, path)
        if topics is None:
            raise NotFoundError("there is no such stream")
        scope[TOPICS] = topics
        return found

    def _other_method(self, method: str, path: str) -> ASGI | None:
        methods = self._methods.get(path)
        if methods is None:
            return None
        allowed = ", ".join([*methods, "OPTIONS"])
        if method == "OPTIONS":
            return partial(self._preflight, allowed)
        raise MethodError(f"use {allowed}", field="method", allow=allowed)

    def behind(self, inner: ASGI) -> ASGI:
        """The application behind the doors, which gets requests whose bodies were read, as far as they may go."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            before = partial(self._bodies.before, inner, self._gate.cors(Request(scope)))
            await self._behind.answer(before, scope, receive, send)

        return answer

    async def upgrade_required(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Something on the way strips `Upgrade`: say so, count it, and name the way that works."""
        request = Request(scope)
        hint = request.root + request.path.replace(WEBSOCKET, SSE, 1) + _known_query(request)
        error = UpgradeRequiredError("this is a WebSocket URL; something on the way may strip Upgrade: try SSE")
        self._gate.refuse(Act.SOCKET, "no_upgrade", error)
        await respond_problem(send, error, head=request.method == "HEAD", cors=self._gate.cors(request), sse=hint)

    async def _refuse(self, error: TwinwireError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            await refuse_websocket(send, error)
        else:
            cors = self._gate.cors(Request(scope))
            await respond_problem(send, error, head=scope["method"] == "HEAD", cors=cors)

    async def _preflight(self, allow: str, scope: Scope, receive: Receive, send: Send) -> None:
        """What another origin's page may send (Fetch, "CORS-preflight request")."""
        cors = self._gate.cors(Request(scope))
        await respond(send, 204, [(b"allow", allow.encode()), *preflight(allow, cors)], b"")


def _path(scope: Scope) -> str:
    """The path that is asked for, whichever form of target it came in (RFC 9112, 3.2). Raises MalformedError.

    A proxy may be asked with a whole URL, whose host counts before the field (3.2.2): both are put into the scope as if
    the target had been a path.
    """
    path: str = scope["path"]
    if path.startswith("/") and not path.startswith("//"):
        return path
    whole = _WHOLE.match(path)
    if whole is None:
        raise MalformedError("a request's target is a path that begins with one slash", field="target")
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"] = [(b"host", whole[1].encode("latin-1", "replace")), *others]
    scope["path"] = whole[2] or "/"
    scope["raw_path"] = quote(scope["path"]).encode()
    return scope["path"] if not scope["path"].startswith("//") else _path(scope)


def _topics_of(error: NotFoundError, path: str) -> TopicFilter:
    """What one has to be allowed to read to be told so. Raises the error for a path that could be nothing."""
    try:
        return TopicFilter(error.topics or (path,))
    except InvalidError:
        raise error from None


def _host(scope: Scope) -> str | None:
    found = next((value for name, value in scope["headers"] if name == b"host"), None)
    return None if found is None else found.decode("latin-1").strip()


def _known_query(request: Request) -> str:
    """Of a query, what a stream knows: a secret that somebody has put there is not told back."""
    known = ("topic", *CURSOR_PARAMETERS)
    try:
        pairs = [(name, value) for name, value in request.query if name in known]
    except InvalidError:
        return ""
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


class FrontDoor:
    """An ASGI application around another. `doors` is None until the lifespan has started.

    Routing only chooses: every coroutine between the server and a wire would keep its frame for as long as the
    stream lives, so there is none.
    """

    def __init__(self, inner: ASGI) -> None:
        self._inner = inner
        self.doors: Doors | None = None
        self.state: dict[str, Any] = {}
        """The lifespan's, if the server has one: what is put there, it hands to each connection."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self.doors is None or scope["type"] == "lifespan":
            self.state = scope.get("state", self.state) if scope["type"] == "lifespan" else self.state
            return self._inner(scope, receive, send)
        return (self.doors.find(scope) or self.doors.behind(self._inner))(scope, receive, send)
