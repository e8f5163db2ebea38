"""What of a head passes between a browser and a program, and what does not.

Taken off on the way there: whatever says who somebody is to the service (`Cookie`, `Authorization`) or where from he
comes, since proxies in front tell that to the service and not to what it shows; and what concerns one connection alone
(RFC 9110, 7.6.1).

Taken off on the way back: what a browser, or a proxy in front, would take as said by more than this program. A cookie,
`Clear-Site-Data` or `Strict-Transport-Security` may reach other hosts; `X-Accel-Redirect` has nginx send a file of its
own; `WWW-Authenticate` asks for a password that nobody should type here. What was answered is never kept: the next run
has the same addresses.

A frame is allowed to the pages of the service that have opened the program, and to no others: what the program says of
that is replaced, as it can't know them.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

Field = tuple[bytes, bytes]

_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""Of one connection (RFC 9110, 7.6.1), or of how a body is framed there: each side frames its own."""

_WHO: Final = frozenset(
    {
        b"authorization",
        b"cookie",
        b"cookie2",
        b"forwarded",
        b"proxy-authorization",
        b"via",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"client-ip",
        b"expect",
    }
)
_WHO_BEGINS: Final = (
    b"x-forwarded-",
    b"x-real-",
    b"x-original-",
    b"x-client-",
    b"x-ssl-",
    b"x-envoy-",
    b"x-amzn-",
    b"x-twinwire-",
    b"sec-websocket-",
)
"""Of the last, what a handshake with the program needs is made anew."""

_BEYOND: Final = frozenset(
    {
        b"access-control-allow-credentials",
        b"age",
        b"alt-svc",
        b"authentication-info",
        b"cache-control",
        b"clear-site-data",
        b"cdn-cache-control",
        b"content-security-policy",
        b"expires",
        b"nel",
        b"pragma",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"public-key-pins",
        b"public-key-pins-report-only",
        b"report-to",
        b"reporting-endpoints",
        b"service-worker-allowed",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
        b"surrogate-control",
        b"via",
        b"www-authenticate",
        b"x-frame-options",
        b"x-reproxy-url",
        b"x-sendfile",
    }
)
_BEYOND_BEGINS: Final = (b"x-accel-", b"x-lighttpd-", b"x-twinwire-", b"sec-websocket-")

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
"""A field's name (RFC 9110, 5.6.2)."""
_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*\Z")
"""A field's value: nothing in it ends a line, or is taken for an end by somebody (RFC 9110, 5.5)."""

PRIVATE: Final[tuple[Field, ...]] = ((b"cache-control", b"no-store"), (b"referrer-policy", b"same-origin"))


def towards(fields: Iterable[Field]) -> list[Field]:
    """Of a request's fields those that the program gets. Its names are in lower case."""
    found = list(fields)
    gone = _HOP | _WHO | _named_by_connection(found)
    return [
        (name, value)
        for name, value in found
        if name not in gone and not name.startswith(_WHO_BEGINS) and name != b"content-length"
    ]


def back(fields: Iterable[Field], framers: Sequence[str]) -> list[Field]:
    """Of an answer's fields those that the browser gets, with who may show it in a frame: `framers`, or nobody.

    Raises ValueError for a field that is none.
    """
    found = [(name.lower(), value) for name, value in fields]
    for name, value in found:
        if _TOKEN.match(name) is None or _VALUE.match(value) is None:
            raise ValueError("a field of the answer is none")
    gone = _HOP | _BEYOND | _named_by_connection(found)
    kept = [(name, value) for name, value in found if name not in gone and not name.startswith(_BEYOND_BEGINS)]
    own = [policy for name, value in found if name == b"content-security-policy" and (policy := unframed(value))]
    kept += [(b"content-security-policy", policy) for policy in own]
    if not any(name == b"referrer-policy" for name, _ in kept):
        kept.append(PRIVATE[1])
    return [*kept, PRIVATE[0], (b"content-security-policy", ancestors(framers))]


def ancestors(framers: Sequence[str]) -> bytes:
    """The policy that lets these origins show it in a frame, and no others (CSP 3, 6.4.2)."""
    return b"frame-ancestors " + (" ".join(framers) or "'none'").encode("ascii", "ignore")


def unframed(policy: bytes) -> bytes:
    """A policy without what it says of frames around it; each of several that stand in one line (CSP 3, 2.2.2)."""
    several = []
    for one in policy.split(b","):
        directives = [part.strip() for part in one.split(b";")]
        left = [part for part in directives if part and part.split(None, 1)[0].lower() != b"frame-ancestors"]
        if left:
            several.append(b"; ".join(left))
    return b", ".join(several)


def _named_by_connection(fields: Iterable[Field]) -> frozenset[bytes]:
    """Fields that `Connection` makes one hop's (RFC 9110, 7.6.1)."""
    lists = [value for name, value in fields if name == b"connection"]
    return frozenset(word.strip().lower() for value in lists for word in value.split(b","))
