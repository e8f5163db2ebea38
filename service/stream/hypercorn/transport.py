"""What a connection's transport does not tell by itself."""

import socket
from typing import Any


def is_reset_unseen(transport: Any) -> bool:
    """Whether reading is paused, so that the loop is not told, and the peer has reset the connection."""
    if transport.is_reading():
        return False
    own = transport.get_extra_info("socket")
    descriptor = -1 if own is None else own.fileno()
    if descriptor < 0:
        return True
    borrowed = socket.socket(fileno=descriptor)
    try:
        return borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
    except OSError:
        return True
    finally:
        borrowed.detach()
