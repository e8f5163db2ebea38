"""The service as a guest: an ASGI application below a path of another one, in its process and on its loop.

    new ──start──> starting ──> serving ──signal, or stop──> going ──stop──> stopped
                      └──> failed                                        start: serving again

Rule 1: only while it is serving, or going, anything is answered but 503, which says why; a WebSocket is refused.
Rule 2: all that runs by itself runs between `start` and `stop`. They may be entered more than once, by the lifespan of
the application and of a dispatcher: the first starts, the last stops.
Rule 3: nothing outside is changed: no logging, no library. What the service does as a process of its own it does not
do here: no guards around Hypercorn's connections, no limit of descriptors raised, no garbage collected by
plan. Nor is an application opened under a host name of its own: other names are not the service's here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

import structlog

from service.access.deciding import DECIDED, Ask, Decider
from service.admission import ring_of
from service.apps.base import App
from service.assembly import Assembly
from service.clock import SystemClock
from service.core.errors import ConfigError, LockedError, TwinwireError, UnavailableError, UnsupportedError
from service.server.stopping import Stopping
from service.settings import Settings
from service.stream.asgi import Message, Receive, Scope, Send
from service.web.app import ANSWERING, UNASKED, TwinwireApp, create_app
from service.wire.front import HEALTH
from service.wire.publish import publish_here
from service.wire.request import refuse_websocket, respond, respond_problem
from service.wire.rooted import place_of, rooted

NEW: Final = (
    "this Twinwire has not been started: the application that it is mounted in has to be given its lifespan"
    " (lifespan=live.lifespan), or has to enter it (async with live)"
)
STARTING: Final = "this Twinwire is being started"
FAILED: Final = "this Twinwire could not be started; the application's log says why"
STOPPED: Final = "this Twinwire was stopped, with the application that it is mounted in"

ONE_PROCESS: Final = (
    "one process serves a database. With several workers each has a service of its own, so start one worker"
    " (uvicorn --workers 1, gunicorn -w 1), or run `twinwire serve` as a process beside them"
)

UNGUARDED: Final = (
    "nothing says who may come in: give keys=..., or caller=..., a function that tells who asks, or set"
    " TWINWIRE_TOKEN_KEYS; or say open=True, and whoever reaches the application may read and publish everything"
)

_NOBODYS: Final = frozenset({HEALTH, *UNASKED})
"""What is answered to anybody: whoever watches the service is not to wait for the application's word on who he is."""

_DENIAL: Final = "websocket.http.response"
"""The extension of ASGI by which a handshake is answered with a status and a body."""

logger = structlog.get_logger(__name__)


