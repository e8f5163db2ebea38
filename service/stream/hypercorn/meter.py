"""What a peer's HTTP/2 frames cost, told from their nine-byte heads before anything is done with them."""

from typing import Final

HEAD: Final = 9
"""Bytes (RFC 9113, 4.1): length 3, type 1, flags 1, stream 4."""

PREFACE: Final = 24
"""Bytes that come before the first frame (RFC 9113, 3.4)."""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM: Final = 0x1

SMALL: Final = 1_024
"""Bytes from which on data is worth its frame."""

_PRICES: Final = {SETTINGS: 10, CONTINUATION: 10, PING: 2}
"""In units of one small frame; others cost 1."""


class FrameMeter:
    """Keeps where it is between two pieces."""

    __slots__ = ("_head", "_skip")

    def __init__(self) -> None:
        self._skip = PREFACE
        """Bytes until the next frame's head."""
        self._head = b""
        """What has come of it."""

    def price(self, data: bytes) -> int:
        """Of the frames whose heads are complete with `data`."""
        if self._head:
            data = self._head + data
            self._head = b""
        total, position, size = 0, self._skip, len(data)
        while size - position >= HEAD:
            length = int.from_bytes(data[position : position + 3])
            total += _price(data[position + 3], data[position + 4], length)
            position += HEAD + length
        if position < size:
            self._head = data[position:]
            position = size
        self._skip = position - size
        return total


def _price(kind: int, flags: int, length: int) -> int:
    if kind == DATA:
        return 0 if length >= SMALL or flags & END_STREAM else 1 if length else 5
    if kind in (HEADERS, CONTINUATION):
        return _PRICES.get(kind, 1) + length // SMALL
    return _PRICES.get(kind, 1)
