"""A budget: what is held is counted, large shares leave room for small ones, and all of it comes back."""

import pytest

from service.core.errors import OverloadedError
from service.wire.budget import SMALL, Budget


def test_small_shares_may_use_all_of_it_and_large_ones_may_not() -> None:
    budget = Budget(16 * SMALL, "no room")
    with budget.share() as large, budget.share() as small, budget.share() as other:
        large.take(12 * SMALL)
        with pytest.raises(OverloadedError) as caught:
            other.take(SMALL + 1)
        assert (caught.value.detail, other.held) == ("no room", 0)
        small.take(SMALL)
        with pytest.raises(OverloadedError):
            small.take(1)
        assert budget.held == 13 * SMALL
    assert budget.held == 0


def test_nobody_gets_the_last_byte_and_one_more() -> None:
    budget = Budget(SMALL, "no room")
    with budget.share() as first, budget.share() as second:
        first.take(SMALL)
        with pytest.raises(OverloadedError):
            second.take(1)
    with budget.share() as again:
        again.take(SMALL)


def test_what_is_given_back_is_free_for_others() -> None:
    budget = Budget(SMALL, "no room")
    with budget.share() as first, budget.share() as second:
        first.take(SMALL)
        first.give(10)
        second.take(10)
        assert (first.held, second.held, budget.held) == (SMALL - 10, 10, SMALL)
    assert budget.held == 0
