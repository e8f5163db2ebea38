"""Connections hold members, and let go of them: by their end, by silence, by a beacon, by an operator."""

import gc
import math
import sys
import tracemalloc
from typing import Any

import pytest

from service.bus.presence import COMPARISONS, LOOK, PresenceBus, looks
from service.bus.steps import at_once
from service.core.errors import ForbiddenError, NotFoundError, RateLimitedError
from service.core.limits import PRESENCE_LEASE, PRESENCE_OPS, PRESENCE_RATE
from service.core.place import Member, Terms
from service.core.presence import CLOSED, DRAINED, LOST, RUN, Bounds, Party
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.company import ADA, BOB, NOBODY, Eye, RollText

ALL = TopicFilter.all()


class House:
    """A bus with a watcher of everything."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.clock = ManualClock()
        self.bus = PresenceBus(self.clock, bounds or Bounds())
        self.eye = Eye()
        self.bus.telling.join(ALL, RollText(), self.eye)

    async def after(self, seconds: float) -> list[tuple[str, str]]:
        """Who left within so many seconds, and a batch: ids and reasons."""
        del self.eye.frames[:]
        end = self.clock.monotonic() + seconds + 1.3
        while self.clock.monotonic() < end:
            self.clock.advance(0.25)
            self.bus.look()
            await self.bus.settle()
        return [(one["member"], one["reason"]) for frame in self.eye.frames for one in frame.get("leaves", ())]


@pytest.fixture
async def house() -> House:
    return House()


def enter(house: House, id: str = "a", place: str = "p", connection: str = "c", **more: Any) -> bool:
    return house.bus.enter(place, id, more.pop("party", ADA), connection=connection, speaks=True, **more)[1]


@pytest.mark.parametrize(
    ("why", "is_drain", "seconds"), [("closed", False, CLOSED), ("lost", False, LOST), ("closed", True, DRAINED)]
)
async def test_the_end_of_a_connection_is_told_later(house: House, why: Any, is_drain: bool, seconds: float) -> None:
    assert enter(house)
    assert enter(house, place="q")
    await house.after(0)
    house.bus.over("c", why, is_drain=is_drain)
    assert await house.after(seconds - 1.5) == []
    assert await house.after(2) == [("a", why), ("a", why)]
    assert (house.bus.state.count, house.bus._holdings) == (0, {})


async def test_a_revoked_one_is_gone_with_the_next_batch(house: House) -> None:
    enter(house)
    await house.after(0)
    house.bus.over("c", "revoked")
    assert house.bus.state.count == 0
    assert await house.after(0) == [("a", "revoked")]


async def test_who_is_back_on_another_connection_is_silent(house: House) -> None:
    enter(house)
    await house.after(0)
    house.bus.over("c", "lost")
    assert not enter(house, connection="d")
    house.bus.over("c", "lost")
    assert await house.after(LOST + 5) == []
    assert not enter(house, connection="e"), "without an end in between"
    house.bus.over("d", "revoked")
    assert await house.after(5) == []
    assert (house.eye.frames, house.bus.only("e", "p"), house.bus.only("d", "p")) == ([], "a", None)


async def test_silence_is_a_loss_and_who_speaks_again_in_time_stays(house: House) -> None:
    enter(house)
    await house.after(0)
    for _ in range(5):
        assert await house.after(PRESENCE_LEASE - 3) == []
        house.bus.heard("c")
    house.bus.heard("unknown")
    assert await house.after(PRESENCE_LEASE + 5) == []
    house.bus.heard("c")
    assert await house.after(PRESENCE_LEASE - 5) == []
    assert await house.after(LOST + 5) == [("a", "lost")]


async def test_who_does_not_speak_is_there_as_long_as_the_connection(house: House) -> None:
    house.bus.enter("p", "a", ADA, connection="c")
    await house.after(0)
    assert await house.after(3 * PRESENCE_LEASE) == []
    house.bus.over("c", "closed")
    assert await house.after(CLOSED) == [("a", "closed")]


async def test_a_lease_is_renewed_or_over(house: House) -> None:
    for _ in range(3):
        house.bus.enter("p", "a", ADA, terms=Terms(10.0, math.inf, None))
        assert await house.after(8) == []
    assert await house.after(3) == [("a", "expired")]
    house.bus.enter("p", "a", ADA, terms=Terms(60.0, house.clock.monotonic() + 5, None))
    assert await house.after(2) == []
    assert await house.after(4) == [("a", "revoked")]


async def test_a_beacon_is_a_clean_end_of_what_its_connection_holds_or_held(house: House) -> None:
    enter(house, "a")
    enter(house, "b", connection="d")
    house.bus.enter("p", "ours", BOB, terms=Terms(60.0, math.inf, None))
    named = [("p", "a"), ("p", "b"), ("p", "ours"), ("p", "never"), ("q", "a")]
    await house.after(0)
    assert house.bus.beacon("c", named) == 1
    assert house.bus.beacon("", named) == 0
    assert house.bus.beacon("guessed", named) == 0
    house.bus.over("d", "lost")
    assert house.bus.beacon("d", named) == 1
    assert sorted(await house.after(CLOSED)) == [("a", "closed"), ("b", "closed")]
    enter(house, "a")
    house.bus.beacon("c", named)
    assert not enter(house, "a", connection="e")
    assert await house.after(CLOSED + 3) == []


async def test_what_one_leaves_or_an_operator_takes_out_is_told_with_the_next_batch(house: House) -> None:
    enter(house, "a")
    enter(house, "b")
    await house.after(0)
    with pytest.raises(ForbiddenError):
        house.bus.leave("p", "a", "bob")
    with pytest.raises(NotFoundError):
        house.bus.remove("p", "x")
    house.bus.leave("p", "a", "ada")
    assert house.bus.remove("p", "b").connection == "c"
    assert await house.after(0) == [("a", "left"), ("b", "revoked")]
    assert house.bus._holdings == {}


async def test_what_a_new_token_does_not_grant_ends(house: House) -> None:
    enter(house, place="p")
    enter(house, place="q")
    await house.after(0)
    assert house.bus.limit("c", "ada", lambda place: place == "q") == 1
    assert house.bus.limit("unknown", "ada", lambda place: False) == 0
    assert await house.after(0) == [("a", "revoked")]
    assert house.bus.only("c", "q") == "a"


async def test_who_was_nobody_has_left_as_that_when_he_is_somebody(house: House) -> None:
    """It could be neither changed nor ended any more, and he would be shown twice."""
    enter(house, "a", party=NOBODY)
    await house.after(0)
    assert house.bus.limit("c", "ada", lambda place: True) == 1
    assert enter(house, "a")
    assert house.bus.limit("c", "ada", lambda place: True) == 0
    assert await house.after(0) == [("a", "left")]
    member = house.bus.find("p", "a")
    assert member is not None
    assert (member.shown.user, house.bus.state.count) == ("ada", 1)


async def test_leases_of_forbidden_owners_end_in_steps(house: House) -> None:
    for n in range(3 * LOOK):
        party = NOBODY._replace(who=f"@{n}")
        house.bus.enter(f"p{n % 250}", f"m{n}", party, terms=Terms(60.0, math.inf, None if n % 3 else f"owner {n % 2}"))
    await house.after(0)
    steps = house.bus.recheck(lambda owner: owner == "owner 1")
    assert sum(1 for _ in steps) > 3
    assert at_once(house.bus.recheck(lambda owner: owner == "owner 1")) == 0
    assert house.bus.state.count == 3 * LOOK - LOOK // 2
    assert at_once(house.bus.recheck(lambda owner: owner is not None)) == LOOK // 2


async def test_who_has_left_or_entered_anew_between_two_steps_of_that_is_passed_over(house: House) -> None:
    for n in range(LOOK + 500):
        party = NOBODY._replace(who=f"@{n}")
        house.bus.enter("p", f"m{n}", party, terms=Terms(60.0, math.inf, "old"))
    steps = house.bus.recheck(lambda owner: owner == "old")
    next(steps)
    house.bus.leave("p", f"m{LOOK}", None)
    house.bus.leave("p", f"m{LOOK + 1}", None)
    anew, _ = house.bus.enter("p", f"m{LOOK + 1}", NOBODY, terms=Terms(60.0, math.inf, "new"))
    assert at_once(steps) == LOOK + 498
    assert (house.bus.find("p", f"m{LOOK + 1}"), house.bus.state.count) == (anew, 1)


async def test_a_fault_with_one_of_them_does_not_keep_the_others_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.bus.enter("p", "a", ADA, terms=Terms(10.0, math.inf, None))
    house.bus._look_on()

    def fail() -> None:
        raise ValueError("a fault")

    monkeypatch.setattr(house.bus, "_look", fail)
    with pytest.raises(ValueError, match="a fault"):
        house.bus._look_on()
    assert house.bus._looking is not None
    await house.bus.close()


async def test_changes_have_a_rate_and_going_on_has_none(house: House) -> None:
    for n in range(PRESENCE_RATE.burst if isinstance(PRESENCE_RATE.burst, int) else int(PRESENCE_RATE.burst)):
        enter(house, data=f'{{"n":{n}}}')
    with pytest.raises(RateLimitedError) as caught:
        enter(house, data='{"n":-1}')
    assert caught.value.field == "member"
    for _ in range(100):
        enter(house)
    house.clock.advance(1.0)
    for n in range(5):
        enter(house, data=f'{{"n":{n}}}')
    for _ in range(int(PRESENCE_OPS.burst)):
        house.bus.spend("c")
    with pytest.raises(RateLimitedError):
        house.bus.spend("c")
    house.bus.spend("d")


async def test_a_look_takes_some_and_goes_on(house: House) -> None:
    for n in range(2 * LOOK):
        house.bus.enter("p", f"m{n}", NOBODY, terms=Terms(10.0, math.inf, None))
    await house.after(0)
    house.clock.advance(12)
    house.bus._look()
    assert house.bus.state.count == LOOK
    house.bus._look()
    assert (house.bus.state.count, house.bus.state.is_timed) == (0, False)


async def test_places_are_listed_by_their_numbers_with_turns(house: House) -> None:
    for n in range(600):
        house.bus.enter(f"a/{n:03}", "m", NOBODY, terms=Terms(60.0, math.inf, None))
    house.bus.telling.join(TopicFilter(("a/empty",)), RollText("x"), Eye())
    assert [one for one in house.bus.places(ALL) if one is not None] == []
    await house.after(0)
    found = list(house.bus.places(TopicFilter(("a/*",))))
    assert [place.topic for place in found if place is not None] == [f"a/{n:03}" for n in range(600)]
    assert found.count(None) >= 2
    after = next(place for place in found if place is not None and place.topic == "a/500").number
    assert sum(place is not None for place in house.bus.places(ALL, after)) == 99
    heavy = TopicFilter(tuple(f"a/*/*/{n}" for n in range(100)))
    assert looks(heavy, LOOK) < 10
    assert list(house.bus.places(heavy)).count(None) >= 600 * heavy.weight // COMPARISONS
    assert (house.bus.present("a/000"), house.bus.present("a/empty"), house.bus.present("never")) == (1, 0, 0)


async def test_its_numbers_are_above_those_of_every_earlier_process(house: House) -> None:
    """However often a place has changed there: who has known that would take what he knows for what there is."""
    bus = PresenceBus(house.clock, Bounds(batch=0.05))
    for n in range(100):
        bus.enter("p", f"m{n}", NOBODY)
        house.clock.advance(0.05)
        bus.look()
        await bus.settle()
    last = bus.state.version("p")
    assert last > 99
    await bus.close()
    assert PresenceBus(house.clock).state.version("p") > last + RUN
    assert last < 2**53


async def test_the_process_itself_is_there_without_a_lease(house: House) -> None:
    house.bus.enter("p", ":a", ADA)
    assert await house.after(500) == []
    member = house.bus.find("p", ":a")
    assert member is not None
    assert (member.due, member.connection) == (math.inf, "")


async def test_a_lease_beside_a_connection_goes_on_when_its_silence_ends(house: House) -> None:
    enter(house, "other")
    house.bus.enter("p", "a", ADA, connection="c", terms=Terms(100.0, math.inf, None))
    assert await house.after(PRESENCE_LEASE + 3) == []
    member = house.bus.find("p", "a")
    assert member is not None
    assert member.why == "lost"
    for _ in range(5):
        house.bus.heard("c")
        assert (member.why, member.terms is None) == ("expired", False)
        assert await house.after(10) == []
    house.bus.heard("c")
    assert await house.after(20) == [("a", "expired")], "a word does not renew it"


async def test_a_lease_beside_a_connection_ends_it_too_and_its_end_is_a_loss(house: House) -> None:
    house.bus.enter("p", "a", ADA, connection="c", terms=Terms(30.0, math.inf, None))
    assert await house.after(20) == []
    house.bus.enter("p", "a", ADA, connection="c", terms=Terms(30.0, math.inf, None))
    house.bus.over("c", "closed")
    assert await house.after(CLOSED + 2) == []
    house.bus.enter("p", "a", ADA, connection="d", terms=Terms(30.0, math.inf, None))
    assert await house.after(28) == []
    assert await house.after(3) == [("a", "expired")]
    house.bus.enter("p", "a", ADA, connection="d", terms=Terms(60.0, math.inf, None))
    house.bus.over("d", "closed")
    assert await house.after(LOST + 1) == [("a", "lost")]
    assert house.bus._holdings == {}


async def test_what_the_members_of_one_connection_share_is_in_memory_once(house: House) -> None:
    """A page is at many places as one: there it has the same id, and mostly says the same of itself."""

    def enter(topic: str, name: str) -> Member:
        said = {"id": "".join(["t-", "1"]), "who": "".join(["a", "da"]), "data": f'{{"name":"{name}"}}'}
        party = Party("ada", said["who"])
        return house.bus.enter(topic, said["id"], party, data=said["data"], connection="one", speaks=True)[0]

    first, same, other = enter("a", "x"), enter("b", "x"), enter("c", "y")
    assert same.shown.member is first.shown.member
    assert same.shown.data is first.shown.data
    assert same.who is first.who
    assert same.shown.since is first.shown.since
    assert other.shown.data == '{"name":"y"}'


async def test_ten_thousand_members_take_600_bytes_each_beside_their_data() -> None:
    """And what their streams have anyway: the id of each, and its subject."""
    count, data = 10_000, '{"name":"x"}'
    users, connections = [f"user-{n:06}" for n in range(count)], [f"{n:036}" for n in range(count)]
    bus = PresenceBus(ManualClock())
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for n in range(count):
        party = Party(users[n], users[n])
        own = data[:-1] + f',"n":{n:05}}}'
        bus.enter(f"projects/{n // 10:05}", f"t-{n:012x}", party, data=own, connection=connections[n], speaks=True)
    bus._by_member.tidy(bus.now() + 100)  # within seconds
    for place in bus.state.places.values():
        place.commit()
    bus.state._dirty.clear()
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / count - sys.getsizeof(own) <= 600
    await bus.close()
