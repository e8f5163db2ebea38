"""Presence as an application uses it: members of this process, and who follows users."""

import time

import pytest

from service.apps.base import Company, Passage
from service.bus.company import DATA_MAX, OURS, OwnCompany
from service.bus.presence import PresenceBus
from service.core.errors import ForbiddenError, InvalidError, TooLargeError
from service.core.presence import Bounds, Party
from tests.support.clock import ManualClock
from tests.support.company import ADA


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus(clock: ManualClock) -> PresenceBus:
    return PresenceBus(clock, Bounds(members=3))


async def batch(bus: PresenceBus, clock: ManualClock) -> None:
    clock.advance(0.25)
    bus.look()
    await bus.settle()


async def test_it_enters_says_more_and_leaves(bus: PresenceBus, clock: ManualClock) -> None:
    company: Company = OwnCompany(bus, Passage)
    told = list[Passage]()
    stop = company.follow(told.append)
    assert company.enter("p", ":a", user="agent:x", data={"run": 1})
    assert company.enter("p", ":a", user="agent:x", data={"run": 1})
    bus.enter("p", "t", ADA)
    member = bus.find("p", ":a")
    assert member is not None
    assert (member.shown.data, member.who, member.shown.verified) == ('{"run":1}', OURS, True)
    await batch(bus, clock)
    assert told == [Passage("p", ("ada",), (), 2, 2)], "its own members are no news to it"
    assert company.users("p") == {"agent:x": 1, "ada": 1}
    assert company.update("p", ":a", {"run": 2})
    assert not company.update("p", ":b", {})
    assert member.shown.data == '{"run":2}'
    await batch(bus, clock)
    assert len(told) == 1, "nobody came or went"
    assert company.leave("p", ":a")
    assert not company.leave("p", ":a")
    await batch(bus, clock)
    assert len(told) == 1
    bus.leave("p", "t", "ada")
    await batch(bus, clock)
    assert told[1:] == [Passage("p", (), ("ada",), 0, 0)]
    stop()
    bus.enter("p", "t", ADA)
    await batch(bus, clock)
    assert len(told) == 2


async def test_what_none_can_have_is_an_error_and_no_room_is_none(bus: PresenceBus) -> None:
    company = OwnCompany(bus, Passage)
    for place, member in (("a//b", ":a"), ("p", "a"), ("p", ":"), ("p", ":a/b")):
        with pytest.raises(InvalidError):
            company.enter(place, member)
    with pytest.raises(ForbiddenError):
        company.enter("twinwire/x", ":a")
    with pytest.raises(InvalidError):
        company.enter("p", ":a", data={"x": object()})
    with pytest.raises(TooLargeError):
        company.enter("p", ":a", data={"x": "y" * DATA_MAX})
    bus.enter("p", "a", ADA)
    bus.enter("p", ":taken", Party("other", OURS, is_ours=True))
    assert not company.enter("p", ":taken", user="me")
    assert company.enter("p", ":a")
    assert not company.enter("p", ":b")
    assert company.enter("p", ":a"), "one that is there goes on"


async def test_what_clients_may_tell_does_not_bound_it(clock: ManualClock) -> None:
    """Or the service could not start, once somebody has reported a command."""
    assert OwnCompany(PresenceBus(clock, Bounds(data=64)), Passage).enter("p", ":a", data={"title": "x" * 400})


async def test_very_many_who_come_in_one_batch_are_told_in_time(clock: ManualClock) -> None:
    """Each is held against a set, and not against all others: else it would be some seconds."""
    count, told = 20_000, list[Passage]()
    bus = PresenceBus(clock, Bounds(members=2 * count))
    OwnCompany(bus, Passage).follow(told.append)
    for n in range(count):
        bus.state.enter("p", f"m{n}", Party(f"u{n}", f"u{n}"), None, bus.now(), 0)
    began = time.thread_time()
    await batch(bus, clock)
    assert time.thread_time() - began < 2.0
    assert len(told[0].came) == count
