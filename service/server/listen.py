"""The listening socket, made by us so that every connection inherits what ends dead and stalled peers."""

import errno
import socket
from ipaddress import ip_address
from typing import Final

from service.core.errors import ConfigError

SEND_BUFFER: Final = 128 * 1024
"""Bytes that the kernel may hold for a peer (Linux takes them twice). Without a bound, one that stopped reading
swallows megabytes first; and memory that the kernel has to fetch for it is time that the others wait."""

KEEPALIVE_IDLE: Final = 60
KEEPALIVE_INTERVAL: Final = 15
"""Seconds until the kernel asks a silent peer, and between its questions."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there (RFC 6890; `localhost` by RFC 6761, 6.3)."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # another name may be anybody's
        return False


def check_open(host: str, *, has_keys: bool, is_meant: bool) -> None:
    """Raises ConfigError for an address beyond loopback of a service on which everybody may do everything."""
    if not (has_keys or is_meant or is_loopback(host)):
        detail = (
            f"{host} can be reached from elsewhere, and without keys whoever reaches it may do everything:"
            " set TWINWIRE_TOKEN_KEYS, or TWINWIRE_OPEN=1 if that is meant"
        )
        raise ConfigError(detail, field="TWINWIRE_HOST")


def listen(host: str, port: int, backlog: int, send_timeout: float) -> socket.socket:
    """A listening socket whose connections inherit what kills dead and stalled peers. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        for name, value in (
            ("TCP_USER_TIMEOUT", int(send_timeout * 1000)),
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ):
            if hasattr(socket, name):  # Linux has them all
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        listener.bind((host, port))
        listener.listen(backlog)
    except (OSError, UnicodeError, TypeError) as error:  # the others for a name that can be none
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"can't listen on {host} port {port}: {why}", field="TWINWIRE_HOST") from error
    listener.setblocking(False)
    return listener


def is_free(host: str, port: int) -> bool:
    """Whether nobody has the port now. Raises ConfigError for what else `listen` would."""
    try:
        listen(host, port, 1, 1.0).close()
    except ConfigError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            return False
        raise
    return True
