"""Where a request comes from: the peer's address, or what trusted hops in front say of it.

Each hop knows for certain only who speaks to it, and appends that to `X-Forwarded-For`, or to `Forwarded` (RFC 7239).
What stands further left came with the request, and may be anybody's invention. So the list is walked from the right:
while the address that was found is a trusted hop's, what that one says is the next. The first that is none of ours is
the client's. Where a hop says nothing that is an address (`unknown`, `_secret`, RFC 7239, 6), nobody knows more than
that it came from there.

A hop that writes one of the two fields passes the other one on as it came. If both are there and name two clients,
neither is believed: the request counts as the hop's own.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

import structlog

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

HOPS_MAX: Final = 16
"""Entries of a list that are looked at: nobody has more proxies of his own, and a head holds thousands."""

ENTRY_MAX: Final = 256
"""Characters of one entry: an address, and what else a hop says of the request."""

ADDRESS_MAX: Final = 64
"""Characters of an address with its port at most, in brackets and with a zone; longer ones are none."""

REMEMBERED: Final = 4_096
"""Addresses whose verdict is kept."""

PREFIX: Final = 64
"""Bits of an IPv6 address that are one customer's (RFC 6177, RFC 4291, 2.5.4): the rest he makes up as he likes."""

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, 5.6.2
_PAIR: Final = rf'({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")'
_ONE_PAIR: Final = re.compile(_PAIR)
_ELEMENT: Final = re.compile(rf"[ \t]*(?:{_PAIR}[ \t]*)?(?:;[ \t]*(?:{_PAIR}[ \t]*)?)*")
"""RFC 7239, 4: `for=192.0.2.1;proto=https`, in any order, values quoted or not. White space fits in one way only."""

_PORT: Final = re.compile(r":(?:\d{1,5}|_[A-Za-z0-9._-]+)\Z")


logger = structlog.get_logger(__name__)


class Fields(Protocol):
    """What is looked at of a request."""

    @property
    def address(self) -> str | None:
        """The peer's, as the socket gives it."""

    def fields(self, name: bytes) -> list[str]:
        """All headers of a lower-case name, in their order."""


class Hops:
    """`networks` are those of the proxies that are believed."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)
        self._known = lru_cache(REMEMBERED)(self._judge)
        """Verdicts on addresses that were seen of late: each request has two or three, thousands of times a second."""
        self._is_warned = False

    def trusts(self, address: str | None) -> bool:
        """Whether whoever sent from there is one of them."""
        return bool(self._networks) and self._look(address or "")[1]

    def client(self, request: Fields) -> str | None:
        """The client's address, in its shortest form; None if the socket has none."""
        peer = request.address
        if not self._networks or peer is None:
            return peer
        address, is_hop = self._look(peer)
        if not is_hop:
            return address or peer
        lists = (request.fields(b"x-forwarded-for"), request.fields(b"forwarded"))
        found = {
            self._walk(address, read(", ".join(fields)))
            for fields, read in zip(lists, (_plainly, _forwarded), strict=True)
            if fields
        }
        if not found and not self._is_warned:
            self._is_warned = True
            logger.warning("hop_names_no_client", hop=peer, reason="all who come by it count as one address")
        return found.pop() if len(found) == 1 else address

    def _walk(self, address: str, entries: Iterator[str]) -> str:
        """From a hop's address on, by what each says, the nearest first."""
        for _, entry in zip(range(HOPS_MAX), entries, strict=False):
            found, is_hop = self._look(entry.strip())
            if not found:
                break
            address = found
            if not is_hop:
                break
        return address

    def _look(self, text: str) -> tuple[str, bool]:
        return self._known(text) if len(text) <= ADDRESS_MAX else ("", False)

    def _judge(self, text: str) -> tuple[str, bool]:
        """The address that a text is, "" for none, and whether it is a hop's."""
        found = _node(text)
        if found is None:
            return "", False
        return str(found), any(found in network for network in self._networks)


def network_of(address: str | None) -> str:
    """By what an address is counted: an IPv6 one by its /64, since whoever has one has all of those."""
    if address is None or ":" not in address:
        return address or ""
    found = _plain(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found) >> (128 - PREFIX) << (128 - PREFIX), PREFIX)))
    return address if found is None else str(found)


def _plain(text: str) -> Address | None:
    """An address without its zone, and as IPv4 where a socket of both families has made IPv6 of it (RFC 4291, 2.5.5.2).

    None for what is none.
    """
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped


def _node(text: str) -> Address | None:
    """Of an entry: an address with or without a port, IPv6 in brackets or, as many write it, without."""
    if text.startswith("["):
        inner, bracket, rest = text[1:].partition("]")
        return _plain(inner) if bracket and (not rest or _PORT.fullmatch(rest)) else None
    return _plain(text) or (_plain(_PORT.sub("", text)) if text.count(":") == 1 else None)


def _plainly(text: str) -> Iterator[str]:
    """The entries of `X-Forwarded-For`, from the right."""
    while text:
        text, _, entry = text.rpartition(",")
        yield entry if len(entry) <= ENTRY_MAX else ""


def _forwarded(text: str) -> Iterator[str]:
    """What `for` says in the elements of `Forwarded`, from the right; "" for one without, or that is none.

    What a hop has appended is well-formed, whatever stands before it: a quotation mark that somebody has left open on
    the left must not swallow it. So the end of the text is looked for in which an element fits.
    """
    while text:
        cut = _last_element(text)
        if cut is None:
            yield ""
            return
        pairs = {name.lower(): value for name, value in _ONE_PAIR.findall(text, cut)}
        yield _unquoted(pairs.get("for", ""))
        text = text[: max(0, cut - 1)]


def _last_element(text: str) -> int | None:
    """Where it begins; None if nothing at the end is one."""
    cut, first = len(text), max(0, len(text) - ENTRY_MAX)
    while (cut := text.rfind(",", first, cut)) >= 0:
        if _ELEMENT.fullmatch(text, cut + 1):
            return cut + 1
    return 0 if not first and _ELEMENT.fullmatch(text) else None


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
