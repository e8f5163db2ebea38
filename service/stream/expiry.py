"""The end of a stream's credential: told twice before, and exact.

The sweep looks at each stream that has one, twice a second. Whose end comes before the next sweep but one has a timer
of its own. Of whom somebody else can say whether he is still who he was, that one is asked then (`renewal.py`): his
client can do nothing about it, and is told nothing.
"""

import asyncio
import math
from typing import Any, Final, Protocol

from service.stream.control import Control, Fields
from service.stream.ending import Ending
from service.stream.peer import Peer

WARNINGS: Final = (60.0, 15.0)
"""Seconds before the end at which a stream is told; one that begins later is told at once."""

WARNED: Final = round(max(WARNINGS) * 1000)
"""Milliseconds to the end beyond which there is nothing to say."""

SOON: Final = 1.0
"""Seconds to the end below which a timer is set for it."""


class Ends(Protocol):
    """A stream. `warned` is the last of the WARNINGS that it was told; infinite before the first."""

    warned: float
    peer: Peer
    ending: Ending | None

    def end(self, ending: Ending) -> None: ...
    def tell(self, type: Any, fields: Fields) -> None: ...


class Watch(Protocol):
    """What knows the time, and the words."""

    @property
    def control(self) -> Control: ...
    def unix_ms(self) -> int: ...
    def expire(self, stream: Any) -> None: ...


def set_end(stream: Ends, watch: Watch, left: float) -> None:
    """A timer for the end of a credential in `left` seconds, if that comes before the sweep has looked twice."""
    if left <= SOON:
        asyncio.get_running_loop().call_later(max(0.0, left), check_expiry, stream, watch)


def check_expiry(stream: Ends, watch: Watch) -> None:
    """Tell how long the credential has left, or end the stream with it."""
    expires, now = stream.peer.caller.expires, watch.unix_ms()
    if expires is None or stream.ending is not None:
        return
    left = (expires - now) / 1000
    if left <= 0:
        watch.expire(stream)
        return
    set_end(stream, watch, left)
    if stream.peer.caller.again is not None:
        return
    due = min((at for at in WARNINGS if left <= at), default=math.inf)
    if due < stream.warned:
        stream.warned = due
        stream.tell("auth", watch.control.auth("expiring", stream.peer.caller.subject, expires, now))
