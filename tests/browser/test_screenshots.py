"""Pictures of the pages, wide and narrow, light and dark, for people to look at (screenshots/ is not kept)."""

from collections.abc import Iterator
from typing import Final, Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.desk import Desk, sign_in
from tests.browser.looks import picture_of
from tests.support.bearers import token
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW: Final = "0.4"
"""Seconds a stage: the picture of a run is taken while it goes on."""
WIDTHS: Final = {"wide": (1440, 900), "narrow": (360, 780)}


async def picture(page: Page, name: str) -> None:
    path = picture_of(name)
    await page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("slow"), env={"TWINWIRE_GENERATION_PACE": SLOW}) as process:
        yield process


@pytest.mark.pictures
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures(
    browser: Browser, server: ServerProcess, slow: ServerProcess, scheme: Literal["light", "dark"], width: str
) -> None:
    columns, rows = WIDTHS[width]
    context = await browser.new_context(
        viewport={"width": columns, "height": rows}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = await context.new_page()
    desk = Desk(page, server.url)
    slow_desk = Desk(page, slow.url)
    brief = "tools: name text, deposit float, available bool"
    await slow_desk.create("Neighbourhood tool library", brief)
    await slow_desk.live()
    await slow_desk.generate()
    await expect(page.locator(".agent[data-status=completed]").nth(4)).to_be_visible()
    await picture(page, f"project-running-{scheme}-{width}")

    await desk.create("Neighbourhood tool library", brief)
    await desk.live()
    await desk.generate()
    await desk.status("completed")
    await expect(page.locator("#preview-note")).not_to_be_empty()
    await picture(page, f"project-{scheme}-{width}")

    await desk.home()
    await desk.live()
    await picture(page, f"home-{scheme}-{width}")
    if width == "narrow":
        await page.get_by_role("tab", name="Activity").click()
    await page.locator("#feed summary").first.click()
    await expect(page.locator("#feed details li").first).to_be_visible()
    await picture(page, f"home-activity-{scheme}-{width}")

    await desk.lab()
    await page.get_by_role("button", name="100", exact=True).click()
    await page.get_by_role("button", name="Block WebSocket").click()
    await desk.live()
    await page.get_by_role("button", name="100", exact=True).click()
    await expect(page.locator("#received")).to_have_text("200", timeout=30_000)
    await picture(page, f"lab-{scheme}-{width}")
    await context.close()


LOOK: Final = """nodes => nodes.map((node) => {
    for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
    const look = (pseudo) => {
        const { backgroundColor, borderLeftColor, borderLeftStyle, borderRadius, content } =
            getComputedStyle(node, pseudo);
        if (content === "none") return content;
        return [backgroundColor, borderLeftColor, borderLeftStyle, borderRadius].join(" ");
    };
    return [look(null), look("::after")].join(" / ");
})"""
"""How elements look with forced colours, once they have come to that: what of it can tell one from another."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_with_forced_colours_stations_and_log_lines_tell_apart(
    browser: Browser, odd: ServerProcess, scheme: Literal["light", "dark"]
) -> None:
    """As in a contrast theme: of our colours none is left but those that the system has."""
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=scheme, forced_colors="active", reduced_motion="reduce"
    )
    page = await context.new_page()
    desk = Desk(page, odd.url)
    stations: dict[str, str] = {}
    for name, status, done in ((f"Stuck, {scheme}", "started", 5), (f"Unlucky, {scheme}", "failed", 10)):
        await desk.open(await new_project(odd.url, name))
        await desk.live()
        await desk.generate()
        await expect(page.locator(".agent[data-status=completed]")).to_have_count(done)
        await expect(page.locator(f".agent[data-status={status}]")).to_have_count(1)
        for one in (status, "completed", "pending"):
            node = page.locator(f".agent[data-status={one}] .agent__node").first
            await expect(node).to_be_visible()
            (stations[one],) = await node.evaluate_all(LOOK)
        await picture(page, f"forced-project-{status}-{scheme}")
    assert len(set(stations.values())) == 4, stations
    await expect(page.locator(".line[data-level=error]")).to_be_visible()
    levels = [page.locator(f".line[data-level={level}]").last for level in ("info", "warning", "error")]
    lines = [(await line.evaluate_all(LOOK))[0] for line in levels]
    assert len(set(lines)) == 3, lines
    await desk.home()
    await desk.live()
    await expect(page.locator("#feed details").first).to_be_visible()
    await picture(page, f"forced-home-{scheme}")
    ways = await page.locator(".ways a").evaluate_all(LOOK)
    assert [ways.count(one) for one in ways] == [1, 2, 2], ways
    await desk.lab()
    await page.get_by_role("button", name="Block WebSocket").click()
    await expect(page.locator("#block")).to_have_attribute("aria-pressed", "true")
    pressed, other = [await page.locator(one).evaluate_all(LOOK) for one in ("#block", "#freeze")]
    assert pressed != other
    await desk.live()
    await expect(page.locator("#journal li[data-tone=red]").first).to_be_visible()
    told = await page.locator("#journal li[data-tone=red], #journal li[data-tone=green]").evaluate_all(LOOK)
    assert len(set(told)) == 2, told
    await picture(page, f"forced-lab-{scheme}")
    await context.close()


@pytest.mark.pictures
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures_where_there_are_keys(
    browser: Browser, guarded: ServerProcess, scheme: Literal["light", "dark"], width: str
) -> None:
    """The login page before and after it refused, and pages of one who may read a project and no more."""
    columns, rows = WIDTHS[width]
    context = await browser.new_context(viewport={"width": columns, "height": rows}, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(f"{guarded.url}/login")
    await picture(page, f"login-{scheme}-{width}")
    await page.get_by_label("Token, or the link that you were sent").fill("no token")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await picture(page, f"login-refused-{scheme}-{width}")

    brief = "tools: name text, deposit float, available bool"
    root = token("root", admin=True)
    id = await new_project(guarded.url, "Neighbourhood tool library", brief, token=root)
    project = f"projects/{id}"
    few = token("ada", subscribe=[project, f"{project}/**"])
    await sign_in(context, guarded.url, few)
    desk = Desk(page, guarded.url)
    await page.goto(f"{guarded.url}/project.html?id={id}")
    await desk.live()
    await expect(page.get_by_role("button", name="Generate")).to_be_disabled()
    await picture(page, f"few-rights-project-{scheme}-{width}")
    await desk.home()
    await desk.live()
    await expect(page.get_by_role("button", name="Create")).to_be_disabled()
    await picture(page, f"few-rights-home-{scheme}-{width}")
    await context.close()
