"""The end of a stream's credential: told twice before, and exact."""

import asyncio

import pytest

from service.access.caller import Caller
from service.stream.ending import EXPIRED
from service.stream.expiry import SOON, WARNINGS
from tests.support.access import caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import stream_on
from tests.support.wires import until


def told(frames: list[dict[str, object]]) -> list[object]:
    return [frame["in"] for frame in frames if frame["type"] == "auth"]


@pytest.mark.parametrize("direct", [True, False])
async def test_a_stream_is_told_twice_and_ends_with_its_credential(
    house: House, clock: ManualClock, direct: bool
) -> None:
    caller = caller_of("ada", "t", expires=clock.unix_ms() + 100_000)
    async with stream_on(house, direct=direct, caller=caller) as running:
        await running.live()
        for seconds in (39.9, 0.1, 44.0, 1.0, 14.0):
            clock.advance(seconds)
            await house.hub.sweep()
            for _ in range(5):
                await asyncio.sleep(0)
        assert told(running.pipe.frames) == [60, 15]
        assert running.stream.ending is None
        clock.advance(1.0)
        await house.hub.sweep()
        await running.over()
        assert running.stream.ending == EXPIRED
        last = running.pipe.frames[-1]
        assert (last["type"], last["reason"], last["detail"], last["code"]) == ("goodbye", "auth", "expired", 1008)
        assert last["retry"] is None
    assert dict(house.hub.ended) == {"auth": 1}


async def test_one_that_begins_late_is_told_at_once(house: House, clock: ManualClock) -> None:
    caller = caller_of("ada", "t", expires=clock.unix_ms() + 10_000)
    async with stream_on(house, caller=caller) as running:
        await running.live()
        await house.hub.sweep()
        await house.hub.sweep()
        assert told(running.pipe.frames) == [10]


async def test_the_end_has_a_timer_and_is_no_sweep_late(house: House, clock: ManualClock) -> None:
    caller = caller_of("ada", "t", expires=clock.unix_ms() + 50)
    async with stream_on(house, caller=caller) as running:
        await running.live()
        assert running.stream.ending is None
        clock.advance(0.05)
        await running.over()  # without a sweep
        assert running.stream.ending == EXPIRED


@pytest.mark.parametrize("direct", [True, False])
async def test_of_whom_it_can_be_asked_it_is_asked_at_the_end(house: House, clock: ManualClock, direct: bool) -> None:
    """And he is told nothing before, since he can do nothing."""
    asked: list[int] = []

    async def again() -> Caller:
        asked.append(clock.unix_ms())
        return caller_of("ada", "t", expires=clock.unix_ms() + 10_000, again=again)

    house.hub.asks = house.renewal.by_asking
    ends = clock.unix_ms() + 10_000
    caller = caller_of("ada", "t", expires=ends, again=again)
    async with stream_on(house, direct=direct, caller=caller) as running:
        await running.live()
        for _ in range(3):
            clock.advance(10)
            await house.hub.sweep()
            await until(lambda: not house.hub._asking)
            assert running.stream.peer.caller.expires == clock.unix_ms() + 10_000
        assert asked == [ends, ends + 10_000, ends + 20_000]
        assert told(running.pipe.frames) == []
        assert running.stream.ending is None


async def test_it_is_asked_once_however_often_one_looks(house: House, clock: ManualClock) -> None:
    asked, answer = 0, asyncio.Event()

    async def again() -> Caller | None:
        nonlocal asked
        asked += 1
        await answer.wait()
        return None

    house.hub.asks = house.renewal.by_asking
    caller = caller_of("ada", "t", expires=clock.unix_ms() + 10_000, again=again)
    async with stream_on(house, caller=caller) as running:
        await running.live()
        clock.advance(10)
        for _ in range(3):
            await house.hub.sweep()
            await asyncio.sleep(0)
        assert (asked, running.stream.ending) == (1, None)
        answer.set()
        await running.over()
        assert running.stream.ending == EXPIRED


async def test_one_without_an_end_is_told_nothing(house: House, clock: ManualClock) -> None:
    async with stream_on(house, caller=caller_of("ada", "t")) as running:
        await running.live()
        clock.advance(10)
        await house.hub.sweep()
        await asyncio.sleep(0)
        assert told(running.pipe.frames) == []
    assert max(WARNINGS) > SOON
