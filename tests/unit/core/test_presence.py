"""Who is where: owners, bounds, times, and places that come and go with their numbers."""

import math
import time

import pytest

from service.core.errors import ForbiddenError, NotFoundError, OverloadedError, RateLimitedError
from service.core.limits import PRESENCE_OF_USER
from service.core.place import Change, Member, Terms
from service.core.presence import _DEAD, CLOSED, LOST, PAST_MAX, RUN, RUN_MS, Bounds, Party, Presence, floor_at

ADA = Party("ada", "=ada")
BOB = Party("bob", "=bob")
NOBODY = Party(None, "@::1")


class Model(Presence):
    """With a clock of the test's."""

    def __init__(self, bounds: Bounds | None = None, floor: int = 0) -> None:
        super().__init__(bounds or Bounds(), floor)
        self.now = 100.0

    def go(self, place: str = "p", id: str = "a", party: Party = ADA, data: str | None = None) -> Member:
        member = self.enter(place, id, party, data, self.now, round(self.now * 1000))
        self.stay(member, None, self.now)
        return member

    def batches(self, after: float = 1.0) -> list[Change]:
        self.now += after
        for member in tuple(self.over(self.now, 10_000)):
            self.remove(member, member.why, self.now)
        found = []
        self.now += self.bounds.batch
        while (taken := self.take(self.now)) is not None:
            if taken[1] is not None:
                found.append(taken[1])
            self.tidy(taken[0])
        return found


@pytest.fixture
def model() -> Model:
    return Model()


def test_a_batch_comes_so_long_after_the_first_change(model: Model) -> None:
    model.go()
    first = model.due
    assert first == model.now + 0.25
    model.now += 0.2
    model.go(id="b")
    model.go("q")
    assert model.due == first
    assert model.take(first - 0.01) is None
    taken = model.take(first)
    assert taken is not None
    assert taken[1] is not None
    assert (len(taken[1].joins), model.take(first)) == (2, None)
    assert model.due == model.now + 0.25


def test_an_id_is_its_user_s_and_those_without_a_name_share_theirs(model: Model) -> None:
    member = model.go()
    with pytest.raises(ForbiddenError) as caught:
        model.go(party=BOB)
    assert caught.value.field == "member"
    with pytest.raises(ForbiddenError):
        model.held("p", "a", None)
    assert model.go(party=ADA._replace(who="=other")) is member
    assert dict(model.of_caller) == {"=other": 1}
    nameless = model.go(id="n", party=NOBODY)
    assert model.go(id="n", party=NOBODY._replace(who="@::2")) is nameless
    assert nameless.shown.verified is False
    with pytest.raises(NotFoundError):
        model.held("p", "x", "ada")
    with pytest.raises(NotFoundError):
        model.held("q", "a", "ada")


def test_going_on_keeps_data_and_since(model: Model) -> None:
    model.go(data='{"x":1}')
    model.batches()
    assert model.go().shown.data == '{"x":1}'
    assert model.batches() == []
    model.go(data='{"x":2}')
    (change,) = model.batches()
    assert [(one.data, one.since) for one in change.updates] == [('{"x":2}', 100_000)]


def test_who_is_back_in_time_was_never_away(model: Model) -> None:
    member = model.go()
    model.batches()
    for why, seconds in (("closed", CLOSED), ("lost", LOST)):
        model.linger(member, why, seconds, model.now)
        assert model.batches(seconds - 1.5) == []
        assert model.go() is member
        assert model.batches(60.0) == []
    model.linger(member, "lost", LOST, model.now)
    model.linger(member, "closed", CLOSED, model.now)
    model.linger(member, "lost", LOST, model.now)  # no later than it was said before
    (change,) = model.batches(CLOSED + 1)
    assert [one.reason for one in change.leaves] == ["closed"]
    assert model.count == 0
    assert not model.is_timed


def test_silence_is_taken_back_and_another_end_is_not(model: Model) -> None:
    member = model.go()
    model.linger(member, "lost", LOST, model.now)
    model.back(member, "closed")
    assert member.due < math.inf
    model.back(member, "lost")
    assert member.due == math.inf
    assert model.batches(60)[0].leaves == ()


def test_a_lease_goes_on_when_silence_is_taken_back(model: Model) -> None:
    member = model.go()
    model.batches()
    model.stay(member, Terms(30.0, math.inf, None), model.now)
    over = model.now + 30.0
    for n in range(2):
        model.linger(member, "lost", LOST, model.now)
        model.back(member, "closed")
        assert (member.due, member.why) == (model.now + LOST, "lost")
        model.back(member, "lost")
        assert (member.due, member.why) == (over, "expired"), n
    (change,) = model.batches(32.0)
    assert [one.reason for one in change.leaves] == ["expired"]


