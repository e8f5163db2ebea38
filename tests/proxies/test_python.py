"""The Python client through every mode of the rig: exactly the log's events, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.proxies.cases import Case, cases
from tests.proxies.conftest import selected
from tests.proxies.rounds import EVENTS, Listener, in_time
from tests.support.api import history
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, Event, Transport

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Reading(Listener):
    """One program that reads a topic through a proxy."""

    async def read(self) -> None:
        """As a program does; it tells where it is, and of a failure too, so that nobody waits for it."""
        try:
            await self._read()
        except Exception as error:
            self.tell("failed", error)
            raise

    async def _read(self) -> None:
        ids: list[str] = []
        async with AsyncTwinwire(self.proxy.url) as live, live.subscribe(self.topic) as events:
            self.tell("live", None)
            async for event in events:
                assert isinstance(event, Event), event
                ids.append(event.id)
                if event.type == "done":
                    self.tell("done", (ids, events.transport))
                    return
                if "mark" in event.data:
                    self.tell("mark", event.data["mark"])

    async def run(self, url: str) -> tuple[list[str], Transport]:
        reading = asyncio.create_task(self.read())
        try:
            came_to: tuple[list[str], Transport] = await self.put_through(url)
            await in_time(reading)
        finally:
            reading.cancel()
        return came_to


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readings(
    request: pytest.FixtureRequest, server: ServerProcess
) -> AsyncIterator[dict[str, tuple[Reading, "asyncio.Task[tuple[list[str], Transport]]"]]]:
    """The cases of the tests that were selected, all under way, by name."""
    async with AsyncExitStack() as stack:
        found: dict[str, tuple[Reading, asyncio.Task[tuple[list[str], Transport]]]] = {}
        for case in selected(request.session, "readings"):
            reading = Reading.of(case, "python", server.port)
            await stack.enter_async_context(reading.proxy)
            found[case.name] = (reading, asyncio.create_task(reading.run(server.url)))
        yield found
        for _, task in found.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in found.values()), return_exceptions=True)


@pytest.mark.parametrize("case", [case for case in cases() if not case.forward], ids=str)
async def test_the_client_delivers_the_log(case: Case, readings: Any, server: ServerProcess) -> None:
    reading, running = readings[case.name]
    ids, transport = await running
    assert ids == [event["id"] for event in await history(server.url, [reading.topic])]
    assert len(ids) == EVENTS
    assert transport in case.ends_on
