"""Every live subscriber gets every matching event in log order, also when a round is cut into slices."""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import product
from typing import Any

from service.bus.bus import EventBus
from service.bus.fanout import ENTRIES, PENDING_BYTES, SLICE
from service.bus.reading import PAGE_BYTES
from service.bus.start import Start
from service.bus.subscription import State, Subscription
from service.clock import SystemClock
from service.core.event import Event, Row
from service.core.topics import TopicFilter
from tests.support.clock import ManualClock
from tests.support.cpu import own_cpu
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
    assert fed == 2 * SLICE, "one in the commit's own turn, one before the publisher resumes"
    assert bus.delivered == 0, "the round is not over"
    await bus.settle()
    assert all(sink.offsets == [1] for _, sink in members)
    assert bus.delivered == 1
    assert bus.deliveries == 3 * SLICE


async def test_commits_during_a_round_are_joined_into_the_next_one() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 3 * SLICE)
    appended = asyncio.gather(*(bus.publish(drafts(1)) for _ in range(3)))
    await bus.publish(drafts(1))
    await bus.publish(drafts(2))
    await appended
    await bus.settle()
    assert all(sink.offsets == [1, 2, 3, 4, 5, 6] for _, sink in members)
    assert {len(sink.taken) for _, sink in members} <= {2, 3}, "later commits came in joined writes"


async def test_a_round_is_timed_until_its_last_write() -> None:
    clock = ManualClock()
    bus, encoding = memory_bus(clock=clock), OffsetText()
    await bus.publish(drafts(1))
    assert (bus.fan_outs.count, bus.fan_outs.sum) == (1, 0.0), "there was nobody to write to"
    for _ in range(3):
        one, _ = await bus.subscribe(T, Start.now(), encoding)
        assert one.go_live(Tripwire(lambda: clock.advance(0.25)))
    await bus.publish(drafts(5))
    assert (bus.fan_outs.count, bus.fan_outs.last) == (2, 0.75)


async def test_commits_that_wait_for_a_round_are_timed_from_the_first_of_them() -> None:
    clock = ManualClock()
    bus = memory_bus(clock=clock)
    await crowd(bus, OffsetText(), 10 * SLICE)
    for _ in range(3):  # the second and the third while the first one's round is under way
        await bus.publish(drafts(1))
        clock.advance(0.5)
    assert bus.delivered == 0
    await bus.settle()
    assert bus.fan_outs.count == 2
    assert bus.fan_outs.sum == 1.5 + 1.0


async def test_who_leaves_during_a_round_gets_nothing_more() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 3 * SLICE)
    await bus.publish(drafts(1))
    waiting = [(one, sink) for one, sink in members if not sink.taken]
    for subscription, _ in waiting[:10]:
        subscription.close()
    await bus.settle()
    assert [sink.offsets for _, sink in waiting] == [[]] * 10 + [[1]] * (len(waiting) - 10)


async def test_who_joins_during_a_round_has_the_event_from_its_cursor_and_once() -> None:
    bus, encoding = memory_bus(), OffsetText()
    await crowd(bus, encoding, 3 * SLICE)
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
    members = await crowd(bus, encoding, 3 * SLICE)
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
    members = await crowd(bus, encoding, 3 * SLICE)
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


# What a round may hold, and how long its steps may be


class Text(OffsetText):
    """Frames and payloads as long as on a real wire."""

    def frame(self, event: Event) -> bytes:
        return event.data.encode()

    def join(self, frames: Sequence[bytes]) -> Any:
        return b"".join(frames)

    def page(self, rows: Sequence[Row]) -> Any:
        return self.join([self.frame(Event(*row)) for row in rows])


