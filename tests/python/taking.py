"""What tests take of a subscription, never for longer than a test may wait."""

import asyncio
from typing import Any

from twinwire import Event, Gap, Subscription

DEADLINE = 30.0


async def take(subscription: Subscription, count: int) -> list[Event | Gap]:
    """The next `count` of what it yields."""
    async with asyncio.timeout(DEADLINE):
        return [await anext(subscription) for _ in range(count)]


async def data_of(subscription: Subscription, count: int) -> list[Any]:
    """The data of the next `count`, which are events."""
    found = await take(subscription, count)
    assert all(isinstance(one, Event) for one in found), found
    return [one.data for one in found if isinstance(one, Event)]


async def become(what: Any, deadline: float = DEADLINE) -> None:
    """Until `what()` is true."""
    async with asyncio.timeout(deadline):
        while not what():
            await asyncio.sleep(0.01)


async def rest_of(subscription: Subscription) -> list[Event | Gap]:
    """All that it still yields, until it ends."""
    async with asyncio.timeout(DEADLINE):
        return [one async for one in subscription]
