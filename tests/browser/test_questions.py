"""A question in mid-run on the page: who may answers it, who may not sees it and why, and all see who did."""

import re
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.desk import Desk, sign_in
from tests.browser.looks import FITS, WIDTHS, assert_accessible, picture_of
from tests.support.api import unique
from tests.support.bearers import ask, token
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROOT: Final = token("root", admin=True)


class Room:
    """A project on a guarded server, and who comes there."""

    def __init__(self, server: ServerProcess, id: str) -> None:
        self.url = server.url
        self.id = id
        self.topic = f"projects/{id}"
        self.bob = token("bob", publish=[self.topic])

    @classmethod
    async def open(cls, server: ServerProcess) -> "Room":
        return cls(server, await new_project(server.url, "Release", token=ROOT))

    async def asks(self, question: str, **more: Any) -> str:
        """By bob; its path."""
        body = {"key": unique("k"), "question": question, "choices": ["yes", "no"], "timeout": 600, **more}
        path = f"/api/projects/{self.id}/questions"
        asked = await ask(self.url, "POST", path, self.bob, body)
        assert asked.status == 201, asked.body
        return f"{path}/{asked.json()['id']}"

    async def answers(self, path: str, answer: str, text: str = "") -> None:
        given = await ask(self.url, "POST", f"{path}/answer", text or self.bob, {"answer": answer})
        assert given.status == 200, given.body

    async def enter(self, context: BrowserContext, name: str, **rights: Any) -> Page:
        """A page of somebody who may look, and do what else is said."""
        await sign_in(context, self.url, token(name, subscribe=[self.topic], **rights))
        return await self.another_tab(context)

    async def another_tab(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        desk = Desk(page, self.url)
        await desk.open(self.id)
        await desk.live()
        return page


async def new_context(browser: Browser) -> BrowserContext:
    return await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")


async def test_one_may_answer_and_the_other_sees_why_not_and_who_did(
    browser: Browser, guarded: ServerProcess, context: BrowserContext
) -> None:
    room = await Room.open(guarded)
    ada = await room.enter(context, "ada", publish=[room.topic])
    tab = await room.another_tab(context)
    theirs = await new_context(browser)
    eve = await room.enter(theirs, "eve")
    await ada.get_by_role("searchbox", name="Search in all of the log").focus()
    await room.asks("Deploy?", default="no")
    for page in (ada, tab, eve):
        card = page.get_by_role("article", name="Deploy?")
        await expect(card).to_contain_text("bob asks")
        await expect(card).to_contain_text(re.compile(r"9:\d\d"))  # minutes left
        await expect(page.locator("#questions-voice")).to_have_text("bob asks: Deploy? Answers: yes, no.")
    await expect(ada.get_by_role("searchbox", name="Search in all of the log")).to_be_focused()
    await expect(eve.get_by_role("article", name="Deploy?")).to_contain_text(
        f"You may look, but not answer: that takes the right to publish to “{room.topic}”."
    )
    await expect(eve.get_by_role("article").get_by_role("button")).to_have_count(0)
    yes = ada.get_by_role("group", name="Answers").get_by_role("button", name="yes")
    await yes.focus()
    await ada.keyboard.press("Tab")
    await expect(ada.get_by_role("button", name="no", exact=True)).to_be_focused()
    await ada.keyboard.press("Shift+Tab")
    await ada.keyboard.press("Enter")
    for page in (ada, tab, eve):
        await expect(page.get_by_role("article")).to_have_count(0)
        await expect(page.locator("#questions-ended li")).to_contain_text(["Deploy?yesanswered by ada"])
        await expect(page.locator("#questions-voice")).to_have_text("Deploy?: “yes”, answered by ada.")
    await expect(ada.locator("#questions")).to_be_focused()  # not lost with the button
    await eve.reload()
    await expect(eve.locator("#questions-ended li")).to_contain_text(["answered by ada"])
    await theirs.close()


async def test_who_comes_second_is_told_who_was_first_and_what_was_typed_stays(
    guarded: ServerProcess, context: BrowserContext
) -> None:
    room = await Room.open(guarded)
    page = await room.enter(context, "ada", publish=[room.topic])
    await room.asks("A name?", choices=None)
    await page.get_by_label("Your answer").type("a half")
    contested = await room.asks("Deploy?")

    async def lose(route: Route) -> None:
        await room.answers(contested, "no")
        await route.continue_()

    await page.route("**/answer", lose)
    await page.get_by_role("article", name="Deploy?").get_by_role("button", name="yes").click()
    await expect(page.locator(".toast")).to_contain_text("Too late: 'bob' has answered 'no'")
    await expect(page.locator("#questions-ended li")).to_contain_text(["answered by bob"])
    await page.unroute("**/answer")
    await expect(page.get_by_label("Your answer")).to_have_value("a half")
    await page.get_by_label("Your answer").press("End")
    await page.keyboard.type(" moon")
    await page.keyboard.press("Enter")
    await expect(page.locator("#questions-ended li").first).to_contain_text("a half moon")
    await room.asks("Withdrawn?")
    await page.get_by_role("button", name="Withdraw").click()
    await expect(page.locator("#questions-ended li").first).to_contain_text("withdrawn by ada")


async def test_a_deadline_is_seen_and_what_it_did(guarded: ServerProcess, context: BrowserContext) -> None:
    room = await Room.open(guarded)
    await room.asks("Nobody there?", timeout=3, default="no")
    page = await room.enter(context, "ada", publish=[room.topic])
    await expect(page.locator("#questions-ended li")).to_contain_text(["nothe default: nobody answered in time"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_and_axe_finds_nothing(
    browser: Browser, guarded: ServerProcess, scheme: Literal["light", "dark"]
) -> None:
    """Open ones and others, of one who may answer and of one who may not, at each width."""
    room = await Room.open(guarded)
    for question, answer in (("Which colour?", "teal"), ("Two\nlines?", "yes"), ("Tag?", "v4.2.0"), ("Start?", "yes")):
        await room.answers(await room.asks(question, choices=None), answer)
    await room.asks("Deploy to production?", default="no")
    await room.asks("What is it called? It is shown to customers, so keep it short.", choices=None, timeout=50)
    await room.asks(
        "Which region first?",
        choices=["Frankfurt", "São Paulo", "whatever takes a line of its own on a telephone, and then some"],
    )
    for name, rights in (("ada", {"publish": [room.topic]}), ("eve", {})):
        context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce")
        page = await room.enter(context, name, **rights)
        await expect(page.get_by_role("article")).to_have_count(3)
        await page.locator("#questions-older summary").click()
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate(FITS), width
            await page.screenshot(path=picture_of(f"questions-{name}-{scheme}-{width}"), full_page=True)
        await assert_accessible(page, name)
        await context.close()
