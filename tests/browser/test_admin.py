"""The operator's page: what it shows is what the service says, and what it does is asked about first."""

import json
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.desk import sign_in
from tests.browser.looks import FITS, assert_accessible, picture_of
from tests.browser.operator import ROOT, Listening, allow_many, crowd, listening, look_up, open_page, publish
from tests.support.bearers import KEYS, ask, token
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

POINTS: Final = 4
"""Of a chart's line, when its picture is taken."""
DRAWN: Final = (
    "points => (document.querySelector('.chart__line').getAttribute('d') ?? '').split(/[ML]/).length > points"
)
WIDTHS: Final = {"wide": (1440, 900), "narrow": (360, 780)}
PANELS: Final = ("figures", "connections", "events", "topics", "places", "revocations")
CONNECTIONS: Final = 1_000
TOPICS: Final = 10_000
PATIENCE: Final = 20_000
"""Milliseconds until a table has been asked for again."""
ROWS: Final = 50
"""Of a table in the document at once (admin/panel.js)."""

ADA: Final = token("ada", subscribe=["a/*", "b"], publish=["a/*"])
RETENTION: Final = json.dumps([{"topics": "builds/**", "max_count": 5_000, "max_age": 604_800}])
GUARDED: Final = {"TWINWIRE_RETENTION": RETENTION}
"""As tests/browser/conftest.py has it."""


async def picture(page: Page, name: str) -> None:
    path = picture_of(f"admin-{name}")
    await page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 10_000


# With much of everything


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([("dark", "narrow")], id="a look"),
        pytest.param(list(product(("light", "dark"), WIDTHS)), id="pictures", marks=pytest.mark.pictures),
    ],
)
async def test_a_thousand_connections_and_ten_thousand_topics(
    browser: Browser, tmp_path: Path, looks: list[tuple[Literal["light", "dark"], str]]
) -> None:
    """One look, without the minute that its curves take; and at all of them, for somebody to look at."""
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, **GUARDED}
    allow_many()
    with ServerProcess(tmp_path, env=env) as server:
        url = server.url
        ids = await publish(url, *(f"builds/{n % 7}/{n:05}" for n in range(TOPICS)))
        await ask(url, "POST", "/api/auth/revoke", ROOT, {"sub": "eve"})
        await ask(url, "POST", "/api/auth/revoke", ROOT, {"jti": "4b1c"})
        async with crowd(url, CONNECTIONS) as people:
            ids += await publish(url, *(["chats/lobby"] * 300))
            for scheme, width in looks:
                await one_look(browser, url, scheme, width, ids, people, points=POINTS if len(looks) > 1 else 2)
        assert server.faults() == []


