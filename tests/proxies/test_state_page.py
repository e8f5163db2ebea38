"""The page of docs/state.md, in Chromium, through every mode of the rig: what it shows is what is so, also after a
reload, in a second tab, and when the server was killed in between.
"""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page

from tests.browser.own import Hosting
from tests.proxies.cases import Case, cases
from tests.proxies.modes import Both
from tests.proxies.rig import Proxy
from tests.support.http import request
from tests.support.server import ROOT, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DEADLINE: Final = 90_000
"""Milliseconds in which a page must show it, a slow path and a dozen others beside it included."""
TOGETHER: Final = 12
PATH: Final = "/devices.html"
SHOWN: Final = """() => [
    Object.fromEntries(
        [...document.querySelectorAll("tr")].map(({ cells }) => [...cells].map((cell) => cell.textContent)),
    ),
    document.getElementById("text").textContent,
]"""


def page_of_the_document() -> str:
    (text,) = re.findall(r"^```html\n(.*?)^```", (ROOT / "docs" / "state.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(text.splitlines()) <= 35
    return str(text)


class World:
    """What is published, and what a page has to show of it."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.devices: dict[str, str] = {}
        self.text = ""
        self.round = 0

    async def change(self) -> None:
        """Devices of three publishers come, change and go, and the text grows."""
        self.round += 1
        drafts = []
        for room in range(3):
            topic, n = f"devices/{room}", self.round
            for subject, value in ((f"d{n % 4}", {"n": n}), (f"d{(n + 1) % 4}", None if n % 3 == 0 else n)):
                drafts.append({"topic": topic, "type": "reading", "subject": subject, "data": value})
                self.devices.pop(f"{topic} {subject}", None)
                if value is not None:
                    self.devices[f"{topic} {subject}"] = json.dumps(value, separators=(",", ":"))
        word = f"word {self.round} ü "
        drafts.append({"topic": "texts/7", "type": "token", "subject": "answer", "data": word, "append": True})
        self.text += word
        answer = await request(self.server.url, "POST", "/api/events", json_body=drafts)
        assert answer.status == 201, answer.text

    @property
    def shown(self) -> list[Any]:
        return [self.devices, self.text]

    async def is_shown(self, case: Case, page: Page) -> None:
        wanted = json.dumps(self.shown, sort_keys=True)
        sort = "(value) => JSON.stringify(value, (_, one) => one && typeof one === 'object' && !Array.isArray(one)"
        sort += " ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1))) : one)"
        told = f"(wanted) => {{ const text = {sort}; return text(({SHOWN})()) === text(JSON.parse(wanted)); }}"
        try:
            await page.wait_for_function(told, arg=wanted, timeout=DEADLINE, polling=100)
        except Exception as error:
            shown = await page.evaluate(SHOWN)
            state = await page.text_content("#state")
            raise AssertionError(f"{case}: {state}: {shown} instead of {self.shown}") from error


@pytest.mark.timeout(400)
async def test_the_page_shows_what_is_so_whatever_sits_between(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hosting = Hosting({PATH: page_of_the_document()})
    through = [case for case in cases() if not case.forward]
    with ServerProcess(tmp_path_factory.mktemp("devices")) as server:
        world = World(server)
        for start in range(0, len(through), TOGETHER):
            async with AsyncExitStack() as stack:
                tabs: list[tuple[Case, Page]] = []
                away: list[Proxy] = []
                for case in through[start : start + TOGETHER]:
                    proxy = await stack.enter_async_context(Proxy(server.port, hosting))
                    context = await browser.new_context()
                    stack.push_async_callback(context.close)
                    first = await context.new_page()
                    await first.goto(f"{proxy.url}{PATH}")
                    tabs.append((case, first))
                    await proxy.switch(Both(hosting, case.make()))
                    if case.outage:
                        away.append(proxy)
                    if case.name == "no fault":
                        second = await context.new_page()
                        await second.goto(f"{proxy.url}{PATH}")
                        tabs.append((case, second))
                await world.change()
                await _all_show(world, [tab for tab in tabs if not tab[0].outage])
                await server.akill9()
                await server.astart()
                for proxy in away:
                    await proxy.switch(hosting)
                for _ in range(3):
                    await world.change()
                await _all_show(world, tabs)
                for case, page in tabs:
                    if case.ends_on & {"websocket", "sse"} and not (case.outage or case.late):
                        await page.reload(timeout=DEADLINE)
                await world.change()
                await _all_show(world, tabs)


async def _all_show(world: World, tabs: list[tuple[Case, Page]]) -> None:
    await asyncio.gather(*[world.is_shown(case, page) for case, page in tabs])
