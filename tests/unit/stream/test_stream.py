"""One stream, from its first frame to its goodbye, on pipes that take, refuse, stall and break."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from service.access.reads import Reads
from service.bus.bus import EventBus
from service.bus.reading import PAGE_EVENTS
from service.bus.subscription import State
from service.bus.values import Batch
from service.core.errors import StorageError
from service.core.topics import TopicFilter
from service.log.base import Page
from service.stream.ending import FAULT, FULL, LOST, RESTART, STALLED
from service.stream.stream import INLINE_PAGES
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.streams import Running, T, stream_on
from tests.support.wires import FakePipe, drafts, memory_bus, until

BOTH = pytest.mark.parametrize("direct", [True, False], ids=["direct", "portable"])


# Opening, catching up, being live


@BOTH
async def test_first_connection_then_caught_up_then_events_as_they_come(
    house: House, bus: EventBus, direct: bool
) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        await bus.publish(drafts(2))
        await bus.publish(drafts(1, "other"))
        await bus.publish(drafts(1))
        await until(lambda: len(running.pipe.events) == 3)
        running.listener.leave()
        assert await running.over() == ["connection", "caught_up", "x", "x", "x"]
        assert running.pipe.events == [1, 2, 4]
        assert (running.stream.ending, len(house.hub)) == (None, 0)


@BOTH
async def test_nothing_of_an_ended_stream_waits_for_the_collector(house: House, direct: bool) -> None:
    """It holds its connection's buffers, which somebody who comes and goes fills each time."""
    gc.disable()
    try:
        async with stream_on(house, direct) as running:
            await running.live()
            ended = weakref.ref(running.pipe)
            running.listener.leave()
            await running.over()
            assert running.pipe._behind is None
        del running
        assert ended() is None
    finally:
        gc.enable()


@BOTH
async def test_a_gap_comes_right_after_connection_and_caught_up_counts_the_replay(
    house: House, bus: EventBus, direct: bool
) -> None:
    await bus.publish(drafts(5))
    await bus.trim(T, 2)
    async with stream_on(house, direct, bus.cursor(1)) as running:
        await running.live()
        assert running.pipe.types == ["connection", "gap", "x", "x", "caught_up"]
        assert running.pipe.frames[-1] == {"type": "caught_up", "id": bus.cursor(5), "replayed": 2}


@BOTH
async def test_a_long_replay_with_a_publisher_at_work_is_complete_and_caught_up_comes_once(
    house: House, bus: EventBus, direct: bool
) -> None:
    await bus.publish(drafts(3_000))
    async with stream_on(house, direct, "earliest") as running:
        for _ in range(20):
            await bus.publish(drafts(10))
        await running.live()
        await until(lambda: len(running.pipe.events) == 3_200)
        assert running.pipe.events == list(range(1, 3_201))
        assert running.pipe.types.count("caught_up") == 1


class Stopping(FakePipe):
    """Is full once it has taken so many events, until somebody empties it."""

    def __init__(self, direct: bool, at: int) -> None:
        super().__init__(direct)
        self._at: int | None = at

    def _take(self, payload: tuple[bytes, ...]) -> None:
        super()._take(payload)
        if self._at is not None and len(self.events) >= self._at:
            self._at = None
            self.fill()


INLINE = INLINE_PAGES * PAGE_EVENTS
"""Events that a stream reads before it is one that replays."""


@BOTH
@pytest.mark.parametrize("most", [{"replays": 1}, {"of_caller": 1}], ids=["in all", "of one caller"])
async def test_long_replays_have_a_bound_and_one_past_it_is_sent_away(
    bus: EventBus, clock: ManualClock, direct: bool, most: dict[str, int]
) -> None:
    house = House.of(bus, clock, reads=Reads(**most))
    await bus.publish(drafts(INLINE + 2 * PAGE_EVENTS))
    slow = Stopping(direct, INLINE + PAGE_EVENTS)
    async with stream_on(house, direct, "earliest", slow) as first:
        await until(lambda: len(slow.events) == INLINE + PAGE_EVENTS)
        assert house.reads.replays == 1
        async with stream_on(house, direct, "earliest") as second:
            assert (await second.over())[-1] == "goodbye"
            assert second.stream.ending == FULL
            assert second.pipe.events == list(range(1, INLINE + 1)), "it has got on all the same"
        async with stream_on(house, direct, bus.cursor(bus.head - INLINE + 1)) as short:
            await short.live()
        slow.empty()
        await first.live()
        assert house.reads.replays == 0, "who has caught up gives its place back"
        async with stream_on(house, direct, "earliest") as third:
            await third.live()
    assert (house.reads.replays, house.hub._replaying, dict(house.reads._of_caller)) == (0, {}, {})


