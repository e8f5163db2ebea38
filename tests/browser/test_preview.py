"""The finished application in its frame: opened with a click, and reaching nothing of the page around it."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Frame, Page, expect

from tests.browser.desk import RUN_DEADLINE, sign_in
from tests.browser.looks import FITS, WIDTHS, assert_accessible, picture_of
from tests.support.bearers import KEYS, ask, token
from tests.support.creating import new_project
from tests.support.opening import MODULE, UNCONFINED, again, completed, host_of
from tests.support.projects import BRIEF
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OWNER = token("owner", publish=["projects", "projects/*"], run=["projects/*"], subscribe=["projects", "projects/*"])


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """What is opened here does what no application should."""
    with ServerProcess(tmp_path_factory.mktemp("apps"), env=UNCONFINED, module=MODULE) as process:
        yield process
        assert process.faults() == []


@pytest.fixture(scope="module")
def guarded_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {**UNCONFINED, "TWINWIRE_TOKEN_KEYS": KEYS}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env, module=MODULE) as process:
        yield process
        assert process.faults() == []


async def open_app(page: Page, url: str, id: str) -> Frame:
    """By the button; the frame once the application is in it."""
    await page.goto(f"{url}/project.html?id={id}")
    await page.get_by_role("button", name="Open the app").click()
    await expect(page.locator(".app__state")).to_have_text("Running.")
    return await frame_of(page)


async def frame_of(page: Page) -> Frame:
    element = await page.locator(".app__frame").element_handle()
    assert element is not None
    frame = await element.content_frame()
    assert frame is not None
    await expect(frame.locator("h1")).to_have_text("Naughty")
    return frame


async def reach(frame: Frame, api: str) -> dict[str, Any]:
    """What the application's page found when it reached for what is not its own, with `api` as the service's root."""
    origin = re.sub(r"(https?://[^/]+).*", r"\1", frame.url)
    await frame.goto(f"{origin}/page?api={api}")
    await frame.wait_for_function("document.body.dataset.found")
    await frame.wait_for_function("document.querySelector('iframe')")
    found: dict[str, Any] = json.loads(await frame.evaluate("document.body.dataset.found"))
    return found


REFUSED = {"parent": "refused: SecurityError", "top": "refused: SecurityError", "storage": "refused: SecurityError"}
OWN = {"own": "version", "health": "version", "echo": "h\u00e9llo", "events": "0"}


async def test_an_application_reaches_nothing_but_itself(context: BrowserContext, apps: ServerProcess) -> None:
    """Where nobody has to say who he is: a page of the service's own origin may do everything there."""
    id = await completed(apps.url)
    page = await context.new_page()
    frame = await open_app(page, apps.url, id)
    for api in (apps.url, apps.url.replace("127.0.0.1", "localhost")):
        found = await reach(frame, api)
        assert {name: found[name] for name in REFUSED} == REFUSED
        assert {name: found[name] for name in OWN} == OWN
        assert found["read"] == "refused: TypeError"
        assert found["socket"] == "refused"
        assert found["worker"].startswith("refused")
    events = await ask(apps.url, "GET", "/api/events?topic=from/**&before=latest")
    assert events.json()["events"] == []
    assert page.url == f"{apps.url}/project.html?id={id}"
    assert await page.evaluate("document.cookie") == ""


async def test_with_tokens_it_is_entered_by_a_ticket(context: BrowserContext, guarded_apps: ServerProcess) -> None:
    """Whatever the page's name is, and so also on another site than the application's. No cookie of the service helps
    the application, and none of its own is the service's.
    """
    server = guarded_apps
    id = await completed(server.url, OWNER)
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        await sign_in(context, url, OWNER)
        page = await context.new_page()
        frame = await open_app(page, url, id)
        assert frame.url == f"http://{host_of(server, id)}/"
        found = await reach(frame, url)
        assert {name: found[name] for name in REFUSED} == REFUSED
        assert {name: found[name] for name in OWN} == OWN
        assert found["read"] == "refused: TypeError"
        assert found["socket"] == "refused"
        assert "twinwire" not in found["cookie"]
        await page.close()
    events = await ask(server.url, "GET", "/api/events?topic=from/**&before=latest", token("root", admin=True))
    assert events.json()["events"] == []
    stranger = await context.new_page()  # the same browser, by the address alone: another partition
    answer = await stranger.goto(f"http://{host_of(server, id)}/")
    assert answer is not None
    assert answer.status == 403
    await stranger.close()


