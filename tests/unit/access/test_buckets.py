"""Token buckets: at the bound and one past it, and in bounded memory."""

import pytest

from service.access.buckets import CALLERS_MAX, Buckets
from service.core.rates import Rate

TWENTY = Rate(20, 20)


def spend(buckets: Buckets, who: str, count: float, now: float) -> float:
    """What there is to wait; 0 if it was taken."""
    wait = buckets.wait(who, count, now)
    if not wait:
        buckets.take(who, count, now)
    return wait


@pytest.mark.parametrize("now", [0.0, 1_000.0, 123_456_789.123])
def test_a_burst_is_there_at_once_and_one_more_is_not(now: float) -> None:
    buckets = Buckets(TWENTY)
    assert [spend(buckets, "ada", 1, now) for _ in range(20)] == [0] * 20
    assert spend(buckets, "ada", 1, now) == pytest.approx(0.05, abs=1e-4)
    assert spend(buckets, "bob", 20, now) == 0, "another's is his own"
    assert spend(buckets, "ada", 1, now + 0.05) == 0, "so long after it there is one"
    assert spend(buckets, "ada", 1, now + 0.05) > 0
    assert [spend(buckets, "ada", 1, now + 60) for _ in range(20)] == [0] * 20
    assert spend(buckets, "ada", 1, now + 60) > 0, "it holds no more than the burst"


def test_many_at_once_are_all_or_none() -> None:
    buckets = Buckets(Rate(1, 60))
    assert spend(buckets, "ada", 50, 0) == 0
    assert spend(buckets, "ada", 20, 0) == pytest.approx(10)
    assert spend(buckets, "ada", 10, 0) == 0, "what was refused took nothing"
    assert spend(buckets, "ada", 20, 20) == 0


def test_what_is_given_back_is_there_again() -> None:
    buckets = Buckets(TWENTY)
    buckets.take("ada", 20, 0)
    buckets.give("ada", 5)
    assert spend(buckets, "ada", 5, 0) == 0
    assert spend(buckets, "ada", 1, 0) > 0
    buckets.give("nobody", 5)
    assert spend(buckets, "nobody", 21, 0) > 0, "never more than the burst"


def test_full_ones_are_forgotten_where_there_is_no_room_for_more() -> None:
    buckets = Buckets(TWENTY, most=100)
    for number in range(100):
        buckets.take(f"early {number}", 1, 0)
    buckets.take("late", 1, 0.2)
    assert len(buckets) == 1


def test_who_stands_at_his_limit_is_not_pushed_out_by_others() -> None:
    """However many addresses somebody has, who spend less than he has: and their number is bounded."""
    buckets = Buckets(TWENTY, most=100)
    buckets.take("flooder", 20, 0)
    for number in range(10_000):
        assert spend(buckets, f"other {number}", 1, 0) == 0
        assert len(buckets) <= 100
    assert buckets.wait("flooder", 1, 0) > 0


def test_with_everybody_at_his_limit_it_is_bounded_all_the_same() -> None:
    buckets = Buckets(TWENTY, most=100)
    for number in range(1_000):
        buckets.take(f"other {number}", 20, 0)
        assert len(buckets) <= 100


def test_the_bound_is_for_a_service_of_many() -> None:
    assert CALLERS_MAX >= 18_000
