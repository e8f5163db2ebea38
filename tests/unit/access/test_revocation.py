"""What was revoked, and whom that forbids."""

import pytest

from service.access.caller import Caller
from service.access.revocation import REVOKED_MAX, Kind, Revocation, Revocations
from service.access.tokens import SKEW
from service.core.errors import OverloadedError
from tests.support.access import caller_of

DAY = 86_400.0


def revoked(kind: Kind, name: str = "", before: int = 5_000, until: int = 0) -> Revocations:
    found = Revocations(DAY)
    found.add(Revocation(kind, name, before, 5_000, until))
    return found


@pytest.mark.parametrize("issued", [None, 1_000, 9_000])
def test_by_jti_whenever_it_was_issued(issued: int | None) -> None:
    found = revoked("jti", "one")
    assert found.forbids(caller_of("ada", jti="one", issued=issued))
    assert not found.forbids(caller_of("ada", jti="two", issued=issued))
    assert not found.forbids(caller_of("ada", issued=issued))


@pytest.mark.parametrize(("issued", "forbidden"), [(None, True), (4_999, True), (5_000, True), (5_001, False)])
def test_by_subject_what_was_issued_before(issued: int | None, forbidden: bool) -> None:
    """A token that does not say when counts as older than any revocation."""
    found = revoked("subject", "ada")
    assert found.forbids(caller_of("ada", issued=issued)) is forbidden
    assert not found.forbids(caller_of("bob", issued=issued))
    assert not found.forbids(caller_of(None, issued=issued))


def test_all_and_the_anonymous_have_nothing_to_revoke() -> None:
    found = revoked("all")
    assert found.forbids(caller_of("ada", issued=1))
    assert found.forbids(caller_of(None, issued=1))
    assert not found.forbids(Caller())


def test_a_later_revocation_reaches_further_and_never_back() -> None:
    found = revoked("subject", "ada")
    found.add(Revocation("subject", "ada", 3_000, 6_000))
    assert found.forbids(caller_of("ada", issued=4_000))
    found.add(Revocation("subject", "ada", 8_000, 9_000))
    assert found.forbids(caller_of("ada", issued=8_000))
    assert len(found) == 1


def test_what_is_lifted_is_allowed_again() -> None:
    found = revoked("jti", "one")
    assert not found.lift("jti", "two")
    assert found.lift("jti", "one")
    assert not found.forbids(caller_of("ada", jti="one"))


def test_it_is_forgotten_when_it_can_forbid_nothing_any_more() -> None:
    found = revoked("subject", "ada")
    oldest = found.oldest(5_000 + 86_400_000 + SKEW)  # a token may have been issued by a clock that was ahead
    assert oldest == 5_000
    found.forget(oldest)
    assert len(found) == 1
    found.forget(oldest + 1)
    assert len(found) == 0
    assert Revocations(None).oldest(10**15) is None  # where tokens live for ever


def test_an_open_stream_may_go_on_for_a_while() -> None:
    found = revoked("subject", "ada", until=7_000)
    assert found.forbids(caller_of("ada", issued=1))
    assert found.ends_at(caller_of("ada", issued=1)) == 7_000
    assert found.ends_at(caller_of("bob", issued=1)) is None
    found.add(Revocation("all", "", 5_000, 5_000, 6_000))
    assert found.ends_at(caller_of("ada", issued=1)) == 6_000


def test_there_is_a_bound() -> None:
    found = Revocations(DAY)
    for number in range(REVOKED_MAX):
        found.check_room()
        found.add(Revocation("jti", str(number), 0, number))
    with pytest.raises(OverloadedError):
        found.check_room()
    assert [one.name for one in found.listed()[:2]] == ["0", "1"]


def test_a_list_goes_on_after_an_offset_whatever_is_lifted_meanwhile() -> None:
    found = Revocations(DAY)
    for number in range(1, 6):
        found.add(Revocation("jti", str(number), 0, number, offset=10 * number))
    first = found.listed(0, 2)
    assert [one.name for one in first] == ["1", "2"]
    found.lift("jti", "2")
    found.add(Revocation("jti", "1", 0, 9, offset=60))
    assert [one.name for one in found.listed(first[-1].offset)] == ["3", "4", "5", "1"]
    assert (found.has("jti", "1"), found.has("jti", "2"), found.has("subject", "1")) == (True, False, False)
