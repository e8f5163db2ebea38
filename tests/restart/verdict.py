"""What a restart came to: when everybody was back, and what must not have happened. Values, without a server."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.restart.returner import Refusal

STEP: Final = 0.25
"""Seconds between two points of the curve."""
BAR: Final = 50
"""Characters of the longest bar."""


@dataclass(frozen=True, slots=True)
class Client:
    """Of one client; times are seconds after the signal."""

    name: str
    offsets: Sequence[int]
    arrivals: Sequence[float]
    departures: Sequence[float]
    refusals: Sequence[Refusal] = ()
    cuts: int = 0
    gaps: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """`gone`, `ready` and `back` are seconds after the signal: the old process has ended, the new one answers, the last
    client has come back. `offsets` are those that the publisher was told, `refusals` his.
    """

    gone: float
    ready: float
    back: float
    clients: Sequence[Client]
    offsets: Sequence[int]
    refusals: Sequence[Refusal] = ()
    code: int = 0
    faults: Sequence[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What must not be; empty if all is well."""
        return [*self._lost(), *self._late(), *self._stop()]

    def _lost(self) -> list[str]:
        found = []
        for one in self.clients:
            if list(one.offsets) != list(self.offsets):
                found.append(f"{one.name} has {len(one.offsets)} events of {len(self.offsets)}, or in another order")
            if one.gaps:
                found.append(f"{one.name} was told of {one.gaps} gaps")
            if one.cuts:
                found.append(f"{one.name} had {one.cuts} streams cut without a goodbye")
        return found

    def _late(self) -> list[str]:
        """Whoever was refused although there was somebody to let him in."""
        named = [*((one.name, one.refusals) for one in self.clients), ("the publisher", self.refusals)]
        return [
            f"{name} was refused {refusal.at - self.ready:.3f} s after the new process was ready: {refusal.why}"
            for name, refusals in named
            for refusal in refusals
            if refusal.at > self.ready
        ]

    def _stop(self) -> list[str]:
        ended = [f"the old process ended with {self.code}"] if self.code else []
        return [*ended, *self.faults]

    # The curve

    @property
    def returns(self) -> list[float]:
        """When each client was back, in order: its first arrival after the old process had gone."""
        return sorted(next(at for at in one.arrivals if at >= self.gone) for one in self.clients)

    @property
    def refused(self) -> int:
        """How often somebody was, before the new process was ready."""
        return sum(len(one.refusals) for one in self.clients)

    def connected(self, at: float) -> int:
        """Streams that stood then."""
        came = sum(when <= at for one in self.clients for when in one.arrivals)
        return came - sum(when <= at for one in self.clients for when in one.departures)

    def arrived(self, since: float, until: float) -> int:
        """Clients that came back after `since`, up to `until`."""
        return sum(since < when <= until for when in self.returns)

    def times(self) -> list[float]:
        """From the signal until everybody is back."""
        return [STEP * number for number in range(int(self.back / STEP) + 2)]

    def table(self) -> list[str]:
        """The curve in text, a line a second."""
        rows = [
            (second, self.arrived(second - 1, second), self.connected(second))
            for second in range(1, int(self.back) + 2)
        ]
        most = max(1, *(came for _, came, _ in rows))
        lines = [f"{'seconds':>10} {'back':>6} {'connected':>10}"]
        lines += [
            f"{second - 1:>6} - {second:<2}{came:>6} {there:>10}  {'#' * round(BAR * came / most)}".rstrip()
            for second, came, there in rows
        ]
        return lines

    def summary(self) -> str:
        returns = self.returns
        middle = returns[len(returns) // 2]
        return (
            f"{len(self.clients)} clients, {len(self.offsets)} events; seconds after the signal: old process gone"
            f" {self.gone:.1f}, new one ready {self.ready:.1f}, half of the clients back {middle:.1f}, all of them"
            f" {self.back:.1f}; refused before it was ready: {self.refused}"
        )
