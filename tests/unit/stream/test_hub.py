"""All streams together: admission, the sweep, and the way out."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.bus.bus import EventBus
from service.core.errors import DrainingError, OverloadedError
from service.core.limits import RETRY_MIN_MS
from service.stream.hub import FAREWELL_BATCH, RETRY_MS, RETURN_MS_MAX, StreamHub
from service.stream.stream import FAULT
from service.wire.frames import Frames
from tests.support.clock import ManualClock
from tests.support.wires import FakePipe
from tests.unit.stream.test_stream import Running, stream_on


async def many(hub: StreamHub, stack: AsyncExitStack, count: int) -> list[Running]:
    running = [await stack.enter_async_context(stream_on(hub)) for _ in range(count)]
    for one in running:
        await one.live()
    return running


async def test_a_full_house_refuses_and_takes_in_again(bus: EventBus, clock: ManualClock) -> None:
    hub = StreamHub(bus, Frames(bus.epoch), clock, heartbeat=20, send_timeout=30, max_streams=2)
    async with AsyncExitStack() as stack:
        first, _ = await many(hub, stack, 2)
        with pytest.raises(OverloadedError):
            hub.admit()
        first.listener.leave()
        await first.over()
        hub.admit()


async def test_no_bound_by_default(hub: StreamHub) -> None:
    async with AsyncExitStack() as stack:
        await many(hub, stack, 50)
        hub.admit()


async def test_opened_and_ended_are_counted(hub: StreamHub) -> None:
    async with AsyncExitStack() as stack:
        left, lost = await many(hub, stack, 2)
        left.listener.leave()
        await left.over()
        lost.pipe.is_closed = True
        await hub.sweep()
        await lost.over()
    assert dict(hub.opened) == {"websocket": 2}
    assert dict(hub.ended) == {"client": 1, "lost": 1}


async def test_a_stream_that_breaks_the_sweep_goes_alone(hub: StreamHub, clock: ManualClock) -> None:
    async with AsyncExitStack() as stack:
        running = await many(hub, stack, 3)
        running[1].pipe.fault = RuntimeError("broken")
        clock.advance(20)
        await hub.sweep()
        await asyncio.wait([running[1].task])
        assert running[1].stream.ending == FAULT
        assert all("heartbeat" in one.pipe.types for one in (running[0], running[2]))
        assert len(hub) == 2


# The way out


async def test_draining_refuses_new_streams_and_says_goodbye_to_all(hub: StreamHub) -> None:
    async with AsyncExitStack() as stack:
        running = await many(hub, stack, 2 * FAREWELL_BATCH + 1)
        await hub.drain(10)
        assert len(hub) == 0
        for one in running:
            assert (await one.over())[-1] == "goodbye"
        with pytest.raises(DrainingError) as refusal:
            hub.admit()
        assert refusal.value.retry_after >= RETRY_MIN_MS / 1000
        assert dict(hub.ended) == {"restart": len(running)}


async def test_goodbyes_come_in_batches_with_turns_of_the_loop_in_between(hub: StreamHub) -> None:
    async with AsyncExitStack() as stack:
        running = await many(hub, stack, 3 * FAREWELL_BATCH)
        draining = asyncio.create_task(hub.drain(10))
        await asyncio.sleep(0)
        assert sum(one.stream.ending is not None for one in running) == FAREWELL_BATCH
        await asyncio.wait_for(draining, 20)


async def test_a_stream_that_was_admitted_just_before_is_sent_away_too(hub: StreamHub) -> None:
    hub.admit()
    async with stream_on(hub) as late:  # its first step comes after the drain
        await hub.drain(10)
        types = await late.over()
        assert (types[0], types[-1]) == ("connection", "goodbye")
        assert late.stream.ending.code == 1012


async def test_who_does_not_hear_the_goodbye_is_cut_at_the_end_of_the_grace(hub: StreamHub) -> None:
    async with stream_on(hub, pipe=FakePipe(direct=False)) as deaf:
        await deaf.live()
        deaf.pipe.fill()
        await hub.drain(0.01)
        assert deaf.pipe.aborted


async def test_draining_an_empty_house_takes_no_time(hub: StreamHub) -> None:
    async with asyncio.timeout(5):
        await hub.drain(3_600)


async def test_clients_come_back_spread_over_the_number_of_them(hub: StreamHub) -> None:
    alone = [hub.return_delay() for _ in range(200)]
    assert min(alone) >= RETRY_MIN_MS
    assert max(alone) <= 2 * RETRY_MIN_MS
    hub._crowd = 1_000
    crowd = [hub.return_delay() for _ in range(500)]
    assert max(crowd) <= 2 * RETRY_MIN_MS + 10_000
    assert max(crowd) - min(crowd) > 5_000
    hub._crowd = 10**9
    assert all(hub.return_delay() <= RETURN_MS_MAX for _ in range(200))


async def test_every_stream_draws_a_retry_that_browsers_accept(hub: StreamHub) -> None:
    drawn = {hub.retry() for _ in range(200)}
    assert RETRY_MS[0] >= RETRY_MIN_MS
    assert all(RETRY_MS[0] <= retry <= RETRY_MS[1] for retry in drawn)
    assert len(drawn) > 50


async def test_the_sweeper_runs_until_it_is_closed(bus: EventBus) -> None:
    hub = StreamHub(bus, Frames(bus.epoch), ManualClock(), heartbeat=20, send_timeout=30)
    hub.start()
    async with stream_on(hub) as running:
        await running.live()
        running.pipe.is_closed = True
        await running.over()  # by the sweep
    await hub.close()
    await hub.close()
    assert hub._sweeper is not None
    assert hub._sweeper.cancelled()
