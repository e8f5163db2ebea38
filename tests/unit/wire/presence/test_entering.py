"""Being at a place by any door: who may, what is said, and at what bounds it is refused."""

import uuid
from typing import Any

import msgspec
import pytest

from service.access.caller import Caller, TokenId
from service.access.gate import Act
from service.access.rights import EVERYTHING, Grants, Rights
from service.core.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ScopeError,
    TooLargeError,
    UnauthorizedError,
)
from service.core.limits import PRESENCE_LEASE, PRESENCE_LEASE_LEAST, PRESENCE_LEASE_MAX
from service.wire.presence.entering import Entering, Held, Said, check_lease, check_place, party_of
from tests.support.company import FLOOR
from tests.support.stream_fixtures import House

TOKEN = TokenId("j", 1, "k")
ADA = Caller("ada", Rights(presence=Grants(("p/*",))), token=TOKEN, info={"name": "Ada"})
ANYBODY = Caller(rights=EVERYTHING, address="192.0.2.1")
LEASE = Held(lease=30.0)


def said(data: Any = None, merge: Any = None) -> Said:
    def raw(value: Any) -> msgspec.Raw:
        return msgspec.Raw(b"" if value is None else msgspec.json.encode(value))

    return Said(raw(data), raw(merge))


@pytest.fixture
def entering(house: House) -> Entering:
    return house.entering


def enter(entering: Entering, caller: Caller = ADA, place: str = "p/1", member: str | None = "t", **more: Any) -> Any:
    return entering.enter(caller, Act.CHANGE, place, member, more.pop("said", said()), more.pop("held", LEASE), **more)


async def test_who_enters_is_told_his_lease_and_the_place_s_version(entering: Entering) -> None:
    member, is_new = enter(entering, said=said({"x": 1}))
    assert (is_new, member.shown.user, member.shown.verified, member.shown.info) == (
        True,
        "ada",
        True,
        '{"name":"Ada"}',
    )
    assert entering.answer(member) == {"place": "p/1", "member": "t", "lease": 30.0, "version": FLOOR}
    again, is_new = enter(entering, said=said(merge={"y": 2}))
    assert (again is member, is_new, member.shown.data) == (True, False, '{"x":1,"y":2}')
    assert member.terms is not None
    assert member.terms.owner == ADA.bare
    held, _ = enter(entering, held=Held("c", speaks=True))
    assert (held is member, member.terms, entering.answer(member)["lease"]) == (True, None, PRESENCE_LEASE)


async def test_without_an_id_one_is_drawn(entering: Entering) -> None:
    ids = {enter(entering, member=None)[0].shown.member for _ in range(5)}
    assert len({uuid.UUID(id) for id in ids}) == 5


async def test_it_takes_the_right(entering: Entering, house: House) -> None:
    with pytest.raises(ScopeError) as caught:
        enter(entering, place="q")
    assert caught.value.field == "place"
    with pytest.raises(UnauthorizedError):
        enter(entering, Caller())
    with pytest.raises(ScopeError):
        entering.leave(ADA._replace(rights=Rights()), Act.CHANGE, "p/1", "t")
    for place in ("twinwire/a", "mercure/a", "streams/a"):
        with pytest.raises(ForbiddenError):
            enter(entering, ANYBODY, place=place)
    assert house.gate.refused[Act.CHANGE, "right"] == 2


async def test_what_is_somebody_s_is_nobody_else_s(entering: Entering) -> None:
    enter(entering)
    bob = ADA._replace(subject="bob")
    for caller in (bob, ANYBODY):
        with pytest.raises(ForbiddenError) as caught:
            enter(entering, caller)
        assert caught.value.field == "member"
        with pytest.raises(ForbiddenError):
            entering.leave(caller, Act.CHANGE, "p/1", "t")
    entering.leave(ADA, Act.CHANGE, "p/1", "t")
    enter(entering, ANYBODY)
    enter(entering, ANYBODY._replace(address="192.0.2.2"))


@pytest.mark.parametrize(
    ("more", "error", "field"),
    [
        ({"place": "a//b"}, InvalidError, "place"),
        ({"place": "p/*"}, InvalidError, "place"),
        ({"member": "a b"}, InvalidError, "member"),
        ({"member": ":ours"}, InvalidError, "member"),
        ({"said": said([1])}, InvalidError, "data"),
        ({"said": said(merge=[1])}, InvalidError, "merge"),
        ({"said": said({}, {})}, InvalidError, "merge"),
        ({"said": said({"x": "y" * 1_017})}, TooLargeError, "data"),
        ({"said": said(merge={"x": "y" * 1_017})}, TooLargeError, "merge"),
        ({"is_new": False}, NotFoundError, "member"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_has_changed(
    entering: Entering, more: dict[str, Any], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as caught:
        enter(entering, ANYBODY, **more)
    assert getattr(caught.value, "field", None) == field
    assert entering.bus.state.count == 0


async def test_data_at_the_bound(entering: Entering) -> None:
    member, _ = enter(entering, said=said({"x": "y" * 1_016}))
    assert len(member.shown.data) == 1_024


async def test_a_lease_ends_with_its_credential(entering: Entering, house: House) -> None:
    expires = house.clock.unix_ms() + 10_000
    member, _ = enter(entering, ADA._replace(expires=expires))
    assert member.due == pytest.approx(entering.bus.now() + 10)
    assert member.why == "revoked"


@pytest.mark.parametrize("seconds", [PRESENCE_LEASE_LEAST, PRESENCE_LEASE_MAX, None])
def test_leases(seconds: float | None) -> None:
    assert check_lease(seconds) == (seconds or PRESENCE_LEASE)


@pytest.mark.parametrize("seconds", [0.0, PRESENCE_LEASE_LEAST - 0.1, PRESENCE_LEASE_MAX + 0.1, float("nan")])
def test_leases_that_are_none(seconds: float) -> None:
    with pytest.raises(InvalidError) as caught:
        check_lease(seconds)
    assert caught.value.field == "lease"


@pytest.mark.parametrize("place", ["..", "a/..", "a/./b", "../a", "a/..."])
def test_places_that_no_url_leads_to(place: str) -> None:
    """`PUT /api/presence/a/../me` is `PUT /api/presence/me` before anybody sees it."""
    with pytest.raises(InvalidError) as caught:
        check_place(place)
    assert caught.value.field == "place"
    assert check_place("a/..b/c.") == "a/..b/c."


def test_places_and_parties() -> None:
    assert check_place("a/b") == "a/b"
    assert party_of(ANYBODY) == (None, "\n@192.0.2.1", None, False)
    assert party_of(ADA) == ("ada", "ada", '{"name":"Ada"}', False)
