"""The pages for everyone: axe finds nothing, in either colour scheme, in every state that a page shows."""

import re
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from tests.browser.desk import Desk
from tests.browser.looks import assert_accessible
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, server: ServerProcess, scheme: Scheme) -> None:
    context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = await context.new_page()
    desk = Desk(page, server.url)
    await desk.home()
    await desk.live()
    await page.get_by_role("button", name="Create project").click()
    await expect(page.locator("#name-error")).to_be_visible()
    await page.locator("#indicator summary").click()
    await assert_accessible(page)

    await desk.open(await new_project(server.url, f"For everyone, {scheme}"))
    await assert_accessible(page)
    await desk.generate()
    await desk.status("completed")
    await expect(page.locator("#preview-text")).not_to_be_empty()
    await assert_accessible(page)
    await page.get_by_role("button", name="Delete").click()
    await assert_accessible(page)

    await desk.lab()
    await page.get_by_role("button", name="Block WebSocket").click()
    await page.get_by_role("button", name="100", exact=True).click()
    await expect(page.locator("#verdict")).to_contain_text("exactly once", timeout=30_000)
    await assert_accessible(page)

    await page.goto(f"{server.url}/project.html?id=nothere")
    await expect(page.locator("#missing")).to_be_visible()
    await assert_accessible(page)
    await context.close()


async def test_progress_and_completion_are_spoken_but_not_every_line(desk: Desk) -> None:
    await desk.create("Spoken")
    await desk.page.evaluate(
        """() => {
          window.spoken = [];
          const voice = document.getElementById("voice");
          new MutationObserver(() => window.spoken.push(voice.textContent)).observe(voice, {childList: true});
        }"""
    )
    await desk.generate()
    await desk.status("completed")
    await expect(desk.page.locator("#voice")).to_contain_text("Spoken:", timeout=10_000)
    spoken = await desk.page.evaluate("window.spoken")
    lines = await desk.page.locator("#log-lines .line").count()
    assert 1 <= len(spoken) < lines / 2
    assert re.search("Spoken: ", spoken[-1])
