"""What was trimmed since a moment, and the reader that must hear of it though a higher floor was there before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bus import floors as module
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
