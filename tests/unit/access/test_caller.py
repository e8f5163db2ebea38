"""Who asks is a value: it can't be changed after it was let in."""

import pytest

from service.access.caller import Caller, TokenId
from service.access.rights import NOTHING, Rights


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
