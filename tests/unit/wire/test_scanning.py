"""Searches go on with their callers, and only so many at a time."""

import asyncio
from typing import Any

import pytest

from service.core.errors import OverloadedError
from service.wire.request import DisconnectedError
from service.wire.scanning import FREE_STEPS, MAKING_MAX, SCANS_MAX, Scans

Inbox = asyncio.Queue[dict[str, Any]]


async def at_once() -> None:
    pass


async def steps(scan: Any, count: int) -> None:
    for _ in range(count):
        await scan.turn()
        await asyncio.sleep(0)


async def test_a_short_search_takes_no_place_and_listens_to_nobody() -> None:
    scans, inbox = Scans(at_once), Inbox()
    inbox.put_nowait({"type": "http.disconnect"})
    async with scans.of(inbox.get) as scan:
        await steps(scan, FREE_STEPS)
        assert (scans.running, inbox.qsize()) == (0, 1)


async def test_a_long_one_takes_a_place_until_it_ends() -> None:
    scans = Scans(at_once)
    async with scans.of(Inbox().get) as scan:
        await steps(scan, FREE_STEPS + 1)
        assert scans.running == 1
        await scan.pause()
        assert scans.running == 0
        await steps(scan, FREE_STEPS + 1)
        assert scans.running == 1
    assert scans.running == 0


async def test_it_ends_when_the_caller_leaves_and_not_for_the_rest_of_a_body() -> None:
    scans, inbox = Scans(at_once), Inbox()
    inbox.put_nowait({"type": "http.request", "body": b""})
    async with scans.of(inbox.get) as scan:
        await steps(scan, 3 * FREE_STEPS)
        inbox.put_nowait({"type": "http.disconnect"})
        with pytest.raises(DisconnectedError):
            await steps(scan, 3)
    assert scans.running == 0


async def test_a_caller_that_leaves_is_not_lost_in_a_pause() -> None:
    scans, inbox = Scans(at_once), Inbox()
    async with scans.of(inbox.get) as scan:
        await steps(scan, FREE_STEPS + 1)
        inbox.put_nowait({"type": "http.disconnect"})
        await asyncio.sleep(0)
        with pytest.raises(DisconnectedError):
            await scan.pause()


async def test_places_are_bounded_and_one_past_is_refused() -> None:
    scans = Scans(at_once)
    going_on = [scans.of(Inbox().get) for _ in range(SCANS_MAX)]
    for scan in going_on:
        await steps(scan, FREE_STEPS + 1)
    async with scans.of(Inbox().get) as one_more:
        with pytest.raises(OverloadedError):
            await steps(one_more, FREE_STEPS + 1)
    await going_on[0].pause()
    async with scans.of(Inbox().get) as now:
        await steps(now, FREE_STEPS + 1)
    for scan in going_on:
        await scan.pause()
    assert scans.running == 0


async def test_only_so_many_answers_are_made_at_a_time() -> None:
    """What is found is held before anybody counts it; who waits for something has found nothing, and a scan has a
    place of its own.
    """
    scans, entered = Scans(at_once), list[int]()
    go_on = asyncio.Event()

    async def make(number: int) -> None:
        async with scans.of(Inbox().get) as scan:
            await steps(scan, 2)
            entered.append(number)
            await go_on.wait()

    makers = [asyncio.create_task(make(number)) for number in range(MAKING_MAX + 5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert entered == list(range(MAKING_MAX))
    go_on.set()
    await asyncio.gather(*makers)
    assert len(entered) == MAKING_MAX + 5
    async with scans.of(Inbox().get) as waiting, scans.of(Inbox().get) as long:
        await steps(waiting, 1)
        await waiting.pause()
        await steps(long, FREE_STEPS + 1)
        assert scans.making._value == MAKING_MAX
    assert (scans.making._value, scans.running) == (MAKING_MAX, 0)
