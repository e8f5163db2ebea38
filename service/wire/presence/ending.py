"""What the end of a stream means for whom it held (docs/protocol.md, section 11, "Who leaves")."""

from typing import Any

from service.access.drain import Drain
from service.bus.presence import PresenceBus
from service.core.words import LeaveReason
from service.stream.ending import Ending
from service.stream.stream import Stream


def why_of(ending: Ending | None, *, is_lost: bool) -> LeaveReason:
    """Why its members leave. An end that somebody wished, the client or the service, is a clean one.

    `is_lost`: the client left without a word.
    """
    if ending is None:
        return "lost" if is_lost else "closed"
    if ending.reason is None or ending.reason == "stalled":
        return "lost"
    if ending.detail in ("expired", "revoked"):
        return "revoked"
    return "closed"


class Endings:
    """Tells presence of streams that have ended."""

    def __init__(self, presence: PresenceBus, drain: Drain) -> None:
        self._presence = presence
        self._drain = drain

    def left(self, stream: Stream[Any]) -> None:
        """See `StreamHub.left`."""
        why = why_of(stream.ending, is_lost=stream.beside.is_lost)
        self._presence.over(stream.peer.id, why, is_drain=self._drain.has_begun)
