"""What one connection holds: bounded, its own alone, and over with its client's silence."""

import math

import pytest

from service.bus.holding import Holding, release
from service.core.errors import RateLimitedError
from service.core.limits import PRESENCE_LEASE, PRESENCE_OF_USER, PRESENCE_PLACES
from service.core.place import Member, Place, Shown


def member(place: Place, id: str = "a") -> Member:
    return Member(place, Shown("ada", id, "{}", 1, True), "=ada")


def test_so_many_places_and_so_many_members_at_one() -> None:
    holding, places = Holding("c"), [Place(f"p{n}", n, 0, 500) for n in range(PRESENCE_PLACES)]
    for place in places:
        holding.check_room(place.topic)
        holding.add(member(place))
    with pytest.raises(RateLimitedError) as caught:
        holding.check_room("more")
    assert caught.value.field == "place"
    for n in range(PRESENCE_OF_USER - 1):
        holding.check_room("p0")
        holding.add(member(places[0], f"b{n}"))
    with pytest.raises(RateLimitedError) as caught:
        holding.check_room("p0")
    assert caught.value.field == "member"
    holding.check_room("p1")
    assert len(holding.members) == PRESENCE_PLACES + PRESENCE_OF_USER - 1


def test_one_member_is_held_once() -> None:
    mine, other, one = Holding("c"), Holding("d"), member(Place("p", 1, 0, 500))
    for holding in (mine, mine, other):
        holding.add(one)
    assert (mine.members, other.members, one.connection) == ((), (one,), "d")
    assert (other.only("p"), other.only("q")) == (one, None)
    other.add(member(one.place, "b"))
    assert other.only("p") is None
    release(one)
    release(one)
    assert (one.holder, one.connection) == (None, "d"), "the last that held it"


def test_silence_counts_for_who_speaks() -> None:
    holding = Holding("c")
    assert holding.due == math.inf
    holding.speaks = True
    assert holding.hear(100.0) is False
    assert holding.due == 100.0 + PRESENCE_LEASE
    holding.is_silent = True
    assert holding.due == math.inf
    assert holding.hear(140.0) is True
    assert (holding.due, holding.hear(141.0)) == (140.0 + PRESENCE_LEASE, False)
