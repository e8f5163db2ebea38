"""Every live subscriber gets every matching event in log order, also when a round is cut into slices."""

import asyncio
from collections.abc import Callable
from typing import Any

from service.bus.bus import EventBus
from service.bus.fanout import SLICE
from service.bus.start import Start
from service.bus.subscription import State, Subscription
from service.core.topics import TopicFilter
from tests.support.wires import OffsetText, Sink, drafts, memory_bus

T = TopicFilter(("t",))


async def live(bus: EventBus, encoding: OffsetText, topics: TopicFilter = T) -> tuple[Subscription[Any], Sink]:
    subscription, gap = await bus.subscribe(topics, Start.now(), encoding)
    sink = Sink()
    assert gap is None
    assert subscription.go_live(sink)
    return subscription, sink


async def crowd(bus: EventBus, encoding: OffsetText, count: int) -> list[tuple[Subscription[Any], Sink]]:
    return [await live(bus, encoding) for _ in range(count)]


class Tripwire(Sink):
    """Calls back in the middle of a round, from the write itself."""

    def __init__(self, callback: Callable[[], None]) -> None:
        super().__init__()
        self._callback = callback

    def write(self, payload: Any) -> bool:
        self._callback()
        return super().write(payload)


async def test_one_write_a_commit_with_only_what_matches() -> None:
    bus, encoding = memory_bus(), OffsetText()
    _, sink = await live(bus, encoding)
    await bus.publish([*drafts(2), *drafts(1, "other"), *drafts(1)])
    await bus.publish(drafts(1, "other"))
    await bus.publish(drafts(1))
    assert sink.taken == [(1, 2, 4), (6,)]
    assert bus.deliveries == 4
    assert encoding.encoded == 4, "once an event, and only for those that somebody gets"


async def test_a_round_of_more_than_a_slice_gives_the_loop_its_turns() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 3 * SLICE)
    await bus.publish(drafts(1))
    fed = sum(bool(sink.taken) for _, sink in members)
    assert fed == SLICE, "the publisher has its answer after the first slice"
    assert bus.delivered == 0, "the round is not over"
    await bus.settle()
    assert all(sink.offsets == [1] for _, sink in members)
    assert bus.delivered == 1
    assert bus.deliveries == 3 * SLICE


async def test_commits_during_a_round_are_joined_into_the_next_one() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 2 * SLICE)
    appended = asyncio.gather(*(bus.publish(drafts(1)) for _ in range(3)))
    await bus.publish(drafts(1))
    await bus.publish(drafts(2))
    await appended
    await bus.settle()
    assert all(sink.offsets == [1, 2, 3, 4, 5, 6] for _, sink in members)
    assert {len(sink.taken) for _, sink in members} <= {2, 3}, "later commits came in joined writes"


async def test_who_leaves_during_a_round_gets_nothing_more() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 2 * SLICE)
    await bus.publish(drafts(1))
    waiting = [(one, sink) for one, sink in members if not sink.taken]
    for subscription, _ in waiting[:10]:
        subscription.close()
    await bus.settle()
    assert [sink.offsets for _, sink in waiting] == [[]] * 10 + [[1]] * (len(waiting) - 10)


async def test_who_joins_during_a_round_has_the_event_from_its_cursor_and_once() -> None:
    bus, encoding = memory_bus(), OffsetText()
    await crowd(bus, encoding, 2 * SLICE)
    early, _ = await bus.subscribe(T, Start.parse("earliest"), encoding)
    await bus.publish(drafts(1))
    assert bus.delivered == 0
    batch = await early.read()
    assert batch.payload == (1,)
    sink = Sink()
    assert early.go_live(sink)
    late, late_sink = await live(bus, encoding)
    await bus.publish(drafts(1))
    await bus.settle()
    for subscription, taken in ((early, sink), (late, late_sink)):
        if subscription.state is State.REPLAYING:  # the next round covered more than it had missed
            rest = await subscription.read()
            taken.taken.append(rest.payload)
        assert taken.offsets == [2]


async def test_who_declines_in_the_middle_of_a_round_reads_on_from_its_cursor() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 2 * SLICE)
    await bus.publish(drafts(1))
    await bus.settle()
    await bus.publish(drafts(1))
    slow, sink = next(member for member in members if member[1].offsets == [1])
    sink.is_open = False
    await bus.publish(drafts(1))
    await bus.settle()
    assert (slow.state, sink.behinds, slow.offset) == (State.REPLAYING, 1, 1)
    assert (await slow.read()).payload == (2, 3)
    assert await slow.read() is None
    assert slow.go_live(sink)
    assert all(other.offsets == [1, 2, 3] for _, other in members if other is not sink)


async def test_a_filter_changed_in_the_middle_of_a_round_loses_and_repeats_nothing() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 2 * SLICE)
    await bus.publish([*drafts(1), *drafts(1, "u")])
    fed = next(member for member in members if member[1].taken)
    unfed = next(member for member in members if not member[1].taken)
    assert fed[0].change(TopicFilter(("t", "u"))) == 2, "it has both events' round behind it"
    assert unfed[0].change(TopicFilter(("t", "u"))) == 0, "the round has not come to it yet"
    await bus.settle()
    assert await fed[0].read() is None
    assert (await unfed[0].read()).payload == (1, 2)


async def test_a_subscription_that_closes_another_from_its_write_breaks_nothing() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 20)
    subscription, _ = await bus.subscribe(T, Start.now(), encoding)

    def close_all() -> None:
        for other, _ in members:
            other.close()

    wire = Tripwire(close_all)
    assert subscription.go_live(wire)
    await bus.publish(drafts(1))
    await bus.publish(drafts(1))
    assert wire.offsets == [1, 2]
    assert bus.subscriptions() == {"websocket": 1}


async def test_the_head_is_there_before_the_fan_out_and_the_answer_after_it() -> None:
    bus, encoding = memory_bus(), OffsetText()
    heads: list[int] = []
    subscription, _ = await bus.subscribe(T, Start.now(), encoding)
    wire = Tripwire(lambda: heads.append(bus.head))
    assert subscription.go_live(wire)
    receipt = await bus.publish(drafts(3))
    assert heads == [3]
    assert wire.offsets == list(receipt.offsets)
