"""Requests that are too long for what stands in between: final, with the remedy, on the stream and on the pages."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.desk import Desk
from tests.browser.own import Hosting, Own, noticed, own
from tests.proxies.http1 import Head, page
from tests.proxies.nginx import DEFAULT, Nginx
from tests.proxies.rig import Mode, Proxy
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SMALL: Final = "listen 80; client_header_buffer_size 1k; large_client_header_buffers 2 1k;"
"""nginx with room for what Chromium sends by itself, and not for a kilobyte more in one line."""
LINE: Final = 1_200
"""Characters that are more than that."""
LONG: Final = [f"long/{'x' * 40}/{n}" for n in range(LINE // 40)]
REMEDY: Final = "large_client_header_buffers"
COOKIE: Final = f"document.cookie = 'long={'x' * LINE}; path=/'"


class Narrow(Hosting):
    """Answers heads of over `limit` bytes as Node, Envoy and Go do, or long targets as most do; no WebSocket."""

    def __init__(self, pages: dict[str, str], limit: int, status: str) -> None:
        super().__init__(pages)
        self._limit = limit
        self._status = status

    async def refuse(self, request: Head) -> bytes | None:
        measured = request.target if self._status.startswith("414") else request.encode()
        if request.target.startswith("/api/") and len(measured) > self._limit:
            return page(self._status, "")
        return page("403 Forbidden", "") if request.wants_websocket else await super().refuse(request)


def assert_ended(seen: dict[str, Any], status: int) -> None:
    """For good, with the remedy, and without another try."""
    assert seen["state"] == "closed"
    (told,) = noticed(seen, ":close")
    assert str(status) in told["error"]
    assert REMEDY in told["error"]
    assert noticed(seen, ":retry") == []


async def assert_told(on: Page, status: int) -> None:
    """A page of the product says so, and no more that it keeps trying."""
    await expect(on.locator("#indicator-state")).to_have_text("Closed", timeout=20_000)
    await expect(on.locator("#indicator")).to_have_attribute("data-tone", "down")
    notice = on.locator("#notice")
    await expect(notice).to_contain_text("has stopped listening")
    await expect(notice).to_contain_text(f"HTTP {status}: the request is too long")
    await expect(notice).to_contain_text(REMEDY)


async def test_nginx_with_small_buffers_takes_no_long_url(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    """It says 414. A list that is short enough is no longer too long."""
    pages = {"/own.html": own(topics=LONG), "/short.html": own()}
    async with Proxy(server.port, Hosting(pages)) as proxy:
        with Nginx(DEFAULT.replace("listen 80;", SMALL), proxy, tmp_path) as front:
            await page.goto(f"{front.url}/own.html")
            assert_ended(await Own(page).reaches("seen.stream.state === 'closed'"), 414)
            await page.goto(f"{front.url}/short.html")
            assert (await Own(page).live())["transport"] == "sse"


async def test_nginx_with_small_buffers_takes_no_long_cookie(page: Page, server: ServerProcess, tmp_path: Path) -> None:
    """It says 400, and only its page says what is wrong. The pages repeat it."""
    async with Proxy(server.port, Hosting({"/own.html": own()})) as proxy:
        with Nginx(DEFAULT.replace("listen 80;", SMALL), proxy, tmp_path) as front:
            lab = Desk(page, front.url)
            await lab.lab()
            await page.evaluate(COOKIE)
            await page.get_by_role("button", name="Drop the connection").click()
            await assert_told(page, 400)
            await expect(page.locator("#journal")).to_contain_text("too long")
            await page.context.clear_cookies()
            await page.goto(f"{front.url}/own.html")
            await Own(page).live()
            await page.evaluate(f"{COOKIE}; seen.stream.reconnect()")
            assert_ended(await Own(page).reaches("seen.stream.state === 'closed'"), 400)


async def test_a_head_that_is_too_large_ends_every_page_with_the_remedy(page: Page, server: ServerProcess) -> None:
    project = await new_project(server.url, "Too large")
    async with Proxy(server.port) as proxy:
        for path in ("/", f"/project.html?id={project}", "/lab.html"):
            await page.goto(f"{proxy.url}{path}")
            desk = Desk(page, proxy.url)
            await desk.live("WebSocket")
            await proxy.switch(Narrow({}, 0, "431 Request Header Fields Too Large"))
            await assert_told(page, 431)
            asked = -1
            while (now := proxy.counts["requests"]) != asked:  # those that were on their way
                asked = now
                await asyncio.sleep(0.5)
            await page.evaluate("fetch('api/health')")
            assert proxy.counts["requests"] == asked + 1, "nothing else is asked any more"
            await proxy.switch(Mode())
            await page.get_by_role("button", name="Load again").click()
            await desk.live("WebSocket")
            await expect(page.locator("#notice")).to_be_hidden()


async def test_of_many_tabs_only_the_one_with_the_long_list_ends(
    context: BrowserContext, server: ServerProcess
) -> None:
    """The leader asks for the topics of all; what is too long for the way is not its own list."""
    pages = {"/own.html": own(), "/long.html": own(topics=LONG)}
    async with Proxy(server.port, Narrow(pages, LINE, "414 URI Too Long")) as proxy:
        tabs = [await context.new_page() for _ in range(2)]
        for tab in tabs:
            await tab.goto(f"{proxy.url}/own.html")
            await Own(tab).live()
        long = await context.new_page()
        await long.goto(f"{proxy.url}/long.html")
        assert_ended(await Own(long).reaches("seen.stream.state === 'closed'"), 414)
        seen = [await Own(tab).works() for tab in tabs]
    assert [one["role"] for one in seen] == ["leader", "follower"]
    assert all("closed" not in [notice["state"] for notice in noticed(one, ":state")] for one in seen)
