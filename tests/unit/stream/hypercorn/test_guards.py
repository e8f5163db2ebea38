import asyncio

import pytest

from service.stream.hypercorn.guards import LET_IN, Guards, Turns


async def loop_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_alone_does_not_wait() -> None:
    turns = Turns()
    for _ in range(2):
        with pytest.raises(StopIteration):  # what a coroutine ends with that never suspends
            turns.take().send(None)


async def hog(turns: Turns, until: asyncio.Event) -> int:
    """Take turn after turn without ever waiting for anything else; how many it got."""
    count = 0
    while not until.is_set():
        await turns.take()
        count += 1
    return count


async def test_others_come_in_between_however_many_take_turns() -> None:
    turns, over = Turns(), asyncio.Event()
    hogs = [asyncio.create_task(hog(turns, over)) for _ in range(50)]
    await loop_turns(200)
    over.set()
    counts = await asyncio.wait_for(asyncio.gather(*hogs), 10)
    assert min(counts) >= 1, "first come, first served"
    waited = sorted(counts)[:-1]  # one of them began, and had the time that was left of its turn
    assert sum(waited) <= 50 + (200 + 5) * LET_IN


async def test_who_was_cancelled_holds_up_nobody() -> None:
    turns, over = Turns(), asyncio.Event()
    hogs = [asyncio.create_task(hog(turns, over)) for _ in range(5)]
    await loop_turns(10)
    for task in hogs[:4]:
        task.cancel()
    await asyncio.gather(*hogs[:4], return_exceptions=True)
    late = asyncio.create_task(turns.take())
    await asyncio.wait_for(late, 10)
    over.set()
    assert await asyncio.wait_for(hogs[4], 10)


def test_http_2_without_tls_is_not_spoken_unless_it_is_asked_for() -> None:
    assert not Guards().h2c
    assert Guards(h2c=True).h2c
