"""Host names of programs: one for each, so that to a browser each is a site of its own (RFC 6454, 4).

    app-{id}.localhost[:port]     to whoever came by loopback: resolved to it (RFC 6761, 6.3) by browsers and by curl
    app-{id}.{below}[:port]       to others, `below` being the operator's, with DNS and a certificate for `*.{below}`

A name is claimed by how it looks, whether there is such a program or not, and so is every name below one: what was
served there yesterday may still be open in a browser, and must not find the service's own pages and API under the
origin that it has.
"""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

from service.access.hosts import HOST_MAX, split_host
from service.core.errors import InvalidError

LABEL: Final = "app-"
"""Begins the label of a program's name."""

_ID: Final = re.compile(r"[a-z0-9]{1,59}\Z")
"""With LABEL before it, one label (RFC 1035, 2.3.4); names know no upper case."""

_LOOPBACK: Final = "localhost"
_SITE: Final = re.compile(r"(https?)://([^/?#@\s,;]+)\Z")
_BELOW: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:\d{1,5})?\Z")
REMEMBERED: Final = 64
"""Hosts whose verdict is kept: every request that the service gets asks."""

SET_IT: Final = (
    "each application takes a host name of its own, for which the operator has to set TWINWIRE_PREVIEW_HOST: a name"
    " with DNS and a certificate for all below it"
)


class Site(NamedTuple):
    """Where a page is, as its browser says (`Origin`), or as the request does: `host` has the port, if there is one."""

    scheme: str
    host: str

    @classmethod
    def of_origin(cls, text: str | None) -> "Site | None":
        """An `Origin` field; None for what is none of the web, `null` among it."""
        found = _SITE.match((text or "").lower())
        if found is None or split_host(found[2]) is None:
            return None
        return cls(found[1], found[2])

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def is_loopback(self) -> bool:
        parts = split_host(self.host)
        return parts is not None and _is_loopback(parts[0])


class Names:
    """`below` is the operator's name for programs, with a port if it has one of its own; "" for none."""

    def __init__(self, below: str = "") -> None:
        self._below = below
        zone = below.partition(":")[0]
        self._zones = (_LOOPBACK, zone) if zone else (_LOOPBACK,)
        self._known = lru_cache(REMEMBERED)(self._judge)

    def claims(self, host: str) -> bool:
        """Whether a Host field names what is a program's, of whatever id."""
        return self._look(host) is not None

    def id_of(self, host: str) -> str | None:
        """Of a Host field that is claimed; None for one that can be no program's."""
        return self._look(host) or None

    def _look(self, host: str) -> str | None:
        return self._known(host) if len(host) <= HOST_MAX else self._judge(host)

    def _judge(self, host: str) -> str | None:
        """The id, "" for what is claimed and has none, None for what is not claimed."""
        parts = split_host(host)
        if parts is None:
            return None
        for zone in self._zones:
            if parts[0].endswith(f".{zone}"):
                *deeper, label = parts[0].removesuffix(f".{zone}").split(".")
                if label.startswith(LABEL):
                    id = label.removeprefix(LABEL)
                    return id if not deeper and _ID.match(id) else ""
        return None

    def site_of(self, id: str, page: Site) -> Site:
        """Where the program of this id is for a page. Raises InvalidError where it has no name there."""
        port = split_host(page.host)
        number = port[1] if port is not None else None
        if page.is_loopback:
            return Site(page.scheme, f"{LABEL}{id}.{_LOOPBACK}" + ("" if number is None else f":{number}"))
        if not self._below:
            raise InvalidError(SET_IT)
        own = f"{LABEL}{id}.{self._below}"
        return Site(page.scheme, own if ":" in self._below or number is None else f"{own}:{number}")

    def sources(self, host: str) -> tuple[str, ...]:
        """What a page that was asked for under this Host may show in frames, as sources of a CSP: programs alone."""
        parts = split_host(host)
        if parts is None:
            return ()
        port = "" if parts[1] is None else f":{parts[1]}"
        if _is_loopback(parts[0]):
            return (f"*.{_LOOPBACK}{port}",)
        if not self._below:
            return ()
        return (f"*.{self._below}" if ":" in self._below else f"*.{self._below}{port}",)


def check_below(text: str) -> str:
    """A setting's value as the name that it is. Raises ValueError for what is none, or an address."""
    name = text.strip().lower().rstrip(".")
    if name and (_BELOW.match(name) is None or split_host(name) is None or name.split(":")[0].endswith(_LOOPBACK)):
        raise ValueError("is a host name such as preview.example.org, with a port if it has one of its own")
    if re.fullmatch(r"[\d.]+(:\d+)?", name):
        raise ValueError("is a host name, and no address")
    return name


def _is_loopback(name: str) -> bool:
    if name == _LOOPBACK or name.endswith(f".{_LOOPBACK}"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
