"""What was trimmed since a moment, and the reader that must hear of it though a higher floor was there before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bus import floors as module
from service.bus.bus import EventBus
from service.bus.floors import Floors
from service.bus.reading import PAGE_BYTES
from service.bus.start import Start
from service.bus.values import Batch, Gap
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.wire.frames import Frames
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import memory_bus
from tests.unit.log.rigs import drafts

RAISED = st.lists(st.integers(1, 20), max_size=30)


@given(RAISED)
def test_the_highest_since_any_moment(raised: list[int]) -> None:
    floors = Floors()
    for floor in raised:
        floors.add(floor)
    assert floors.moment == len(raised)
    for moment in range(len(raised) + 1):
        assert floors.since(moment) == max(raised[moment:], default=0)


def test_the_worked_example() -> None:
    """The table of the module's docstring."""
    floors = Floors()
    seen = []
    for floor in (50, 9, 20):
        floors.add(floor)
        seen.append([floors.since(moment) for moment in range(floors.moment)])
    assert seen == [[50], [50, 9], [50, 20, 20]]
    assert floors.since(floors.moment) == 0
    assert floors._falling == [(1, 50), (3, 20)]


@given(RAISED)
def test_with_little_memory_it_is_never_too_low(raised: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_FLOORS_MAX", 2)
        floors = Floors()
        for floor in raised:
            floors.add(floor)
        assert len(floors._falling) <= 2
        for moment in range(len(raised)):
            assert max(raised[moment:]) <= floors.since(moment) <= max(raised)
        assert floors.since(len(raised)) == 0


async def test_a_floor_of_one_topic_does_not_hide_a_loss_on_another() -> None:
    """`earliest` has no gap at its start; what vanishes under it later is one, also below a floor of before."""
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(tail_events=1, log=log)
    large = "x" * (PAGE_BYTES // 2)  # two fill a page
    await bus.publish([*(Draft.of("b", "log", large) for _ in range(10)), *drafts("a", 40)])
    await bus.trim(TopicFilter(("a",)), 0)
    subscription, gap = await bus.subscribe(TopicFilter.all(), Start.parse("earliest"), Frames("epoch").poll)
    assert gap is None
    first = await subscription.read()
    assert isinstance(first, Batch)
    assert (first.count, first.offset) == (2, 2)
    await bus.trim(TopicFilter(("b",)), 1)
    assert await subscription.read() == Gap(bus.cursor(2), "trimmed", 9, 50)
    rest = await subscription.read()
    assert isinstance(rest, Batch)
    assert (rest.count, rest.offset) == (1, 50)
    assert await subscription.read() is None


class Losing(MemoryEventLog):
    """Topic `b` is emptied just before the next read, once it is `armed`: after the floor was looked at."""

    armed = False

    async def read(self, *asked: Any, **more: Any) -> Any:
        if self.armed:
            self.armed = False
            await self.trim(TopicFilter(("b",)), 0)
        return await super().read(*asked, **more)


async def losing() -> tuple[EventBus, Losing]:
    """Three events of `a`, of which the third is kept, three of `b`, and one more of `a`."""
    log = Losing(ManualClock())
    bus = memory_bus(tail_events=1, log=log)
    await bus.publish([*drafts("a", 3), *drafts("b", 3), *drafts("a", 1)])
    await bus.trim(TopicFilter(("a",)), 1)
    return bus, log


async def test_what_goes_while_a_gap_is_looked_through_is_in_its_floor() -> None:
    """The gap ended behind events that its floor said nothing of: the client never learned that they had been."""
    bus, log = await losing()
    log.armed = True
    subscription, gap = await bus.subscribe(TopicFilter.all(), Start.parse(str(bus.cursor(1))), Frames("epoch").poll)
    assert gap == Gap(bus.cursor(1), "trimmed", 6, 6)
    assert subscription.floor == 6
    last = await subscription.read()
    assert isinstance(last, Batch)
    assert (last.count, last.offset) == (1, 7)


async def test_so_it_is_in_mid_stream() -> None:
    bus, log = await losing()
    subscription, _ = await bus.subscribe(TopicFilter.all(), Start.parse(str(bus.cursor(3))), Frames("epoch").poll)
    await bus.publish(drafts("a", 2))
    await bus.trim(TopicFilter(("a",)), 1)

    async def page(*asked: Any) -> Any:
        batch = await read(*asked)
        log.armed = True
        return batch

    read = bus.reading.page
    bus.reading.page = page  # type: ignore[method-assign]
    assert await subscription.read() == Gap(bus.cursor(3), "trimmed", 8, 8)
    assert subscription.floor == 8


async def test_what_goes_while_the_beginning_is_looked_for_is_in_the_first_floor() -> None:
    """`earliest` has no gap: the proof by `prev` stands on the floor that `connection` tells."""
    bus, log = await losing()
    await bus.trim(TopicFilter(("a",)), 0)
    await bus.publish(drafts("a", 1))
    log.armed = True
    subscription, gap = await bus.subscribe(TopicFilter(("b",)), Start.parse("earliest"), Frames("epoch").poll)
    assert (gap, subscription.floor) == (None, 6)
