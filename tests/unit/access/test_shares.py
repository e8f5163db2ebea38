"""What one may have of the places, at the bound and one past it."""

import pytest

from service.access.caller import Caller
from service.access.shares import Most, Shares
from service.core.errors import OverloadedError, RateLimitedError
from tests.support.access import caller_of

ADA = caller_of("ada")._replace(address="192.0.2.1")
NOBODY = Caller(address="192.0.2.7")


def fill(shares: Shares, caller: Caller, count: int, *, waits: bool = False) -> None:
    for _ in range(count):
        shares.take(caller, waits=waits)


def is_empty(shares: Shares) -> bool:
    return not (shares.of_subject or shares.of_address or shares.of_poller or shares.polls)


def test_streams_of_one_subject() -> None:
    shares = Shares(Most(subject_streams=3))
    fill(shares, ADA, 3)
    with pytest.raises(RateLimitedError, match="3 streams and waiting polls of one subject") as refused:
        shares.take(ADA._replace(address="192.0.2.2"), waits=True)
    assert refused.value.retry_after
    fill(shares, NOBODY, 10)  # who is nobody is no subject
    shares.give(ADA, waits=False)
    shares.take(ADA, waits=False)


def test_a_token_may_say_another_number() -> None:
    shares = Shares(Most(subject_streams=3))
    fill(shares, ADA._replace(streams=5), 5)
    with pytest.raises(RateLimitedError, match="5 streams"):
        shares.take(ADA._replace(streams=5), waits=False)
    with pytest.raises(RateLimitedError, match="2 streams"):
        shares.take(ADA._replace(streams=2), waits=False)


def test_streams_of_one_address_whoever_they_are() -> None:
    shares = Shares(Most(address_streams=2))
    shares.take(ADA, waits=False)
    shares.take(NOBODY._replace(address="192.0.2.1"), waits=True)
    with pytest.raises(RateLimitedError, match="2 streams and waiting polls of one address"):
        shares.take(caller_of("bob")._replace(address="192.0.2.1"), waits=False)
    shares.take(NOBODY, waits=False)
    first, second, third = (NOBODY._replace(address=f"2001:db8:1:2::{n}") for n in range(3))
    shares.take(first, waits=False)
    shares.take(second, waits=False)
    with pytest.raises(RateLimitedError):
        shares.take(third, waits=False)
    shares.give(first, waits=False)
    shares.take(third, waits=False)


def test_polls_of_one_caller_and_in_all() -> None:
    shares = Shares(Most(caller_polls=2, polls=3))
    fill(shares, NOBODY, 2, waits=True)
    fill(shares, NOBODY, 5)
    with pytest.raises(RateLimitedError, match="2 waiting polls"):
        shares.take(NOBODY, waits=True)
    shares.take(ADA, waits=True)
    with pytest.raises(OverloadedError, match="3 polls") as refused:
        shares.take(ADA, waits=True)
    assert refused.value.retry_after
    shares.give(NOBODY, waits=True)
    shares.take(ADA, waits=True)


def test_what_is_refused_takes_nothing() -> None:
    shares = Shares(Most(subject_streams=1, address_streams=5, caller_polls=5, polls=5))
    shares.take(ADA, waits=True)
    for _ in range(10):
        with pytest.raises(RateLimitedError):
            shares.take(ADA, waits=True)
    shares.give(ADA, waits=True)
    assert is_empty(shares)


def test_who_becomes_somebody_has_a_share_as_that() -> None:
    shares = Shares(Most(subject_streams=1, address_streams=2))
    shares.take(NOBODY, waits=False)
    ada = ADA._replace(address=NOBODY.address)
    shares.become(NOBODY, ada)
    shares.become(ada, ada)
    shares.take(NOBODY, waits=False)
    with pytest.raises(RateLimitedError):
        shares.become(NOBODY, ada)
    shares.give(NOBODY, waits=False)
    shares.give(ada, waits=False)
    assert is_empty(shares)


def test_without_bounds_nothing_but_subjects_is_counted() -> None:
    """Those of whom a token says how many they may have."""
    shares = Shares(Most())
    fill(shares, NOBODY, 20_000)
    fill(shares, ADA, 100, waits=True)
    assert (dict(shares.of_subject), shares.of_address, shares.of_poller) == ({"ada": 100}, {}, {})
