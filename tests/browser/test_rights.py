"""Who one is and what one may, when it changes while a page is open (docs/protocol.md, section 9)."""

from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.browser.desk import Desk
from tests.support.bearers import KEYS, ask, ticket, token
from tests.support.projects import BRIEF
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ALL: Final[dict[str, Any]] = {"subscribe": ["projects", "projects/**"], "publish": ["projects", "projects/**"]}
LAB: Final[dict[str, Any]] = {"subscribe": ["lab/*"], "publish": ["lab/*"]}
READER: Final[dict[str, Any]] = {"subscribe": ["projects", "projects/**"]}


@pytest.mark.parametrize("stale", [token("eve", ttl=-50), "no.token.atall"])
async def test_a_good_link_is_good_beside_a_session_that_is_over(
    page: Page, guarded: ServerProcess, signed_in: Any, stale: str
) -> None:
    await signed_in(stale)
    login = await ticket(guarded.url, token("ada", **ALL), login=True)
    await page.goto(f"{guarded.url}/login#ticket={login}")
    await expect(page.locator(".who__name")).to_have_text("ada")


async def test_a_stream_that_is_renewed_with_fewer_rights_disables_buttons(
    page: Page, guarded: ServerProcess, signed_in: Any
) -> None:
    await signed_in(token("ada", **ALL))
    connections: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: connections.append(str(data))))
    await page.goto(f"{guarded.url}/")
    await Desk(page, guarded.url).live()
    button = page.get_by_role("button", name="Create project")
    await expect(button).to_be_enabled()
    lesser = token("ada", subscribe=["projects"])
    await signed_in(lesser)
    listed = next(one for one in connections if '"connection"' in one)
    connection = listed.split('"connection":"')[1].split('"')[0]
    answer = await ask(guarded.url, "POST", "/api/auth", lesser, {"connection": connection})
    assert answer.status == 200, answer.body
    await expect(button).to_be_disabled()


async def test_another_tab_signs_in_and_out(context: BrowserContext, guarded: ServerProcess, signed_in: Any) -> None:
    await signed_in(token("ada", **ALL))
    first, second = await context.new_page(), await context.new_page()
    await first.goto(f"{guarded.url}/")
    await Desk(first, guarded.url).live()
    await expect(first.locator(".who__name")).to_have_text("ada")
    await second.goto(f"{guarded.url}/lab.html")
    await second.get_by_role("button", name="Sign out").click()
    await expect(second.locator(".who__name")).to_have_text("Not signed in")
    await expect(first.locator(".who__name")).to_have_text("Not signed in")
    await expect(first.get_by_role("button", name="Create project")).to_be_disabled()
    await expect(first.locator("#indicator-state")).to_have_text("Not allowed")
    await second.goto(f"{guarded.url}/login")
    await second.get_by_label("Token, or the link that you were sent").fill(token("bob", **READER))
    await second.get_by_role("button", name="Sign in").click()
    await expect(first.locator(".who__name")).to_have_text("bob")
    await Desk(first, guarded.url).live()


async def test_an_answer_enables_no_button_that_is_not_ones_own_any_more(
    page: Page, guarded: ServerProcess, signed_in: Any
) -> None:
    await signed_in(token("ada", **ALL))
    desk = Desk(page, guarded.url)
    await desk.home()
    await desk.live()

    async def lose(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        await signed_in(token("ada", **READER))
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator("p.reason")).to_be_visible()
        await route.continue_()

    await page.route("**/api/projects", lose)
    await page.get_by_label("Name", exact=True).fill("Too late")
    await desk.write_brief(BRIEF)
    await page.get_by_role("button", name="Create project").click()
    await expect(page.locator("#create-error")).to_contain_text("403")
    await expect(page.get_by_role("button", name="Create project")).to_be_disabled()


@pytest.mark.parametrize("transport", ["websocket", "poll"])
async def test_a_session_that_expires_is_told_where_anybody_may_read(
    page: Page, tmp_path_factory: pytest.TempPathFactory, transport: str
) -> None:
    """The stream goes on as anonymous: a WebSocket is told of the end, a poll is not."""
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_ANONYMOUS_SUBSCRIBE": '["lab/*"]', "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("open"), env=env) as process:
        await page.goto(f"{process.url}/lab.html")
        await page.get_by_label("Transport", exact=True).select_option(transport)
        await Desk(page, process.url).live()
        login = await page.context.new_page()
        await login.goto(f"{process.url}/login")
        await login.get_by_label("Token, or the link that you were sent").fill(token("ada", ttl=15, **LAB))
        await login.get_by_role("button", name="Sign in").click()
        publish = page.get_by_role("button", name="10 events", exact=True)
        await expect(page.locator(".who__name")).to_have_text("ada")
        await expect(publish).to_be_enabled()
        await expect(page.locator(".who__name")).to_have_text("Not signed in", timeout=30_000)
        await expect(publish).to_be_disabled()
        await expect(page.locator("p.reason").first).to_contain_text("You are not signed in.")
