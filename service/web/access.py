"""Who one is, and who is not any more: sessions, tickets, renewal, revocation (docs/protocol.md, "Who may").

Pages come here with a token, and have a cookie for it; or ask for a ticket, since an EventSource can send neither.
"""

from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from service.access.caller import Caller
from service.access.carriers import PLAIN_COOKIE, SECURE_COOKIE, STREAM_COOKIE, set_cookie
from service.access.revocation import Kind, Revocation
from service.access.tickets import COOKIE_MAX, LIFE, LIFE_MAX, LIFE_MIN, LOGIN_LIFE, narrowed
from service.assembly import Assembly
from service.core.errors import (
    InvalidError,
    NotFoundError,
    TooLargeError,
    TwinwireError,
    UnauthorizedError,
    UnsupportedError,
)
from service.core.parameters import Parameters
from service.core.time import parse_rfc3339, rfc3339
from service.core.topics import TopicFilter, check_count, check_pattern, is_own
from service.openapi import JSON
from service.stream.ending import REVOKED
from service.stream.renewal import rights_of
from service.web.caller import visit
from service.web.json import answer, nothing, read
from service.web.query import number
from service.wire.rooted import root_of
from service.wire.sse import SSE_PATH

_BODY_MAX: Final = 64 * 1024
"""Bytes of a request: a hundred topics, as long as they may be, are a third of it."""

LISTED_MAX: Final = 1_000
"""Revocations in one answer: about 100 KiB, and a few milliseconds."""

_LISTING: Final = Parameters("after", "limit")

GRACE_MAX: Final = 300.0
"""Seconds for which a stream may go on whose token is revoked."""

_WHAT: Final = "name one: jti, sub, connection, or all"
_OPS: Final = ("subscribe", "publish", "presence", "ephemeral", "run")


class Renew(msgspec.Struct, forbid_unknown_fields=True):
    connection: str


class Check(msgspec.Struct, forbid_unknown_fields=True):
    topics: list[str]
    op: str = "subscribe"


class NewTicket(msgspec.Struct, forbid_unknown_fields=True):
    """`ttl` is in seconds."""

    topics: list[str] | None = None
    ttl: float | None = None
    login: bool = False


class NewSession(msgspec.Struct, forbid_unknown_fields=True):
    ticket: str | None = None


class Revoke(msgspec.Struct, forbid_unknown_fields=True):
    """`grace` is in seconds."""

    jti: str | None = None
    sub: str | None = None
    connection: str | None = None
    all: bool = False
    issued_before: str | None = None
    grace: float = 0.0

    @property
    def target(self) -> tuple[Kind, str]:
        """What is stored. Raises InvalidError unless it is one thing."""
        named: list[tuple[Kind, str]] = []
        if self.jti is not None:
            named.append(("jti", self.jti))
        if self.sub is not None:
            named.append(("subject", self.sub))
        if self.all:
            named.append(("all", ""))
        if len(named) != 1 or self.connection is not None:
            raise InvalidError(_WHAT)
        if self.issued_before is not None and named[0][0] == "jti":
            raise InvalidError("a token is revoked whenever it was issued", field="issued_before")
        if len(named[0][1]) > 256:
            raise InvalidError("a name has at most 256 characters", field="jti" if self.jti else "sub")
        return named[0]


def access_blueprint(assembly: Assembly) -> Blueprint:
    blueprint = Blueprint("access", __name__)
    _add_sessions(blueprint, assembly)
    _add_tickets(blueprint, assembly)
    _add_revocations(blueprint, assembly)

    @blueprint.post("/api/auth")
    async def renew() -> Response:
        """Of a stream that can't say it itself, or whose client prefers HTTP."""
        caller = _somebody()
        return answer(await assembly.renewal.by_connection((await read(Renew, _BODY_MAX)).connection, caller))

    @blueprint.post("/api/auth/check")
    async def check() -> Response:
        """Whether one may, to be asked before a button is shown."""
        asked = await read(Check, _BODY_MAX)
        if asked.op not in _OPS:
            raise InvalidError(f"op is one of {', '.join(_OPS)}", field="op")
        for pattern in check_count(asked.topics, field="topics"):
            check_pattern(pattern, field="topics")
        rights = visit().caller.rights
        grants = getattr(rights, asked.op)
        missing = [one for one in asked.topics if is_own(one) or not (rights.admin or grants.covers(one))]
        return answer({"allowed": not missing, "missing": missing})

    return blueprint


def _somebody() -> Caller:
    """Who asks. Raises UnauthorizedError for the anonymous, UnsupportedError where nobody is somebody."""
    caller = visit().caller
    if not visit().gate.authority.has_keys:
        raise UnsupportedError("this service has no keys; TWINWIRE_TOKEN_KEYS would name some")
    if caller.is_anonymous:
        raise UnauthorizedError("this takes a token")
    return caller


