"""`examples/fastapi`, by the lines of its README: an order that is paid is on every page that is open."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import async_playwright, expect

from tests.browser.conftest import FLAGS, chromium
from tests.support.server import ROOT
from tests.support.uvicorns import on_uvicorn

EXAMPLE: Final = ROOT / "examples" / "fastapi"
LINES_MAX: Final = 100


def test_it_is_short() -> None:
    files = [path for path in EXAMPLE.iterdir() if path.suffix in {".py", ".html", ".md"}]
    assert len(files) == 3
    assert sum(len(path.read_text().splitlines()) for path in files) < LINES_MAX


@pytest.mark.browser
async def test_an_order_that_is_paid_is_on_every_page(tmp_path: Path) -> None:
    install, start, *_ = re.findall(r"^    (\S.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert install.startswith("pip install 'twinwire[server]'"), "all of it is here"
    with on_uvicorn(EXAMPLE, start.split(), {"SHOP_DATABASE": str(tmp_path / "shop.db")}) as url:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            pages = []
            for name in ("ada", "bob"):
                page = await (await browser.new_context()).new_page()
                await page.goto(url)
                await expect(page.locator("#state")).to_have_text("unauthorized")
                await page.fill("#user", name)
                await page.click("#sign-in")
                await expect(page.locator("#state")).to_have_text("live")
                pages.append(page)
            for count, page in enumerate(pages, 1):
                await page.click("#pay")
                for each in pages:
                    await expect(each.locator("#orders li")).to_have_count(count)
            await expect(pages[0].locator("#orders li").last).to_contain_text("paid by bob")
            await browser.close()
