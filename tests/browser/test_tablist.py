"""The tabs of the home page: with one column, activity is beside the projects, and the address says which is open."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.desk import Desk
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 320, "height": 640}, reduced_motion="reduce")
    yield context
    await context.close()


async def assert_shown(page: Page, name: str) -> None:
    tabs, panels = ("Projects", "Activity"), ("#work", "#activity")
    for tab, panel in zip(tabs, panels, strict=True):
        is_shown = tab == name
        await expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", str(is_shown).lower())
        await expect(page.get_by_role("tab", name=tab)).to_have_attribute("tabindex", "0" if is_shown else "-1")
        await expect(page.locator(panel)).to_be_visible(visible=is_shown)
    await expect(page.get_by_role("tabpanel", name=name)).to_be_visible()


async def test_activity_is_a_tab_that_a_reload_and_the_way_back_keep(
    narrow: BrowserContext, server: ServerProcess
) -> None:
    page = await narrow.new_page()
    desk = Desk(page, server.url)
    await new_project(server.url, "In a tab")
    await desk.home()
    await assert_shown(page, "Projects")
    top = await page.get_by_role("tablist").bounding_box()
    await page.get_by_role("tab", name="Activity").click()
    await assert_shown(page, "Activity")
    assert await page.get_by_role("tablist").bounding_box() == top, "nothing above has moved"
    await expect(page).to_have_url(re.compile("#activity$"))
    await page.reload()
    await assert_shown(page, "Activity")
    await expect(page.locator("#feed")).to_contain_text("was created")
    await page.go_back()
    await assert_shown(page, "Projects")
    await page.go_forward()
    await assert_shown(page, "Activity")
    await page.get_by_role("link", name="New project").click()
    await assert_shown(page, "Projects")
    await expect(page.get_by_role("heading", name="New project")).to_be_in_viewport()


async def test_the_keyboard_goes_through_the_tabs(narrow: BrowserContext, server: ServerProcess) -> None:
    page = await narrow.new_page()
    await Desk(page, server.url).home()
    await page.get_by_role("tab", name="Projects").focus()
    for key, name in (
        ("ArrowRight", "Activity"),
        ("ArrowRight", "Projects"),
        ("ArrowLeft", "Activity"),
        ("Home", "Projects"),
        ("End", "Activity"),
    ):
        await page.keyboard.press(key)
        await assert_shown(page, name)
        await expect(page.get_by_role("tab", name=name)).to_be_focused()
    await page.get_by_role("link", name="Skip to content").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await assert_shown(page, "Activity")


async def test_what_the_address_says_is_painted_before_a_script_has_run(
    browser: Browser, server: ServerProcess
) -> None:
    context = await browser.new_context(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{server.url}/#activity")
    await expect(page.locator("#activity")).to_be_visible()
    await expect(page.locator("#work")).to_be_hidden()
    await page.goto(f"{server.url}/")
    await expect(page.locator("#activity")).to_be_hidden()
    await expect(page.locator("#work")).to_be_visible()
    await context.close()


async def test_where_there_is_room_both_stand_beside_each_other(narrow: BrowserContext, server: ServerProcess) -> None:
    page = await narrow.new_page()
    await Desk(page, server.url).home()
    await page.get_by_role("tab", name="Activity").click()
    await page.set_viewport_size({"width": 1280, "height": 800})
    await expect(page.get_by_role("tablist")).to_have_count(0)
    await expect(page.get_by_role("tabpanel")).to_have_count(0)
    for heading in ("All projects", "New project", "Activity"):
        await expect(page.get_by_role("heading", name=heading)).to_be_visible()
    await page.set_viewport_size({"width": 320, "height": 640})
    await assert_shown(page, "Activity")
