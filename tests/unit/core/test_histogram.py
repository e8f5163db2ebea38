"""Buckets as Prometheus has them: each counts what is at most its bound."""

import pytest

from service.core.histogram import SECONDS, Histogram


def test_what_equals_a_bound_is_within_it_and_what_exceeds_it_is_in_the_next() -> None:
    found = Histogram((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.5, 100.0):
        found.observe(value)
    assert list(found.cumulative()) == [(1.0, 2), (2.0, 4)]
    assert (found.count, found.sum, found.last) == (6, 107.0, 100.0)


def test_it_does_not_grow() -> None:
    found = Histogram()
    for n in range(1_000):
        found.observe(n / 100)
    assert len(found.counts) == len(SECONDS) + 1
    assert (found.count, found.counts[-1]) == (1_000, 499)


def test_nothing_was_observed_yet() -> None:
    found = Histogram()
    assert [count for _, count in found.cumulative()] == [0] * len(SECONDS)
    assert (found.count, found.sum, found.last) == (0, 0.0, 0.0)


@pytest.mark.parametrize("bounds", [SECONDS])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
