"""Browsers that lack or refuse something, each in Chromium with its real refusal: what is refused costs no event, and
pages say what is so.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.browser.conftest import FLAGS, chromium
from tests.browser.desk import Desk
from tests.browser.own import TOPIC, Hosting, Own, noticed, own
from tests.proxies.rig import Proxy
from tests.support.api import history
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.server import HOST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Launch = Callable[..., Awaitable[BrowserContext]]
NAME: Final = "live.test"
"""A name that is no localhost: over plain http it makes no secure context."""
BLOCK_ALL: Final = {"default_content_setting_values": {"cookies": 2}}
BLOCK_FOREIGN: Final = {"cookie_controls_mode": 1}
ALLOW_FOREIGN: Final = {"cookie_controls_mode": 0}
"""Chromium's preferences, below `profile`: what people set under "Privacy and security"."""
FULL: Final = 200
"""Events that are published while nothing more can be kept: by then a cursor is longer than the one that was."""
DENIED: Final = "SecurityError"
FRAME: Final = '<!doctype html><iframe sandbox="allow-scripts" src="/own.html"></iframe>'
FILL: Final = """() => {
    for (const storage of [localStorage, sessionStorage]) {
      for (let size = 2 ** 20, n = 0; size >= 1; n += 1)
        try { storage.setItem(`fill${n}`, "x".repeat(size)); } catch { size = Math.floor(size / 2); }
      try { for (;;) storage.fill0 += "x"; } catch { continue; }
    }
    try { sessionStorage.own += "0"; } catch (error) { return error.name; }
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def launch(tmp_path: Path) -> AsyncIterator[Launch]:
    """`launch(preferences, *flags)` starts a Chromium that a person has set up so."""
    contexts: list[BrowserContext] = []
    async with async_playwright() as playwright:

        async def start(preferences: dict[str, Any], *flags: str) -> BrowserContext:
            directory = tmp_path / f"profile{len(contexts)}"
            (directory / "Default").mkdir(parents=True)
            (directory / "Default" / "Preferences").write_text(json.dumps({"profile": preferences}))
            context = await playwright.chromium.launch_persistent_context(
                str(directory), executable_path=chromium(is_whole=True), args=[*FLAGS, *flags]
            )
            contexts.append(context)
            return context

        yield start
        for context in contexts:
            await context.close()


@pytest.fixture(scope="module")
def anybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose answers pages of any origin may read."""
    with ServerProcess(tmp_path_factory.mktemp("anybody"), env={"TWINWIRE_ALLOWED_ORIGINS": "*"}) as process:
        yield process


async def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and the errors that nobody caught."""
    page, errors = await context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


async def assert_alone(desk: Desk) -> None:
    """The indicator says that this tab has a connection of its own."""
    await desk.page.locator("#indicator summary").click()
    await expect(desk.page.locator("#indicator-facts")).to_contain_text("of this tab alone")


async def test_with_all_cookies_blocked_tabs_have_a_connection_each(launch: Launch, server: ServerProcess) -> None:
    context = await launch(BLOCK_ALL)
    async with Proxy(server.port, Hosting({"/own.html": own(cursorKey="own")})) as proxy:
        for _ in range(2):
            page, errors = await watched(context)
            await page.goto(f"{proxy.url}/own.html")
            seen = await Own(page).works()
            assert seen["refused"] == dict.fromkeys(("localStorage", "sessionStorage", "locks"), DENIED)
            assert (seen["role"], seen["transport"], errors) == (None, "websocket", [])
    page, errors = await watched(context)
    desk = Desk(page, server.url)
    await desk.home()
    await desk.live("WebSocket")
    await assert_alone(desk)
    await desk.create("No cookies")
    await desk.generate()
    await desk.status("completed")
    await desk.live("WebSocket")
    await desk.lab()
    assert errors == []


async def test_a_sandboxed_frame_that_may_read_reads_and_publishes(page: Page, anybody: ServerProcess) -> None:
    async with Proxy(anybody.port, Hosting({"/own.html": own(cursorKey="own"), "/frame.html": FRAME})) as proxy:
        await page.goto(f"{proxy.url}/frame.html")
        seen = await Own(page.frames[1]).works()
    refused = dict.fromkeys(("localStorage", "sessionStorage", "cookie", "locks"), DENIED)
    assert seen["refused"] == refused
    assert (seen["role"], seen["transport"]) == (None, "websocket")


async def test_a_sandboxed_frame_that_may_not_is_told_what_may_be_why(
    context: BrowserContext, server: ServerProcess
) -> None:
    """Its browser shows it no answer, so it can't know; it goes on trying, and says what would help."""
    pages = {"/own.html": own(publishTimeout=500), "/frame.html": FRAME}
    page = await context.new_page()
    before = await history(server.url, [TOPIC], "earliest")
    async with Proxy(server.port, Hosting(pages, shared=True)) as proxy:
        await page.goto(f"{proxy.url}/frame.html")
        frame = Own(page.frames[1])
        seen = await frame.reaches("seen.notices.some(({ name }) => name === ':retry')")
        refused = await frame.publish()
    assert (seen["state"], seen["events"]) == ("reconnecting", [])
    faults = noticed(seen, ":fault")
    assert {fault["transport"] for fault in faults} == {"websocket", "sse", "poll"}
    for words in [refused, *(fault["detail"] for fault in faults)]:
        assert "without an origin (a sandboxed frame" in words
        assert "TWINWIRE_ALLOWED_ORIGINS" in words
    assert await history(server.url, [TOPIC], "earliest") == before


