"""Which transport to try first. Three unproductive connections in a row, or a stall, demote one; after all of them
failed together the service was down, and nothing was learned."""

from collections.abc import Sequence
from typing import Final, Literal

from twinwire.errors import Fault

Transport = Literal["websocket", "sse", "poll"]
TRANSPORTS: Final[tuple[Transport, ...]] = ("websocket", "sse", "poll")
"""Best first."""

UNPRODUCTIVE_MAX: Final = 3

IDLE_MIN: Final = 2.0
"""Seconds of silence before a cut, from which it may be an idle timeout on the path."""
IDLE_LIKENESS: Final = 0.25
"""Two cuts after about the same silence are one."""
PING_SHARE: Final = 0.6
"""Of the silence that a path allows."""

_INTENDED: Final = frozenset({1000, 1001, 1008, 1012, 1013})
"""Close codes that say nothing about the transport: the service or the machine meant it."""


def _is_blameless(fault: Fault) -> bool:
    return fault.kind in ("goodbye", "dropped") or fault.code in _INTENDED or fault.problem is not None


class Chooser:
    """`transports` are those that are allowed, best first. `ping_every` is the seconds between messages that keep an
    idle WebSocket alive; None while no path asks for it."""

    def __init__(self, transports: Sequence[Transport] = TRANSPORTS) -> None:
        self._transports = tuple(transports)
        self._demoted: set[Transport] = set()
        self._streaks: dict[Transport, int] = {}
        self._last_idle = 0.0
        self.ping_every: float | None = None

    def order(self) -> list[Transport]:
        """All of them in the order to try them: those in good standing first."""
        return sorted(self._transports, key=lambda name: name in self._demoted)

    def better(self, name: Transport) -> tuple[Transport, ...]:
        """Those that would be better than `name`."""
        return self._transports[: self._transports.index(name)]

    def productive(self, name: Transport) -> None:
        self._streaks.pop(name, None)
        self._demoted.discard(name)

    def ended(self, name: Transport, fault: Fault, *, was_connected: bool, was_productive: bool) -> None:
        """An attempt failed, or a connection ended."""
        if name == "websocket" and was_connected:
            self._learn_idle(fault)
        if _is_blameless(fault):
            return
        streak = 0 if was_productive else self._streaks.get(name, 0) + 1
        self._streaks[name] = streak
        if fault.kind in ("stalled", "unsupported") or streak >= UNPRODUCTIVE_MAX:
            self._demote(name)

    def all_failed(self) -> None:
        """Every transport failed in one round: the service is down."""
        self._streaks.clear()

    def _demote(self, name: Transport) -> None:
        self._streaks.pop(name, None)
        self._demoted.add(name)
        # With none left in good standing there is nothing to choose from: start over with the best.
        if len(self._demoted) == len(self._transports):
            self._demoted.clear()

    def _learn_idle(self, fault: Fault) -> None:
        if fault.kind != "network" or fault.silence < IDLE_MIN:
            return
        if abs(fault.silence - self._last_idle) <= IDLE_LIKENESS * fault.silence:
            self.ping_every = min(self.ping_every or fault.silence, fault.silence * PING_SHARE)
        self._last_idle = fault.silence