class Mounted:
    """`apps` ride along; `ask` is the application's word on who asks."""

    def __init__(
        self, settings: Settings, apps: Sequence[App] = (), ask: Ask | None = None, *, is_open: bool = False
    ) -> None:
        """Raises ConfigError for keys that are none, or if nobody has said who may come in."""
        clock = SystemClock()
        has_keys = bool(ring_of(settings.access, clock))
        if not (has_keys or ask is not None or is_open):
            raise ConfigError(UNGUARDED, field="keys")
        self._settings = settings
        self._apps = tuple(apps)
        self._ask = ask
        self._decider: Decider | None = None
        self._why = NEW
        self._entered = 0
        self._entering = asyncio.Lock()
        self._assembly: Assembly | None = None
        self._app: TwinwireApp | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._going: asyncio.Task[None] | None = None
        self._stopping = Stopping(self._send_away)

    # -- its life

    async def start(self) -> None:
        """Raises ConfigError, StorageError or MigrationError: nothing is open then; UnsupportedError on another loop
        than the one that it was started on, while it serves."""
        async with self._entering:
            if self._entered and asyncio.get_running_loop() is not self._loop:
                raise UnsupportedError("this Twinwire serves on another event loop")
            if not self._entered:
                await self._open()
            self._entered += 1

    async def stop(self) -> None:
        """Of the last who has started it: says goodbye to all streams, waits for them as long as the settings give, and
        closes. One too many does nothing."""
        async with self._entering:
            if not self._entered:
                return
            self._entered -= 1
            if not self._entered:
                await self._close()

    async def _open(self) -> None:
        self._why = STARTING
        assembly: Assembly | None = None
        try:
            decides = self._ask is not None
            assembly = await Assembly.open(self._settings, self._apps, decides=decides, has_hosts=False)
            app = create_app(self._settings, self._apps)
            app.attach(assembly)
        except LockedError as error:
            self._why = FAILED
            raise LockedError(f"{error.detail}: {ONE_PROCESS}") from error
        except BaseException:
            self._why = FAILED
            if assembly is not None:
                await assembly.close()
            raise
        self._assembly, self._app, self._going = assembly, app, None
        self._decider = None if self._ask is None else Decider(self._ask, assembly.clock)
        self._loop = asyncio.get_running_loop()
        self._stopping.watch()

    async def _close(self) -> None:
        assembly = self._assembly
        assert assembly is not None
        self._stopping.unwatch()
        try:
            self._send_away()
            if self._going is not None:
                await self._going
        finally:
            self._why, self._app, self._assembly = STOPPED, None, None
            await assembly.close()

    def _send_away(self) -> None:
        """Idempotent. From now on nobody new is let in."""
        if self._going is None and self._assembly is not None:
            self._going = asyncio.get_running_loop().create_task(self._assembly.drain(), name="twinwire-drain")

    @property
    def body_max(self) -> int:
        """Bytes of one request, and so of what is published at once."""
        return self._settings.limits.body_max

    @property
    def is_serving(self) -> bool:
        return self._assembly is not None

    # -- what it answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3: HTTP, WebSocket, and a lifespan where it is served by itself."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        is_socket = scope["type"] == "websocket"
        if is_socket and _DENIAL not in (scope.get("extensions") or {}):
            send = _closing(send)
        place = place_of(scope)
        inner = rooted(scope, place)
        if self._app is not None and self._decider is not None and _matters_who_asks(scope, place.path):
            inner[DECIDED] = await self._decider.decide(scope)
        if (app := self._app) is None:  # or by now
            await _not_now(scope, receive, send, self._why)
            return
        if not (place.path or is_socket):
            await _to_its_folder(scope, send, place.root)
            return
        try:
            await app.front(inner, receive, send)
        except OSError as error:  # what a server raises in a `send` to who has left (ASGI, "Send")
            if not is_socket:
                raise
            logger.debug("client_left", reason=str(error))
        _cut_off(receive)  # and not of one whose answer the server has yet to give, as after an exception

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            await self.start()
        except TwinwireError as error:
            await send({"type": "lifespan.startup.failed", "message": error.detail})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    # -- publishing

    async def publish(self, content_type: str, content: bytes) -> list[str]:
        """The ids of the events of one body, as `POST /api/events` takes it: all or nothing, once they are on disk.

        Raises what that answers with, as an error; UnavailableError if it does not serve, UnsupportedError on another
        loop than the one that it was started on.
        """
        assembly = self._assembly
        if assembly is None:
            raise UnavailableError(self._why)
        if asyncio.get_running_loop() is not self._loop:
            raise UnsupportedError("publish on the event loop that this was started on")
        receipt = await publish_here(assembly.reader, assembly.bus, content_type, content)
        return [assembly.bus.cursor(offset) for offset in receipt.offsets]


def _matters_who_asks(scope: Scope, path: str) -> bool:
    """A preflight has no credentials (Fetch, "CORS protocol and credentials")."""
    return path.startswith(ANSWERING) and path not in _NOBODYS and scope.get("method") != "OPTIONS"


def _cut_off(receive: Receive) -> None:
    """The connection of a peer that was given up, and so was not sent the end of its answer, if the server is uvicorn:
    that would wait for it to take the rest, without a limit, and for as long with its own end. On other servers, and
    where somebody has wrapped its `receive`, nothing.
    """
    exchange = getattr(receive, "__self__", None)
    if getattr(exchange, "disconnected", False):  # it has left, and what else it has on the connection goes on
        return
    is_over = getattr(exchange, "response_complete", getattr(exchange, "close_sent", True))
    abort = getattr(getattr(exchange, "transport", None), "abort", None)
    if not is_over and abort is not None:
        abort()


async def _not_now(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    error = UnavailableError(why)
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await refuse_websocket(send, error)
    else:
        await respond_problem(send, error, head=scope["method"] == "HEAD")


async def _to_its_folder(scope: Scope, send: Send, root: str) -> None:
    """A page's links lead from the slash at the end of its folder. 308: whatever was asked is asked there."""
    query = scope.get("query_string", b"")
    folder = "/" + root.lstrip("/")  # with two slashes it would be another host's (RFC 3986, 4.2)
    where = f"{quote(folder)}/".encode() + (b"?" + query if query else b"")
    await respond(send, 308, [(b"location", where)], b"")


def _closing(send: Send) -> Callable[[Message], Awaitable[None]]:
    """For servers that answer a handshake with 101 or 403 alone: a refusal closes what was not accepted."""

    async def sending(message: Message) -> None:
        if message["type"] == f"{_DENIAL}.start":
            await send({"type": "websocket.close", "code": 1013 if message["status"] >= 500 else 1008, "reason": ""})
        elif message["type"] != f"{_DENIAL}.body":
            await send(message)

    return sending
