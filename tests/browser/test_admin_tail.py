"""The operator's live tail: it shows what the log has, from where it was told to begin, and says what it lets go."""

import json
from typing import Final, Literal

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.desk import next_frame, sign_in
from tests.browser.looks import FITS, assert_accessible, picture_of
from tests.browser.operator import ROOT, publish
from tests.support.bearers import ask, token
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDTHS: Final = (320, 360, 768, 1280, 1920)
KEPT: Final = 500
"""Rows of a tail (admin/tail-store.js)."""
PATIENCE: Final = 20_000
"""Milliseconds until a table has been asked for again."""


class Tail:
    """The panel, as a person sees it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.panel = page.locator("#tail")
        self.rows = page.locator("#tail-rows > li")
        self.note = page.locator("#tail-note")
        self.figures = page.locator("#tail-figures")

    async def open(self, address: str = "", text: str | None = ROOT) -> None:
        """With this in the page's address, as the bearer of `text`."""
        if text is not None:
            await sign_in(self.page.context, self.url, text)
        await self.page.goto(f"{self.url}/admin.html{address}")

    async def live(self) -> None:
        await next_frame(self.page)
        await expect(self.page.locator("#tail-indicator-state")).to_contain_text("Live ·", timeout=PATIENCE)
        await expect(self.page.locator("#tail-indicator")).to_have_attribute("data-tone", "live")

    async def start(self, topics: str, begin: str = "Now", value: str = "", kind: str = "") -> None:
        await self.panel.get_by_label("Topics or filters").fill(topics)
        await self.panel.get_by_label("Type, or empty for all").fill(kind)
        await self.panel.get_by_label("Begin at").select_option(label=begin)
        if value:
            await self.panel.locator("#tail-at:visible, #tail-count:visible, #tail-moment:visible").fill(value)
        await self.panel.get_by_role("button", name="Start").click()

    async def shows(self, *ids: str) -> None:
        """These events and no others, the newest first. Gaps have no id, and are passed over."""
        events = self.panel.locator("#tail-rows > li[data-kind=event]")
        await expect(events).to_have_count(len(ids))
        assert await events.evaluate_all("rows => rows.map(row => row.dataset.id)") == list(ids)

    def row(self, id: str) -> Locator:
        return self.page.locator(f'#tail-rows > li[data-id="{id}"]')


@pytest.fixture
def tail(page: Page, guarded: ServerProcess) -> Tail:
    return Tail(page, guarded.url)


# What comes


async def test_a_topic_of_the_list_opens_its_tail(tail: Tail) -> None:
    old = await publish(tail.url, *(["listed/one"] * 3), "listed/two")
    await tail.open()
    await tail.page.get_by_label("Filter, such as").fill("listed/one")
    await tail.page.get_by_label("Filter, such as").press("Enter")
    await tail.page.locator("#topics-rows").get_by_role("link", name="listed/one").click()
    await tail.live()
    await tail.shows(*old[2::-1])
    await expect(tail.page).to_have_url(f"{tail.url}/admin.html#tail=listed/one&last=20")
    new = await publish(tail.url, "listed/two", "listed/one", data={"is": "new"})
    await tail.shows(new[1], *old[2::-1])
    first = tail.rows.first
    for part in (new[1], "listed/one", "note", '{"is":"new"}'):
        await expect(first.locator("summary")).to_contain_text(part)
    await expect(tail.figures).to_contain_text("4 events")


async def test_several_filters_and_a_type(tail: Tail) -> None:
    await tail.open()
    await tail.start("several/a, several/b/*", kind="wanted")
    await tail.live()
    events = [
        {"topic": topic, "type": kind, "data": 1}
        for topic in ("several/a", "several/b/c", "several/c")
        for kind in ("wanted", "other")
    ]
    ids = (await ask(tail.url, "POST", "/api/events", ROOT, events)).json()["ids"]
    await tail.shows(ids[2], ids[0])
    await expect(tail.figures).to_contain_text("2 events")
    await expect(tail.figures).to_contain_text("2 others left out")