async def test_who_leaves_in_a_replay_gives_its_place_back(bus: EventBus, clock: ManualClock) -> None:
    house = House.of(bus, clock, reads=Reads(replays=1))
    await bus.publish(drafts(INLINE + 2 * PAGE_EVENTS))
    slow = Stopping(True, INLINE + PAGE_EVENTS)
    async with stream_on(house, True, "earliest", slow) as running:
        await until(lambda: len(slow.events) == INLINE + PAGE_EVENTS)
        assert house.reads.replays == 1
        running.listener.leave()
        slow.abort()
        await running.over()
    assert (house.reads.replays, house.hub._replaying) == (0, {})


async def test_a_live_stream_on_a_direct_pipe_has_no_task_of_its_own(house: House, bus: EventBus) -> None:
    await bus.publish(drafts(3_000))
    before = asyncio.all_tasks()
    async with stream_on(house, True, "earliest") as running:
        await running.live()
        await until(lambda: asyncio.all_tasks() - before == {running.task})


@BOTH
async def test_a_full_pipe_reads_on_from_its_cursor_and_goes_live_again(
    house: House, bus: EventBus, direct: bool
) -> None:
    async with stream_on(house, direct) as slow, stream_on(house, direct) as other:
        await slow.live()
        await other.live()
        slow.pipe.fill()
        for _ in range(50):
            await bus.publish(drafts(1))
        await until(lambda: len(other.pipe.events) == 50)
        assert len(slow.pipe.events) <= 1, "the page that it waits with, at most"
        slow.pipe.empty()
        await until(lambda: len(slow.pipe.events) == 50)
        await slow.live()
        await bus.publish(drafts(1))
        await until(lambda: len(slow.pipe.events) == 51)
        assert slow.pipe.events == list(range(1, 52))
        assert slow.pipe.types.count("caught_up") == 1


@BOTH
async def test_retention_under_a_reader_is_a_gap_in_mid_stream(house: House, bus: EventBus, direct: bool) -> None:
    await bus.publish(drafts(3_000))
    pipe = FakePipe(direct)
    async with stream_on(house, start="earliest", pipe=pipe) as running:
        await until(lambda: bool(pipe.events))
        pipe.fill()
        await bus.trim(T, 5)
        pipe.empty()
        await running.live()
        gap = next(frame for frame in pipe.frames if frame["type"] == "gap")
        assert (gap["reason"], gap["floor"]) == ("trimmed", bus.cursor(2_995))
        assert pipe.events[-5:] == list(range(2_996, 3_001))
        kept = [offset for offset in pipe.events if offset <= 2_995]
        assert kept == list(range(1, len(kept) + 1)), "up to the gap nothing is missing"


# Heartbeats


async def beats(house: House, running: Running) -> list[str]:
    await house.hub.sweep()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [frame["id"] for frame in running.pipe.frames if frame["type"] == "heartbeat"]


@BOTH
async def test_a_heartbeat_after_each_silence_and_not_before(
    house: House, bus: EventBus, clock: ManualClock, direct: bool
) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        clock.advance(19.9)
        assert await beats(house, running) == []
        clock.advance(0.1)
        assert await beats(house, running) == [bus.cursor(0)]
        clock.advance(19.9)
        assert len(await beats(house, running)) == 1
        clock.advance(0.1)
        assert len(await beats(house, running)) == 2


@BOTH
async def test_one_trailing_heartbeat_soon_after_a_burst(
    house: House, bus: EventBus, clock: ManualClock, direct: bool
) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        await bus.publish(drafts(3))
        await until(lambda: len(running.pipe.events) == 3)
        published = clock.monotonic()
        while not await beats(house, running):
            clock.advance(0.5)  # as often as the hub sweeps
        assert clock.monotonic() - published <= 2.0
        clock.advance(19.9)
        assert await beats(house, running) == [bus.cursor(3)], "one after a burst, then silence counts again"


