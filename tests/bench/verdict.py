"""What rounds of two trees say about each row: better, worse, or nothing. Arithmetic only.

A round's figure is the row's value: ours divided by a reference that was measured in the same round. Then
- a side's figure is the median over its rounds: one disturbed round does not move it;
- *change* is how far the median after is from the one before, in per cent of the one before;
- *spread* is the row's own noise: the distance between the quartiles of a side's rounds, in per cent of its median, and
  of the two sides the wider one;
- *worse* is a change for the worse beyond the bound *and* beyond the spread. With nine rounds of the same code that
  happens in about one row of a hundred. A change beyond the bound alone is `unsure`: more rounds, or a quieter machine,
  would tell. A row that lacks half of its rounds on a side is `not measured`.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.bench.measure import Sense

Verdict = Literal["worse", "better", "same", "unsure", "not measured"]
LEAST_ROUNDS: Final = 3
"""Fewer have no quartiles worth the name."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much worse, in per cent, is let pass: of a row, and of a p99, which a few events decide. Completeness may not
    change at all: a subscriber that misses an event is no matter of speed."""

    usual: float = 5.0
    p99: float = 15.0

    def of(self, key: str) -> float:
        if key.endswith("-complete"):
            return 0.0
        return max(self.usual, self.p99) if key.endswith("-p99") else self.usual


@dataclass(frozen=True, slots=True)
class Compared:
    """One row: the values of its rounds before and after, of `rounds` that there should be."""

    key: str
    sense: Sense
    bound: float
    rounds: int
    befores: Sequence[float]
    afters: Sequence[float]

    @property
    def before(self) -> float | None:
        return statistics.median(self.befores) if self.befores else None

    @property
    def after(self) -> float | None:
        return statistics.median(self.afters) if self.afters else None

    @property
    def change(self) -> float | None:
        """Per cent of the median before; infinite where that is 0 and the one after is not."""
        if self.before is None or self.after is None:
            return None
        return _per_cent(self.after - self.before, self.before)

    @property
    def spread(self) -> float | None:
        """Per cent."""
        if not self._is_measured:
            return None
        return max(spread(self.befores), spread(self.afters))

    @property
    def verdict(self) -> Verdict:
        if self.change is None or self.spread is None:
            return "not measured"
        if abs(self.change) <= self.bound:
            return "same"
        if abs(self.change) <= self.spread:
            return "unsure"
        return "better" if (self.change > 0) == (self.sense == "at least") else "worse"

    @property
    def is_good(self) -> bool:
        """Whether the row lets the change pass. One that could not be measured was not shown to be no worse."""
        return self.verdict not in ("worse", "not measured")

    @property
    def _is_measured(self) -> bool:
        return min(len(self.befores), len(self.afters)) > self.rounds // 2


def spread(values: Sequence[float]) -> float:
    """The distance between the quartiles of at least two values, in per cent of their median."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return _per_cent(high - low, statistics.median(values))


def _per_cent(part: float, whole: float) -> float:
    if not whole:
        return math.copysign(math.inf, part) if part else 0.0
    return 100 * part / whole


def count(rows: Sequence[Compared]) -> Mapping[Verdict, int]:
    """How many rows there are of each verdict that occurs."""
    found: dict[Verdict, int] = {}
    for row in rows:
        found[row.verdict] = found.get(row.verdict, 0) + 1
    return found
