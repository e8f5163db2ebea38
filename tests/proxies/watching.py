"""Watching: a run on a project's page in Chromium, behind a proxy, from before its start until its end is shown."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, BrowserContext

from tests.browser.witness import LIVE_DEADLINE, Outcome, Witness, tap
from tests.proxies.cases import Case
from tests.proxies.rig import Mode, Proxy
from tests.support.creating import new_project
from tests.support.server import ServerProcess


@dataclass(frozen=True, slots=True)
class Watcher:
    """A browser and servers, between which a case puts its proxy; a server for each pace."""

    browser: Browser
    servers: Mapping[float, ServerProcess]

    async def watch(self, case: Case) -> Outcome:
        """Raises AssertionError if the fault was never met."""
        mode = case.make()
        server = self.servers[case.pace]
        async with Proxy(server.port, Mode() if case.outage or case.late else mode) as proxy:
            options: Any = {"proxy": {"server": proxy.url}} if case.forward else {}
            context = await self.browser.new_context(reduced_motion="reduce", **options)
            context.set_default_timeout(LIVE_DEADLINE)
            await tap(context)
            try:
                return await self._run(case, mode, proxy, context, server.url)
            finally:
                await context.close()

    async def _run(self, case: Case, mode: Mode, proxy: Proxy, context: BrowserContext, url: str) -> Outcome:
        project = await new_project(url, f"Behind a path that {case.name}")
        witness = await Witness.open(context, url if case.forward else proxy.url, url, project)
        await witness.live()
        if case.late:
            await witness.again()
            await proxy.switch(mode)
            await witness.live()
        if case.before:
            await met(case, proxy)
        await witness.generate()
        if case.outage:
            await proxy.switch(mode)
            await met(case, proxy)
            await proxy.switch(Mode())
        await witness.shown()
        what, times = case.met
        assert proxy.counts[what] >= times, proxy.counts
        return await witness.outcome(case.name)


async def met(case: Case, proxy: Proxy) -> None:
    """Wait until the fault has been met."""
    await asyncio.wait_for(proxy.seen(*case.met), LIVE_DEADLINE / 1_000)
