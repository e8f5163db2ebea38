"""How a credential comes with a request, and whether it counts there.

In this order, and the first is the one: `Authorization: Bearer`, a WebSocket's subprotocol, a ticket in the URL of a
stream or a read, the word of the application that the service is mounted in (`deciding.py`), a cookie. A credential
that is there and not as it should be is an error, never nobody's: who has lost his name in silence gets answers for
strangers for hours.

A cookie comes by itself, whoever has a browser send the request. So it counts only for what is safe (RFC 9110, 9.2.1),
and for the rest if the page that sends it is our own or named (RFC 6265bis, 8.8.1). So does an application's word,
which mostly comes from a cookie of its own.
"""

from typing import Final, Literal, NamedTuple

from service.access.origins import Asker, Origins
from service.core.errors import ForbiddenError, InvalidError, PresentationError

PROTOCOL: Final = "twinwire.v1"
"""The subprotocol that is answered, so that a browser's handshake succeeds which has offered some."""

BEARER_PROTOCOL: Final = "twinwire.bearer."
"""Begins the subprotocol that is a token: its alphabet is a token's (RFC 9110, 5.6.2), so nothing is encoded."""

SECURE_COOKIE: Final = "__Host-twinwire"
PLAIN_COOKIE: Final = "twinwire"
"""The session's cookie over https and over http: a page of http can't set the first (RFC 6265bis, 4.1.3.2)."""

STREAM_COOKIE: Final = "twinwire_stream"
"""Goes with a ticket that an EventSource has spent, and reconnects with."""

TICKET: Final = "ticket"
AUTH: Final = "auth"
"""The parameters of a stream's URL: a ticket, and whether somebody is expected."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALONE: Final = (
    "a cookie counts here only beside an Origin, or a Referer, of this service or of TWINWIRE_ALLOWED_ORIGINS by name"
)

Carrier = Literal["bearer", "protocol", "ticket", "cookie"]


class Credential(NamedTuple):
    carrier: Carrier
    text: str


def find_credential(asker: Asker, origins: Origins, *, is_socket: bool) -> Credential | None:
    """What came with a request; None if nothing did.

    Raises PresentationError, InvalidError for a ticket where none counts, or ForbiddenError for a cookie that does not.
    """
    found = find_shown(asker, is_socket=is_socket)
    if found is not None:
        return found
    cookie = session_cookie(asker, is_secure=origins.came_by_https(asker))
    if cookie is None:
        return None
    is_secure = cookie_of(asker, SECURE_COOKIE) is not None  # which no browser sends over http
    check_sender(asker, origins, is_socket=is_socket, is_secure=is_secure)
    return Credential("cookie", cookie)


def find_shown(asker: Asker, *, is_socket: bool) -> Credential | None:
    """The same of what no browser sends by itself. Raises PresentationError, InvalidError."""
    fields = asker.fields(b"authorization")
    if fields:
        return Credential("bearer", _bearer(fields))
    if is_socket and (offered := _offered(asker)):
        return Credential("protocol", offered)
    ticket = asker.parameter(TICKET)
    if ticket is not None:
        if asker.method != "GET":
            raise InvalidError("a ticket is for GET; elsewhere a program can send Authorization", field=TICKET)
        return Credential("ticket", ticket)
    return None


def check_sender(asker: Asker, origins: Origins, *, is_socket: bool, is_secure: bool = False) -> None:
    """Raises ForbiddenError where a cookie does not count, since another's page may have had it sent. `is_secure`: it
    shows that it came over https."""
    if (is_socket or asker.method not in _SAFE) and not origins.is_named(asker, is_secure=is_secure):
        raise ForbiddenError(_ALONE, field="Origin")


def is_borne(asker: Asker) -> bool:
    """Whether `Authorization: Bearer` came, whoever reads it: that no browser sends by itself, as it does Basic."""
    return any(field.partition(" ")[0].lower() == "bearer" for field in asker.fields(b"authorization"))


def _bearer(fields: list[str]) -> str:
    scheme, _, token = fields[0].partition(" ")
    token = token.strip()
    if len(fields) > 1 or scheme.lower() != "bearer" or not token or not token.isascii() or " " in token:
        raise PresentationError("send Authorization once, as Bearer and a token", field="Authorization")
    return token


def protocols(asker: Asker) -> list[str]:
    """The subprotocols that a WebSocket's client offers (RFC 6455, 11.3.4)."""
    return [one for field in asker.fields(b"sec-websocket-protocol") for one in map(str.strip, field.split(",")) if one]


def _offered(asker: Asker) -> str | None:
    offered = protocols(asker)
    tokens = [one.removeprefix(BEARER_PROTOCOL) for one in offered if one.startswith(BEARER_PROTOCOL)]
    if not tokens:
        return None
    if len(tokens) > 1 or not tokens[0] or PROTOCOL not in offered:
        detail = f"offer {PROTOCOL}, and one {BEARER_PROTOCOL} with the token behind it"
        raise PresentationError(detail, field="Sec-WebSocket-Protocol")
    return tokens[0]


def session_cookie(asker: Asker, *, is_secure: bool) -> str | None:
    """The session's. Over https it is the one that no other host and no page of http can have set: of the other, it
    is not known whose token it is.
    """
    found = cookie_of(asker, SECURE_COOKIE)
    return found if is_secure else found or cookie_of(asker, PLAIN_COOKIE)


def cookie_of(asker: Asker, name: str) -> str | None:
    """A cookie's value; None if it is not there, or empty."""
    for field in asker.fields(b"cookie"):
        for pair in field.split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name and value:
                return value.strip('"')
    return None


def set_cookie(name: str, value: str, *, path: str, max_age: int, is_secure: bool) -> bytes:
    """A `Set-Cookie` field's value. No page's script sees the cookie, and no other site's page has it sent."""
    parts = [f"{name}={value}", "HttpOnly", "SameSite=Strict", f"Path={path}", f"Max-Age={max_age}"]
    if is_secure:
        parts.insert(2, "Secure")
    return "; ".join(parts).encode("latin-1", "replace")
