"""Who asks is a value: it can't be changed after it was let in."""

import pytest

from service.access.caller import Caller, TokenId
from service.access.rights import EVERYTHING, NOTHING, Rights


def test_who_is_not_given_rights_has_none() -> None:
    caller = Caller()
    assert (caller.subject, caller.expires, caller.address) == (None, None, None)
    assert caller.rights == NOTHING
    assert not caller.rights.subscribe


def test_a_caller_and_its_rights_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Caller().subject = "ada"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Rights().admin = True  # type: ignore[misc]


def test_who_came_without_a_token_is_anonymous() -> None:
    assert Caller().is_anonymous
    assert not Caller(token=TokenId()).is_anonymous  # also if it names nobody


def test_a_caller_is_counted_by_subject_or_by_address() -> None:
    assert Caller("ada", address="192.0.2.7").who == Caller("ada").who
    assert Caller(address="2001:db8:1:2::1").who == Caller(address="2001:db8:1:2::2").who
    assert (
        len({caller.who for caller in (Caller(), Caller("192.0.2.7"), Caller(address="192.0.2.7"), Caller("@"))}) == 4
    )


def test_the_log_has_the_address_and_never_the_token() -> None:
    caller = Caller("ada", address="192.0.2.7", token=TokenId("secret-enough", 1, "k"))
    assert caller.known == {"subject": "ada", "jti": "secret-e", "key": "k", "address": "192.0.2.7"}
    assert Caller(address="192.0.2.7").known == {"address": "192.0.2.7"}


def test_of_who_is_kept_for_long_no_more_is_kept_than_who_he_is() -> None:
    caller = Caller("ada", EVERYTHING, 1, "192.0.2.7", TokenId("one"), 5, {"name": "Ada"})
    assert caller.bare == Caller("ada", expires=1, address="192.0.2.7", token=TokenId("one"))
    assert caller.bare.who == caller.who
    assert Caller(address="2001:db8:1:2::1").bare.who == "@2001:db8:1:2::/64"