async def test_it_opens_in_a_tab_of_its_own(context: BrowserContext, guarded_apps: ServerProcess) -> None:
    id = await completed(guarded_apps.url, OWNER)
    await sign_in(context, guarded_apps.url, OWNER)
    page = await context.new_page()
    await open_app(page, guarded_apps.url, id)
    async with context.expect_page() as opening:
        await page.get_by_role("button", name="Open in a tab").click()
    tab = await opening.value
    await expect(tab.locator("h1")).to_have_text("Naughty")
    assert await tab.evaluate("window.opener") is None


async def test_a_foreign_page_can_not_show_it(context: BrowserContext, apps: ServerProcess) -> None:
    id = await completed(apps.url)
    page = await context.new_page()
    await open_app(page, apps.url, id)
    foreign = await context.new_page()
    page_of_it = f"<p>evil</p><iframe src='http://{host_of(apps, id)}/'></iframe>".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        writer.write(head + page_of_it)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as elsewhere:
        there = f"http://127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}/"
        async with foreign.expect_console_message(lambda message: "frame-ancestors" in message.text):
            await foreign.goto(there)


async def test_its_end_and_a_newer_run_are_shown(page: Page, apps: ServerProcess) -> None:
    id = await completed(apps.url)
    frame = await open_app(page, apps.url, id)
    before = await frame.locator("body").inner_text()
    await again(apps.url, id)
    await expect(page.frame_locator(".app__frame").locator("body")).not_to_have_text(before, timeout=30_000)
    await expect(page.frame_locator(".app__frame").locator("h1")).to_have_text("Naughty")
    await assert_accessible(page)
    frame = await frame_of(page)
    await page.route("**/api/projects/*/app", lambda route: route.abort())  # a look would empty the frame
    await frame.goto(f"http://{host_of(apps, id)}/die")
    await expect(frame.locator("body")).to_contain_text("about to die")
    await page.unroute("**/api/projects/*/app")
    await expect(page.locator(".app__state")).to_have_text(
        "It does not run: it has ended by itself with exit code 3.", timeout=20_000
    )
    await expect(page.locator(".app__tail")).to_contain_text("about to die")
    await assert_accessible(page)
    await page.get_by_role("button", name="Start it again").click()
    await frame_of(page)
    await page.get_by_role("button", name="Close the app").click()
    await expect(page.locator("#app-panel")).to_be_hidden()
    await expect(page.get_by_role("button", name="Open the app")).to_be_focused()


async def test_the_page_says_why_nothing_is_opened(browser: Browser, server: ServerProcess) -> None:
    """The shared server runs nothing; and under a name without one for applications, nobody could."""
    id = await completed(server.url)
    page = await browser.new_page()
    await page.goto(f"{server.url}/project.html?id={id}")
    await expect(page.get_by_role("button", name="Open the app")).to_be_disabled()
    await expect(page.locator("#open-app-why")).to_contain_text("is off here")
    await assert_accessible(page)
    await page.close()


@pytest.mark.pictures
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures_of_an_open_application(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """One that the agents wrote, at each width."""
    with ServerProcess(tmp_path, env={**UNCONFINED, "TWINWIRE_GENERATION_PACE": "0"}) as server:
        id = await new_project(server.url, "Tool library", BRIEF)
        context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{server.url}/project.html?id={id}")
        await page.get_by_role("button", name="Generate").click()
        await page.get_by_role("button", name="Open the app").click(timeout=RUN_DEADLINE)
        await expect(page.locator(".app__state")).to_have_text("Running.", timeout=RUN_DEADLINE)
        frame = page.frame_locator(".app__frame")
        await expect(frame.locator("h1")).to_be_visible()
        await page.locator(".toast").get_by_role("button", name="Close").click()
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate(FITS), width
            await page.evaluate("scrollTo(0, 0)")  # what sticks to the window's top is where it belongs
            await page.screenshot(path=picture_of(f"app-open-{scheme}-{width}"), full_page=True)
        await assert_accessible(page, "an open application")
        await context.close()