async def test_a_page_is_written_and_one_byte_more_is_read_from_the_cursor() -> None:
    data = '"' + "a" * (PAGE_BYTES // 4 - 2) + '"'
    for more, is_live in ((0, True), (1, False)):
        bus, encoding = memory_bus(), Text()
        subscription, sink = await live(bus, encoding)
        await bus.publish([*drafts(3, data=data), *drafts(1, data=data + " " * more)])
        assert (subscription.state is State.LIVE, sink.behinds) == (is_live, not is_live)
        assert sum(map(len, sink.taken)) == (PAGE_BYTES if is_live else 0)
        if not is_live:
            assert subscription.offset == 0
            page = await subscription.read()
            assert len(page.payload) >= PAGE_BYTES, "from the first one on"


async def test_a_groups_share_is_bounded_by_events_too() -> None:
    for count, is_live in ((ENTRIES, True), (ENTRIES + 1, False), (3 * ENTRIES, False)):
        bus, encoding = memory_bus(), OffsetText()
        subscription, sink = await live(bus, encoding)
        await bus.publish(drafts(count))
        await bus.settle()
        assert (subscription.state is State.LIVE) == is_live
        assert len(sink.offsets) == (count if is_live else 0)


async def test_a_round_holds_one_groups_payload_at_a_time() -> None:
    """A hundred filters that all match; who takes a payload here lets go of it at once."""

    class Nowhere(Sink):
        def write(self, payload: Any) -> bool:
            return True

    bus, encoding = memory_bus(), Text()
    for n in range(100):
        subscription, _ = await bus.subscribe(TopicFilter(("t", f"other{n}")), Start.now(), encoding)
        assert subscription.go_live(Nowhere())
    batch = drafts(200, data='"' + "a" * 1_000 + '"')
    await bus.publish(batch)  # what is made once is there
    tracemalloc.start()
    await bus.publish(batch)
    await bus.settle()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bus.deliveries == 2 * 200 * 100
    assert peak < 2 << 20, "a hundred payloads would be 22 MiB"


async def test_no_frame_is_made_for_who_takes_no_write() -> None:
    bus, encoding = memory_bus(), OffsetText(is_fed=False)
    subscription, sink = await live(bus, encoding)
    other, unwoken = await live(bus, encoding, TopicFilter(("u",)))
    await bus.publish(drafts(3))
    assert (sink.behinds, sink.taken, encoding.encoded) == (1, [], 0)
    assert (unwoken.behinds, other.state, other.position) == (0, State.LIVE, 3)
    assert (await subscription.read()).payload == (1, 2, 3)


async def test_many_who_take_no_write_are_told_in_slices() -> None:
    bus, encoding = memory_bus(), OffsetText(is_fed=False)
    members = await crowd(bus, encoding, 3 * SLICE)
    await bus.publish(drafts(1))
    assert sum(sink.behinds for _, sink in members) == 2 * SLICE
    await bus.settle()
    assert all(sink.behinds == 1 for _, sink in members)


async def test_what_waits_for_a_round_is_bounded_and_then_everybody_reads() -> None:
    bus, encoding = memory_bus(), OffsetText()
    members = await crowd(bus, encoding, 8 * SLICE)
    bystander, _ = await live(bus, encoding, TopicFilter(("u",)))
    large = drafts(PENDING_BYTES // 2 // 65_536 + 1, data='"' + "a" * 65_534 + '"')
    await bus.publish(drafts(1))
    await asyncio.gather(*(bus.publish(large) for _ in range(2)))
    assert bus.delivered == 0, "the round of the first one is still under way"
    await bus.settle()
    assert bus.delivered == bus.head
    assert all(one.state is State.REPLAYING and one.offset == 1 for one, _ in members)
    assert bystander.state is State.REPLAYING, "whose round was dropped can't know that it missed nothing"
    await bus.publish(drafts(1))
    assert await bystander.read() is not None


async def test_matching_gives_the_loop_its_turns() -> None:
    """Filters that never match cost a batch on new topics nothing but looking for them, a little at a time."""
    bus, encoding = memory_bus(clock=SystemClock()), OffsetText()
    _, sink = await live(bus, encoding)
    for n in range(200):
        await live(bus, encoding, TopicFilter((f"never{n}/*", f"*/never{n}")))
    await bus.publish([*drafts(1), *(draft for n in range(5_000) for draft in drafts(1, f"new/{n}"))])
    assert bus.delivered == 0, "the round goes on in turns of its own"
    await bus.settle()
    assert sink.taken == [(1,)]


async def longest_turn(work: Awaitable[object]) -> float:
    """Seconds of CPU, without garbage's, of the longest turn of the loop until `work` is done."""
    longest, is_over = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal longest
        with own_cpu() as now:
            while not is_over.is_set():
                began = now()
                await asyncio.sleep(0)
                longest = max(longest, now() - began)

    watching = asyncio.create_task(watch())
    await work
    is_over.set()
    await watching
    return longest


async def publish_and_settle(bus: EventBus, topics: Iterable[str]) -> None:
    await bus.publish([draft for topic in topics for draft in drafts(1, topic)])
    await bus.settle()


async def test_a_heavy_round_has_no_long_step() -> None:
    """Patterns that all begin as the topics do, against a batch of new topics."""
    bus, encoding = memory_bus(clock=SystemClock()), OffsetText()
    for n in range(40):
        patterns = ["/".join("a" if (n * 64 + m) >> bit & 1 else "*" for bit in range(12)) + "/b" for m in range(64)]
        await live(bus, encoding, TopicFilter(tuple(patterns)))
    longest = await longest_turn(publish_and_settle(bus, ("a/" * 12 + f"x{n}" for n in range(100))))
    assert longest < 0.1, "about 2 ms, where nothing else is measured too"


async def test_who_takes_a_round_too_many_looks_reads_and_the_others_are_fed() -> None:
    """Patterns that nearly match topic after topic: a millisecond for each, for which everybody else would wait."""
    bus, encoding = memory_bus(), OffsetText()
    heavy = [
        await live(bus, encoding, TopicFilter(tuple(f"{head}/{'*/' * 80}{end}" for head in nearly(7, n, 64))))
        for n, end in ((0, "never"), (1, "t0"))
    ]
    others = [await live(bus, encoding, TopicFilter(patterns)) for patterns in (("own/*",), ("own/1", "b/**"), ("**",))]
    topics = [f"{'a/' * 7}{'b/' * 80}t{n}" for n in range(100)]
    await publish_and_settle(bus, [*topics, "own/1", *topics])
    assert [one.state for one, _ in heavy] == [State.REPLAYING] * 2
    assert [one.state for one, _ in others] == [State.LIVE] * 3
    assert [sink.offsets for _, sink in others] == [[101], [101], list(range(1, 202))]
    found: list[int] = []
    while (batch := await heavy[1][0].read()) is not None:
        found += batch.payload or ()
    assert found == [1, 102]


def nearly(segments: int, number: int, count: int) -> list[str]:
    """`count` of the patterns of `a` and `*` in so many segments, the `number`th of such lists."""
    every = ["/".join(one) for one in product("a*", repeat=segments)]
    return every[number * count : (number + 1) * count]


async def test_filters_that_came_and_went_make_no_long_step() -> None:
    """What is remembered of topics is held against each of their patterns: a second for these."""
    bus, encoding = memory_bus(clock=SystemClock()), OffsetText()
    topics = ["a/" * 89 + f"t{n}" for n in range(2_000)]
    await publish_and_settle(bus, topics)
    await live(bus, encoding, TopicFilter(tuple("*/" * 89 + f"x{n}" for n in range(64))))
    assert await longest_turn(publish_and_settle(bus, topics)) < 0.05, "about 10 ms"


async def test_garbage_of_others_is_no_step_of_ours() -> None:
    """As in a run of all tests: what is there to be looked at takes longer than any step may."""
    others: list[list[dict[str, int]]] = [[{}] for _ in range(300_000)]

    async def work() -> None:
        gc.collect()

    assert await longest_turn(work()) < 0.02
    assert len(others) == 300_000
