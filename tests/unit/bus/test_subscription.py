"""A subscription is a cursor: replaying until it stands at the head, then live, in the end closed."""

from collections.abc import Callable
from typing import Any

import pytest

from service.bus.bus import EventBus
from service.bus.start import Start
from service.bus.subscription import State, Subscription
from service.bus.values import Gap
from service.core.errors import StorageError
from service.core.topics import TopicFilter
from service.log.base import Listener, TrimListener
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import OffsetText, Sink, drafts, memory_bus

T = TopicFilter(("t",))
BOTH = TopicFilter(("t", "u"))


async def subscribed(bus: EventBus, start: str | None = None, topics: TopicFilter = T) -> Subscription[Any]:
    return (await bus.subscribe(topics, Start.parse(start), OffsetText()))[0]


async def read_all(subscription: Subscription[Any]) -> list[int]:
    """Every offset up to the head; a gap on the way fails."""
    found: list[int] = []
    while (item := await subscription.read()) is not None:
        assert not isinstance(item, Gap), item
        found += item.payload or ()
    return found


async def test_live_is_only_who_stands_at_the_head() -> None:
    bus, sink = memory_bus(), Sink()
    await bus.publish(drafts(3))
    subscription = await subscribed(bus, "earliest")
    assert not subscription.go_live(sink)
    assert await read_all(subscription) == [1, 2, 3]
    assert subscription.go_live(sink)
    assert not subscription.go_live(sink), "it is live already"
    await bus.publish(drafts(1))
    assert sink.offsets == [4]


async def test_an_event_between_the_last_page_and_going_live_is_read_first() -> None:
    bus = memory_bus()
    subscription = await subscribed(bus)
    assert await subscription.read() is None
    await bus.publish(drafts(1))
    assert not subscription.go_live(Sink())
    assert await read_all(subscription) == [1]
    assert subscription.go_live(Sink())


async def test_the_position_of_a_live_subscription_covers_what_did_not_match() -> None:
    bus = memory_bus()
    subscription = await subscribed(bus)
    assert subscription.go_live(Sink())
    await bus.publish(drafts(5, "other"))
    assert (subscription.offset, subscription.position) == (0, 5)
    subscription.fall_back()
    assert (subscription.offset, subscription.state) == (5, State.REPLAYING)


async def test_falling_back_tells_the_outlet_once_and_only_when_live() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    subscription.fall_back()
    assert subscription.go_live(sink)
    subscription.fall_back()
    subscription.fall_back()
    assert sink.behinds == 1


async def test_a_declined_write_leaves_the_cursor_before_it() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    assert subscription.go_live(sink)
    await bus.publish(drafts(1))
    sink.is_open = False
    await bus.publish(drafts(2))
    await bus.publish(drafts(1))
    assert sink.behinds == 1
    assert await read_all(subscription) == [2, 3, 4]


@pytest.mark.parametrize("is_live", [True, False])
async def test_another_filter_goes_on_from_the_position_reached(is_live: bool) -> None:
    bus, sink = memory_bus(), Sink()
    await bus.publish([*drafts(1), *drafts(1, "u")])
    subscription = await subscribed(bus, "earliest")
    if is_live:
        await read_all(subscription)
        assert subscription.go_live(sink)
    position = subscription.position
    assert subscription.change(BOTH) == position == (2 if is_live else 0)
    assert (subscription.state, sink.behinds) == (State.REPLAYING, int(is_live))
    await bus.publish([*drafts(1, "u"), *drafts(1)])
    assert await read_all(subscription) == [3, 4] if is_live else [1, 2, 3, 4]
    assert bus.subscriptions()["websocket"] == 1


async def test_a_filter_of_nothing_stays_open_and_can_grow_again() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    assert subscription.go_live(sink)
    subscription.change(T.minus(["t"]))
    await bus.publish(drafts(2))
    assert await read_all(subscription) == []
    assert subscription.go_live(sink)
    assert subscription.change(T) == 2
    await bus.publish(drafts(1))
    assert await read_all(subscription) == [3]


