"""The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): who a TCP balancer speaks for.

A header stands before everything else on a connection. It is read only where a trusted hop is configured to send it,
and has to be there then: whether there is one is never guessed, since a client could send one as well (section 2).
"""

import asyncio
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

Client = tuple[str, int]
"""Address and port."""

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
"""Begins version 2 (section 2.2)."""

LINE_MAX: Final = 107
"""Bytes of version 1, its end of line included (section 2.1)."""

REST_MAX: Final = 4_096
"""Bytes behind the fixed part of version 2: two addresses, and what else a balancer likes to tell."""

_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_FIXED: Final = struct.Struct("!BBH")


async def read_client(reader: asyncio.StreamReader) -> Client | None:
    """The client that a header names; None if it names nobody: the balancer itself asks, or does not know.

    Raises ConnectionAbortedError for what is no header. Nothing of the request behind it is taken.
    """
    try:
        begun = await reader.readexactly(len(SIGNATURE))
        if begun == SIGNATURE:
            command, family, size = _FIXED.unpack(await reader.readexactly(_FIXED.size))
            if size > REST_MAX:
                raise _refused()
            return _second(command, family, await reader.readexactly(size))
        if begun.startswith(b"PROXY "):
            return _first(begun + await reader.readuntil(b"\n"))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        raise _refused() from None
    raise _refused()


def _first(line: bytes) -> Client | None:
    """Raises ValueError."""
    if len(line) > LINE_MAX or not line.endswith(b"\r\n"):
        raise ValueError
    words = line[:-2].decode("ascii").split(" ")
    if words[1] == "UNKNOWN":
        return None
    _, family, source, target, port, other = words
    kind = {"TCP4": IPv4Address, "TCP6": IPv6Address}[family] if family in ("TCP4", "TCP6") else None
    if kind is None or not all(isinstance(ip_address(one), kind) for one in (source, target)):
        raise ValueError
    if not all(one.isascii() and one.isdigit() and int(one) < 1 << 16 for one in (port, other)):
        raise ValueError
    return source, int(port)


def _second(command: int, family: int, rest: bytes) -> Client | None:
    """Raises ValueError."""
    if command == _LOCAL:
        return None
    if command != _PROXY:
        raise ValueError
    size = {_TCP4: 4, _TCP6: 16}.get(family)
    if size is None:  # of a socket without an address, or of a kind that nobody can ask us by
        return None
    if len(rest) < 2 * size + 4:
        raise ValueError
    return str(ip_address(rest[:size])), int.from_bytes(rest[2 * size : 2 * size + 2])


def _refused() -> ConnectionAbortedError:
    return ConnectionAbortedError("a trusted hop has sent no PROXY header")
