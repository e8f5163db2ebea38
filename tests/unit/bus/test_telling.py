"""Batches reach who watches, once, as one frame for each encoding, in slices; who is owed a state is passed over."""

import asyncio

import pytest

from service.bus.fanout import SLICE
from service.bus.presence import PresenceBus
from service.core.place import Change
from service.core.presence import Bounds
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.company import ADA, BOB, FLOOR, NOBODY, Eye, RollText

P = TopicFilter(("p",))
WILD = TopicFilter(("*",))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus(clock: ManualClock) -> PresenceBus:
    return PresenceBus(clock)


async def batch(bus: PresenceBus, clock: ManualClock, seconds: float = 0.25) -> None:
    clock.advance(seconds)
    bus.look()
    await bus.settle()


async def test_a_batch_is_one_frame_for_all_who_watch(bus: PresenceBus, clock: ManualClock) -> None:
    eyes, encoding, other = [Eye() for _ in range(4)], RollText(), RollText("other")
    bus.telling.join(P, encoding, eyes[0])
    bus.telling.join(P, encoding, eyes[1])
    bus.telling.join(P, other, eyes[2])
    bus.telling.join(TopicFilter(("q",)), encoding, eyes[3])
    for n in range(10):
        bus.enter("p", f"m{n}", ADA)
        bus.enter("p", f"n{n}", BOB)
    assert [eye.frames for eye in eyes] == [[], [], [], []]
    await batch(bus, clock)
    assert [len(eye.frames) for eye in eyes] == [1, 1, 1, 0]
    assert (encoding.made, other.made, bus.telling.frames, bus.telling.watchers) == (1, 1, 3, 4)
    frame = eyes[0].frames[0]
    assert (frame["version"], len(frame["joins"]), frame["came"]) == (FLOOR + 1, 20, ["ada", "bob"])


async def test_a_thousand_who_join_within_a_second_cost_a_watcher_few_frames(
    bus: PresenceBus, clock: ManualClock
) -> None:
    bus.telling.join(P, RollText(), eye := Eye())
    for n in range(1_000):
        bus.enter("p", f"m{n}", NOBODY)
        await batch(bus, clock, 0.001)
    await batch(bus, clock)
    assert len(eye.frames) <= 8
    assert (eye.frames[-1]["members"], eye.frames[-1]["truncated"]) == (1_000, True)


async def test_by_a_wildcard_a_place_begins_with_a_state(bus: PresenceBus, clock: ManualClock) -> None:
    encoding, named, wild = RollText(), Eye(), Eye()
    bus.telling.join(P, encoding, named)
    bus.telling.join(WILD, encoding, wild)
    bus.enter("p", "a", ADA)
    bus.enter("q", "a", ADA)
    await batch(bus, clock)
    bus.enter("p", "b", BOB)
    await batch(bus, clock)
    bus.leave("p", "a", "ada")
    bus.leave("p", "b", "bob")
    await batch(bus, clock)
    bus.enter("p", "a", ADA)
    await batch(bus, clock)
    assert (named.states, wild.states) == ([False] * 4, [True, True, False, False, True])
    assert [frame["version"] - FLOOR for frame in named.frames] == [1, 2, 3, 4]
    assert [frame["version"] - FLOOR for frame in wild.frames if frame["place"] == "p"] == [1, 2, 3, 4]


async def test_a_long_place_that_is_short_again_is_told_as_a_state(clock: ManualClock) -> None:
    bus = PresenceBus(clock, Bounds(listed=10))
    bus.telling.join(P, RollText(), eye := Eye())
    for n in range(11):
        bus.enter("p", f"m{n}", NOBODY)
    await batch(bus, clock)
    for n in range(3):
        bus.leave("p", f"m{n}", None)
    await batch(bus, clock)
    assert [(frame["truncated"], frame["members"]) for frame in eye.frames] == [(True, 11), (False, 8)]
    assert len(eye.frames[1]["state"]) == 8


async def test_slices_let_others_in_and_no_state_is_made_meanwhile(bus: PresenceBus, clock: ManualClock) -> None:
    encoding, eyes = RollText(), [Eye() for _ in range(3 * SLICE)]
    groups = [bus.telling.join(P, encoding, eye) for eye in eyes]
    bus.enter("p", "a", ADA)
    clock.advance(0.25)
    bus.look()
    place = bus.state.find("p")
    assert place is not None
    assert place.is_telling
    assert sum(bool(eye.frames) for eye in eyes) < len(eyes)
    bus.telling.part(groups[-1], eyes[-1])
    bus.enter("p", "b", ADA)
    await bus.settle()
    assert not place.is_telling
    assert [len(eye.frames) for eye in eyes] == [1] * (len(eyes) - 1) + [0]
    await batch(bus, clock)
    assert [frame["version"] - FLOOR for frame in eyes[0].frames] == [1, 2]


async def test_who_joins_twice_with_the_same_filter_is_told_until_he_has_parted_twice(
    bus: PresenceBus, clock: ManualClock
) -> None:
    """As a stream does that has named just what it is about."""
    eye, encoding = Eye(), RollText()
    first, second = bus.telling.join(P, encoding, eye), bus.telling.join(P, encoding, eye)
    bus.telling.part(first, eye)
    bus.enter("p", "a", ADA)
    await batch(bus, clock)
    assert (len(eye.frames), bus.telling.watchers) == (1, 1)
    bus.telling.part(second, eye)
    assert bus.telling.watchers == 0


async def test_its_own_timer_tells_it(bus: PresenceBus) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    bus = PresenceBus(LoopClock(loop), Bounds(batch=0.001))
    bus.telling.follow(lambda change: told.set())
    bus.enter("p", "a", ADA)
    await asyncio.wait_for(told.wait(), 20)
    told.clear()
    bus.leave("p", "a", "ada")
    await asyncio.wait_for(told.wait(), 20)
    await bus.close()


class LoopClock(ManualClock):
    """The loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()


async def test_followers_are_told_each_change_until_they_stop(bus: PresenceBus, clock: ManualClock) -> None:
    told = list[Change]()
    stop = bus.telling.follow(told.append)
    bus.enter("p", "a", ADA)
    await batch(bus, clock)
    stop()
    stop()
    bus.leave("p", "a", "ada")
    await batch(bus, clock)
    assert [change.came for change in told] == [("ada",)]


async def test_once_it_is_closed_nothing_is_told_and_nothing_goes_on(bus: PresenceBus, clock: ManualClock) -> None:
    bus.telling.join(P, RollText(), eye := Eye())
    bus.enter("p", "a", ADA)
    await bus.close()
    await bus.close()
    bus.enter("p", "b", ADA)
    await batch(bus, clock)
    assert eye.frames == []
    assert {task.get_name() for task in asyncio.all_tasks()} & {"presence"} == set()
