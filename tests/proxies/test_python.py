"""The Python client through every mode of the rig: exactly the log's events, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from tests.proxies.cases import Case, cases
from tests.proxies.conftest import selected
from tests.proxies.rig import Mode, Proxy
from tests.proxies.rounds import EVENTS, first_mode, in_time, put_through, topic_of
from tests.support.api import history
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, Event

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Reading:
    """One program that reads a topic through a proxy."""

    case: Case
    proxy: Proxy
    mode: Mode
    telling: asyncio.Queue[tuple[str, Any]] = field(default_factory=asyncio.Queue)

    @property
    def topic(self) -> str:
        return topic_of(self.case, "python")

    async def read(self) -> None:
        """As a program does; it tells where it is, and of a failure too, so that nobody waits for it."""
        try:
            await self._read()
        except Exception as error:
            self.telling.put_nowait(("failed", error))
            raise

    async def _read(self) -> None:
        ids: list[str] = []
        async with AsyncTwinwire(self.proxy.url) as live, live.subscribe(self.topic) as events:
            self.telling.put_nowait(("live", None))
            async for event in events:
                assert isinstance(event, Event), event
                ids.append(event.id)
                if event.type == "done":
                    self.telling.put_nowait(("done", ids))
                    return
                if "mark" in event.data:
                    self.telling.put_nowait(("mark", event.data["mark"]))

    async def told(self, what: str) -> Any:
        name, value = await in_time(self.telling.get())
        assert name == what, (name, value)
        return value

    async def run(self, url: str) -> list[str]:
        reading = asyncio.create_task(self.read())
        try:
            ids: list[str] = await put_through(url, self.topic, self.case, self.proxy, self.mode, self.told)
            await in_time(reading)
        finally:
            reading.cancel()
        return ids


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readings(
    request: pytest.FixtureRequest, server: ServerProcess
) -> AsyncIterator[dict[str, tuple[Reading, "asyncio.Task[list[str]]"]]]:
    """The cases of the tests that were selected, all under way, by name."""
    async with AsyncExitStack() as stack:
        found: dict[str, tuple[Reading, asyncio.Task[list[str]]]] = {}
        for case in selected(request.session, "readings"):
            mode = case.make()
            proxy = await stack.enter_async_context(Proxy(server.port, first_mode(case, mode)))
            reading = Reading(case, proxy, mode)
            found[case.name] = (reading, asyncio.create_task(reading.run(server.url)))
        yield found
        for _, task in found.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in found.values()), return_exceptions=True)


@pytest.mark.parametrize("case", [case for case in cases() if not case.forward], ids=str)
async def test_the_client_delivers_the_log(case: Case, readings: Any, server: ServerProcess) -> None:
    reading, running = readings[case.name]
    ids = await running
    assert ids == [event["id"] for event in await history(server.url, [reading.topic])]
    assert len(ids) == EVENTS
