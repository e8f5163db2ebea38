"""The door of programs' hosts: in front of everything of the service, and before nothing but one program.

Under a name that `Names` claims nothing is answered but what its program says, and in plain text why it says nothing:
no page, no API, no health of ours. In this order:

    1. no such name, or nothing is opened here: 404
    2. the entry: a ticket becomes a cookie, and the browser is sent on to `/`
    3. who asks, where there are tokens: 403 without a session of this very program, whether there is one or not
    4. from where: 403 for what a page of another origin has sent, unless a person follows a link. The program's own
       pages are all that may talk to it, as theirs is all that it may
    5. what would outlive it in the browser: 403 for the script of a service worker
    6. the program, which is started if it does not run; the request waits for that
    7. the exchange
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

import structlog

from service.access.caller import Caller
from service.core.errors import TwinwireError
from service.preview.exchange import METHODS, BadAnswerError, Exchange, TooMuchError
from service.preview.heads import PRIVATE, Field, ancestors
from service.preview.names import Names, Site
from service.preview.programs import Program, Programs
from service.preview.sessions import Pass, Sessions
from service.preview.sockets import Socket
from service.stream.asgi import ASGI, Message, Receive, Scope, Send

ENTRY: Final = "/.twinwire/enter"
"""The path of a program's host that is ours: there tickets are taken."""

END_SECONDS: Final = 1.0
"""In which the end of a program is known that has ended its connections: so it is told as that."""

FRAMERS_MAX: Final = 4
"""Origins whose pages may show one program: the addresses of one service."""
FRAMED_MAX: Final = 1_000
"""Programs of which these are known; the oldest go."""

_OWN: Final = frozenset({"same-origin", "none"})
_SAFE: Final = frozenset({"GET", "HEAD"})
_PORTS: Final = {"http": 80, "https": 443}
"""Left out of an Origin, and perhaps not of a Host."""
_NOT_YET: Final = "Open the application from the page of its project: what let you in has ended, or never did."

logger = structlog.get_logger(__name__)


