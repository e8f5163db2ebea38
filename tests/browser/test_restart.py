"""The server goes away, or the network does: pages come back over WebSocket, and remember no fallback."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.browser.desk import Desk
from tests.browser.witness import LIVE_DEADLINE, Witness, assert_exact, tap
from tests.proxies.modes import Unplugged
from tests.proxies.rig import Mode, Proxy
from tests.support.api import history, publish
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
PACE: Final = "0.4"
MIDDLE: Final = 60
"""Events after which the server ends; a run has 160."""
AWAY: Final = 5.0
"""Seconds for which the server is away."""
CYCLES: Final = 5
BACK: Final = "() => watched.stream?.state === 'live' && watched.stream.transport === 'websocket'"


@asynccontextmanager
async def tapped(browser: Browser, count: int) -> AsyncIterator[list[BrowserContext]]:
    """So many browsers, of people who have nothing in common."""
    contexts = [await browser.new_context(reduced_motion="reduce") for _ in range(count)]
    try:
        for context in contexts:
            await tap(context)
        yield contexts
    finally:
        await asyncio.gather(*(context.close() for context in contexts))


async def back(witness: Witness) -> None:
    """Wait until the page is live over WebSocket."""
    await witness.page.wait_for_function(BACK, timeout=LIVE_DEADLINE)


@pytest.mark.parametrize("how", ["SIGTERM", "kill -9"])
async def test_the_server_is_away_for_five_seconds(browser: Browser, serve: Serve, how: str) -> None:
    """In the middle of a run, which goes on when the server is back."""
    server = serve(PACE)
    project = await new_project(server.url, "Away for a while")
    async with tapped(browser, 4) as contexts:
        *watching, home = contexts
        witnesses = await asyncio.gather(*(Witness.open(one, server.url, server.url, project) for one in watching))
        desk = Desk(await home.new_page(), server.url)
        await desk.home()
        await asyncio.gather(desk.live("WebSocket"), *(back(witness) for witness in witnesses))
        await witnesses[0].generate()
        await witnesses[0].delivered(MIDDLE)
        if how == "SIGTERM":
            server.signal()
            assert await server.await_exit() == 0
        else:
            await server.akill9()
        await asyncio.sleep(AWAY)  # the time that is tested, not one that is waited for something
        await server.astart()
        await asyncio.gather(*(witness.shown() for witness in witnesses))
        await asyncio.gather(desk.live("WebSocket"), *(back(witness) for witness in witnesses))
        for number, witness in enumerate(witnesses):
            assert_exact(await witness.outcome(f"page {number}"))
            assert await witness.remembered() == []


async def test_five_times_offline_and_online_again(context: BrowserContext, server: ServerProcess) -> None:
    await tap(context)
    project = await new_project(server.url, "On a train")
    async with Proxy(server.port) as proxy:
        witness = await Witness.open(context, proxy.url, server.url, project)
        await back(witness)
        for cycle in range(CYCLES):
            await context.set_offline(True)
            await proxy.switch(Unplugged())  # Chromium's own switch leaves open WebSockets alone
            await expect(witness.page.locator("#indicator-state")).to_have_text("Offline")
            await publish(server.url, f"projects/{project}", {"cycle": cycle}, type="note")
            await proxy.switch(Mode())
            await context.set_offline(False)
            await back(witness)
        notes = [event["id"] for event in await history(server.url, [f"projects/{project}"]) if event["type"] == "note"]
        assert len(notes) == CYCLES
        await witness.delivered(CYCLES)
        received = await witness.page.evaluate("watched.events.map(([, id]) => id)")
        assert [id for id in received if id in notes] == notes
        assert await witness.page.evaluate("watched.stream.transport") == "websocket"
        assert await witness.remembered() == []


async def test_offline_is_shown_at_once_though_nothing_is_cut(context: BrowserContext, serve: Serve) -> None:
    """A NAT that has forgotten the connection, a dead Wi-Fi: no end of anything is told, and nothing arrives."""
    server = serve(PACE)
    await tap(context)
    project = await new_project(server.url, "In a tunnel")
    witness = await Witness.open(context, server.url, server.url, project)
    await back(witness)
    server.signal(signal.SIGSTOP)
    try:
        await context.set_offline(True)
        await witness.page.wait_for_function("watched.stream.state === 'offline'", timeout=4_000)
        await expect(witness.page.locator("#indicator-state")).to_have_text("Offline")
        await expect(witness.page.get_by_text("This device is offline")).to_be_visible()
        await expect(witness.page.locator("#project")).to_have_attribute("data-away", "")
    finally:
        server.signal(signal.SIGCONT)
    await context.set_offline(False)
    await back(witness)
    await expect(witness.page.get_by_text("This device is offline")).to_be_hidden()
    await expect(witness.page.locator("#project[data-away]")).to_have_count(0)


async def test_what_has_passed_is_not_told_any_more_and_no_clock_runs_meanwhile(
    context: BrowserContext, serve: Serve
) -> None:
    """The next attempt is counted down to; an error that came of the server's absence goes with it."""
    server = serve("2")
    project = await new_project(server.url, "Away")
    desk = Desk(await context.new_page(), server.url)
    await desk.open(project)
    await desk.live()
    await desk.generate()
    await desk.status("running")
    server.kill9()
    await expect(desk.page.locator("#indicator-detail")).to_have_text(re.compile(r"^again in \d+ s$"))
    elapsed = await desk.page.locator("#elapsed").inner_text()
    await desk.page.get_by_role("button", name="Cancel run").click()
    toast = desk.page.locator(".toast[data-kind=away]")
    await expect(toast).to_contain_text("did not reach the server")
    await expect(desk.page.get_by_text("The server can't be reached")).to_be_visible()
    assert await desk.page.locator("#elapsed").inner_text() == elapsed
    await server.astart()
    await desk.live()
    await expect(toast).to_have_count(0)
    await expect(desk.page.locator("#indicator-detail")).to_be_hidden()


