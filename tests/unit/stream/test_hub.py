"""All streams together: admission, the sweep, and the way out."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.access.revocation import Revocation
from service.bus.bus import EventBus
from service.core.event import Draft
from service.stream.ending import FAULT, RESTART
from service.stream.hub import FAREWELL_BATCH
from tests.support.access import caller_of
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import Running, stream_on
from tests.support.wires import FakePipe


async def many(house: House, stack: AsyncExitStack, count: int) -> list[Running]:
    running = [await stack.enter_async_context(stream_on(house)) for _ in range(count)]
    for one in running:
        await one.live()
    return running


async def test_opened_and_ended_are_counted(house: House) -> None:
    async with AsyncExitStack() as stack:
        left, lost = await many(house, stack, 2)
        left.listener.leave()
        await left.over()
        lost.pipe.is_closed = True
        await house.hub.sweep()
        await lost.over()
    assert dict(house.hub.opened) == {"websocket": 2}
    assert dict(house.hub.ended) == {"client": 1, "lost": 1}


async def test_a_stream_that_breaks_the_sweep_goes_alone(house: House, clock: ManualClock) -> None:
    async with AsyncExitStack() as stack:
        running = await many(house, stack, 3)
        running[1].pipe.fault = RuntimeError("broken")
        clock.advance(20)
        await house.hub.sweep()
        await asyncio.wait([running[1].task])
        assert running[1].stream.ending == FAULT
        assert all("heartbeat" in one.pipe.types for one in (running[0], running[2]))
        assert len(house.hub) == 2


# The way out


async def test_draining_refuses_new_streams_and_says_goodbye_to_all(house: House) -> None:
    async with AsyncExitStack() as stack:
        running = await many(house, stack, 2 * FAREWELL_BATCH + 1)
        await house.hub.drain(10)
        assert len(house.hub) == 0
        for one in running:
            assert (await one.over())[-1] == "goodbye"
        assert house.drain.has_begun
        assert dict(house.hub.ended) == {"restart": len(running)}


async def test_goodbyes_come_in_batches_with_turns_of_the_loop_in_between(house: House) -> None:
    async with AsyncExitStack() as stack:
        running = await many(house, stack, 3 * FAREWELL_BATCH)
        draining = asyncio.create_task(house.hub.drain(10))
        await asyncio.sleep(0)
        assert sum(one.stream.ending is not None for one in running) == FAREWELL_BATCH
        await asyncio.wait_for(draining, 20)


async def test_a_stream_that_was_admitted_just_before_is_sent_away_too(house: House) -> None:
    async with stream_on(house) as late:  # its first step comes after the drain
        await house.hub.drain(10)
        types = await late.over()
        assert (types[0], types[-1]) == ("connection", "goodbye")
        assert late.stream.ending.code == 1012


async def test_who_does_not_hear_the_goodbye_is_cut_at_the_end_of_the_grace(house: House) -> None:
    async with stream_on(house, pipe=FakePipe(direct=False)) as deaf:
        await deaf.live()
        deaf.pipe.fill()
        await house.hub.drain(0.01)
        assert deaf.pipe.aborted


async def test_draining_an_empty_house_takes_no_time(house: House) -> None:
    async with asyncio.timeout(5):
        await house.hub.drain(3_600)


async def test_peers_are_who_is_connected_in_the_order_in_which_they_came(house: House, clock: ManualClock) -> None:
    async with AsyncExitStack() as stack:
        first, second = await many(house, stack, 2)
        assert [peer.id for peer in house.hub.peers()] == [first.stream.peer.id, second.stream.peer.id]
        assert first.pipe.frames[0]["connection"] == first.stream.peer.id
        assert (first.stream.peer.transport, first.stream.peer.since) == ("websocket", clock.unix_ms())
        first.listener.leave()
        await first.over()
        assert [peer.id for peer in house.hub.peers()] == [second.stream.peer.id]


async def test_one_peer_is_ended_and_told_why_and_the_others_stay(house: House) -> None:
    async with AsyncExitStack() as stack:
        first, second = await many(house, stack, 2)
        assert house.hub.end(first.stream.peer.id, RESTART)
        assert (await first.over())[-1] == "goodbye"
        assert not house.hub.end(first.stream.peer.id, RESTART)
        assert second.stream.ending is None


async def test_the_sweeper_runs_until_it_is_closed(bus: EventBus) -> None:
    house = House.of(bus, ManualClock())
    house.hub.start()
    async with stream_on(house) as running:
        await running.live()
        running.pipe.is_closed = True
        await running.over()  # by the sweep
    await house.hub.close()
    await house.hub.close()
    assert house.hub._sweeper is not None
    assert house.hub._sweeper.cancelled()


@pytest.mark.parametrize("reason", ["revoked", "expired"])
async def test_a_credential_that_ended_while_a_stream_was_opened_ends_it(
    house: House, bus: EventBus, clock: ManualClock, reason: str
) -> None:
    """It was nobody's stream when those of its bearer were looked for; nothing of the log is sent any more."""
    caller = caller_of("ada", "t", jti="one", expires=clock.unix_ms() + 10_000)
    await bus.publish([Draft("t", "x", "1")])
    async with stream_on(house, start="earliest", caller=caller) as late:  # its first step comes after this
        if reason == "revoked":
            house.gate.authority.revocations.add(Revocation("jti", "one", clock.unix_ms(), clock.unix_ms()))
        else:
            clock.advance(10.0)
        types = await late.over()
        assert types == ["connection", "goodbye"]
        assert late.pipe.frames[-1]["detail"] == reason