class Door:
    """`is_guarded`: there are tokens, so a session is needed."""

    def __init__(self, names: Names, programs: Programs, sessions: Sessions, *, is_guarded: bool) -> None:
        self.is_guarded: Final = is_guarded
        self._names = names
        self._programs = programs
        self._sessions = sessions
        self._framers: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._going: set[asyncio.Task[Any]] = set()
        self._is_leaving = False

    def host(self, host: str) -> ASGI | None:
        """Who answers under this Host field; None if it is none of a program's."""
        return partial(self._answer, self._names.id_of(host)) if self._names.claims(host) else None

    def admit_frames(self, id: str, page: Site) -> None:
        """Pages of this origin may show the program in a frame."""
        known = [one for one in self._framers.pop(id, ()) if one != page.origin]
        self._framers[id] = (*known[-(FRAMERS_MAX - 1) :], page.origin)
        while len(self._framers) > FRAMED_MAX:
            self._framers.popitem(last=False)

    async def leave(self) -> None:
        """The service goes: end what is under way, and let nobody in."""
        self._is_leaving = True
        for task in tuple(self._going):
            task.cancel()
        if self._going:
            await asyncio.wait(self._going)

    async def _answer(self, id: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        is_socket = scope["type"] == "websocket"
        if is_socket:
            await receive()  # websocket.connect
        say = partial(_say, scope, send, self._framers.get(id or "", ()))
        if id is None:
            await say(404, "There is no such application.")
        elif self._is_leaving:
            await say(503, "The service is restarting.")
        elif scope["path"] == ENTRY and not is_socket:
            await self._enter(id, scope, send, say)
        else:
            session = self._sessions.find(scope["headers"], id)
            refusal = self._refusal(session, scope)
            if refusal is not None:
                await say(*refusal)
            else:
                await self._pass_on(id, session, scope, receive, send, say)

    async def _enter(self, id: str, scope: Scope, send: Send, say: Callable[..., Awaitable[None]]) -> None:
        ticket = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket", [""])[0]
        cookies = self._sessions.redeem(ticket, id) if scope.get("method") == "GET" else None
        if cookies is None and self.is_guarded and self._sessions.find(scope["headers"], id) is None:
            await say(403, _NOT_YET)
            return
        fields = [(b"location", b"/"), *((b"set-cookie", one) for one in cookies or ())]
        await say(303, "", fields)

    def _refusal(self, session: Pass | None, scope: Scope) -> tuple[int, str] | None:
        if self.is_guarded and session is None:
            return 403, _NOT_YET
        fields = dict(scope["headers"])
        if is_foreign(scope, fields):
            return 403, "Pages of other origins can't reach this application."
        if fields.get(b"service-worker", b"").strip().lower() == b"script":
            return 403, "An application that is opened here has no service worker: it would outlive the application."
        if scope["type"] == "http" and scope["method"] not in METHODS:
            return 405, f"{scope['method'][:20]} is not passed on."
        return None

    async def _pass_on(
        self,
        id: str,
        session: Pass | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        say: Callable[..., Awaitable[None]],
    ) -> None:
        who = _address(scope) if session is None else session.caller.who
        try:
            program = await self._programs.ensure(id, who)
            await program.ready()
            if program.state != "running":
                await say(502, told(program))
                return
            with self._programs.look(program, who):
                await self._exchange(program, session, scope, receive, send, say)
        except TwinwireError as error:
            await say(error.status, _sentence(error.detail))

    async def _exchange(
        self,
        program: Program,
        session: Pass | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        say: Callable[..., Awaitable[None]],
    ) -> None:
        """In a task of its own, so that it can be ended without the connection's."""
        served = program.served
        if served is None:
            await say(502, told(program))
            return
        framers = self._framers.get(program.id, ())
        is_socket = scope["type"] == "websocket"
        one = Socket(scope, receive, send) if is_socket else Exchange(scope, receive, send, framers)
        task = asyncio.create_task(one.run(served.connect), name=f"preview {program.id} exchange")
        program.exchanges[task] = None if session is None else session.check
        self._going.add(task)
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
            self._going.discard(task)
            program.exchanges.pop(task, None)
        if task.cancelled():
            if not one.is_begun:
                await say(503, "The application is being stopped.")
            elif is_socket:
                await send({"type": "websocket.close", "code": 1012, "reason": "the application is being stopped"})
            return
        error = task.exception()
        if isinstance(error, TooMuchError):
            await say(413, "The request is too large.", [(b"connection", b"close")])
        elif isinstance(error, BadAnswerError):
            if error.has_left:
                await asyncio.wait((served.ended,), timeout=END_SECONDS)
            has_ended = program.state == "failed"
            words = told(program) if has_ended else f"{_sentence(str(error))}\n\n{program.tail}".strip()
            await say(error.status, words)
        elif error is not None:
            raise error


def is_foreign(scope: Scope, fields: dict[bytes, bytes]) -> bool:
    """Whether a page of another origin has sent it, and nobody who follows a link (Fetch Metadata, 2)."""
    origin, is_get = fields.get(b"origin"), scope.get("method", "GET") in _SAFE and scope["type"] == "http"
    if origin is not None:
        host = fields.get(b"host", b"").decode("latin-1").strip().lower()
        said = Site.of_origin(origin.decode("latin-1").strip())
        if said is None or host not in (said.host, f"{said.host}:{_PORTS[said.scheme]}"):
            return True
    site = fields.get(b"sec-fetch-site", b"").decode("latin-1").strip()
    is_navigation = is_get and fields.get(b"sec-fetch-mode", b"").strip() == b"navigate"
    return bool(site) and site not in _OWN and not is_navigation


def told(program: Program) -> str:
    """Why it does not run, and what it said last."""
    why = program.message or "it was stopped"
    return f"The application does not run: {why}.\n\n{program.tail}".strip()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return Caller(address=client[0] if client else None).who


async def _say(
    scope: Scope, send: Send, framers: Sequence[str], status: int, text: str, fields: Sequence[Field] = ()
) -> None:
    """A few words of ours in plain text, which runs nothing."""
    body = (text + "\n").encode("utf-8", "replace") if text else b""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; " + ancestors(framers)),
        *PRIVATE[:1],
        (b"referrer-policy", b"no-referrer"),
        (b"content-length", str(len(body)).encode()),
        *fields,
    ]
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    start: Message = {"type": f"{kind}.start", "status": status, "headers": headers}
    await send(start)
    shown = b"" if scope.get("method") == "HEAD" else body
    await send({"type": f"{kind}.body", "body": shown, "more_body": False})
