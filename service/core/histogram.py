"""A histogram that costs a bisection to write, so that it may stand on a hot path; it is read when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

SECONDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds for what takes from a fraction of a millisecond to seconds: a commit, a round of the fan-out, a turn of the
loop."""


class Histogram:
    """How many observations were at most each of the `bounds`, which rise; one bucket more is for all beyond."""

    __slots__ = ("bounds", "counts", "last", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds: Final = tuple(bounds)
        self.counts: list[int] = [0] * (len(bounds) + 1)
        """By bucket: those above the bound before it, and up to its own."""
        self.sum = 0.0
        self.last = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
        self.last = value

    @property
    def count(self) -> int:
        return sum(self.counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, and how many observations were at most that."""
        below = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            below += count
            yield bound, below
