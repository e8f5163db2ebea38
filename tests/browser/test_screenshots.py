"""Pictures of the pages, wide and narrow, light and dark, for people to look at (screenshots/ is not kept)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.desk import Desk, sign_in
from tests.support.bearers import ask, token
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW: Final = "0.4"
"""Seconds a stage: the picture of a run is taken while it goes on."""
FOLDER: Final = Path(__file__).parent / "screenshots"
WIDTHS: Final = {"wide": (1440, 900), "narrow": (360, 780)}


async def picture(page: Page, name: str) -> None:
    path = FOLDER / f"{name}.png"
    await page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("slow"), env={"TWINWIRE_GENERATION_PACE": SLOW}) as process:
        yield process


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures(
    browser: Browser, server: ServerProcess, slow: ServerProcess, scheme: Literal["light", "dark"], width: str
) -> None:
    FOLDER.mkdir(exist_ok=True)
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

    await desk.lab()
    await page.get_by_role("button", name="100", exact=True).click()
    await page.get_by_role("button", name="Block WebSocket").click()
    await desk.live()
    await page.get_by_role("button", name="100", exact=True).click()
    await expect(page.locator("#received")).to_have_text("200", timeout=30_000)
    await picture(page, f"lab-{scheme}-{width}")
    await context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures_where_there_are_keys(
    browser: Browser, guarded: ServerProcess, scheme: Literal["light", "dark"], width: str
) -> None:
    """The login page before and after it refused, and pages of one who may read a project and no more."""
    FOLDER.mkdir(exist_ok=True)
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
    made = await ask(guarded.url, "POST", "/api/projects", root, {"name": "Neighbourhood tool library", "brief": brief})
    id = str(made.json()["id"])
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
