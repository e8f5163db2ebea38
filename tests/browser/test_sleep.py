"""Clocks that stand still: a machine that sleeps, and a page that a dialog holds up. Nothing is lost with them, no
transport is blamed, and the page comes back to what is so.
"""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.browser.conftest import FLAGS, chromium
from tests.browser.desk import Desk
from tests.browser.own import TOPIC, Hosting, Own, noticed, own
from tests.proxies.rig import Exchange, Proxy
from tests.support.api import history, read
from tests.support.http import request
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HEARTBEAT: Final = "2"
"""Seconds: a stream that is silent for 2.5 times as long is dead."""
NIGHT: Final = 9
"""Seconds, by the server's clock: over 2.5 heartbeats, and so much more that no busy machine explains it."""


@pytest.fixture(scope="module")
def beating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("beating"), env={"TWINWIRE_HEARTBEAT": HEARTBEAT}) as process:
        yield process


class Forgetful(Hosting):
    """A path that forgets connections, as a NAT does while nobody sends: they stay open, and carry nothing."""

    def __init__(self, pages: dict[str, str]) -> None:
        super().__init__(pages)
        self._now = 0
        self._begun: dict[Exchange, int] = {}

    def forget(self) -> None:
        """What has begun carries nothing from here on."""
        self._now += 1

    def down(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self._while_known(exchange, chunks)

    up = down

    async def _while_known(self, exchange: Exchange, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        begun = self._begun.setdefault(exchange, self._now)
        async for data in chunks:
            if begun == self._now:
                yield data


async def passes(server: ServerProcess, seconds: int) -> None:
    """So much time passes on the server's clock, which answers a poll that waits for nothing."""
    await read(server.url, topic="own/nothing", after="latest", wait=seconds)


async def publish(server: ServerProcess) -> str:
    answer = await request(server.url, "POST", "/api/events", json_body={"topic": TOPIC, "type": "note", "data": None})
    return str(answer.json()["id"])


async def processes(browser: Browser) -> list[int]:
    """All of a browser's, by their ids."""
    told = await (await browser.new_browser_cdp_session()).send("SystemInfo.getProcessInfo")
    return [int(process["id"]) for process in told["processInfo"]]


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, number)


async def test_a_machine_that_slept_comes_back_and_blames_nobody(beating: ServerProcess) -> None:
    """Its connections were forgotten on the way while it slept."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        mode = Forgetful({"/own.html": own(tabs=False)})
        async with Proxy(beating.port, mode) as proxy:
            page, lab = await browser.new_page(), Desk(await browser.new_page(), proxy.url)
            await page.goto(f"{proxy.url}/own.html")
            await Own(page).live()
            await lab.lab()
            pids = await processes(browser)
            send(signal.SIGSTOP, pids)
            try:
                mode.forget()
                missed = await publish(beating)
                await passes(beating, NIGHT)
            finally:
                send(signal.SIGCONT, pids)
            seen = await Own(page).has(1)
            await expect(lab.page.locator("#journal")).to_contain_text("this device slept")
            await lab.live("WebSocket")
            seen = await Own(page).live()
        await browser.close()
    assert seen["events"] == [missed]
    assert [fault["kind"] for fault in noticed(seen, ":fault")] == ["suspended"]
    assert [notice["state"] for notice in noticed(seen, ":state")][2:] == ["reconnecting", "replaying", "live"]
    assert {notice["transport"] for notice in noticed(seen, ":transport")} == {"websocket", None}


async def test_a_leader_that_a_dialog_holds_up_is_replaced_and_comes_back(
    context: BrowserContext, beating: ServerProcess
) -> None:
    async with Proxy(beating.port, Hosting({"/own.html": own()})) as proxy:
        leader, follower = await context.new_page(), await context.new_page()
        for page in (leader, follower):
            await page.goto(f"{proxy.url}/own.html")
            await Own(page).live()
        start = (await read(beating.url))["head"]
        async with leader.expect_event("dialog") as asking:
            await leader.evaluate("void setTimeout(() => alert('hold'))")
        dialog = await asking.value
        await Own(follower).reaches("seen.stream.role === 'leader' && seen.stream.state === 'live'")
        ids = [await publish(beating) for _ in range(3)]
        await Own(follower).has(len(ids))
        await dialog.accept()
        seen = await Own(leader).reaches(
            f"seen.events.length >= {len(ids)} && seen.stream.role === 'follower' && seen.stream.state === 'live'"
        )
        ids.append(await publish(beating))
        pages = [await Own(page).has(len(ids)) for page in (leader, follower)]
        topics = (await request(beating.url, "GET", f"/api/topics?topic={TOPIC}")).json()["topics"]
    assert [one["events"] for one in pages] == [ids, ids]
    assert [event["id"] for event in await history(beating.url, [TOPIC], start)] == ids
    assert seen["state"] == "live"
    assert sum(topics[0]["subscribers"].values()) == 1
