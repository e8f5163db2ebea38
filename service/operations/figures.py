"""Figures of this moment, for the operator's page: what `GET /metrics` counts, and what changes every second.

Sums count since the start, so that whoever asks twice has a rate.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from service.access.gate import Gate
from service.bus.bus import EventBus
from service.core.time import Clock, rfc3339
from service.core.words import TRANSPORTS
from service.log.base import EventLog
from service.operations.connections import Connections
from service.operations.delay import WINDOW, LoopDelay
from service.stream.hub import StreamHub

_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = 4096
"""Where Linux tells what memory a process has, and in bytes of how many."""


class Figures:
    """`delay` is the event loop's, which somebody else looks at."""

    def __init__(
        self,
        bus: EventBus,
        log: EventLog,
        hub: StreamHub,
        gate: Gate,
        connections: Connections,
        delay: LoopDelay,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._log = log
        self._hub = hub
        self._gate = gate
        self._connections = connections
        self._clock = clock
        self._delay = delay

    async def now(self) -> dict[str, Any]:
        """As they are described in docs/protocol.md, section 7."""
        bus, health = self._bus, self._log.health()
        lags = await self._connections.lags()
        since = self._clock.monotonic() - WINDOW
        latencies = sorted(bus.rounds.latencies(since)) if bus.rounds is not None else []
        return {
            "time": rfc3339(self._clock.unix_ms()),
            "head": bus.cursor(bus.head),
            "published": bus.published,
            "delivered": bus.deliveries,
            "replayed": bus.reading.replayed,
            "commits": health.commits,
            "commit_ms": round(health.commit_seconds * 1000, 3),
            "latency_ms": _spread([one * 1000 for one in latencies]),
            "lag": _spread(lags),
            "loop_delay_ms": round(self._delay.worst * 1000, 3),
            "memory_bytes": _memory(),
            "wal_bytes": health.journal_bytes,
            "tail": {"events": len(bus.tail), "bytes": bus.tail.bytes},
            "streams": len(self._hub),
            "subscriptions": {**dict.fromkeys(TRANSPORTS, 0), **bus.subscriptions()},
            "places": {"taken": self._gate.places, "max": self._gate.max_places},
        }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Of sorted values, of which one in two, and one in a hundred, is beyond; None of none."""
    if not values:
        return None
    last = len(values) - 1
    return {
        "p50": round(values[last // 2], 3),
        "p99": round(values[last * 99 // 100], 3),
        "max": round(values[last], 3),
    }


def _memory() -> int | None:
    """Resident bytes of this process; None where nobody tells."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