async def test_what_was_published_is_text_and_cut_where_it_is_long(tail: Tail) -> None:
    markup = '<img src=x onerror="document.title=1">'
    ids = await publish(tail.url, "text", data={"markup": markup, "turned": "a\u202eb"})
    ids += await publish(tail.url, "text", data="x" * 30_000)
    body = b'{"topic": "text", "type": "note", "data": 12345678901234567890}'
    ids.append((await ask(tail.url, "POST", "/api/events", ROOT, json.loads(body))).json()["id"])
    await tail.open("#tail=text&last=3")
    await tail.shows(*reversed(ids))
    for id in ids:
        await tail.row(id).locator("summary").click()
    shown = tail.page.get_by_role("group", name=f"Data of {ids[0]}")
    await expect(shown).to_contain_text(json.dumps({"markup": markup}, indent=2).strip("{}\n"))
    await expect(shown).to_contain_text("a\\u202eb")
    assert await tail.page.locator("main img").count() == 0
    long = tail.page.get_by_role("group", name=f"Data of {ids[1]}")
    assert len(await long.inner_text()) == 4_000
    await tail.page.get_by_role("button", name="Show all, 30.0 kB").click()
    await expect(long).to_have_text(f'"{"x" * 30_000}"')
    await expect(long).to_be_focused()
    await expect(tail.row(ids[2])).to_contain_text("larger than a browser can tell exactly")
    await expect(tail.row(ids[0])).not_to_contain_text("larger than a browser can tell exactly")


async def test_so_many_rows_are_kept_and_it_is_said(tail: Tail) -> None:
    await tail.open()
    await tail.start("many")
    await tail.live()
    ids = await publish(tail.url, *(["many"] * (KEPT + 20)))
    await expect(tail.rows.first).to_have_attribute("data-id", ids[-1])
    await expect(tail.rows).to_have_count(KEPT)
    await expect(tail.rows.last).to_have_attribute("data-id", ids[20])
    await expect(tail.figures).to_contain_text(f"{KEPT + 20} events")
    await expect(tail.figures).to_contain_text(f"the newest {KEPT} are kept here")
    await tail.rows.last.locator("summary").focus()
    await publish(tail.url, "many")
    await expect(tail.page.locator("#tail-box")).to_be_focused()  # its row went, and the focus is not lost with it


async def test_a_pause_holds_back_and_a_clear_lets_go(tail: Tail) -> None:
    await tail.open()
    await tail.start("paused")
    await tail.live()
    ids = await publish(tail.url, "paused")
    await tail.shows(*ids)
    pause = tail.panel.get_by_role("button", name="Pause")
    await pause.focus()
    await tail.page.keyboard.press("Space")
    ids += await publish(tail.url, "paused", "paused")
    await expect(tail.figures).to_contain_text("2 held back")
    await tail.shows(ids[0])
    await tail.panel.get_by_role("button", name="Go on").click()
    await tail.shows(*reversed(ids))
    await expect(tail.figures).not_to_contain_text("held back")
    await tail.panel.get_by_role("button", name="Clear").click()
    await expect(tail.rows).to_have_count(0)
    await expect(tail.panel).to_contain_text("No events here yet.")
    await tail.panel.get_by_role("button", name="Stop").click()
    await expect(tail.page.locator("#tail-indicator")).to_be_hidden()
    await expect(tail.note).to_have_text("Stopped: nothing new is shown.")


# Where it begins


async def test_it_begins_where_it_is_told_to(tail: Tail) -> None:
    ids = await publish(tail.url, *(["begun"] * 5))
    await tail.open()
    await tail.start("begun", "The oldest event")
    await tail.shows(*reversed(ids))
    await tail.start("begun", "The last events", "2")
    await tail.shows(ids[4], ids[3])
    await tail.start("begun", "After a cursor", ids[1])
    await tail.shows(ids[4], ids[3], ids[2])
    await expect(tail.page).to_have_url(f"{tail.url}/admin.html#tail=begun&after={ids[1]}")
    await tail.start("begun", "An event, by its id", ids[1])
    await tail.shows(ids[4], ids[3], ids[2], ids[1])
    await tail.start("begun")
    await tail.live()
    await tail.shows()
    new = await publish(tail.url, "begun")
    await tail.shows(*new)


async def test_it_begins_at_a_moment(tail: Tail) -> None:
    ids = await publish(tail.url, "moment")
    (event,) = (await ask(tail.url, "GET", "/api/events?topic=moment&after=earliest", ROOT)).json()["events"]
    await tail.open(f"#tail=moment&since={event['time']}")
    await tail.live()
    await tail.shows(*ids)
    field = tail.panel.get_by_label("Since, in this device's time")
    assert await tail.page.evaluate("text => new Date(text).toISOString()", await field.input_value()) == event["time"]
    await field.fill("2199-01-01T00:00")
    await tail.panel.get_by_role("button", name="Start").click()
    await tail.live()
    await publish(tail.url, "moment")
    await expect(tail.figures).to_contain_text("1 other left out")  # it is not 2199 yet
    await tail.shows()


