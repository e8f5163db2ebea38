"""The W3C Trace Context of a publish: its `traceparent`, which events carry beside their data, and its span.

An event carries what its publisher sent, as it came: whoever handles it can hang his own span below the publisher's,
whether or not this service makes spans itself (`operations/traces.py`).
"""

import re
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from service.core.errors import InvalidError
from service.core.event import Draft

TRACEPARENT_MAX: Final = 512
"""Characters of a header that are looked at: later versions may say more than the 55 that are known."""

TRACEPARENT_PATTERN: Final = r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
"""As events carry it, as a regular expression without anchors."""

_KNOWN: Final = re.compile(rf"{TRACEPARENT_PATTERN}\Z", re.ASCII)
_LATER: Final = re.compile(r"(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32}-[0-9a-f]{16})-([0-9a-f]{2})(?:-|\Z)", re.ASCII)
_FLAGS: Final = 0x03
"""Those that version 00 knows: sampled, and random."""


def read_traceparent(text: str) -> str | None:
    """What events carry of a header; None for one that is not valid, which is as good as none (W3C, 3.2.2 and 4.3).

    Of a later version it is what version 00 knows.
    """
    if _KNOWN.match(text) is not None:
        return text
    later = _LATER.match(text) if len(text) <= TRACEPARENT_MAX else None
    if later is None:
        return None
    text = f"00-{later[1]}-{int(later[2], 16) & _FLAGS:02x}"
    return text if _KNOWN.match(text) is not None else None


def check_traceparent(text: str, field: str = "traceparent") -> str:
    """What events carry of a message's member. Raises InvalidError, naming `field`, for one that is not valid."""
    found = read_traceparent(text)
    if found is None:
        digits = "00-<32 digits of the trace>-<16 of the parent>-<2 of flags>, in lower-case hexadecimal"
        raise InvalidError(f"a traceparent is {digits}", field=field)
    return found


class Span(Protocol):
    """The span of one publish."""

    def end(self, offsets: Sequence[int] = (), error: BaseException | None = None) -> None:
        """Once, with the offsets of its events or with what was raised in their place. Never waits or raises."""


class Spans(Protocol):
    """What makes spans: see `operations/traces.py`."""

    def begin(self, drafts: Sequence[Draft], traceparent: str | None) -> Span:
        """Of a publish of at least one event, below the span of `traceparent`. Never waits or raises."""

    def close(self) -> Awaitable[None]:
        """Hand on what there is, and take no more; within seconds."""