async def test_the_same_filter_again_is_no_loss() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    assert subscription.go_live(sink)
    group = subscription.group
    subscription.change(T)
    assert subscription.group is group
    await bus.publish(drafts(1))
    assert await read_all(subscription) == [1]
    subscription.close()
    assert bus.subscriptions()["websocket"] == 0


async def test_retention_under_a_slow_reader_is_a_gap_in_mid_stream_and_is_told_once() -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish(drafts(1_000))
    subscription = await subscribed(bus, "earliest")
    page = await subscription.read()
    assert page.payload[0] == 1
    await bus.trim(T, 10)
    gap = await subscription.read()
    assert gap == Gap(bus.cursor(page.offset), "trimmed", 990, 990)
    assert await read_all(subscription) == list(range(991, 1_001))


class SilentLog(MemoryEventLog):
    """Tells nobody of its floors, but in its pages."""

    def follow(
        self, committed: Listener, trimmed: TrimListener, announced: object = None, thinned: object = None
    ) -> None:
        super().follow(committed, lambda topic, floor: None)


async def test_the_page_alone_tells_what_is_missing_from_it() -> None:
    bus = memory_bus(tail_events=1, log=SilentLog(ManualClock()))
    await bus.publish([*drafts(500), *drafts(500, "u")])
    await bus.trim(T, 495)
    subscription, gap = await bus.subscribe(BOTH, Start.parse(bus.cursor(3)), OffsetText())
    assert gap == Gap(bus.cursor(3), "trimmed", 5, 5)
    page = await subscription.read()
    assert page.payload[0] == 6, "the floor of before was told"
    await bus.trim(BOTH, 10)
    assert await subscription.read() == Gap(bus.cursor(page.offset), "trimmed", 490, 990)
    assert await read_all(subscription) == [*range(491, 501), *range(991, 1_001)]


