"""Each has a bucket of his own, and nobody is forgotten whose bucket is not full."""

import pytest

from service.bus.rated import RATED_MAX, Rated
from service.core.errors import RateLimitedError
from service.core.rates import Rate


def test_a_burst_at_once_then_the_rate() -> None:
    rated = Rated(Rate(5.0, 20))
    for _ in range(20):
        rated.take("a", 100.0)
    with pytest.raises(RateLimitedError) as caught:
        rated.take("a", 100.0)
    assert (caught.value.field, caught.value.retry_after) == ("member", pytest.approx(0.2))
    rated.take("b", 100.0)
    rated.take("a", 100.2)
    with pytest.raises(RateLimitedError):
        rated.take("a", 100.3)


def test_who_is_full_is_forgotten_and_where_nobody_is_one_more_is_refused() -> None:
    rated = Rated(Rate(1.0, 5))
    for n in range(RATED_MAX):
        rated.take(str(n), 100.0)
    with pytest.raises(RateLimitedError):
        rated.take("more", 100.5)
    rated.take("0", 100.5)
    rated.take("more", 101.5)
    assert len(rated._full_at) == 2
