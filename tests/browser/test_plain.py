"""The pages of docs/client.md that use no library: ten lines with EventSource, ten with WebSocket."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.own import Hosting
from tests.proxies.rig import Proxy
from tests.support.api import history, read
from tests.support.creating import new_project
from tests.support.http import DEADLINE, request
from tests.support.server import ROOT, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
MIDDLE: Final = 60
"""Events after which the server is killed; a run has 160."""
LINES_MAX: Final = 16
PATH: Final = "/plain.html"


def documented(name: str) -> str:
    """The example that opens a `name` by itself, as people copy it."""
    section = (ROOT / "docs" / "client.md").read_text().split("## Without the client")[1]
    (found,) = [block for block in re.findall(r"```html\n(.*?)```", section, re.DOTALL) if f"new {name}(" in block]
    return str(found)


class Console:
    """Ids of the events that a page has logged, each as the first word of a line."""

    def __init__(self, page: Page, epoch: str) -> None:
        self.ids: list[str] = []
        self.connected = asyncio.Event()
        """Set when the first frame came: the EventSource page logs it, of a WebSocket Chromium tells."""
        self._news = asyncio.Event()
        self._epoch = epoch
        page.on("console", lambda message: self._heard(message.text))
        page.on("websocket", lambda socket: socket.on("framereceived", lambda _: self.connected.set()))

    def _heard(self, text: str) -> None:
        first = text.split(" ")[0]
        if first == "control":
            self.connected.set()
        if first.startswith(f"{self._epoch}-"):
            self.ids.append(first)
            self._news.set()

    async def reaches(self, goal: Callable[[], bool]) -> None:
        """Wait until what was heard meets the goal."""
        async with asyncio.timeout(DEADLINE):
            while not goal():
                self._news.clear()
                await self._news.wait()


@pytest.mark.parametrize("name", ["EventSource", "WebSocket"])
async def test_a_page_of_ten_lines_follows_a_run_through_a_crash(
    context: BrowserContext, serve: Serve, name: str
) -> None:
    """The server is killed in mid-run: the browser, or the page, comes back with its last id by itself."""
    server = serve("0.3")
    project = await new_project(server.url, "Ten lines")
    example = documented(name).replace("projects/42", f"projects/{project}")
    assert example.count("\n") <= LINES_MAX
    head = (await read(server.url))["head"]

    page = await context.new_page()
    console = Console(page, head.split("-")[0])
    async with Proxy(server.port, Hosting({PATH: example})) as proxy:
        await page.goto(f"{proxy.url}{PATH}")
        await console.connected.wait()
        await request(server.url, "POST", f"/api/projects/{project}/generate", json_body={})
        await console.reaches(lambda: len(console.ids) >= MIDDLE)
        await server.akill9()
        await server.astart()
        ended = await read(server.url, topic=f"projects/{project}", type="completion", after=head, wait=30)
        last = ended["events"][0]["id"]
        await console.reaches(lambda: last in console.ids)
        start = "earliest" if "after=earliest" in example else head
        assert console.ids == [event["id"] for event in await history(server.url, [f"projects/{project}"], start)]
