"""Who one is on the pages: signing in, what one may not do, and a session that ends (docs/protocol.md, section 9)."""

from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.desk import Desk
from tests.browser.looks import assert_accessible
from tests.support.bearers import revoke, ticket, token
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVERYTHING: Final[dict[str, Any]] = {"subscribe": ["projects", "projects/**"], "publish": ["projects", "projects/**"]}


async def create(url: str, name: str) -> str:
    return await new_project(url, name, token=token("root", admin=True))


async def paste(page: Page, text: str) -> None:
    await page.get_by_label("Token, or the link that you were sent").fill(text)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_token_is_pasted_and_one_is_somebody(page: Page, guarded: ServerProcess) -> None:
    await page.goto(f"{guarded.url}/")
    await expect(page.locator("#notice")).to_contain_text("You are not signed in")
    await page.get_by_role("link", name="Sign in").click()
    await paste(page, "no token")
    await expect(page.get_by_role("alert")).to_contain_text("This is no token")
    await paste(page, token("ada", **EVERYTHING)[:-3] + "AAA")
    await expect(page.get_by_role("alert")).to_contain_text("not valid")
    await paste(page, f"  {token('ada', **EVERYTHING)}\n")
    await page.wait_for_url(f"{guarded.url}/")
    await expect(page.locator(".who__name")).to_have_text("ada")
    await Desk(page, guarded.url).live()
    cookies = await page.context.cookies()
    assert [(one["name"], one["httpOnly"], one["sameSite"]) for one in cookies] == [("twinwire", True, "Strict")]
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator(".who__name")).to_have_text("Not signed in")
    assert await page.context.cookies() == []


async def test_a_link_works_once_and_leaves_no_trace(page: Page, guarded: ServerProcess) -> None:
    login = await ticket(guarded.url, token("ada", **EVERYTHING), login=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{guarded.url}/login?next=lab.html#ticket={login}")
    await page.wait_for_url(f"{guarded.url}/lab.html")
    await expect(page.locator(".who__name")).to_have_text("ada")
    assert not any(login in url for url in asked)
    await page.context.clear_cookies()
    await page.goto(f"{guarded.url}/login#ticket={login}")
    await expect(page.get_by_role("alert")).to_contain_text("This link is not valid")
    assert page.url == f"{guarded.url}/login"


async def test_a_link_makes_nobody_somebody_else_without_a_word(
    page: Page, guarded: ServerProcess, signed_in: Any
) -> None:
    """Whoever has a token can send one, and would read what is done under his name."""
    await signed_in(token("ada", **EVERYTHING))
    login = await ticket(guarded.url, token("bob", **EVERYTHING), login=True)
    await page.goto(f"{guarded.url}/login#ticket={login}")
    await expect(page.locator("#login-link")).to_be_visible()
    await expect(page.locator("#login-who")).to_have_text("ada")
    assert page.url == f"{guarded.url}/login"
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{guarded.url}/")
    await expect(page.locator(".who__name")).to_have_text("bob")


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "http://[", "\\\\evil"]
)
async def test_it_goes_on_to_a_page_of_ours_alone(page: Page, guarded: ServerProcess, next: str) -> None:
    login = await ticket(guarded.url, token("ada", **EVERYTHING), login=True)
    await page.goto(f"{guarded.url}/login?next={next}#ticket={login}")
    await expect(page.locator(".who__name")).to_have_text("ada")
    assert page.url.startswith(f"{guarded.url}/")


async def test_with_few_rights_one_sees_some_and_is_told_why_not_more(
    page: Page, guarded: ServerProcess, signed_in: Any
) -> None:
    mine, other = await create(guarded.url, "Mine"), await create(guarded.url, "Another's")
    await signed_in(token("ada", subscribe=[f"projects/{mine}", f"projects/{mine}/**"]))
    await page.goto(f"{guarded.url}/")
    await expect(page.locator("#projects li")).to_have_count(1)
    button = page.get_by_role("button", name="Create project")
    await expect(button).to_be_disabled()
    await expect(button).to_have_attribute(
        "title", "You may look, but not create projects: that takes the right to publish to “projects”."
    )
    await expect(page.locator("p.reason:visible")).to_be_visible()
    await Desk(page, guarded.url).live()
    await page.goto(f"{guarded.url}/project.html?id={mine}")
    await expect(page.get_by_role("button", name="Generate")).to_be_disabled()
    await expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    await expect(page.locator("p.reason:visible")).to_have_count(1)
    await Desk(page, guarded.url).live()
    await page.goto(f"{guarded.url}/project.html?id={other}")
    await expect(page.locator("#notice")).to_contain_text("403")


async def test_the_lab_says_who_may_publish(page: Page, guarded: ServerProcess, signed_in: Any) -> None:
    await signed_in(token("ada", subscribe=["lab/*"], publish=["lab/*"]))
    desk = Desk(page, guarded.url)
    await desk.lab()
    await expect(page.get_by_role("button", name="Trim the log")).to_be_disabled()
    await page.get_by_role("button", name="10 events", exact=True).click()
    await expect(page.locator("#received")).to_have_text("10")


async def test_a_session_that_ends_is_told(page: Page, guarded: ServerProcess, signed_in: Any) -> None:
    await signed_in(token("eve", **EVERYTHING))
    await page.goto(f"{guarded.url}/")
    await Desk(page, guarded.url).live()
    await revoke(guarded.url, sub="eve")
    await expect(page.locator("#notice")).to_contain_text("no longer lets this page listen", timeout=30_000)
    await expect(page.locator("#indicator-state")).to_have_text("Not allowed")
    await expect(page.locator(".who__name")).to_have_text("Not signed in")
    await page.locator("#notice").get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/login**")
    await paste(page, token("ada", **EVERYTHING))
    await page.wait_for_url(f"{guarded.url}/")
    await Desk(page, guarded.url).live()


async def test_another_tab_notices_that_a_nameless_session_is_over(
    page: Page, guarded: ServerProcess, signed_in: Any
) -> None:
    """He has no name, and is somebody all the same."""
    await signed_in(token(**EVERYTHING))
    await page.goto(f"{guarded.url}/")
    await expect(page.locator(".who__name")).to_have_text("A nameless token")
    await Desk(page, guarded.url).live()
    other = await page.context.new_page()
    await other.goto(f"{guarded.url}/")
    await other.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#indicator-state")).to_have_text("Not allowed", timeout=30_000)
    await expect(page.locator(".who__name")).to_have_text("Not signed in")


async def test_without_keys_nothing_of_it_is_shown(page: Page, server: ServerProcess) -> None:
    await page.goto(f"{server.url}/")
    await Desk(page, server.url).live()
    await expect(page.locator(".who")).to_be_hidden()
    await expect(page.get_by_role("button", name="Create project")).to_be_enabled()
    await page.goto(f"{server.url}/login")
    await expect(page.locator("#login-none")).to_contain_text("there is nobody to be")
    await expect(page.locator("#login")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(page: Page, guarded: ServerProcess, signed_in: Any, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto(f"{guarded.url}/login")
    await expect(page.locator("#login")).to_be_visible()
    await paste(page, "no token")
    await assert_accessible(page, serious=True)
    mine = await create(guarded.url, "Mine")
    await signed_in(token("ada", subscribe=[f"projects/{mine}"]))
    for path in ("", f"project.html?id={mine}"):
        await page.goto(f"{guarded.url}/{path}")
        await expect(page.locator("p.reason:visible")).to_be_visible()
        await assert_accessible(page, serious=True)