def _add_sessions(blueprint: Blueprint, assembly: Assembly) -> None:
    @blueprint.get("/api/session")
    async def who() -> Response:
        """Who asks, and what he may; nobody is an answer too."""
        caller = visit().caller
        return answer({**rights_of(caller), "keys": assembly.gate.authority.has_keys})

    @blueprint.post("/api/session")
    async def begin() -> Response:
        """A cookie for a token, or for a login ticket, that a page came with."""
        body = await read(NewSession, _BODY_MAX) if request.mimetype == JSON else NewSession()
        authority = assembly.gate.authority
        if body.ticket is not None:
            try:
                token = authority.tickets.redeem(body.ticket, "login").token
                caller = authority.bearer(token)
            except TwinwireError as error:
                raise visit().refuse(error) from None
        else:
            caller = _somebody()
            token = _presented()
        is_secure = visit().is_https()
        name = SECURE_COOKIE if is_secure else PLAIN_COOKIE
        if len(name) + len(token) > COOKIE_MAX:
            raise TooLargeError(f"a cookie holds {COOKIE_MAX} bytes, and this token has {len(token)}", field="token")
        response = answer({**rights_of(caller), "keys": True})
        left = int(min(86_400.0, authority.seconds_left(caller)))
        _add_cookie(response, set_cookie(name, token, path="/", max_age=left, is_secure=is_secure))
        return response

    @blueprint.delete("/api/session")
    async def end() -> Response:
        response, path = nothing(), root_of(request.scope) + SSE_PATH
        _add_cookie(response, set_cookie(PLAIN_COOKIE, "", path="/", max_age=0, is_secure=False))
        _add_cookie(response, set_cookie(SECURE_COOKIE, "", path="/", max_age=0, is_secure=True))
        _add_cookie(response, set_cookie(STREAM_COOKIE, "", path=path, max_age=0, is_secure=False))
        return response


def _add_cookie(response: Response, cookie: bytes) -> None:
    response.headers.add("Set-Cookie", cookie.decode("latin-1"))


def _presented() -> str:
    """The token that a request came with, which was read already."""
    field = request.headers.get("Authorization", "")
    if not field:
        raise InvalidError("send the token as Authorization: Bearer, or a login ticket", field="Authorization")
    return field.partition(" ")[2].strip()


def _add_tickets(blueprint: Blueprint, assembly: Assembly) -> None:
    @blueprint.post("/api/tickets")
    async def ticket() -> Response:
        caller, wanted = _somebody(), await read(NewTicket, _BODY_MAX)
        life = LIFE if wanted.ttl is None else wanted.ttl
        if not LIFE_MIN <= life <= LIFE_MAX:
            raise InvalidError(f"ttl is a number of seconds from {LIFE_MIN} to {LIFE_MAX}", field="ttl")
        if wanted.topics is not None:
            asked = TopicFilter(tuple(wanted.topics))
            visit().check_filter(asked)
            caller = narrowed(caller, asked.patterns)
        tickets = assembly.gate.authority.tickets
        if wanted.login:
            if wanted.topics is not None or wanted.ttl is not None:
                raise InvalidError("a login ticket is for all that the token is for, and lives its own time")
            life = LOGIN_LIFE
            text = tickets.issue(caller, life, use="login", token=_presented())
        else:
            text = tickets.issue(caller, life)
        ends = assembly.clock.unix_ms() + round(life * 1000)
        expires = ends if caller.expires is None else min(ends, caller.expires)
        return answer({"ticket": text, "expires": rfc3339(expires)}, 201)


def _add_revocations(blueprint: Blueprint, assembly: Assembly) -> None:
    revocations = assembly.gate.authority.revocations

    @blueprint.post("/api/auth/revoke")
    async def revoke() -> Response:
        visit().check_admin()
        wanted = await read(Revoke, _BODY_MAX)
        if not 0 <= wanted.grace <= GRACE_MAX:
            raise InvalidError(f"grace is a number of seconds from 0 to {GRACE_MAX:.0f}", field="grace")
        if wanted.connection is not None:
            if wanted.jti is not None or wanted.sub is not None or wanted.all:
                raise InvalidError(_WHAT)
            return answer({"ended": int(assembly.hub.end(wanted.connection, REVOKED))})
        kind, name = wanted.target
        before = _moment(wanted.issued_before, assembly.clock.unix_ms())
        return answer({"ended": await assembly.revoker.revoke(kind, name, before, wanted.grace)})

    @blueprint.get("/api/auth/revoke")
    async def listed() -> Response:
        visit().check_admin()
        _LISTING.check(request.args)
        after, limit = number("after", 0, 0), min(number("limit", LISTED_MAX, 1), LISTED_MAX)
        found = revocations.listed(after, limit + 1)
        shown = found[:limit]
        last = shown[-1].offset if shown else after
        return answer({"revocations": [_shown(one) for one in shown], "more": len(found) > limit, "cursor": str(last)})

    @blueprint.delete("/api/auth/revoke")
    async def lift() -> Response:
        visit().check_admin()
        kind, name = (await read(Revoke, _BODY_MAX)).target
        if not await assembly.revoker.lift(kind, name):
            raise NotFoundError("that is not revoked")
        return nothing()


def _shown(one: Revocation) -> dict[str, Any]:
    return {
        **({"all": True} if one.kind == "all" else {"sub" if one.kind == "subject" else "jti": one.name}),
        "issued_before": None if one.kind == "jti" else rfc3339(one.before),
        "time": rfc3339(one.time),
    }


def _moment(text: str | None, now: int) -> int:
    """Unix ms. Raises InvalidError for what is no time, or is to come: nobody knows what will be issued until then."""
    if text is None:
        return now
    try:
        found = parse_rfc3339(text)
    except ValueError as error:
        raise InvalidError("issued_before is a time as in RFC 3339", field="issued_before") from error
    if found > now:
        raise InvalidError("issued_before is not in the future", field="issued_before")
    return found
