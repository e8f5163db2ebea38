"""`examples/fastapi`, by the lines of its README: an order that is paid is on every page that is open."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.examples.programs import EXAMPLES, lines_of
from tests.examples.sites import browsing, opened
from tests.support.uvicorns import on_uvicorn


@pytest.mark.browser
async def test_an_order_that_is_paid_is_on_every_page(tmp_path: Path) -> None:
    install, start, _ = lines_of("fastapi")
    assert install.startswith("pip install 'twinwire[server]'"), "all of it is here"
    with on_uvicorn(EXAMPLES / "fastapi", start.split(), {"SHOP_DATABASE": str(tmp_path / "shop.db")}) as url:
        async with browsing() as browser:
            errors: list[str] = []
            pages = [await opened(browser, url, errors) for _ in range(2)]
            for name, page in zip(("ada", "bob"), pages, strict=True):
                await expect(page.locator("#state")).to_have_text("unauthorized")
                await page.fill("#user", name)
                await page.click("#sign-in")
                await expect(page.locator("#state")).to_have_text("live")
            for count, page in enumerate(pages, 1):
                await page.click("#pay")
                for each in pages:
                    await expect(each.locator("#orders li")).to_have_count(count)
            await expect(pages[0].locator("#orders li").last).to_contain_text("paid by bob")
            assert errors == []
