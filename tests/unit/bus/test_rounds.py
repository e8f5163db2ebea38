"""What became of an event is remembered once a publish, a commit and a group, and no more than so many of each."""

import asyncio
import gc
import sys

from service.bus.bus import EventBus
from service.bus.fanout import SLICE
from service.bus.rounds import COST_BYTES, LATENCIES, Label, Rounds
from service.bus.start import Start
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import OffsetText, Sink, drafts


def bus_on(clock: ManualClock, remembered: int = 100) -> EventBus:
    log = MemoryEventLog(clock)
    return EventBus(log, clock, tail_events=1_000, tail_bytes=1 << 20, remembered=remembered)


async def live(bus: EventBus, encoding: OffsetText, *patterns: str) -> Sink:
    subscription, _ = await bus.subscribe(TopicFilter(patterns), Start.now(), encoding)
    sink = Sink()
    assert subscription.go_live(sink)
    return sink


def rounds_of(bus: EventBus) -> Rounds:
    assert bus.rounds is not None
    return bus.rounds


async def test_an_event_is_known_by_its_publish_its_commit_and_its_round() -> None:
    clock = ManualClock()
    bus, encoding = bus_on(clock), OffsetText()
    for patterns in (("t",), ("t",), ("other",), ("**",)):
        await live(bus, encoding, *patterns)
    full = await live(bus, encoding, "t")
    full.is_open = False
    began = clock.monotonic()
    publishing = asyncio.create_task(bus.publish(drafts(2)))
    await asyncio.sleep(0)
    clock.advance(0.25)
    await publishing
    became = rounds_of(bus).find(2)
    assert (became.taken, became.committed) == (began, began + 0.25)
    assert became.round is not None
    assert (became.round.before, became.round.last) == (0, 2)
    told = {one.label.topics.patterns: (one.live, one.written) for one in became.round.told}
    assert told == {("t",): (3, 2), ("**",): (1, 1)}, "who would not get it is not told"
    assert rounds_of(bus).find(3) == (None, None, None)


async def test_it_grows_with_groups_and_rounds_and_not_with_subscribers() -> None:
    clock = ManualClock()
    bus, encoding = bus_on(clock), OffsetText()
    for _ in range(3 * SLICE):
        await live(bus, encoding, "t")
    await bus.publish(drafts(50))
    await bus.settle()
    assert len(rounds_of(bus)) == 2


async def test_the_oldest_are_forgotten() -> None:
    clock = ManualClock()
    bus, encoding = bus_on(clock, remembered=10), OffsetText()
    for n in range(4):
        await live(bus, encoding, "t", f"other{n}")
    for _ in range(12):
        await bus.publish(drafts(1))
    rounds = rounds_of(bus)
    assert len(rounds) == 10
    assert [rounds.find(offset).round is not None for offset in (10, 11, 12)] == [False, True, True]
    assert [rounds.find(offset).taken is not None for offset in (2, 3, 12)] == [False, True, True]
    assert [rounds.find(offset).committed is not None for offset in (2, 3, 12)] == [False, True, True]


async def test_of_more_groups_than_there_is_room_for_their_number_is_told() -> None:
    clock = ManualClock()
    bus, encoding = bus_on(clock, remembered=10), OffsetText()
    for n in range(12):
        await live(bus, encoding, "t", f"other{n}")
    await bus.publish(drafts(1))
    round = rounds_of(bus).find(1).round
    assert round is not None
    assert (len(list(round.told)), round.others) == (9, 3)
    assert len(rounds_of(bus)) == 10


async def test_a_long_filter_counts_as_more() -> None:
    """It is kept alive after its group has gone."""
    clock = ManualClock()
    bus, encoding = bus_on(clock, remembered=100), OffsetText()
    long = ["t", *(f"{n:02}{'x' * 190}" for n in range(60))]
    assert Label.of(TopicFilter(tuple(long)), encoding).cost == 1 + (61 * 100 + 1 + 60 * 192) // COST_BYTES == 18
    await live(bus, encoding, *long)
    for _ in range(10):
        await bus.publish(drafts(1))
        assert len(rounds_of(bus)) <= 100
    assert [rounds_of(bus).find(offset).round is not None for offset in (5, 6, 10)] == [False, True, True]


async def test_a_publish_that_repeats_what_was_there_was_not_taken_now() -> None:
    clock = ManualClock()
    bus = bus_on(clock)
    await bus.publish([Draft("t", "x", "1", "key")])
    first = rounds_of(bus).find(1)
    clock.advance(5)
    await bus.publish([Draft("t", "x", "1", "key")])
    assert rounds_of(bus).find(1) == first


async def test_latencies_are_from_the_hand_in_to_the_end_of_the_round() -> None:
    clock = ManualClock()
    bus = bus_on(clock, remembered=1_000)
    moments = []
    for delay in (0.1, 0.2, 0.3):
        moments.append(clock.monotonic())
        publishing = asyncio.create_task(bus.publish(drafts(1)))
        await asyncio.sleep(0)
        clock.advance(delay)
        await publishing
    found = rounds_of(bus).latencies(moments[1])
    assert [round(one, 6) for one in found] == [0.3, 0.2]
    for _ in range(LATENCIES):
        await bus.publish(drafts(1))
    assert len(rounds_of(bus).latencies(0)) == LATENCIES


async def test_it_can_be_switched_off() -> None:
    bus = bus_on(ManualClock(), remembered=0)
    sink = await live(bus, OffsetText(), "t")
    await bus.publish(drafts(1))
    assert (bus.rounds, sink.offsets) == (None, [1])


def test_what_is_remembered_is_no_work_for_the_garbage_collector_and_holds_no_filter() -> None:
    """Twenty minutes of streams that come and go had fourteen thousand of them: 80 ms each time it looked."""
    rounds, encoding = Rounds(100), OffsetText()
    topics = TopicFilter(("a/*", "b/**"))
    before = sys.getrefcount(topics)
    label = Label.of(topics, encoding)
    for n in range(10):
        rounds.add(n, n + 1, 1.0, [label, 5, 4], label.cost)
        rounds.taken((n + 1, n + 1), n, 1.0)
        rounds.committed([Event(n + 1, "t", "log", 0, n, "1")], 1.0)
    assert label.topics == topics
    assert sys.getrefcount(topics) == before
    for _ in range(2):  # a tuple in a tuple
        gc.collect()
    kept = (label, *rounds._rounds, *rounds._taken, *rounds._commits)
    assert not [one for one in kept if gc.is_tracked(one)]