def test_a_lease_ends_unless_it_is_renewed_and_with_its_credential(model: Model) -> None:
    member = model.go()
    model.batches()
    for _ in range(5):
        model.stay(member, Terms(30.0, math.inf, None), model.now)
        assert model.batches(29.0) == []
    (change,) = model.batches(3.0)
    assert [one.reason for one in change.leaves] == ["expired"]
    member = model.go()
    model.stay(member, Terms(30.0, model.now + 5, None), model.now)
    assert [one.reason for change in model.batches(6.0) for one in change.leaves] == []
    assert model.count == 0, "it came and went"
    member = model.go()
    model.batches()
    model.stay(member, Terms(30.0, model.now + 5, None), model.now)
    assert [one.reason for change in model.batches(6.0) for one in change.leaves] == ["revoked"]


def test_a_user_has_so_many_at_a_place_and_one_more_is_429(model: Model) -> None:
    for n in range(PRESENCE_OF_USER):
        model.go(id=f"m{n}")
    with pytest.raises(RateLimitedError) as caught:
        model.go(id="more")
    assert caught.value.field == "member"
    model.go("q", "more")
    model.go("p", "m0")
    for n in range(PRESENCE_OF_USER + 1):
        model.go(id=f"n{n}", party=NOBODY)


def test_one_caller_has_so_many_and_all_together_so_many() -> None:
    model = Model(Bounds(members=30, of_caller=10))
    for n in range(10):
        model.go(f"p{n}")
    with pytest.raises(RateLimitedError):
        model.go("more")
    for n in range(10):
        model.go(f"p{n}", "b", BOB)
        model.go(f"p{n}", "n", NOBODY)
    with pytest.raises(OverloadedError):
        model.go("p1", "c", Party("eve", "=eve"))
    with pytest.raises(OverloadedError):
        model.go("p1", ":c", Party("eve", "+", is_ours=True))
    model.go("p1", "b", BOB)
    model.remove(model.places["p1"].members["b"], "left", model.now)
    ours = Party("eve", "+", is_ours=True)
    model.go("p1", ":c", ours)
    assert model.count == 30
    assert model.of_caller == {"=ada": 10, "=bob": 9, "@::1": 10, "+": 1}


def test_a_place_goes_with_its_last_member_and_its_numbers_go_on(model: Model) -> None:
    member = model.go()
    assert model.batches()[0].version == 1
    model.remove(member, "left", model.now)
    assert model.batches()[0].version == 2
    assert (model.find("p"), model.version("p"), model.version("never")) == (None, 2, 0)
    model.watch("p")
    assert model.made("p").version == 2
    model.unwatch("p")
    model.go()
    assert model.batches()[0].version == 3


def test_one_that_is_watched_by_its_name_stays(model: Model) -> None:
    model.watch("p")
    model.watch("p")
    place = model.find("p")
    model.remove(model.go(), "left", model.now)
    model.batches()
    model.unwatch("p")
    assert model.find("p") is place
    model.unwatch("p")
    assert model.find("p") is None
    assert model.version("p") == 0


def test_what_is_forgotten_of_places_that_are_gone_lifts_the_rest() -> None:
    model = Model()
    for n in range(3):
        model.remove(model.go("first"), "left", model.now)
        model.go("first")
        model.batches()
        model.remove(model.places["first"].members["a"], "left", model.now)
        model.batches()
        assert model.version("first") == 2 * n + 2
    for n in range(PAST_MAX):
        model.made(f"p{n}").version = 1
        model.tidy(model.places[f"p{n}"])
    assert len(model._past) == PAST_MAX
    assert (model.version("first"), model.version("never")) == (6, 6)
    assert len(model._order) <= _DEAD + 2


def test_all_begin_at_the_floor_and_nobody_s_place_is_told_as_that() -> None:
    model = Model(floor=700)
    assert model.version("p") == 700
    model.go()
    assert [change.version for change in model.batches()] == [701]
    model.watch("q")
    model.unwatch("q")
    assert (model.version("q"), dict(model._past)) == (700, {})
    assert floor_at(1_800_000_000_000 + RUN_MS) == floor_at(1_800_000_000_000) + RUN < 2**53


def test_of_very_many_places_the_last_is_taken_in_the_time_of_the_first() -> None:
    """The front of a dict is the farther off, the more was taken from it."""
    model = Model(Bounds(members=100_000, of_caller=100_000))
    for n in range(100_000):
        model.enter(f"p{n}", "a", ADA, None, model.now, 0)
    model.now += 1.0
    times = list[float]()
    for _ in range(5):
        began = time.thread_time()
        for _ in range(20_000):
            assert model.take(model.now) is not None
        times.append(time.thread_time() - began)
    assert times[-1] < 4 * times[0]


def test_places_are_walked_by_their_numbers_while_they_come_and_go() -> None:
    model = Model()
    for n in range(300):
        model.go(f"p{n:03}")
    seen, number = list[str](), 0
    while found := model.after(number, 50):
        seen += [place.topic for place in found if not place.is_gone]
        number = found[-1].number
        for place in found[:40]:
            for member in tuple(place.members.values()):
                model.remove(member, "left", model.now)
        model.batches()
    assert seen == [f"p{n:03}" for n in range(300)]
    assert model.occupied == 60
    assert (model.changes["joined"], model.changes["left"]) == (300 - 40, 240 - 40)