@BOTH
async def test_a_heartbeat_carries_the_position_past_what_did_not_match(
    house: House, bus: EventBus, clock: ManualClock, direct: bool
) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        await bus.publish(drafts(7, "other"))
        clock.advance(20)
        assert await beats(house, running) == [bus.cursor(7)]


@BOTH
async def test_a_long_stretch_without_a_match_has_heartbeats_too(
    house: House, bus: EventBus, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    """Else the client takes the scan for a dead connection, comes back, and it begins anew."""

    async def step(group: Any, after: int) -> Batch[Any]:
        if after in (10, 30):
            clock.advance(20)
            await house.hub.sweep()
        return Batch(None, 0, after + 1, 0)

    await bus.publish(drafts(50, "other"))
    monkeypatch.setattr(bus.reading, "page", step)
    async with stream_on(house, direct, "memory-0") as running:
        await running.live()
        frames = [(frame["type"], frame["id"]) for frame in running.pipe.frames]
    assert frames == [
        ("connection", "memory-0"),
        ("heartbeat", "memory-11"),
        ("heartbeat", "memory-31"),
        ("caught_up", "memory-50"),
    ]


async def test_streams_at_the_same_place_share_one_heartbeat_frame(
    house: House, bus: EventBus, clock: ManualClock
) -> None:
    encoding = house.frames.websocket_messages
    assert house.hub.heartbeat_frame(encoding, 5) is house.hub.heartbeat_frame(encoding, 5)
    assert house.hub.heartbeat_frame(encoding, 6) is not house.hub.heartbeat_frame(encoding, 5)
    assert house.hub.heartbeat_frame(house.frames.sse(True, False), 5) != house.hub.heartbeat_frame(encoding, 5)


# The end


@BOTH
@pytest.mark.parametrize("ending", [RESTART, FAULT])
async def test_ending_a_live_stream_says_goodbye(house: House, direct: bool, ending: object) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        running.stream.end(ending)
        running.stream.end(STALLED)
        assert await running.over() == ["connection", "caught_up", "goodbye"]
        goodbye = running.pipe.frames[-1]
        assert (goodbye["reason"], goodbye["code"]) == (ending.reason, ending.code), "the first reason counts"
        assert goodbye["retry"] >= 500
        assert running.stream.ending is ending


@BOTH
async def test_ending_while_it_replays(house: House, bus: EventBus, direct: bool) -> None:
    await bus.publish(drafts(3_000))
    async with stream_on(house, direct, "earliest") as running:
        await until(lambda: bool(running.pipe.events))
        running.stream.end(RESTART)
        types = await running.over()
        assert types[-1] == "goodbye"
        assert running.pipe.events == list(range(1, len(running.pipe.events) + 1))
        assert len(running.pipe.events) < 3_000


async def test_ending_before_its_first_step(house: House) -> None:
    async with stream_on(house) as running:
        running.stream.end(RESTART)
        assert (await running.over())[-1] == "goodbye"
        assert len(house.hub) == 0


async def test_ending_while_it_waits_in_a_full_pipe(house: House, bus: EventBus) -> None:
    async with stream_on(house) as running:
        await running.live()
        running.pipe.fill()
        await bus.publish(drafts(1))
        await until(lambda: running.stream.subscription.state is State.REPLAYING)
        assert running.pipe.events == [], "nothing on top of what it has to take first"
        running.stream.end(RESTART)
        assert (await running.over())[-1] == "goodbye"


@BOTH
async def test_a_cancellation_by_the_server_is_passed_on(house: House, direct: bool) -> None:
    async with stream_on(house, direct) as running:
        await running.live()
        running.task.cancel()
        await asyncio.wait([running.task])
        assert running.task.cancelled()
        assert "goodbye" not in running.pipe.types
        assert len(house.hub) == 0


async def test_a_cancellation_by_the_server_wins_over_our_own(house: House) -> None:
    async with stream_on(house) as running:
        await running.live()
        running.stream.end(RESTART)
        running.task.cancel()
        await asyncio.wait([running.task])
        assert running.task.cancelled()
        assert len(house.hub) == 0


async def test_after_our_own_end_the_task_goes_on_uncancelled(house: House) -> None:
    """`run` is followed by the WebSocket close: a cancellation left over would swallow it."""
    steps: list[str] = []
    async with stream_on(house) as inner:
        await inner.live()

        async def run_and_close() -> None:
            try:
                await inner.task
            finally:
                steps.append("over")
            await asyncio.sleep(0)
            steps.append("closed")

        closing = asyncio.create_task(run_and_close())
        inner.stream.end(RESTART)
        await asyncio.wait_for(closing, 20)
        assert steps == ["over", "closed"]
        assert inner.task.cancelling() == 0


@BOTH
async def test_a_connection_that_is_gone_ends_without_words(house: House, bus: EventBus, direct: bool) -> None:
    await bus.publish(drafts(3_000))
    async with stream_on(house, direct, "earliest") as running:
        await until(lambda: bool(running.pipe.events))
        running.pipe.is_closed = True
        types = await running.over()
        assert "goodbye" not in types
        assert running.stream.ending == LOST


async def test_the_sweep_finds_a_connection_that_is_gone(house: House) -> None:
    async with stream_on(house) as running:
        await running.live()
        running.pipe.is_closed = True
        await house.hub.sweep()
        await running.over()
        assert running.stream.ending == LOST
        assert house.hub.ended["lost"] == 1


async def test_a_peer_that_takes_nothing_is_given_up_at_the_deadline(house: House, clock: ManualClock) -> None:
    async with stream_on(house) as running:
        await running.live()
        running.pipe.stalled = 29.9
        await house.hub.sweep()
        assert not running.pipe.aborted
        running.pipe.stalled = 30.0
        await house.hub.sweep()
        assert running.pipe.aborted
        assert "goodbye" not in await running.over()
        assert running.stream.ending == STALLED


async def test_a_portable_send_that_times_out_is_a_stall(house: House, bus: EventBus) -> None:
    async with stream_on(house, direct=False) as running:
        await running.live()
        running.pipe.fault = TimeoutError()
        await bus.publish(drafts(1))
        await running.over()
        assert running.stream.ending == STALLED


@BOTH
async def test_an_unforeseen_fault_of_the_pump_ends_the_stream_as_a_fault(
    house: House, bus: EventBus, direct: bool
) -> None:
    await bus.publish(drafts(3_000))
    async with stream_on(house, direct, "earliest") as running:
        await until(lambda: bool(running.pipe.events) and running.stream._pump_task is not None)
        running.pipe.fault = RuntimeError("broken")
        await asyncio.wait([running.task])
        assert running.stream.ending == FAULT
        assert len(house.hub) == 0


class BreakingLog(MemoryEventLog):
    """Reads fail from the moment `fault` is set."""

    fault: Exception | None = None

    async def read(
        self, topics: TopicFilter, after: int, limit: int, max_bytes: int, *, is_short: bool = False
    ) -> Page:
        if self.fault is not None:
            raise self.fault
        return await super().read(topics, after, limit, max_bytes)


@BOTH
@pytest.mark.parametrize("inline", [True, False])
async def test_a_log_that_fails_ends_the_stream_with_a_goodbye_and_1011(
    clock: ManualClock, direct: bool, inline: bool
) -> None:
    log = BreakingLog(ManualClock())
    bus = memory_bus(tail_events=1, log=log)
    house = House.of(bus, clock)
    await bus.publish(drafts(3_000))
    async with stream_on(house, direct, "memory-0") as running:
        if inline:
            log.fault = StorageError("the disk is on fire")  # before its first step
        else:
            await until(lambda: running.stream._pump_task is not None and bool(running.pipe.events))
            log.fault = StorageError("the disk is on fire")
        assert (await running.over())[-1] == "goodbye"
        assert running.stream.ending == FAULT
        assert not running.task.cancelled()


async def test_closing_down_leaves_no_task_behind(house: House, bus: EventBus) -> None:
    await bus.publish(drafts(3_000))
    before = asyncio.all_tasks()
    for direct in (True, False):
        async with stream_on(house, direct, "earliest") as running:
            await until(lambda: bool(running.pipe.events))
    assert asyncio.all_tasks() == before
