"""What a client is put through on one path: rounds of events, each when the one before has arrived, and the fault."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.proxies.cases import Case
from tests.proxies.rig import Mode, Proxy
from tests.proxies.watching import met
from tests.support.api import publish, publish_many

DEADLINE: Final = 60.0
"""Seconds in which one step of a case must be done."""
ROUNDS: Final = 6
MIDDLE: Final = 2
"""The round in which the path turns bad, if it was not from the start."""
BATCH: Final = 20
PADDING: Final = "x" * 200
"""Makes an event as large as those of a run are."""
EVENTS: Final = ROUNDS * BATCH + 1


def topic_of(case: Case, who: str) -> str:
    return f"rig/{who}/{str(case).replace('/', '.').replace(',', '')}"


def first_mode(case: Case, mode: Mode) -> Mode:
    """How the path is when the client comes."""
    return Mode() if case.outage or case.late else mode


Told = Callable[[str], Awaitable[Any]]
"""Waits for the next thing that the client tells (`live`, `mark`, `done`), and gives what came with it."""


async def put_through(url: str, topic: str, case: Case, proxy: Proxy, mode: Mode, told: Told) -> Any:
    """Publishes past the proxy, at `url`; what the client tells at its end."""
    await told("live")
    if case.before:
        await met(case, proxy)
    for number in range(ROUNDS):
        if number == MIDDLE and (case.outage or case.late):
            await proxy.switch(mode)
        values = [{"n": n, "text": PADDING} for n in range(BATCH - 1)]
        await publish_many(url, topic, [*values, {"mark": number}])
        if number == MIDDLE:
            await met(case, proxy)
        if number == MIDDLE and case.outage:
            await proxy.switch(Mode())
        assert await told("mark") == number
    await publish(url, topic, type="done")
    return await told("done")


async def in_time(waiting: Awaitable[Any]) -> Any:
    """One step of a case."""
    return await asyncio.wait_for(waiting, DEADLINE)