async def test_a_gap_that_could_not_be_told_is_told_by_the_next_read(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish(drafts(1_000))
    subscription = await subscribed(bus, "earliest")
    await subscription.read()
    await bus.trim(T, 10)

    async def fail(*_: Any) -> Gap:
        raise StorageError("the log can't be read")

    with monkeypatch.context() as patched:
        patched.setattr(bus.reading, "gap", fail)
        with pytest.raises(StorageError):
            await subscription.read()
    assert (await subscription.read()).floor == 990
    assert await read_all(subscription) == list(range(991, 1_001))


async def test_a_gap_in_mid_stream_never_moves_the_cursor_back() -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish([*drafts(500), *drafts(500, "u")])
    subscription = await subscribed(bus, "earliest", BOTH)
    while subscription.offset <= 600:
        await subscription.read()
    before = subscription.offset
    await bus.trim(TopicFilter(("t",)), 0)
    assert await read_all(subscription) == list(range(before + 1, 1_001)), "that floor is behind it: no gap"
    await bus.publish(drafts(1, "u"))
    await bus.trim(TopicFilter(("u",)), 0)
    gap = await subscription.read()
    assert (gap.reason, gap.offset, gap.floor) == ("trimmed", 1_001, 1_001)


async def test_a_floor_that_was_told_at_the_start_is_not_told_again() -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish([*drafts(5), *drafts(1, "u"), *drafts(5)])
    await bus.trim(T, 3)
    subscription, gap = await bus.subscribe(BOTH, Start.parse(bus.cursor(2)), OffsetText())
    assert gap == Gap(bus.cursor(2), "trimmed", 5, 8), "u's event 6 is kept, though t's floor is 8"
    assert await read_all(subscription) == [6, 9, 10, 11]


async def test_everything_trimmed_under_a_reader_is_one_gap_up_to_the_head() -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish(drafts(10))
    subscription = await subscribed(bus, "earliest")
    await bus.trim(T, 0)
    gap = await subscription.read()
    assert (gap.offset, gap.floor) == (10, 10)
    assert await subscription.read() is None
    assert subscription.go_live(Sink())


async def test_a_live_subscriber_has_no_gap_when_what_it_has_is_trimmed() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    assert subscription.go_live(sink)
    await bus.publish(drafts(5))
    await bus.trim(T, 0)
    sink.is_open = False
    await bus.publish(drafts(1))
    assert await read_all(subscription) == [6]


async def test_a_trimmed_event_is_served_neither_from_the_tail_nor_from_a_shared_page() -> None:
    bus = memory_bus()
    await bus.publish(drafts(10))
    first, second = await subscribed(bus, "earliest"), await subscribed(bus, "earliest")
    assert (await first.read()).payload == tuple(range(1, 11))
    await bus.trim(T, 4)
    assert isinstance(await second.read(), Gap)
    assert await read_all(second) == [7, 8, 9, 10]


async def test_closing_is_final_idempotent_and_keeps_the_position() -> None:
    bus, sink = memory_bus(), Sink()
    subscription = await subscribed(bus)
    assert subscription.go_live(sink)
    await bus.publish(drafts(2, "other"))
    subscription.close()
    subscription.close()
    await bus.publish(drafts(1))
    assert (subscription.position, subscription.state, sink.taken, sink.behinds) == (2, State.CLOSED, [], 0)
    assert not subscription.go_live(sink)
    assert not bus.subscriptions().total()
    assert list(bus.groups) == []


# The table of the module's docstring


def close(subscription: Subscription[Any], sink: Sink) -> None:
    subscription.close()


def fall_back(subscription: Subscription[Any], sink: Sink) -> None:
    subscription.fall_back()


def change(subscription: Subscription[Any], sink: Sink) -> None:
    subscription.change(BOTH)


def go_live(subscription: Subscription[Any], sink: Sink) -> None:
    subscription.go_live(sink)


def write(subscription: Subscription[Any], sink: Sink) -> None:
    subscription.deliver((1,), 0, 1)


def write_to_a_full_socket(subscription: Subscription[Any], sink: Sink) -> None:
    sink.is_open = False
    subscription.deliver((1,), 0, 1)


@pytest.mark.parametrize(
    ("before", "call", "after", "behinds"),
    [
        (State.REPLAYING, go_live, State.LIVE, 0),
        (State.REPLAYING, fall_back, State.REPLAYING, 0),
        (State.REPLAYING, change, State.REPLAYING, 0),
        (State.REPLAYING, write, State.REPLAYING, 0),
        (State.REPLAYING, close, State.CLOSED, 0),
        (State.LIVE, go_live, State.LIVE, 0),
        (State.LIVE, fall_back, State.REPLAYING, 1),
        (State.LIVE, change, State.REPLAYING, 1),
        (State.LIVE, write, State.LIVE, 0),
        (State.LIVE, write_to_a_full_socket, State.REPLAYING, 1),
        (State.LIVE, close, State.CLOSED, 0),
        (State.CLOSED, go_live, State.CLOSED, 0),
        (State.CLOSED, fall_back, State.CLOSED, 0),
        (State.CLOSED, write, State.CLOSED, 0),
        (State.CLOSED, close, State.CLOSED, 0),
    ],
)
async def test_what_leads_from_one_state_to_another(
    before: State, call: Callable[[Subscription[Any], Sink], None], after: State, behinds: int
) -> None:
    subscription, sink = await subscribed(memory_bus()), Sink()
    if before is State.LIVE:
        subscription.go_live(sink)
    elif before is State.CLOSED:
        subscription.close()
    assert subscription.state is before
    call(subscription, sink)
    assert (subscription.state, sink.behinds) == (after, behinds)
    assert (subscription in subscription.group.live) is (subscription.outlet is not None) is (after is State.LIVE)
