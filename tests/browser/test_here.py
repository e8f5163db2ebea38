"""Who is here on a project's page, cursors in its files, and the operator's list of places."""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.desk import Command, Desk, sign_in
from tests.browser.looks import FITS, assert_accessible, listen, picture_of
from tests.browser.operator import ROOT, open_page
from tests.support.bearers import ask, token
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
SECOND: Final = 5_000
"""Milliseconds in which one who has entered is seen: a second, and what a busy machine takes."""
PER_SECOND: Final = 10
"""Cursors that a tab may tell."""
GONE: Final = 20_000
"""Milliseconds in which one who has left, or whose cursor rests, is not shown any more: more than it takes."""
WIDTHS: Final = {"wide": (1440, 900), "narrow": (360, 780)}
LINE: Final = 3
"""Of the file, at which the pointer is."""
AT_LINE: Final = """([id, line]) => {
    const node = document.getElementById(id).firstChild;
    let start = 0;
    for (let n = 1; n < line; n += 1) start = node.data.indexOf("\\n", start) + 1;
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, start + 1);
    const { left, top, height } = range.getBoundingClientRect();
    return { x: left + 2, y: top + height / 2, top };
}"""
"""Where a line of a text is in the window."""
RECORD: Final = """() => {
    window.told = { counts: new Set(), voice: [], node: document.querySelector("#here-list li:nth-child(2)") };
    const note = () => told.counts.add(document.getElementById("here-count").textContent);
    note();
    const all = { subtree: true, childList: true, characterData: true };
    new MutationObserver(note).observe(document.getElementById("here"), all);
    const voice = document.getElementById("here-voice");
    new MutationObserver(() => told.voice.push(voice.textContent)).observe(voice, { childList: true });
}"""
"""What is said of who is here from now on, and who the second of the list is."""
RECORDED: Final = """() => ({
    counts: [...told.counts], voice: told.voice,
    isSame: told.node === document.querySelector("#here-list li:nth-child(2)"),
})"""


