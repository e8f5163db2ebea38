"""The bus alone in Chromium: `/` is the wire lab, with a table of the topics that there are."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.desk import Desk
from tests.support.api import publish
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("bare"), env={"TWINWIRE_APPS": "none"}) as process:
        yield process


async def test_the_home_page_is_the_lab_with_a_table_of_topics(page: Page, bare: ServerProcess) -> None:
    await publish(bare.url, "builds/7", {"n": 1})
    await page.goto(bare.url)
    desk = Desk(page, bare.url)
    await desk.live()
    await expect(page.get_by_role("heading", name="Wire lab")).to_be_visible()
    row = page.get_by_role("row", name="builds/7")
    await expect(row.get_by_role("cell").nth(0)).to_have_text("1")
    await expect(page.get_by_role("link", name="Projects")).to_have_count(0)
    await page.get_by_role("button", name="10 events").click()
    await expect(page.locator("#received")).to_have_text("10")
    await expect(page.locator("#topic-rows th").first).to_contain_text("lab/", timeout=20_000)
    await expect(page.locator("#topics-note")).to_have_text("2 topics")