@pytest.mark.parametrize(
    ("cursor", "words"),
    [
        ("nonsense", "Gap: that was no cursor. Asked for nonsense, goes on at"),
        ("zzzzzz-3", "Gap: this is another log than before. Asked for zzzzzz-3, goes on at"),
        ("{epoch}-999999999", "Gap: the cursor lies beyond the log's head. Asked for {epoch}-999999999, goes on at"),
    ],
)
async def test_a_wrong_cursor_is_told_in_the_words_of_the_client(tail: Tail, cursor: str, words: str) -> None:
    epoch = (await publish(tail.url, "wrong"))[0].rpartition("-")[0]
    await tail.open()
    await tail.start("wrong", "After a cursor", cursor.format(epoch=epoch))
    gap = tail.panel.locator("li[data-kind=gap]")
    await expect(gap).to_contain_text(words.format(epoch=epoch))
    await tail.live()


async def test_what_was_trimmed_is_a_gap_among_the_events(tail: Tail) -> None:
    ids = await publish(tail.url, *(["trimmed"] * 4))
    await ask(tail.url, "POST", "/api/topics/trim", ROOT, {"topic": "trimmed", "keep": 1})
    await tail.open(f"#tail=trimmed&after={ids[0]}")
    await expect(tail.rows).to_have_count(2)
    await expect(tail.rows.last).to_contain_text("retention took events before they could be replayed")
    await tail.shows(ids[3])
    await tail.start("trimmed", "The last events", "3")
    await expect(tail.note).to_contain_text(f"What was removed before, up to {ids[2]}, is not here.")


async def test_a_row_is_replayed_from_and_its_cursor_copied(tail: Tail) -> None:
    ids = await publish(tail.url, *(["replayed"] * 4))
    await tail.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await tail.open("#tail=replayed&last=4")
    await tail.shows(*reversed(ids))
    await tail.row(ids[2]).locator("summary").focus()
    await tail.page.keyboard.press("Enter")
    await tail.row(ids[2]).get_by_role("button", name="Copy the cursor").press("Enter")
    await expect(tail.page.locator(".toast")).to_contain_text(f"{ids[2]} is copied")
    assert await tail.page.evaluate("navigator.clipboard.readText()") == ids[2]
    await tail.row(ids[2]).get_by_role("button", name="Replay from here").press("Enter")
    await tail.shows(ids[3], ids[2])
    await expect(tail.panel.get_by_label("Cursor, or id of an event")).to_have_value(ids[2])
    await expect(tail.page).to_have_url(f"{tail.url}/admin.html#tail=replayed&event={ids[2]}")


async def test_where_nothing_may_be_copied_the_cursor_is_selected(tail: Tail) -> None:
    ids = await publish(tail.url, "copied")
    await tail.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await tail.open("#tail=copied&last=1")
    await tail.row(ids[0]).locator("summary").click()
    await tail.row(ids[0]).get_by_role("button", name="Copy the cursor").click()
    await expect(tail.page.locator(".toast")).to_contain_text("copy it with your keyboard")
    assert await tail.page.evaluate("String(getSelection())") == ids[0]


# What does not work is said


async def test_the_indicator_is_the_streams(tail: Tail) -> None:
    await tail.open()
    await tail.start("indicated")
    await tail.live()
    await tail.page.context.set_offline(True)
    await expect(tail.page.locator("#tail-indicator-state")).to_have_text("Offline")
    await tail.page.context.set_offline(False)
    ids = await publish(tail.url, "indicated")
    await tail.live()
    await tail.shows(*ids)


async def test_a_wrong_filter_is_told_at_its_field(tail: Tail) -> None:
    await tail.open()
    await tail.start("a//b")
    topics = tail.panel.get_by_label("Topics or filters")
    await expect(tail.page.locator("#tail-topics-error")).to_have_text("not a topic or filter: a//b")
    await expect(topics).to_be_focused()
    await expect(topics).to_have_value("a//b")
    await expect(tail.page.locator("#tail-indicator")).to_be_hidden()
    await tail.start("a", "An event, by its id", "no cursor")
    await expect(tail.page.locator("#tail-at-error")).to_contain_text("is not a cursor")
    await tail.start(", ".join(f"a/{n}" for n in range(101)))
    await expect(tail.note).to_contain_text("It has ended, and shows nothing new:")
    await expect(tail.page.locator("#tail-indicator-state")).to_have_text("Closed")


