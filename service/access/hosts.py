"""Under which names the service answers: a guard against DNS rebinding.

A page of `evil.example` may have its name point to this machine, and then is, to its browser, of the same origin as we
are. What gives it away is the name in `Host`. Rebinding needs a name: whoever comes by an address, or by `localhost`,
which is resolved to loopback alone (RFC 6761, 6.3), is let in; other names are those that the operator has listed.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\\?#\s]*)(?::(\d{1,5}))?\Z")


LABEL_MAX: Final = 63
"""Characters between two dots of a name (RFC 1035, 3.1)."""


def split_host(text: str) -> tuple[str, int | None] | None:
    """Name and port of a Host field (RFC 9110, 7.2), in lower case and without a final dot; None if it is none."""
    found = _HOST.match(text)
    if found is None or (found[2] and int(found[2]) > 65535):
        return None
    name = found[1].lower().rstrip(".")
    if not name.isascii() or any(not 0 < len(label) <= LABEL_MAX for label in name.split(".")):
        return None  # a framework that takes it for one of the IDNA fails
    return name, int(found[2]) if found[2] else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


REMEMBERED: Final = 64
"""Hosts whose verdict is kept, of at most HOST_MAX characters: everybody who means well asks under one of a few."""

HOST_MAX: Final = 260
"""A name has 253 characters at most (RFC 1035, 3.1), and a port six."""


class Hosts:
    """`allowed` are names such as `live.example.org`, `*.example.org` for all below one, or `*` for any."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._known = lru_cache(REMEMBERED)(self._judge)
        self._shaped = lru_cache(REMEMBERED)(split_host)
        """Verdicts on the hosts that were asked for of late: each request asks, thousands of times a second."""
        names = [name.lower().rstrip(".") for name in allowed]
        self.is_limited = bool(names)
        """Whether the operator has said which."""
        self._any = "*" in names
        self._names = frozenset(name for name in names if not name.startswith("*"))
        self._below = tuple(name[1:] for name in names if name.startswith("*."))

    def permits(self, host: str | None) -> bool:
        """Whether a request with this Host is for us. HTTP/1.0 may send none, and no browser does."""
        if not host:
            return True
        return self._known(host) if len(host) <= HOST_MAX else self._judge(host)

    def is_any(self, host: str | None) -> bool:
        """Whether a Host is one at all, whoever's: on what is none a framework fails."""
        if not host:
            return True
        return (self._shaped(host) if len(host) <= HOST_MAX else split_host(host)) is not None

    def _judge(self, host: str) -> bool:
        parts = split_host(host)
        if parts is None:
            return False
        name = parts[0]
        return (
            self._any
            or name in self._names
            or name == "localhost"
            or name.endswith((".localhost", *self._below))
            or _is_address(name)
        )
