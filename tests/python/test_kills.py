"""Exactly once and in order, whatever dies: the service by kill -9, the path between, the program that reads.

Hypothesis draws what happens between two handfuls of events. A publisher goes on through all of it by its retries, a
reader lives through it, and another one is a new program each time, which has its cursor from a file and dies in the
middle of a body.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.proxies import modes
from tests.proxies.rig import Mode, Proxy
from tests.python.conftest import QUICK
from tests.python.taking import become
from tests.support.api import history
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, Event, FileStore, Subscription

HANDFUL: Final = 40
TOPIC: Final = "kills/all"

PATHS: Final = {
    "good": Mode,
    "no-websocket": modes.StripUpgrade,
    "kills-websocket": lambda: modes.KillAfterUpgrade(0.1),
    "resets": lambda: modes.ResetMidFrame(3_000),
    "bad-gateway": modes.BadGateway,
}
"""What a path may become; the last one lets nothing through, so it is followed by another."""

STEPS: Final = st.one_of(
    st.just("kill"), st.just("reader"), st.sampled_from(sorted(PATHS)).map(lambda name: f"path:{name}")
)


class World:
    """A server behind a path, a publisher, and readers."""

    def __init__(self, server: ServerProcess, proxy: Proxy, folder: Path) -> None:
        self.server = server
        self.proxy = proxy
        self.store = FileStore(folder / "cursor")
        self.count = 0
        self.lasting: list[str] = []
        self.done: list[str] = []
        """What the programs that die have finished with, one after the other."""

    async def publish(self, live: AsyncTwinwire) -> None:
        async with live.batch(linger_ms=1) as batch:
            for _ in range(HANDFUL):
                await batch.add(TOPIC, "k", {"n": self.count, "padding": "x" * 100})
                self.count += 1

    async def read_on(self, events: Subscription) -> None:
        async for event in events:
            assert isinstance(event, Event), event
            self.lasting.append(event.id)

    async def one_program(self, live: AsyncTwinwire, enough: int) -> None:
        """It dies in the body of the last event: that one is not done."""
        events = live.subscribe(TOPIC, after="earliest", store=self.store)
        left = enough
        async for event in events:
            assert isinstance(event, Event), event
            if left == 0:
                break
            left -= 1
            self.done.append(event.id)
        await events.aclose()

    async def step(self, what: str, live: AsyncTwinwire) -> None:
        if what == "kill":
            await self.server.akill9()
            await self.server.astart()
        elif what == "reader":
            await asyncio.wait_for(self.one_program(live, HANDFUL // 3), 60)
        else:
            await self.proxy.switch(PATHS[what.removeprefix("path:")]())


async def run(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ServerProcess(folder, env={"TWINWIRE_APPS": "none"}) as server:
            async with Proxy(server.port) as proxy, AsyncTwinwire(proxy.url, timing=QUICK) as live:
                world = World(server, proxy, folder)
                reading = asyncio.create_task(world.read_on(live.subscribe(TOPIC, after="earliest")))
                for what in [*steps, "path:good"]:
                    publishing = asyncio.create_task(world.publish(live))
                    await world.step(what, live) if what != "reader" else None
                    if what == "path:bad-gateway":
                        await proxy.switch(Mode())
                    await asyncio.wait_for(publishing, 60)
                    if what == "reader":
                        await world.step(what, live)
                expected: list[dict[str, Any]] = await history(server.url, [TOPIC])
                ids = [event["id"] for event in expected]
                assert [event["data"]["n"] for event in expected] == list(range(world.count)), (
                    "published once, in order"
                )
                await become(lambda: len(world.lasting) >= len(ids), 60)
                assert world.lasting == ids
                assert world.done == ids[: len(world.done)]
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.timeout(600)
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=3, max_size=6))
def test_every_event_once_and_in_order(steps: list[str]) -> None:
    asyncio.run(run(steps))
