"""The notice that a page is away comes and goes, and nothing on the page moves or is hidden with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.desk import Desk
from tests.support.creating import new_project

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDTHS: Final = (320, 390, 768, 1024, 1280, 1920)
HEIGHT: Final = 800
ROWS: Final = {
    "home": ("h1", "#projects li", "#create", "#brief-form", ".indicator"),
    "project": (".crumb a", "#name", "#status", "#generate", "#logs", "#files-panel", ".indicator"),
}
"""What must stay where it is, from the head to the last panel."""

BOXES: Final = """async ([width, selectors]) => {
    do await new Promise(requestAnimationFrame); while (innerWidth !== width);
    const look = () => {
        const boxes = selectors.map((one) => document.querySelector(one).getBoundingClientRect());
        return [document.body.scrollHeight, ...boxes.map(({ x, y, width, height }) => [x, y, width, height])];
    };
    let before;
    let found = "";
    do {
        before = found;
        for (let n = 0; n < 3; n += 1) await new Promise(requestAnimationFrame);
        found = JSON.stringify(look());
    } while (found !== before);
    return JSON.parse(found);
}"""
"""How long the page is, and where each of them stands."""

ROOM: Final = """() => {
    const { top } = document.querySelector("#notice").getBoundingClientRect();
    return innerHeight - top <= parseFloat(getComputedStyle(document.querySelector("main")).paddingBottom);
}"""
"""Whether the page has as much room at its end as the notice takes."""

COVERED: Final = """() => {
    const notice = document.querySelector("#notice").getBoundingClientRect();
    const at = document.activeElement;
    if (at === document.body) return null;
    const { left, right, top, bottom } = at.getBoundingClientRect();
    const isOver = left < notice.right && right > notice.left && top >= notice.top && bottom <= notice.bottom;
    return [at.id || at.textContent.trim(), isOver && !at.closest("#notice")];
}"""


@asynccontextmanager
async def away(context: BrowserContext, page: Page) -> AsyncIterator[None]:
    """Offline, until the page says so, and for as long as the block lasts."""
    notice = page.locator("#notice")
    await context.set_offline(True)
    await expect(notice).to_contain_text("This device is offline")
    yield
    await context.set_offline(False)
    await expect(notice).to_be_hidden(timeout=20_000)
    await expect(page.locator("#indicator")).to_have_attribute("data-tone", "live")


async def boxes(page: Page, selectors: tuple[str, ...]) -> dict[int, Any]:
    found = {}
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        found[width] = await page.evaluate(BOXES, [width, selectors])
    return found


async def shown(desk: Desk, name: str) -> None:
    """The page of this name, live."""
    project = await new_project(desk.url, "Stays where it is")
    await (desk.home() if name == "home" else desk.open(project))
    return await desk.live()


@pytest.mark.parametrize("name", sorted(ROWS))
async def test_nothing_moves(context: BrowserContext, desk: Desk, name: str) -> None:
    await shown(desk, name)
    before = await boxes(desk.page, ROWS[name])
    async with away(context, desk.page):
        assert await boxes(desk.page, ROWS[name]) == before
        for width in WIDTHS:
            await desk.page.set_viewport_size({"width": width, "height": HEIGHT})
            await desk.page.evaluate(BOXES, [width, []])
            assert await desk.page.evaluate(ROOM), width
    assert await boxes(desk.page, ROWS[name]) == before


async def test_neither_the_head_nor_what_has_the_focus_is_hidden(context: BrowserContext, desk: Desk) -> None:
    """On a phone and on a screen, from the first to the last stop of the keyboard."""
    await shown(desk, "project")
    page = desk.page
    async with away(context, page):
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 600})
            await page.evaluate("window.scrollTo(0, 0), document.activeElement.blur()")
            for control in (".brand", ".ways a >> nth=0", "#indicator summary"):
                await page.locator(control).click(trial=True, timeout=5_000)
            stops = []
            for _ in range(60):
                await page.keyboard.press("Tab")
                await page.evaluate("new Promise(requestAnimationFrame)")
                if (found := await page.evaluate(COVERED)) is None:
                    break
                stops.append(found)
            assert len(stops) >= 9, stops
            assert [stop for stop, is_covered in stops if is_covered] == []


async def test_what_has_the_focus_when_it_comes_stays_in_sight(context: BrowserContext, desk: Desk) -> None:
    await shown(desk, "project")
    page = desk.page
    await page.set_viewport_size({"width": 320, "height": 600})
    search = page.locator("#log-search")
    await search.focus()
    # As far down as one can scroll it by hand.
    await search.evaluate("(it) => window.scrollBy(0, it.getBoundingClientRect().bottom - innerHeight + 40)")
    before = await search.bounding_box()
    async with away(context, page):
        assert await page.evaluate(COVERED) == ["log-search", False]
        await expect(page.locator("#notice")).to_have_attribute("data-edge", "other")
        assert await search.bounding_box() == before
        await page.locator("#generate").focus()
        await expect(page.locator("#notice[data-edge]")).to_have_count(0)


async def test_an_error_does_not_lie_over_the_button_that_is_pressed_again(desk: Desk) -> None:
    await shown(desk, "project")
    page = desk.page
    await page.route("**/generate", lambda route: route.fulfill(status=403, body="no"))
    toasts = page.locator(".toast[data-kind=error]")
    for times in (1, 2):
        await page.click("#generate")
        await expect(toasts).to_have_count(times)
    await page.locator("#log-wrap").focus()
    await expect(page.locator(".toasts[data-edge]")).to_have_count(0)
    for left in (1, 0):
        await toasts.first.get_by_role("button", name="Close").click()
        await expect(toasts).to_have_count(left)


async def test_on_paper_and_in_forced_colours_it_is_there(context: BrowserContext, desk: Desk) -> None:
    await shown(desk, "home")
    notice = desk.page.locator("#notice")
    async with away(context, desk.page):
        await desk.page.emulate_media(forced_colors="active")
        for side in ("top", "right", "bottom", "left"):
            await expect(notice).to_have_css(f"border-{side}-style", "solid")
        await desk.page.emulate_media(forced_colors="none", media="print")
        await expect(notice).to_have_css("position", "static")
        await desk.page.emulate_media(media="screen")