async def test_a_page_of_a_file_follows_a_service_that_lets_it(
    page: Page, anybody: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "own.html"
    file.write_text(own(client=anybody.url))
    await page.goto(file.as_uri())
    assert await page.evaluate("origin") == "null"
    await Own(page).works()


async def test_an_empty_page_that_the_services_own_has_opened_belongs_to_it(
    context: BrowserContext, server: ServerProcess
) -> None:
    page = await context.new_page()
    async with Proxy(server.port, Hosting({"/opener.html": "<!doctype html><title>opener</title>"})) as proxy:
        await page.goto(f"{proxy.url}/opener.html")
        async with context.expect_page() as opening:
            await page.evaluate("text => { const empty = open('').document; empty.write(text); empty.close(); }", own())
        empty = await opening.value
        assert await empty.evaluate("document.URL") == f"{proxy.url}/opener.html", "written by its opener"
        await Own(empty).works()


@pytest.mark.parametrize(("preferences", "shares"), [(BLOCK_FOREIGN, False), (ALLOW_FOREIGN, True)])
async def test_frames_in_a_foreign_page_work_with_and_without_storage(
    launch: Launch, server: ServerProcess, preferences: dict[str, Any], shares: bool
) -> None:
    """Where the browser lets them, the frames share a connection."""
    context = await launch(preferences)
    async with Proxy(server.port, Hosting({"/own.html": own(cursorKey="own")})) as proxy:
        frames = "<!doctype html>" + 2 * f'<iframe src="{proxy.url}/own.html"></iframe>'
        async with Proxy(server.port, Hosting({"/frames.html": frames})) as foreign:
            page, errors = await watched(context)
            await page.goto(f"http://localhost:{foreign.port}/frames.html")
            seen = [await Own(frame).works() for frame in page.frames[1:]]
    assert [DENIED in one["refused"].values() for one in seen] == [not shares] * 2
    assert {one["role"] for one in seen} == ({"leader", "follower"} if shares else {None})
    assert errors == []


async def test_under_a_name_without_tls_there_are_no_locks_and_all_works(launch: Launch, tmp_path: Path) -> None:
    context = await launch({}, f"--host-resolver-rules=MAP {NAME} {HOST}")
    with ServerProcess(tmp_path / "server", env={"TWINWIRE_HOSTS": NAME}) as named:
        async with Proxy(named.port, Hosting({"/own.html": own()})) as proxy:
            page, errors = await watched(context)
            await page.goto(f"http://{NAME}:{proxy.port}/own.html")
            seen = await Own(page).works()
            assert (seen["refused"], seen["role"]) == ({"locks": "TypeError"}, None)
            assert await page.evaluate("isSecureContext") is False
            desk = Desk(page, f"http://{NAME}:{proxy.port}")
            await desk.create("By name")
            await desk.live("WebSocket")
            await assert_alone(desk)
            await desk.lab()
            assert errors == []


async def test_a_full_storage_costs_no_event(page: Page, serve: Callable[..., ServerProcess]) -> None:
    """The cursor that it kept last is an old one: a reload gets again what came since, and misses nothing."""

    server = serve()

    async def publish(count: int) -> None:
        drafts = [{"topic": "own/full", "type": "note", "data": None}] * count
        assert (await request(server.url, "POST", "/api/events", json_body=drafts)).status == 201

    async with Proxy(server.port, Hosting({"/own.html": own(topics="own/full", cursorKey="own")})) as proxy:
        await page.goto(f"{proxy.url}/own.html")
        await Own(page).live()
        await publish(1)
        await page.wait_for_function("() => sessionStorage.own === seen.events[0]")
        assert await page.evaluate(FILL) == "QuotaExceededError"
        await publish(FULL)
        await Own(page).has(1 + FULL)
        kept = await page.evaluate("sessionStorage.own")
        await page.reload()
        later = await history(server.url, ["own/full"], kept)  # none, if its browser had some bytes left after all
        seen = await Own(page).has(len(later))
        assert seen["events"] == [event["id"] for event in later]
        project = await new_project(server.url, "Full")
        desk = Desk(page, proxy.url)
        await desk.open(project)
        await desk.live("WebSocket")