async def test_what_may_not_be_read_is_refused_in_the_services_words(tail: Tail) -> None:
    await tail.open(text=token("ada", subscribe=["ada/*"]))
    await tail.start("ada/1, others")
    await expect(tail.note).to_contain_text("You may not read this:")
    await expect(tail.note).to_contain_text("others")
    await expect(tail.page.locator("#tail-indicator-state")).to_have_text("Not allowed")
    await tail.start("ada/1")
    await tail.live()
    ids = await publish(tail.url, "ada/1")
    await tail.shows(*ids)
    await sign_in(tail.page.context, tail.url, ROOT)
    await tail.start("twinwire/**")
    await expect(tail.note).to_contain_text("twinwire/")


async def test_who_may_read_nothing_sees_why_it_can_not_be_started(tail: Tail) -> None:
    await tail.open("#tail=a&last=3", text=token("bob", publish=["a"]))
    start = tail.panel.get_by_role("button", name="Start")
    await expect(start).to_be_disabled()
    await expect(tail.panel).to_contain_text("To listen takes a token that may subscribe to something.")
    await expect(tail.panel.get_by_label("Topics or filters")).to_be_focused()
    await expect(tail.panel.get_by_label("Topics or filters")).to_have_value("a")
    await expect(tail.rows).to_have_count(0)


async def test_an_address_is_followed_behind_the_login(tail: Tail) -> None:
    ids = await publish(tail.url, "behind/the/login")
    await tail.open("#tail=behind/the/login&last=1", text=None)
    await expect(tail.panel).to_contain_text("You are not signed in.")
    await tail.page.locator("#notice").get_by_role("button", name="Sign in").click()
    await tail.page.get_by_label("Token, or the link that you were sent").fill(ROOT)
    await tail.page.get_by_role("button", name="Sign in").click()
    await tail.page.wait_for_url("**/admin.html#**")
    await tail.live()
    await tail.shows(*ids)


async def test_a_service_that_is_away_is_told(tail: Tail) -> None:
    await tail.open()
    await tail.page.route("**/api/events?**", lambda route: route.abort())
    await tail.start("away", "The last events", "5")
    await expect(tail.note).to_contain_text("Looking where it begins did not reach the server.")
    await expect(tail.page.locator("#tail-indicator")).to_be_hidden()


async def test_a_start_that_was_stopped_meanwhile_begins_nothing(tail: Tail) -> None:
    await tail.open()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await tail.page.route("**/api/events?**", hold)
    async with tail.page.expect_request("**/api/events?**"):
        await tail.start("slow", "The last events", "5")
    await tail.panel.get_by_role("button", name="Stop").click()
    async with tail.page.expect_response("**/api/events?**"):
        await held[0].continue_()
    await expect(tail.note).to_have_text("Stopped: nothing new is shown.")
    await expect(tail.page.locator("#tail-indicator")).to_be_hidden()


# How it looks


@pytest.mark.pictures
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures_of_a_tail(browser: Browser, guarded: ServerProcess, scheme: Literal["light", "dark"]) -> None:
    ids = await publish(guarded.url, *(f"pictures/{n % 4}/linux" for n in range(30)), data={"text": "done", "n": [1]})
    await ask(guarded.url, "POST", "/api/topics/trim", ROOT, {"topic": "pictures/0/linux", "keep": 1})
    for width in WIDTHS:
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        page = await context.new_page()
        tail = Tail(page, guarded.url)
        await tail.open(f"#tail=pictures/**&after={ids[0]}")
        await tail.live()
        await expect(tail.panel.locator("li[data-kind=gap]")).to_have_count(1)
        await tail.rows.nth(1).locator("summary").click()
        await page.locator("#publish").get_by_label("Data, as JSON").fill('{"a": 1\n "b": 2}')
        assert await page.evaluate(FITS), f"no part of it is wider than the window, at {width}"
        for name in ("tail", "publish"):
            await page.locator(f"#{name}").screenshot(path=picture_of(f"admin-{name}-{scheme}-{width}"))
        if width in (320, 1280):
            await assert_accessible(page, serious=True)
        await context.close()
