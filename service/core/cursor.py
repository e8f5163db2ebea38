"""Cursor: how far a client got, as text that fits a header, a URL and an SSE `id:` line."""

import re
from dataclasses import dataclass
from typing import Final

from service.core.limits import CURSOR_MAX, OFFSET_MAX

EPOCH_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
CURSOR_PATTERN: Final = "([a-z0-9]{1,32})-(0|[1-9][0-9]{0,18})"
"""A cursor's text as a regular expression, without anchors."""

_CURSOR: Final = re.compile(rf"{CURSOR_PATTERN}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A position in one log: the offset of the last event that was handled, in the log named by `epoch`.

    The text has no colon, which is CORS-unsafe in Last-Event-ID (Fetch, "CORS-safelisted request-header").
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """The cursor in `text`, or None if it is not one: a bad cursor is a gap, never an error."""
        match = _CURSOR.match(text) if len(text) <= CURSOR_MAX else None
        if match is None or int(match[2]) > OFFSET_MAX:
            return None
        return cls(match[1], int(match[2]))