async def test_no_clock_runs_on_a_page_that_has_stopped_listening(context: BrowserContext, serve: Serve) -> None:
    await tap(context)
    desk = Desk(await context.new_page(), serve("2").url)
    await desk.page.clock.install()
    await desk.create("Turned away")
    await desk.live()
    await desk.generate()
    await desk.status("running")
    await desk.page.evaluate("watched.stream.close()")
    await expect(desk.page.locator("#project")).to_have_attribute("data-away", "")
    await desk.page.wait_for_load_state("networkidle")  # what was asked for before is drawn when it comes
    await desk.page.clock.run_for(1_000)  # and that with the next frame
    elapsed = await desk.page.locator("#elapsed").inner_text()
    await desk.page.clock.run_for(20_000)
    assert await desk.page.locator("#elapsed").inner_text() == elapsed


async def test_another_database_is_told_as_such(browser: Browser, serve: Serve) -> None:
    """An operator who starts with the wrong file must not read that everything was deleted."""
    server = serve(PACE)
    project = await new_project(server.url, "Still there")
    async with tapped(browser, 2) as contexts:
        witness = await Witness.open(contexts[0], server.url, server.url, project)
        home = Desk(await contexts[1].new_page(), server.url)
        await home.home()
        await asyncio.gather(home.live("WebSocket"), back(witness))
        await asyncio.to_thread(server.stop)
        for file in server.database.parent.glob(f"{server.database.name}*"):
            file.rename(file.with_name(f"right-{file.name}"))
        await server.astart()
        missing = witness.page.locator("#missing")
        await expect(missing).to_contain_text("Not in this database")
        await expect(missing).to_contain_text("does not mean that it was deleted")
        await expect(home.page.locator("#notice")).to_contain_text("The server has another database now")
        await expect(home.page.get_by_text("Nothing has happened yet.")).to_be_visible()
        await asyncio.to_thread(server.stop)
        for file in server.database.parent.glob(f"{server.database.name}*"):
            file.unlink()
        for file in server.database.parent.glob(f"right-{server.database.name}*"):
            file.rename(file.with_name(file.name.removeprefix("right-")))
        await server.astart()
        await witness.page.get_by_role("button", name="Load again").click()
        await expect(witness.page.locator("#name")).to_have_text("Still there")
        await expect(home.page.locator(f'[data-id="{project}"]')).to_be_visible(timeout=LIVE_DEADLINE)
