"""What a connection's transport does not tell by itself."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

_OPEN: Final = frozenset({1, 2, 3})
"""TCP states in which the peer has not ended its side: ESTABLISHED, SYN_SENT, SYN_RECV (Linux, `tcp_states.h`)."""

_SAFE: Final = (b"GET ", b"HEAD ", b"OPTIONS ")


def is_reset_unseen(transport: Any) -> bool:
    """Whether reading is paused, so that the loop is not told, and the peer has reset the connection."""
    if transport.is_reading():
        return False
    with _socket(transport) as own:
        try:
            return own is None or own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        except OSError:
            return True


def has_left(transport: Any) -> bool:
    """Whether the peer has ended its side at least, which may not have been read yet. Where nobody can tell: False."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    with _socket(transport) as own:
        try:
            return own is None or own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in _OPEN
        except OSError:  # not of TCP
            return False


def changes_nothing(transport: Any, read: bytes) -> bool:
    """Whether what the peer has sent first, of which `read` was taken in, is a safe request (RFC 9110, 9.2.1)."""
    begun = read[:8]
    if not begun:
        with _socket(transport) as own:
            if own is not None:
                with contextlib.suppress(OSError):
                    begun = own.recv(8, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return begun.startswith(_SAFE)


def resume(transport: Any) -> None:
    """Read on, unless it has closed meanwhile."""
    with contextlib.suppress(RuntimeError):
        transport.resume_reading()


@contextlib.contextmanager
def _socket(transport: Any) -> Iterator[socket.socket | None]:
    """The transport's own, to look at; None if it is closed."""
    own = transport.get_extra_info("socket")
    descriptor = -1 if own is None else own.fileno()
    if descriptor < 0:
        yield None
        return
    borrowed = socket.socket(fileno=descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()
