"""Which web pages may open a WebSocket or read an answer: browsers guard the second, nobody guards the first."""

from collections.abc import Sequence
from urllib.parse import urlsplit

Header = tuple[bytes, bytes]

_VARY = (b"vary", b"Origin")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """`allowed` are origins such as `https://app.example.org`, or `*` for all. A page's own origin always may."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)

    def permits(self, origin: str | None, host: str | None) -> bool:
        """Whether a request with this Origin may go on; programs send none. A proxy may rewrite the scheme only."""
        if origin is None or self._all:
            return True
        return origin.rstrip("/").lower() in self._allowed or _same_host(origin, host)

    def cors(self, origin: str | None) -> list[Header]:
        """Response headers that let a page of `origin` read the answer (Fetch, "CORS protocol"); none for its own."""
        if origin is None or not (self._all or origin.rstrip("/").lower() in self._allowed):
            return []
        value = b"*" if self._all else origin.encode("latin-1", "replace")
        return [(b"access-control-allow-origin", value), (b"access-control-expose-headers", b"retry-after"), _VARY]


def _same_host(origin: str, host: str | None) -> bool:
    try:
        parts = urlsplit(origin)
        there = urlsplit(f"//{host}")
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        there_port = there.port or port
    except ValueError:
        return False
    return parts.hostname is not None and parts.hostname == there.hostname and port == there_port
