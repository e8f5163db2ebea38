"""A line that is dead, and that nobody has cut: the pages do not say "Live" while nothing is heard."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.desk import Desk
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HEARTBEAT: Final = "4"
"""Seconds: stale after 5, given up after 10."""
PACE: Final = "30"
"""Seconds of a stage: the run does not end within the test."""
SILENT: Final = re.compile(r"^Nothing heard for [5-9] s$")


@pytest.fixture
def beating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_HEARTBEAT": HEARTBEAT, "TWINWIRE_GENERATION_PACE": PACE}
    process = ServerProcess(tmp_path_factory.mktemp("stale"), env=env).start()
    yield process
    process.discard()


async def told(page: Page) -> str:
    """From when a page says that what it shows is."""
    notice = page.locator("#notice")
    await expect(notice).to_contain_text("What you see is from", timeout=20_000)
    (time,) = re.findall(r"from (\d\d:\d\d:\d\d)", await notice.inner_text())
    return str(time)


async def test_a_dead_line_is_not_called_live(context: BrowserContext, beating: ServerProcess) -> None:
    """In the tab that holds the connection, and in one that follows it."""
    project = await new_project(beating.url, "Behind a dead line")
    desks = [Desk(await context.new_page(), beating.url) for _ in range(2)]
    for desk in desks:
        await desk.open(project)
        await desk.live("WebSocket")
    await desks[0].generate()
    await desks[1].status("running")
    beating.signal(signal.SIGSTOP)
    try:
        stopped = datetime.now(UTC)
        for desk in desks:
            await expect(desk.page.locator("#indicator-state")).to_have_text(SILENT, timeout=8_000)
            await expect(desk.page.locator("#indicator")).to_have_attribute("data-tone", "wait")
            await expect(desk.page.locator("#project")).to_have_attribute("data-away", "")
        times = [await told(desk.page) for desk in desks]
    finally:
        beating.signal(signal.SIGCONT)
    assert times[0] == times[1]
    local = await desks[0].page.evaluate("(at) => new Date(at).toTimeString().slice(0, 8)", stopped.timestamp() * 1_000)
    assert times[0] <= local, "from the last word of the server, not from when its absence was noticed"
    for desk in desks:
        await desk.live()
        await expect(desk.page.locator("#project[data-away]")).to_have_count(0)
        await expect(desk.page.locator("#notice")).to_be_hidden()


async def test_a_line_that_lives_again_is_live_by_the_next_frame(
    context: BrowserContext, beating: ServerProcess
) -> None:
    desk = Desk(await context.new_page(), beating.url)
    await desk.lab()
    beating.signal(signal.SIGSTOP)
    try:
        await expect(desk.page.locator("#indicator-state")).to_have_text(SILENT, timeout=8_000)
    finally:
        beating.signal(signal.SIGCONT)
    await desk.live("WebSocket")
    journal = desk.page.locator("#journal")
    await expect(journal).to_contain_text(re.compile(r"Nothing heard since \d\d:\d\d:\d\d"))
    await expect(journal.get_by_text("silent for too long")).to_have_count(0)