async def one_look(
    browser: Browser,
    url: str,
    scheme: Literal["light", "dark"],
    width: str,
    ids: list[str],
    people: list[Listening],
    *,
    points: int,
) -> None:
    """`points`: of the curves, which get one each time that the page asks."""
    columns, rows = WIDTHS[width]
    context = await browser.new_context(
        viewport={"width": columns, "height": rows}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = await context.new_page()
    await open_page(page, url)
    await expect(page.locator("#connections-note")).to_have_text(f"{ROWS} of {CONNECTIONS:,}", timeout=PATIENCE)
    await expect(page.locator("#connections-rows tr")).to_have_count(ROWS)
    await expect(page.locator("#topics-rows tr")).to_have_count(ROWS)
    assert await page.locator("tr").count() < 3 * ROWS, "pages, and no list of ten thousand"
    await page.get_by_role("button", name="Next page of topics").click()
    await expect(page.locator("#topics-rows tr").first).not_to_contain_text("builds/0/00000")
    await page.get_by_role("button", name="Timeline: user-00, SSE").first.click()
    await expect(page.locator("#timeline-turns li").first).to_contain_text("It began after")
    await look_up(page, ids[-1], people[5].id)
    await expect(page.locator(".verdict")).to_have_attribute("data-got", "true")
    for drawn in range(2, points + 1):
        await publish(url, *(["chats/lobby"] * 50))
        await page.wait_for_function(DRAWN, arg=drawn, timeout=PATIENCE)
    await picture(page, f"{scheme}-{width}")
    for panel in PANELS:
        await page.locator(f"#{panel}").screenshot(path=picture_of(f"admin-{panel}-{scheme}-{width}"))
    assert await page.evaluate(FITS), "no part of it is wider than the window"
    await assert_accessible(page, serious=True)
    await context.close()


# Connections


async def test_connections_are_chosen_and_one_is_sent_away_once_that_is_meant(
    page: Page, guarded: ServerProcess
) -> None:
    url = guarded.url
    async with listening(url, ADA, topic="b") as ada, listening(url, token("bob", subscribe=["c"]), topic="c"):
        await open_page(page, url)
        await expect(page.locator("#connections-rows tr")).to_have_count(2, timeout=PATIENCE)
        await page.get_by_label("Would get this topic").fill("b")
        await page.get_by_label("Would get this topic").press("Enter")
        row = page.locator("#connections-rows tr")
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text("ada")
        stop = page.get_by_role("button", name="Disconnect: ada, SSE")
        await stop.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text("Who must not come back has to be revoked")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(stop).to_be_focused()
        await stop.click()
        await page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
        await expect(page.locator(".toast")).to_contain_text("ada (SSE) was sent away")
        goodbye = await ada.until('"reason":"restart"')
        assert goodbye["code"] == 1012
        await expect(page.locator("#connections-note")).to_have_text("None of these.", timeout=PATIENCE)
        await page.get_by_label("Which", exact=True).select_option(label="Ended in the last ten minutes")
        await page.locator("#connections-filter").get_by_role("button", name="Show").click()
        await expect(row).to_contain_text("it was sent away")
        await page.get_by_role("button", name="Timeline: ada, SSE").click()
        await expect(page.locator("#timeline-turns li").last).to_contain_text("It ended at")
        await page.get_by_role("button", name="Clear").first.click()
        await expect(row.first).to_contain_text("bob")


async def test_what_strangers_call_themselves_is_text(page: Page, guarded: ServerProcess) -> None:
    name = '<img src=x onerror="document.title=1">'
    async with listening(guarded.url, token(name, subscribe=["b"]), topic="b"):
        await open_page(page, guarded.url)
        await page.get_by_label("Subject", exact=True).fill(name)
        await page.locator("#connections-filter").get_by_role("button", name="Show").click()
        await expect(page.locator("#connections-rows th")).to_have_text(name)
        await page.get_by_role("button", name="Timeline").first.click()
        await expect(page.locator("#timeline-title")).to_have_text(f"Timeline of {name}")
        ids = await publish(guarded.url, "b")
        await look_up(page, ids[0], name)
        await expect(page.locator(".verdict__who").first).to_contain_text(name)
        assert await page.locator("main img").count() == 0


async def test_a_row_keeps_the_focus_while_the_table_is_asked_anew(page: Page, guarded: ServerProcess) -> None:
    async with listening(guarded.url, ADA, topic="b"):
        await open_page(page, guarded.url)
        button = page.get_by_role("button", name="Timeline: ada, SSE")
        await button.focus()
        async with page.expect_response("**/api/connections?**"):
            pass
        async with page.expect_response("**/api/connections?**"):
            pass
        await expect(button).to_be_focused()


# Topics, trims, revocations


async def test_a_trim_is_asked_about_and_its_progress_is_told(page: Page, guarded: ServerProcess) -> None:
    await publish(guarded.url, *(["builds/trimmed/here"] * 30))
    await open_page(page, guarded.url)
    await page.get_by_label("Filter, such as").fill("builds/trimmed/*")
    await page.get_by_label("Filter, such as").press("Enter")
    row = page.locator("#topics-rows tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("7 days, 5,000 events")
    await page.get_by_role("button", name="Trim builds/trimmed/here").click()
    await expect(page.get_by_label("Events that each keeps")).to_be_focused()
    await page.get_by_label("Events that each keeps").fill("10")
    left = iter([25, 10])

    async def on_its_way(route: Route) -> None:
        if route.request.method == "POST":
            headers = {"Location": "/api/topics/trim/0123"}
            await route.fulfill(status=202, headers=headers, json={"state": "running", "removed": 0, "left": None})
            return
        missing = next(left, None)
        done = {"state": "done", "removed": 20, "left": 0}
        going = {"state": "running", "removed": 30 - (missing or 0), "left": missing}
        await route.fulfill(json=done if missing is None else going)

    await page.route("**/api/topics/trim**", on_its_way)
    await page.locator("#trim-button").click()
    await page.get_by_role("dialog").get_by_role("button", name="Trim").click()
    await expect(page.locator("#trim-note")).to_contain_text("20 events removed")
    await expect(page.locator("#trim-bar")).to_have_attribute("aria-valuenow", "100")
    await page.unroute("**/api/topics/trim**")
    await page.locator("#trim-button").click()
    await page.get_by_role("dialog").get_by_role("button", name="Trim").click()
    await expect(row.locator("td").first).to_have_text("10")
    await page.get_by_label("Topic or filter").fill("a//b")
    await page.locator("#trim-button").click()
    await page.get_by_role("dialog").get_by_role("button", name="Trim").click()
    await expect(page.locator("#trim-note")).to_contain_text("is not a topic filter")


async def test_tokens_are_revoked_and_allowed_again(page: Page, guarded: ServerProcess) -> None:
    async with listening(guarded.url, token("mallory", subscribe=["b"]), topic="b") as mallory:
        await open_page(page, guarded.url)
        await page.get_by_label("Subject or id").fill("mallory")
        await page.locator("#revoke-button").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.locator(".toast")).to_contain_text("1 stream ended")
        assert (await mallory.until('"reason":"auth"'))["detail"] == "revoked"
        row = page.locator("#revocations-rows tr")
        await expect(row).to_contain_text("All tokens of mallory")
        await page.get_by_role("button", name="Allow again: All tokens of mallory").click()
        await page.get_by_role("dialog").get_by_role("button", name="Allow again").click()
        await expect(row).to_have_count(0)
        await expect(page.locator("#revocations-note")).to_have_text("Nothing is revoked.")


# What does not work is said


async def test_who_is_no_operator_is_told_so(page: Page, guarded: ServerProcess) -> None:
    await publish(guarded.url, "b")
    await page.goto(f"{guarded.url}/admin.html")
    await expect(page.locator("#notice")).to_contain_text("you are not signed in")
    await sign_in(page.context, guarded.url, ADA)
    await page.reload()
    await expect(page.locator("#notice")).to_contain_text("your token has no right to it")
    for panel in ("figures", "connections", "revocations"):
        await expect(page.locator(f"#{panel}-note")).to_contain_text("was refused (403)")
    for button in ("events", "trim", "revoke"):
        await expect(page.locator(f"#{button}-button")).to_be_disabled()
        await expect(page.locator(f"#reason-admin-{button}-button")).to_contain_text("an operator's token")
    trim = page.get_by_role("button", name="Trim b", exact=True)
    await expect(trim).to_be_disabled()
    await expect(trim).to_have_attribute("aria-describedby", "reason-admin-trim-button")
    await expect(page.locator("#indicator")).to_have_text("No figures")
    await assert_accessible(page, serious=True)
    await picture(page, "no-right")


async def test_a_service_that_is_away_is_told_and_comes_back(page: Page, guarded: ServerProcess) -> None:
    await open_page(page, guarded.url)
    await page.route("**/api/**", lambda route: route.abort())
    await expect(page.locator("#figures-note")).to_contain_text("did not reach the server", timeout=PATIENCE)
    await expect(page.locator("#connections-note")).to_contain_text("did not reach the server", timeout=PATIENCE)
    await page.unroute("**/api/**")
    await expect(page.locator("#figures-note")).to_contain_text("open stream")
    await expect(page.locator("#connections-note")).not_to_contain_text("did not reach", timeout=PATIENCE)


async def test_an_event_is_chosen_from_the_newest_of_a_topic(page: Page, guarded: ServerProcess) -> None:
    ids = await publish(guarded.url, "a/9", "a/9")
    await open_page(page, guarded.url)
    await look_up(page, "a/9")
    await page.get_by_role("button", name=ids[0]).click()
    await expect(page.locator("#events-found h3")).to_have_text(ids[0])
    await expect(page.locator("#events-found dl")).to_contain_text("note on a/9")
    await expect(page.locator("#events-found dl")).to_contain_text("written to 0 subscribers in 0 groups")
    await look_up(page, ids[0], "nobody")
    await expect(page.locator("#events-found")).to_contain_text("there was nobody to send it to")
    await look_up(page, ids[0].rpartition("-")[0] + "-999999")
    await expect(page.locator("#events-found")).to_contain_text("There is no such event")
    await look_up(page, "a//b")
    await expect(page.locator("#events-found")).to_contain_text("422")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_in_a_dialog_either(page: Page, guarded: ServerProcess, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme)
    async with listening(guarded.url, ADA, topic="b"):
        await open_page(page, guarded.url)
        await page.get_by_role("button", name="Disconnect: ada, SSE").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await assert_accessible(page, serious=True)
