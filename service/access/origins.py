"""Which web pages may change something, open a WebSocket or read an answer: browsers guard the last, nobody the others.

A page is our own if its browser says so (`Sec-Fetch-Site: same-origin`, which no page can set), or if its whole origin
is that under which we were asked: the name and port of `Host`, or of `X-Forwarded-Host` where a trusted hop sent it,
and https where it is certain that we were asked over that: a page of http has the name of whoever is on the way to it.
A browser sends `Sec-Fetch-Site` over https and to loopback only, so over plain http and a name, behind a proxy that
loses `Host`, it takes one of the settings. Under which names we are asked at all is for `hosts.py`.
"""

import re
from collections.abc import Sequence
from typing import Final, Protocol

from service.access.caller import Caller
from service.access.hops import Hops, Network
from service.access.hosts import split_host
from service.core.errors import TwinwireError

Header = tuple[bytes, bytes]

_VARY: Final = (b"vary", b"Origin")
_EXPOSED: Final = (b"access-control-expose-headers", b"retry-after, location, www-authenticate")
_ORIGIN: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[^\[\]:@/\\?#\s]+)(?::(\d{1,5}))?\Z")
"""A serialised origin of the web (RFC 6454, 6.2): nothing before the host, nothing behind the port."""

_REFERER: Final = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
"""The origin of a page's URL (RFC 9110, 10.1.3)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
NAME_SHOWN: Final = 80
"""Characters of a foreign name that are told back."""

_FOREIGN: Final = frozenset({"cross-site", "same-site"})
"""`Sec-Fetch-Site` of pages that are of another origin."""

_ANYBODY: Final = frozenset({"*", "null"})
"""What names no page: any site can show one in a frame whose origin is `null` (HTML, "sandbox")."""


class Asker(Protocol):
    """What is looked at of a request."""

    @property
    def address(self) -> str | None:
        """The peer's, as the socket gives it."""

    @property
    def method(self) -> str:
        """`GET` for a WebSocket's handshake."""

    @property
    def scheme(self) -> str:
        """That of the connection: `http`, or `https` where we speak TLS ourselves; `ws` and `wss` for a WebSocket."""

    def header(self, name: bytes) -> str | None:
        """A header by its lower-case name."""

    def fields(self, name: bytes) -> list[str]:
        """All headers of this name, in their order."""

    def parameter(self, name: str) -> str | None:
        """What the query of a stream or a read says; None elsewhere."""

    @property
    def decided(self) -> Caller | TwinwireError | None:
        """What the application said that the service is mounted in (`deciding.py`)."""


class Origins:
    """`allowed` are origins such as `https://app.example.org`, or `*` for all; `hops` are proxies that are believed."""

    def __init__(self, allowed: Sequence[str], hops: Sequence[Network] = ()) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)
        self._named = self._allowed - _ANYBODY
        self.hops: Final = Hops(hops)

    def permits(self, asker: Asker) -> bool:
        """Whether a request may change something. Programs send no Origin; a page's may be our own, or allowed."""
        origin = asker.header(b"origin")
        if origin is None or self._all or origin.lower() in self._allowed:
            return True
        return asker.header(b"sec-fetch-site") == "same-origin" or self._is_own(origin.lower(), asker)

    def is_named(self, asker: Asker, *, is_secure: bool = False) -> bool:
        """Whether the page that sends a request is our own, or of an origin that is listed by its name.

        By its Origin, else by its Referer; what has neither is no page of ours. `is_secure`: the request shows by
        something else that it came over https.
        """
        origin = asker.header(b"origin")
        if origin is None:
            found = _REFERER.match(asker.header(b"referer") or "")
            origin = found[0] if found else None
        if origin is None:
            return False
        if origin.lower() in self._named:
            return True
        return asker.header(b"sec-fetch-site") == "same-origin" or self._is_own(origin.lower(), asker, is_secure)

    def is_https(self, asker: Asker) -> bool:
        """Whether its browser speaks https: to us, to a trusted hop that says so, or by its own Origin."""
        if self.came_by_https(asker):
            return True
        origin = (asker.header(b"origin") or "").lower()
        return origin.startswith("https://") and origin not in self._allowed

    def came_by_https(self, asker: Asker) -> bool:
        """The same as far as it is certain, whatever its browser says."""
        if asker.scheme in ("https", "wss"):
            return True
        return self.hops.trusts(asker.address) and _last(asker.fields(b"x-forwarded-proto")) == "https"

    def may_read(self, asker: Asker) -> bool:
        """Whether a read is worth carrying out: not for a foreign page, which could never see the answer.

        Its browser says so (Fetch Metadata, 2.3), of a sister site's too, with which it sends every cookie along: what
        an application shows under names of its own may be on one. A person who follows a link is no page.
        """
        if asker.header(b"sec-fetch-site") not in _FOREIGN or asker.header(b"sec-fetch-mode") == "navigate":
            return True
        origin = asker.header(b"origin")
        return self._all or (origin is not None and origin.lower() in self._allowed)

    def cors(self, origin: str | None) -> list[Header]:
        """Response headers that let a page of `origin` read the answer (Fetch, "CORS protocol"); none for its own.

        With its credentials, if it is named: what every origin may read takes none (3.2.5). Where it depends on the
        origin, caches are told so whoever asks: one answer would else be taken for the other.
        """
        if self._all:
            return [] if origin is None else [(b"access-control-allow-origin", b"*"), _EXPOSED]
        if origin is None or origin.lower() not in self._allowed:
            return [_VARY] if self._allowed else []
        allowed = (b"access-control-allow-origin", origin.encode("latin-1", "replace"))
        credentials = [(b"access-control-allow-credentials", b"true")] if origin.lower() in self._named else []
        return [allowed, *credentials, _EXPOSED, _VARY]

    def why_not(self, asker: Asker) -> str:
        """Of a request that is not permitted: for whoever set up a proxy and meets it on the service's own page."""
        origin, asked_as = asker.header(b"origin") or "", self._asked_as(asker)
        if max(map(len, (origin, *asked_as))) > NAME_SHOWN or _ORIGIN.match(origin) is None:
            return "pages of this origin may not change anything or connect; TWINWIRE_ALLOWED_ORIGINS would name it"
        names = " and, by a trusted hop's X-Forwarded-Host, as ".join(repr(one) for one in asked_as) or "''"
        return (
            f"pages of {origin} may not change anything or connect: the service was asked as {names}. If it is its own"
            " page, a proxy has lost the name: have it pass Host on, or X-Forwarded-Host from an address in"
            f" TWINWIRE_TRUSTED_HOPS, or set TWINWIRE_ALLOWED_ORIGINS={origin}"
        )

    def _is_own(self, origin: str, asker: Asker, is_secure: bool = False) -> bool:
        parts = _ORIGIN.match(origin)
        if parts is None or (parts[1] == "http" and (is_secure or self.came_by_https(asker))):
            return False
        name, port = parts[2].rstrip("."), int(parts[3] or _DEFAULT_PORTS[parts[1]])
        proto = _last(asker.fields(b"x-forwarded-proto")) if self.hops.trusts(asker.address) else None
        ports = {_DEFAULT_PORTS[proto]} if proto in _DEFAULT_PORTS else set(_DEFAULT_PORTS.values())
        return any(_names(host, name, port, ports) for host in self._asked_as(asker))

    def forwarded_host(self, asker: Asker) -> str:
        """As a hop that is believed says that it was asked; "" for none."""
        return _last(asker.fields(b"x-forwarded-host")) if self.hops.trusts(asker.address) else ""

    def _asked_as(self, asker: Asker) -> list[str]:
        """The names under which we were asked: by the request, and by a hop that is believed."""
        host = asker.header(b"host") or ""
        return [one for one in dict.fromkeys((host, self.forwarded_host(asker))) if one]


def _last(fields: list[str]) -> str:
    """What the nearest hop has put into a field that each one appends to: to its line, or as one more."""
    return (fields[-1] if fields else "").rpartition(",")[2].strip().lower()


def _names(host: str, name: str, port: int, left_out: set[int]) -> bool:
    """Whether a Host field is this name and port. Where it has none, it is one of those that are `left_out`."""
    parts = split_host(host)
    if parts is None or parts[0] != name:
        return False
    return port == parts[1] if parts[1] is not None else port in left_out
