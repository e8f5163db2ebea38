"""Rates are values."""

from service.core.rates import Rate, Rates


def test_rates_are_off_where_none_is_set() -> None:
    assert Rates().is_off
    assert not Rates(messages=Rate(1, 1)).is_off
