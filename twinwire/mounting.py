"""The service inside another ASGI application: docs/mounting.md says how.

Of the modules here this one alone imports `service`, and only once it is called.
"""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from json import dumps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Unpack

from twinwire.caller import Caller, CallerOf
from twinwire.encoding import encode, lines
from twinwire.errors import ClosedError, Fault, InvalidError, Problem, TwinwireError
from twinwire.event import About, Draft
from twinwire.server import why_missing

if TYPE_CHECKING:
    from service.server.mounted import Mounted

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

_OF_A_PROCESS: Final = frozenset(
    {"host", "port", "loop", "h2c", "drain_delay", "proxy_protocol", "log_level", "log_format"}
)
"""Settings of a service that is a process of its own: here they are the server's and the application's."""


_LOOK: Final = 256
"""Drafts that are encoded in one step of the loop: of usual ones."""


class Live:
    """An ASGI application, to be mounted in another one: `twinwire.asgi` makes it.

    It serves from the entry of `lifespan`, or of `async with live`, to its end. Of one event loop at a time, and one
    process.
    """

    def __init__(self, mounted: "Mounted") -> None:
        self._mounted = mounted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._mounted(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """For `FastAPI(lifespan=live.lifespan)`, and whatever else takes a function from an application to an
        asynchronous context manager. Raises TwinwireError if it can't be started: the message says why."""
        async with self:
            yield

    async def __aenter__(self) -> "Live":
        from service.core.errors import TwinwireError as ServiceError

        try:
            await self._mounted.start()
        except ServiceError as error:
            raise TwinwireError(error.detail, field=error.field) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Says goodbye to every stream, waits for their ends for `grace` seconds at most, and closes."""
        await self._mounted.stop()

    def within(self, app: ASGI, path: str) -> ASGI:
        """`app` with this below `path`, such as "/live", for a framework that mounts nothing:
        `app.asgi_app = live.within(app.asgi_app, "/live")` in Quart. Raises InvalidError for what is no path."""
        if not path.startswith("/") or path.endswith("/"):
            raise InvalidError(f"{path!r} is no path to mount at: it begins with a slash and ends without one")

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            root = scope.get("root_path", "")
            asked = "" if scope["type"] == "lifespan" else scope["path"].removeprefix(root)
            if asked == path or asked.startswith(f"{path}/"):
                await self({**scope, "root_path": root + path}, receive, send)
            else:
                await app(scope, receive, send)

        return dispatch

    async def publish(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
        """Publishes one event (`key`, `subject`, `append`, `final` as in `Draft`); its id, which is the cursor after
        it, once it is on disk. With a `key` that is known it is the first event's. Raises TwinwireError, as a client
        does; ClosedError while this does not serve."""
        (id,) = await self._post("application/json", encode(Draft(topic, type, data, **about)))
        return id

    async def publish_many(self, drafts: Iterable[Draft]) -> list[str]:
        """Publishes them in their order, all or none; their ids. As many as a request may have, 10,000, and as many
        bytes (`body_max`, 8 MiB). Raises TwinwireError, whose `line` (from 1) is the draft that is to blame."""
        from service.core.limits import BATCH_MAX

        encoded: list[bytes] = []
        size = 0
        for draft in drafts:
            encoded.append(encode(draft))
            size += len(encoded[-1]) + 1
            if len(encoded) > BATCH_MAX:
                raise InvalidError(f"a batch has at most {BATCH_MAX:,} events")
            if size > self._mounted.body_max:
                raise InvalidError(f"a batch has at most {self._mounted.body_max:,} bytes")
            if len(encoded) % _LOOK == 0:
                await asyncio.sleep(0)
        return await self._post("application/x-ndjson", lines(encoded)) if encoded else []

    async def _post(self, media: str, body: bytes) -> list[str]:
        from service.core.errors import TwinwireError as ServiceError

        try:
            return await self._mounted.publish(media, body)
        except ServiceError as error:
            if not self._mounted.is_serving:
                raise ClosedError(error.detail) from error
            raise _as_a_client_has_it(error) from error


def asgi(
    database: str | os.PathLike[str] | None = None,
    *,
    hosts: Sequence[str] | str | None = None,
    keys: Sequence[Mapping[str, Any]] | str | os.PathLike[str] | None = None,
    caller: CallerOf | None = None,
    open: bool = False,
    apps: Sequence[Any] = (),
    **settings: Any,
) -> Live:
    """The service as an ASGI application: `app.mount("/live", live)`, with `lifespan=live.lifespan`.

    `database` is its SQLite file. `hosts` are the names that it answers under besides addresses and localhost; with
    keys or `caller` it is any, unless some are given. `keys` are those that tokens are signed with (docs/tokens.md), a
    list, or JSON or a file that holds it. `caller` tells who asks, from the request's ASGI scope: `Caller`, or None for
    nobody. `open`: whoever reaches the application may do everything. `apps` are applications that ride along
    (docs/applications.md). `settings` are others of the README's table by their names in lower case, such as
    `retention=[...]`, `allowed_origins=[...]`. What is left out is the environment's, `TWINWIRE_*`, but for `open` and
    `apps`.

    Raises InvalidError, which names the setting, also if neither `keys`, `caller`, `TWINWIRE_TOKEN_KEYS` nor `open`
    says who may come in; ImportError where the server is not installed (`pip install 'twinwire[server]'`), or is hidden
    by another package `service`.
    """
    mounted = _server()
    for name in settings:
        if name in _OF_A_PROCESS:
            raise InvalidError(f"{name} is for the server that the application runs on", field=name)
    given = {"database": database, "hosts": hosts, "token_keys": _text(keys), "open": open, **settings}
    from service.core.errors import ConfigError
    from service.settings import Settings

    try:
        read = Settings.read({name: value for name, value in given.items() if value is not None})
        return Live(mounted(read, apps, None if caller is None else _asking(caller), is_open=open))
    except ConfigError as error:
        raise InvalidError(error.detail, field=error.field) from error


def _server() -> "type[Mounted]":
    """Raises ImportError, in words that help."""
    try:
        found: type[Mounted] = import_module("service.server.mounted").Mounted
    except Exception as error:  # whatever a package of that name does when it is imported
        raise ImportError(why_missing(error, "The server that twinwire.asgi mounts comes")) from error
    return found


def _text(keys: Sequence[Mapping[str, Any]] | str | os.PathLike[str] | None) -> str | None:
    if keys is None or isinstance(keys, str):
        return keys
    return os.fspath(keys) if isinstance(keys, os.PathLike) else dumps([dict(one) for one in keys])


def _asking(caller: CallerOf) -> Callable[[Scope], Awaitable[Mapping[str, Any] | None]]:
    """As the service asks: for claims, as of a token."""

    async def ask(scope: Scope) -> Mapping[str, Any] | None:
        found = caller(scope)
        who = await found if inspect.isawaitable(found) else found
        if who is not None and not isinstance(who, Caller):
            raise TypeError(f"caller= gives a twinwire.Caller or None, and not {type(who).__name__}")
        return None if who is None else who.claims

    return ask


def _as_a_client_has_it(error: Any) -> TwinwireError:
    """An error of the service, as its answer would have come to a client's."""
    problem = Problem(error.status, error.title, error.detail, error.field, error.line)
    told = f"{error.status} {error.title}: {error.detail}"
    return Fault("http", told, error.status, problem, error.retry_after).error()