@dataclass
class Company:
    """People who come, each with a browser of his own."""

    browser: Browser
    stack: AsyncExitStack
    errors: list[list[str]] = field(default_factory=list)

    async def come(
        self,
        server: ServerProcess,
        project: str,
        sub: str | None = None,
        *,
        size: tuple[int, int] = (1280, 800),
        scheme: Literal["light", "dark"] = "light",
        **claims: Any,
    ) -> Page:
        """To the project's page, live; with all rights unless `claims` say which."""
        columns, rows = size
        context = await self.browser.new_context(
            viewport={"width": columns, "height": rows}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.stack.push_async_callback(context.close)
        context.set_default_timeout(20_000)
        if sub is not None:
            rights = {"subscribe": ["projects", "projects/**"], "publish": ["projects/**"], **claims}
            await sign_in(context, server.url, token(sub, **rights))
        page = await context.new_page()
        self.errors.append(listen(page))
        desk = Desk(page, server.url)
        await desk.open(project)
        await desk.live()
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def company(browser: Browser) -> AsyncIterator[Company]:
    async with AsyncExitStack() as stack:
        people = Company(browser, stack)
        yield people
        assert [error for errors in people.errors for error in errors] == []


async def finished(url: str, name: str) -> str:
    """A project whose files are there; its id."""
    project = await new_project(url, name, token=ROOT)
    answer = await ask(url, "POST", f"/api/projects/{project}/generate", ROOT)
    assert answer.status in (200, 201, 202), answer.body
    return project


def count(page: Page) -> Locator:
    return page.locator("#here-count")


def rows(page: Page) -> Locator:
    return page.locator("#here-list li")


def said(page: Page) -> Locator:
    return page.locator("#here-list .here__who")


async def unfold(page: Page) -> None:
    await page.locator("#here summary").click()
    await expect(page.locator("#here-list")).to_be_visible()


async def read(page: Page) -> None:
    """Read the file that the page shows of a run that is over."""
    await expect(page.locator("#status")).to_have_text("completed", timeout=40_000)
    await expect(page.locator("#preview-path")).to_have_text("README.md")
    await expect(page.locator("#preview-note")).not_to_be_empty()
    await expect(page.locator("#preview-text")).not_to_be_empty()
    await page.locator("#preview-text").scroll_into_view_if_needed()


async def point(page: Page, line: int = LINE) -> None:
    """With the pointer at a line of the file."""
    await page.mouse.move(0, 0)
    at = await page.evaluate(AT_LINE, ["preview-text", line])
    await page.mouse.move(at["x"], at["y"])


# People


async def test_two_people_see_each_other_within_a_second_and_what_they_look_at(
    company: Company, guarded: ServerProcess
) -> None:
    project = await finished(guarded.url, "Shared")
    ada = await company.come(guarded, project, "ada")
    await expect(count(ada)).to_have_text("Only you here")
    bob = await company.come(guarded, project, "bob")
    await expect(count(bob)).to_have_text("2 people here", timeout=SECOND)
    await expect(count(ada)).to_have_text("2 people here", timeout=SECOND)
    await expect(ada.locator("#here-faces .face")).to_have_text(["AD", "BO"])
    await expect(ada.locator("#here-voice")).to_have_text("bob is here now.")
    await unfold(ada)
    await expect(said(ada)).to_have_text(["You are here", "bob is here"])
    await read(bob)
    await point(bob)
    await expect(rows(ada).nth(1)).to_contain_text(f"bob looks at README.md, line {LINE}")
    await bob.get_by_label("Search in all of the log").fill("needle")
    await expect(rows(ada).nth(1)).to_contain_text("bob searches the log of run 1 for “needle”")
    assert await ada.locator("#here-voice").text_content() == "bob is here now."


async def test_a_reload_is_silent_and_a_tab_that_is_closed_is_gone(company: Company, guarded: ServerProcess) -> None:
    project = await new_project(guarded.url, "Reloaded", None, token=ROOT)
    ada = await company.come(guarded, project, "ada")
    bob = await company.come(guarded, project, "bob")
    eve = await company.come(guarded, project, "eve")
    await expect(count(ada)).to_have_text("3 people here")
    await expect(ada.locator("#here-voice")).to_contain_text("eve", timeout=GONE)  # it speaks every ten seconds
    await unfold(ada)
    await ada.evaluate(RECORD)
    await bob.reload()
    await expect(count(bob)).to_have_text("3 people here")
    await eve.close()  # after the reload: when she is gone, bob would have been
    await expect(count(ada)).to_have_text("2 people here", timeout=GONE)
    await expect(said(ada)).to_have_text(["You are here", "bob is here"])
    await expect(ada.locator("#here-voice")).to_have_text("eve has left.", timeout=GONE)
    told = await ada.evaluate(RECORDED)
    assert told == {"counts": ["3 people here", "2 people here"], "voice": ["eve has left."], "isSame": True}


async def test_a_second_tab_is_the_same_person(company: Company, guarded: ServerProcess) -> None:
    project = await new_project(guarded.url, "Twice", None, token=ROOT)
    ada = await company.come(guarded, project, "ada")
    bob = await company.come(guarded, project, "bob")
    again = await bob.context.new_page()
    await Desk(again, guarded.url).open(project)
    await unfold(ada)
    await expect(rows(ada).nth(1)).to_contain_text("(here twice)")
    await expect(count(ada)).to_have_text("2 people here")
    await bob.close()
    await expect(said(ada).nth(1)).to_have_text("bob is here", timeout=GONE)
    await expect(count(ada)).to_have_text("2 people here")


async def test_who_is_not_signed_in_is_somebody(company: Company, server: ServerProcess) -> None:
    project = await new_project(server.url, "Open", None)
    one = await company.come(server, project)
    other = await company.come(server, project)
    await unfold(one)
    await expect(said(one)).to_have_text(["You are here", "Somebody is here"])
    await expect(count(other)).to_have_text("2 people here")
    assert await one.locator("#here-voice").text_content() == ""


async def test_who_may_only_read_sees_the_others_and_is_not_among_them(
    company: Company, guarded: ServerProcess
) -> None:
    project = await new_project(guarded.url, "Read alone", None, token=ROOT)
    ada = await company.come(guarded, project, "ada")
    reader = await company.come(guarded, project, "joe", publish=[])
    await expect(count(reader)).to_have_text("1 person here")
    await unfold(reader)
    await expect(said(reader)).to_have_text(["ada is here"])
    await expect(reader.locator(".toast")).to_have_count(0)
    await expect(count(ada)).to_have_text("Only you here")


async def test_while_the_server_is_away_the_list_says_of_when_it_is(page: Page, serve: Serve) -> None:
    server = serve()
    project = await new_project(server.url, "Away", None)
    desk = Desk(page, server.url)
    await desk.open(project)
    await desk.live()
    await expect(count(page)).to_have_text("Only you here")
    await unfold(page)
    await server.akill9()
    await expect(count(page)).to_have_text(re.compile(r"^Only you here at \d\d:\d\d:\d\d$"))
    await expect(page.locator("#here-old")).to_have_text(re.compile("^Not connected: this is who was here at"))
    await assert_accessible(page)
    await server.astart()
    await desk.live()
    await expect(count(page)).to_have_text("Only you here")
    await expect(page.locator("#here-old")).to_be_hidden()


async def test_where_there_are_too_many_to_be_listed_there_is_a_count(company: Company, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_PRESENCE_LISTED": "10"}) as few:
        project = await new_project(few.url, "Crowded", None)
        page = await company.come(few, project)
        await unfold(page)
        members = [f"/api/presence/projects/{project}/m-{number}" for number in range(12)]
        for member in members:
            assert (await request(few.url, "PUT", member, json_body={"lease": 120})).status == 201
        await expect(count(page)).to_have_text("13 here")
        await expect(page.locator("#here-rest")).to_have_text("Too many to be listed.")
        await expect(rows(page)).to_have_count(0)
        for member in members[5:]:
            assert (await request(few.url, "DELETE", member)).status == 204
        await expect(count(page)).to_have_text("6 people here")
        await expect(rows(page)).to_have_count(6)
        await expect(page.locator("#here-rest")).to_be_hidden()


# What is no person


async def test_commands_and_agents_are_what_they_are(
    company: Company, server: ServerProcess, odd: ServerProcess
) -> None:
    project = await new_project(server.url, "Commands", None)
    page = await company.come(server, project)
    run = await Command.begin(server.url, project)
    await expect(count(page)).to_have_text("You, 1 command here")
    await unfold(page)
    await expect(rows(page).nth(1)).to_contain_text("Run 1 is under way: make test")
    await expect(rows(page).nth(1)).to_have_attribute("data-kind", "command")
    await run.end()
    await expect(count(page)).to_have_text("Only you here")
    project = await new_project(odd.url, "Stuck, and seen")
    page = await company.come(odd, project)
    await Desk(page, odd.url).generate()
    await unfold(page)
    await expect(rows(page).filter(has_text="works on stage 6 of run 1")).to_have_attribute("data-kind", "agent")
    await expect(count(page)).to_have_text("You, 1 agent here")
    assert await page.locator("#here-voice").text_content() == ""


# Cursors


async def test_another_one_s_cursor_is_at_its_line_and_goes_when_it_rests(
    company: Company, guarded: ServerProcess
) -> None:
    project = await finished(guarded.url, "Pointed at")
    ada = await company.come(guarded, project, "ada")
    bob = await company.come(guarded, project, "bob")
    await expect(count(bob)).to_have_text("2 people here")
    await read(ada)
    await read(bob)
    await point(bob)
    name = ada.locator(".cursor__name")
    await expect(name).to_have_text("bob", timeout=SECOND)
    box, line = await ada.locator(".cursor").bounding_box(), await ada.evaluate(AT_LINE, ["preview-text", LINE])
    assert box is not None
    assert box["y"] == pytest.approx(line["top"], abs=1)
    await point(bob, LINE + 2)
    line = await ada.evaluate(AT_LINE, ["preview-text", LINE + 2])
    await expect(ada.locator(".cursor")).to_have_css("top", re.compile(r"^\d"))
    await ada.wait_for_function(
        "(top) => Math.abs(document.querySelector('.cursor')?.getBoundingClientRect().top - top) <= 1", arg=line["top"]
    )
    await expect(bob.locator(".cursor")).to_have_count(0)
    await expect(name).to_have_count(0, timeout=GONE)


async def test_cursors_are_told_ten_times_a_second_at_most_and_to_nobody_not_at_all(
    company: Company, guarded: ServerProcess
) -> None:
    project = await finished(guarded.url, "Rapid")
    bob = await company.come(guarded, project, "bob")
    sent: list[str] = []

    def note(frame: str | bytes) -> None:
        if isinstance(frame, str) and '"cursor"' in frame:
            sent.append(frame)

    bob.on("websocket", lambda socket: socket.on("framesent", note))
    await bob.reload()
    await unfold(bob)
    await read(bob)
    await point(bob)
    await expect(said(bob)).to_have_text([f"You look at README.md, line {LINE}"])
    assert sent == []
    await company.come(guarded, project, "ada")
    await expect(count(bob)).to_have_text("2 people here")
    began = time.monotonic()
    for turn in range(60):
        await point(bob, 1 + turn % 8)
    took = time.monotonic() - began
    assert 1 <= len(sent) <= took * PER_SECOND + 1


async def test_it_is_gone_through_by_keyboard(company: Company, guarded: ServerProcess) -> None:
    project = await finished(guarded.url, "By keys")
    ada = await company.come(guarded, project, "ada")
    bob = await company.come(guarded, project, "bob")
    await read(ada)
    await read(bob)
    await expect(count(bob)).to_have_text("2 people here")  # before that nobody is told where he is
    await bob.locator("#preview-text").focus()
    await expect(ada.locator(".cursor__name")).to_have_text("bob")
    files = ada.locator("#files button")
    await files.first.click()
    await expect(ada.locator("#preview-path")).not_to_have_text("README.md")
    await ada.get_by_role("link", name="All projects").focus()
    await ada.keyboard.press("Tab")
    await expect(ada.locator("#here summary")).to_be_focused()
    await ada.keyboard.press("Enter")
    await expect(rows(ada).nth(1)).to_contain_text("bob looks at README.md, line 1")
    await ada.keyboard.press("Escape")
    await expect(ada.locator("#here-list")).to_be_hidden()
    await expect(ada.locator("#here summary")).to_be_focused()
    await ada.keyboard.press("Enter")
    await ada.keyboard.press("Tab")
    await expect(ada.get_by_role("button", name="Go there: bob looks at README.md, line 1")).to_be_focused()
    await ada.keyboard.press("Enter")
    await expect(ada.locator("#preview-path")).to_have_text("README.md")
    await expect(ada.locator("#preview-text")).to_be_focused()
    await expect(ada.locator("#here-list")).to_be_hidden()


# How it looks


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        ("narrow", "light"),
        *(
            pytest.param(*one, marks=pytest.mark.pictures)
            for one in (("narrow", "dark"), ("wide", "light"), ("wide", "dark"))
        ),
    ],
)
async def test_it_fits_and_axe_finds_nothing(
    company: Company, guarded: ServerProcess, width: str, scheme: Literal["light", "dark"]
) -> None:
    """On a phone it is a count."""
    project = await finished(guarded.url, f"Looked at {width} {scheme}")
    ada = await company.come(guarded, project, "Ada Lovelace", size=WIDTHS[width], scheme=scheme)
    await read(ada)
    others = [
        await company.come(guarded, project, name)
        for name in ("grace.hopper@example.org", "山田", "A_rather_long_name_without_any_place_to_break_it_in_two")
    ]
    for one in (ada, *others):
        await one.evaluate("location.hash = '#run-1'")
        await read(one)
    await Command.begin(guarded.url, project, "make a rather long command that is reported", token=ROOT)
    for one in (ada, *others):
        await expect(count(one)).to_have_text("4 people, 1 command here")
    await expect(ada.locator("#here-short")).to_have_text("5 here")
    await expect(ada.locator("#here-short")).to_be_visible(visible=width == "narrow")
    await expect(ada.locator("#here-faces")).to_be_visible(visible=width == "wide")
    for line, other in enumerate(others):
        await point(other, 3 + line // 2 * 2)
    await expect(ada.locator(".cursor__name")).to_have_count(len(others))
    await ada.screenshot(path=picture_of(f"here-cursors-{scheme}-{width}"))
    await ada.evaluate("scrollTo(0, 0)")
    await ada.locator(".toast").evaluate_all("all => all.forEach((one) => one.remove())")
    await unfold(ada)
    await expect(rows(ada)).to_have_count(5)
    assert await ada.evaluate(FITS)
    await assert_accessible(ada)
    await ada.screenshot(path=picture_of(f"here-{scheme}-{width}"))


# The operator's page


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        ("narrow", "dark"),
        *(
            pytest.param(*one, marks=pytest.mark.pictures)
            for one in (("narrow", "light"), ("wide", "light"), ("wide", "dark"))
        ),
    ],
)
async def test_an_operator_sees_places_and_members_and_sends_one_away(
    company: Company, guarded: ServerProcess, width: str, scheme: Literal["light", "dark"]
) -> None:
    project = await new_project(guarded.url, f"Operated {width} {scheme}", None, token=ROOT)
    ada = await company.come(guarded, project, "ada")
    await company.come(guarded, project, "bob")
    await Command.begin(guarded.url, project, token=ROOT)
    await expect(count(ada)).to_have_text("2 people, 1 command here")
    columns, height = WIDTHS[width]
    context = await company.browser.new_context(
        viewport={"width": columns, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    company.stack.push_async_callback(context.close)
    page = await context.new_page()
    company.errors.append(listen(page))
    await open_page(page, guarded.url)
    await page.get_by_label("Place, or several").fill(f"projects/{project}")
    await page.locator("#places-filter").get_by_role("button", name="Show").click()
    await expect(page.locator("#places-rows tr")).to_have_count(1)
    await expect(page.locator("#places-rows tr td").nth(1)).to_have_text("3")
    await page.get_by_role("button", name=f"Members of projects/{project}").click()
    members = page.locator("#members-rows tr")
    await expect(members).to_have_count(3)
    await expect(page.locator("#members-note")).to_have_text("3 users, 3 members")
    await expect(page.locator("#members").get_by_role("button", name=re.compile("^Disconnect: run:1"))).to_have_count(0)
    assert await page.evaluate(FITS)
    await assert_accessible(page)
    await page.locator("#places").screenshot(path=picture_of(f"admin-places-{scheme}-{width}"))
    await page.locator("#members").get_by_role("button", name=re.compile("^Disconnect: ada")).click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(members).to_have_count(3)
    await page.locator("#members").get_by_role("button", name=re.compile("^Disconnect: ada")).click()
    await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    await expect(page.locator(".toast")).to_contain_text("ada was sent away")
    await expect(ada.locator("#indicator-state")).to_have_text(re.compile("^Live"))
