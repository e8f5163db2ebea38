"""What a connection's transport does not tell by itself."""

import asyncio
import contextlib
import select
import socket
from typing import Any, Final

_CAN_POLL: Final = hasattr(select, "poll")
_RESET: Final = (select.POLLERR | select.POLLHUP | select.POLLNVAL) if _CAN_POLL else 1
_ENDED: Final = getattr(select, "POLLRDHUP", 0)
"""The peer has ended its side, whether or not what it has sent was read (Linux, poll(2)); 0 where nobody can tell."""

LINGER_PAUSE: Final = 0.02
"""Seconds after each piece that is thrown away, of 256 KiB at most: the largest request is gone within a second, and a
flood takes its time."""

_SAFE: Final = (b"GET ", b"HEAD ", b"OPTIONS ")


def is_reset_unseen(transport: Any) -> bool:
    """Whether reading is paused, so that the loop is not told, and the peer has reset the connection."""
    return not transport.is_reading() and bool(_seen(transport, 0) & _RESET)


def has_left(transport: Any) -> bool:
    """Whether the peer has ended its side at least, which may not have been read yet. Where nobody can tell: False."""
    return bool(_seen(transport, _ENDED) & (_ENDED | _RESET))


def _seen(transport: Any, wanted: int) -> int:
    """What poll(2) says of the transport's socket now; a closed one is reset. One call of the kernel and no object of
    the socket's, since each connection is looked at three times before its first answer.
    """
    own = transport.get_extra_info("socket")
    descriptor = -1 if own is None else own.fileno()
    if descriptor < 0:
        return _RESET
    if not _CAN_POLL:
        return 0
    poll = select.poll()
    poll.register(descriptor, wanted)
    found = poll.poll(0)
    return found[0][1] if found else 0


def changes_nothing(transport: Any, read: bytes) -> bool:
    """Whether what the peer has sent first, of which `read` was taken in, is a safe request (RFC 9110, 9.2.1)."""
    begun = read[:8]
    own = transport.get_extra_info("socket")
    if not begun and own is not None and own.fileno() >= 0:
        borrowed = socket.socket(fileno=own.fileno())
        try:
            begun = borrowed.recv(8, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            pass
        finally:
            borrowed.detach()
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
