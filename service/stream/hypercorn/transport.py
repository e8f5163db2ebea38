"""What a connection's transport does not tell by itself."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

_OPEN: Final = frozenset({1, 2, 3})
"""TCP states in which the peer has not ended its side: ESTABLISHED, SYN_SENT, SYN_RECV (Linux, `tcp_states.h`)."""

LINGER_PAUSE: Final = 0.02
"""Seconds after each piece that is thrown away, of 256 KiB at most: the largest request is gone within a second, and a
flood takes its time."""

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


async def close(writer: asyncio.StreamWriter, look: float) -> None:
    """Return when what is left has gone out, or none of it has in `look` seconds."""
    transport = writer.transport
    writer.close()
    closing = asyncio.ensure_future(writer.wait_closed())
    try:
        left = transport.get_write_buffer_size()
        while not (await asyncio.wait({closing}, timeout=look))[0]:
            now = transport.get_write_buffer_size()
            if now >= left:  # it takes nothing: the kernel's own limit is not on every platform
                transport.abort()
            left = now
        if (error := closing.exception()) is not None:  # of the peer's; raised, it would hold us as we hold it
            error.__traceback__ = None  # which names the writer, whose reader holds the error
    finally:
        closing.cancel()


def throw_away(reader: Any, transport: Any) -> None:
    """What has come, and what comes: nothing is kept of it, and the reader is not woken for it."""

    def throw(data: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # it is closing already
            transport.pause_reading()
            asyncio.get_running_loop().call_later(LINGER_PAUSE, _resume, transport)

    vars(reader)["feed_data"] = throw
    reader._buffer.clear()
    reader._maybe_resume_transport()


def _resume(transport: Any) -> None:
    with contextlib.suppress(RuntimeError):  # it has closed meanwhile
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
