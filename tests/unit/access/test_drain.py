"""Sending everybody away: when it has begun, and when each may come back."""

import asyncio

from service.access.drain import RETURN_MS_MAX, Drain
from service.core.limits import RETRY_MIN_MS


async def test_who_waits_for_it_learns_of_it_once_it_has_begun() -> None:
    drain = Drain()
    waiting = asyncio.create_task(drain.wait())
    await asyncio.sleep(0)
    assert not drain.has_begun
    assert not waiting.done()
    drain.begin()
    assert drain.has_begun
    await asyncio.wait_for(waiting, 20)


async def test_clients_come_back_spread_over_the_number_of_them() -> None:
    drain = Drain()
    alone = [drain.return_delay() for _ in range(200)]
    assert RETRY_MIN_MS <= min(alone) <= max(alone) <= 2 * RETRY_MIN_MS
    drain.begin(1_000)
    crowd = [drain.return_delay() for _ in range(500)]
    assert max(crowd) <= 2 * RETRY_MIN_MS + 10_000
    assert max(crowd) - min(crowd) > 5_000
    assert all(drain.return_delay(10**9) <= RETURN_MS_MAX for _ in range(200))


async def test_the_crowd_of_the_beginning_counts_also_when_most_have_left() -> None:
    drain = Drain()
    drain.begin(1_000)
    drain.begin(1)
    assert max(drain.return_delay(1) for _ in range(500)) > 2 * RETRY_MIN_MS + 10
