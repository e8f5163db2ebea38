"""A lease is given back once, in every path."""

import pytest

from service.access.caller import Caller
from service.access.lease import Lease, Wish
from service.core.topics import TopicFilter


class Counting:
    def __init__(self) -> None:
        self.back: list[Lease] = []

    def give_back(self, lease: Lease) -> None:
        self.back.append(lease)


def test_it_is_given_back_once() -> None:
    places = Counting()
    with pytest.raises(KeyError), Lease(Caller(), places) as lease:
        raise KeyError
    lease.release()
    assert places.back == [lease]


def test_one_that_holds_no_place_gives_none_back() -> None:
    with Lease(Caller(), None, TopicFilter(("a",))) as lease:
        assert lease.topics == TopicFilter(("a",))
    assert Lease(Caller(), None).topics == TopicFilter.all()
    assert Wish(None).missing is None
