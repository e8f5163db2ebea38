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
        rated.take(n, 100.0)
    with pytest.raises(RateLimitedError):
        rated.take("more", 100.5)
    rated.take(0, 100.5)
    rated.take("more", 101.5)
    assert len(rated) == 2
    for n in range(RATED_MAX - 1):
        rated.take(n, 101.6)
    assert len(rated) == RATED_MAX
    rated.take("more", 107.0)
    rated.take("more", 112.0)
    assert len(rated) == 1


@pytest.mark.parametrize("moment", [0.0, 1.0, 3.9, 4.0, 4.1, 7.9, 8.0])
def test_nobody_gets_back_what_he_spent_since_others_are_forgotten(moment: float) -> None:
    """Whenever between two turns of the halves he comes: he has what has come back since, and no more."""
    rated = Rated(Rate(1.0, 4))
    rated.take("other", 100.0)
    now = 100.0 + moment
    rated.take("a", now, 4)
    for later in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        rated.take("a", now + later)
        with pytest.raises(RateLimitedError):
            rated.take("a", now + later)
    rated.tidy(now + 14.0)
    assert len(rated) == 0
