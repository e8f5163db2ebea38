"""Searches go on with their callers, and only so many at a time."""

import asyncio
from typing import Any

import pytest

from service.access.caller import Caller
from service.access.gate import Act
from service.access.reads import SCANS, Reads
from service.core.errors import OverloadedError, RateLimitedError
from service.wire.request import DisconnectedError
from service.wire.scanning import FREE_STEPS, MAKING_MAX, Scans
from tests.support.access import gate_with

Inbox = asyncio.Queue[dict[str, Any]]
NOBODY = Caller()


async def at_once() -> None:
    pass


def scans_of(**most: int) -> Scans:
    return Scans(at_once, Reads(**most), gate_with())


async def steps(scan: Any, count: int) -> None:
    for _ in range(count):
        await scan.turn()
        await asyncio.sleep(0)


async def test_a_short_search_takes_no_place_and_listens_to_nobody() -> None:
    scans, inbox = scans_of(), Inbox()
    inbox.put_nowait({"type": "http.disconnect"})
    async with scans.of(inbox.get, NOBODY) as scan:
        await steps(scan, FREE_STEPS)
        assert (scans.reads.scans, inbox.qsize()) == (0, 1)


async def test_a_long_one_takes_a_place_until_it_ends() -> None:
    scans = scans_of()
    async with scans.of(Inbox().get, NOBODY) as scan:
        await steps(scan, FREE_STEPS + 1)
        assert scans.reads.scans == 1
        await scan.pause()
        assert scans.reads.scans == 0
        await steps(scan, FREE_STEPS + 1)
        assert scans.reads.scans == 1
    assert scans.reads.scans == 0


async def test_it_ends_when_the_caller_leaves_and_not_for_the_rest_of_a_body() -> None:
    scans, inbox = scans_of(), Inbox()
    inbox.put_nowait({"type": "http.request", "body": b""})
    async with scans.of(inbox.get, NOBODY) as scan:
        await steps(scan, 3 * FREE_STEPS)
        inbox.put_nowait({"type": "http.disconnect"})
        with pytest.raises(DisconnectedError):
            await steps(scan, 3)
    assert scans.reads.scans == 0


async def test_a_caller_that_leaves_is_not_lost_in_a_pause() -> None:
    scans, inbox = scans_of(), Inbox()
    async with scans.of(inbox.get, NOBODY) as scan:
        await steps(scan, FREE_STEPS + 1)
        inbox.put_nowait({"type": "http.disconnect"})
        await asyncio.sleep(0)
        with pytest.raises(DisconnectedError):
            await scan.pause()


async def test_places_are_bounded_and_one_past_is_refused() -> None:
    scans = scans_of()
    going_on = [scans.of(Inbox().get, NOBODY) for _ in range(SCANS)]
    for scan in going_on:
        await steps(scan, FREE_STEPS + 1)
    async with scans.of(Inbox().get, NOBODY) as one_more:
        with pytest.raises(OverloadedError):
            await steps(one_more, FREE_STEPS + 1)
    await going_on[0].pause()
    async with scans.of(Inbox().get, NOBODY) as now:
        await steps(now, FREE_STEPS + 1)
    for scan in going_on:
        await scan.pause()
    assert scans.reads.scans == 0


async def test_one_caller_has_so_many_and_others_have_theirs() -> None:
    scans = scans_of(of_caller=2)
    ada, bob = Caller("ada"), Caller("bob")
    first, second = scans.of(Inbox().get, ada), scans.of(Inbox().get, ada)
    for scan in (first, second):
        await steps(scan, FREE_STEPS + 1)
    async with scans.of(Inbox().get, ada) as one_more:
        with pytest.raises(RateLimitedError) as refused:
            await steps(one_more, FREE_STEPS + 1)
    assert refused.value.retry_after
    assert dict(scans.gate.refused) == {(Act.READ, "share"): 1}
    async with scans.of(Inbox().get, bob) as other:
        await steps(other, FREE_STEPS + 1)
    await first.pause()
    async with scans.of(Inbox().get, ada) as again:
        await steps(again, FREE_STEPS + 1)
    await second.pause()
    assert scans.reads.scans == 0


async def test_only_so_many_answers_are_made_at_a_time() -> None:
    """What is found is held before anybody counts it; who waits for something has found nothing, and a scan has a
    place of its own.
    """
    scans, entered = scans_of(), list[int]()
    go_on = asyncio.Event()

    async def make(number: int) -> None:
        async with scans.of(Inbox().get, NOBODY) as scan:
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
    async with scans.of(Inbox().get, NOBODY) as waiting, scans.of(Inbox().get, NOBODY) as long:
        await steps(waiting, 1)
        await waiting.pause()
        await steps(long, FREE_STEPS + 1)
        assert scans.making._value == MAKING_MAX
    assert (scans.making._value, scans.reads.scans) == (MAKING_MAX, 0)
