"""States in parts, and what ends one: also what a filter's floor says nothing of."""

import pytest

import service.bus.states
from service.bus.bus import EventBus
from service.bus.states import States, Wanted
from service.bus.values import Place
from service.core.errors import GoneError
from service.core.event import OFFSET, Draft, Event
from service.core.topics import TopicFilter
from tests.support.wires import memory_bus

BOTH = Wanted(TopicFilter(("a", "b")))


def about(topic: str, subject: str) -> Draft:
    return Draft(topic, "x", '"x"', subject=subject)


async def begun(bus: EventBus) -> tuple[States, Place]:
    """A topic that was trimmed, and one with a lower offset that was not; one of three events was read."""
    await bus.publish([about("b", str(n)) for n in range(2)] + [about("a", str(n)) for n in range(2)])
    await bus.trim(TopicFilter(("a",)), 1)
    states = States(bus.reading)
    rows, place = await states.step(BOTH, states.begin(), 1, 1_000)
    assert [row[OFFSET] for row in rows] == [1]
    return states, place


async def test_parts_follow_each_other_to_the_end() -> None:
    states, place = await begun(memory_bus())
    found = []
    while not place.is_end:
        rows, place = await states.step(BOTH, place, 1, 1_000)
        found += [row[OFFSET] for row in rows]
    assert found == [2, 4]


async def test_a_floor_that_rises_below_that_of_the_filter_ends_it() -> None:
    """The rest of the state lacked what had gone, and said nothing."""
    bus = memory_bus()
    states, place = await begun(bus)
    floor = bus.reading.floor(BOTH.topics)
    await bus.trim(TopicFilter(("b",)), 0)
    assert bus.reading.floor(BOTH.topics) == floor
    with pytest.raises(GoneError):
        await states.step(BOTH, place, 1, 1_000)


async def test_what_others_lose_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = memory_bus()
    states, place = await begun(bus)
    await bus.publish([about("c", "s"), about("c", "t")])
    await bus.trim(TopicFilter(("c",)), 1)
    rows, _ = await states.step(BOTH, place, 1, 1_000)
    assert [row[OFFSET] for row in rows] == [2]


async def test_a_place_of_another_run_is_as_good_where_nothing_was_ever_removed() -> None:
    bus = memory_bus()
    await bus.publish([about("a", "s"), about("b", "s")])
    states = States(bus.reading)
    place = states.begin()._replace(moment=0)
    rows, _ = await states.step(BOTH, place, 10, 1_000)
    assert [row[OFFSET] for row in rows] == [1, 2]
    await bus.trim(TopicFilter(("a",)), 0)
    with pytest.raises(GoneError):
        await states.step(BOTH, place, 10, 1_000)


@pytest.mark.parametrize("strange", [0, 3, 6])
async def test_a_value_with_something_that_is_no_string_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch, strange: int
) -> None:
    """Wherever in it that stands: what was read before is not told as one event either."""
    monkeypatch.setattr(service.bus.states, "TEXT_ROWS", 2)
    bus = memory_bus()
    drafts = [Draft("a", "x", f'"{n}"', None, "s", n > 0) for n in range(7)]
    drafts[strange] = Draft("a", "x", "1", None, "s", strange > 0)
    await bus.publish([*drafts, *(Draft("a", "x", f'"{n}"', None, "t", append=True) for n in range(5))])
    states = States(bus.reading)
    rows, place = await states.step(Wanted(TopicFilter(("a",)), is_joined=True), states.begin(), 100, 1_000)
    assert place.is_end
    told = [Event(*row) for row in rows]
    assert [(one.offset, one.data) for one in told[:7]] == [(n, one.data) for n, one in enumerate(drafts, 1)]
    assert [(one.offset, one.data, one.mark) for one in told[7:]] == [(12, '"01234"', None)]
