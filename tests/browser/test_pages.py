"""The pages in Chromium: a person creates, generates, watches, breaks things, and is told the truth."""

import json
import re
from collections.abc import Callable
from typing import Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.desk import AGENTS, BLACK_HOLE, RUN_DEADLINE, Desk
from tests.support.api import history, publish, publish_many
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.projects import BRIEF
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
SLOW: Final = "0.4"
"""Seconds a stage, for tests that do something while a run is on its way."""


async def assert_log_is_the_servers(desk: Desk, project: str) -> None:
    """Every log event of the server, in order, once."""
    logged = [event["data"] for event in await history(desk.url, [f"projects/{project}"]) if event["type"] == "log"]
    await expect(desk.page.locator("#logs-count")).to_have_text(f"{len(logged)} lines")
    shown = await desk.log_lines()
    for line, data in zip(shown, logged, strict=True):
        assert line.endswith(data["message"]), (line, data)


# Watching a run


async def test_a_run_is_watched_from_the_form_to_its_completion_over_websocket(desk: Desk) -> None:
    project = await desk.create("Board")
    await desk.live("WebSocket")
    await desk.generate()
    await desk.status("completed")
    await expect(desk.page.locator(".toast")).to_contain_text("Board:")
    await expect(desk.page.locator(".agent[data-status=completed]")).to_have_count(AGENTS)
    await expect(desk.page.locator("#progress")).to_have_attribute("aria-valuenow", "100")
    await assert_log_is_the_servers(desk, project)
    files = (await request(desk.url, "GET", f"/api/projects/{project}/files")).json()["files"]
    await expect(desk.page.locator(".file")).to_have_count(len(files))


async def test_with_websocket_swallowed_the_same_run_is_watched_over_sse(context: BrowserContext, desk: Desk) -> None:
    await context.add_init_script(BLACK_HOLE)
    project = await desk.create("Board behind a proxy")
    await desk.live("SSE")
    await desk.generate()
    await desk.status("completed")
    await assert_log_is_the_servers(desk, project)


async def test_a_server_killed_in_mid_run_leaves_no_hole_on_the_page(page: Page, serve: Serve) -> None:
    server = serve(SLOW)
    desk = Desk(page, server.url)
    project = await desk.create("Board that survives")
    await desk.generate()
    await expect(page.locator(".agent[data-status=completed]").nth(1)).to_be_visible(timeout=RUN_DEADLINE)
    await server.akill9()
    await expect(page.locator("#notice")).to_contain_text("can't be reached")
    await expect(page.locator("#indicator")).not_to_have_attribute("data-tone", "live")
    await server.astart()
    await desk.status("completed")
    await expect(page.locator("#notice")).to_be_hidden()
    await assert_log_is_the_servers(desk, project)


async def test_a_page_opened_in_mid_run_shows_all_of_it(page: Page, context: BrowserContext, serve: Serve) -> None:
    server = serve(SLOW)
    first = Desk(page, server.url)
    project = await first.create("Board for two")
    await first.generate()
    await expect(page.locator(".agent[data-status=completed]").nth(1)).to_be_visible(timeout=RUN_DEADLINE)
    second = Desk(await context.new_page(), server.url)
    await second.open(project)
    await second.status("completed")
    await assert_log_is_the_servers(second, project)


async def test_the_preview_follows_the_agents_while_they_write(page: Page, serve: Serve) -> None:
    desk = Desk(page, serve(SLOW).url)
    await desk.create("Board to watch")
    await desk.generate()
    path = page.locator("#preview-path")
    await expect(path).not_to_be_empty(timeout=RUN_DEADLINE)
    first = await path.inner_text()
    await expect(page.locator("#preview-text")).not_to_be_empty()
    await expect(path).not_to_have_text(first, timeout=RUN_DEADLINE)
    await expect(page.locator("#status")).to_have_text("running")
    await expect(page.locator(".file[aria-pressed=true]")).to_have_count(1)


async def test_the_preview_follows_what_the_agents_write(desk: Desk) -> None:
    project = await desk.create("Board to read")
    await desk.generate()
    await desk.status("completed")
    chosen = desk.page.get_by_role("button", name="README.md")
    await chosen.click()
    await expect(chosen).to_have_attribute("aria-pressed", "true")
    await expect(desk.page.get_by_label("follow the agents")).not_to_be_checked()
    text = (await request(desk.url, "GET", f"/api/projects/{project}/files/README.md")).text
    await expect(desk.page.locator("#preview-text")).to_have_text(text, use_inner_text=True)


# Bad things, in words


async def test_a_brief_that_cannot_be_read_is_explained_at_its_field(desk: Desk) -> None:
    await desk.home()
    await desk.page.get_by_label("Name", exact=True).fill("Wrong")
    await desk.write_brief("tasks: title colour")
    await desk.page.get_by_role("button", name="Create project").click()
    await expect(desk.page.locator("#brief-error")).to_contain_text("colour")
    await expect(desk.page.get_by_label("Brief", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(desk.page.get_by_label("Brief", exact=True)).to_be_focused()
    await desk.page.get_by_role("button", name="Task board").click()
    await expect(desk.page.locator("#brief-error")).to_be_hidden()


async def test_a_name_that_is_missing_is_explained_at_its_field(desk: Desk) -> None:
    await desk.home()
    await desk.write_brief(BRIEF)
    await desk.page.get_by_role("button", name="Create project").click()
    await expect(desk.page.locator("#name-error")).to_be_visible()
    await expect(desk.page.get_by_label("Name", exact=True)).to_be_focused()


async def test_an_unknown_project_is_a_sentence_not_an_error(desk: Desk) -> None:
    await desk.page.goto(f"{desk.url}/project.html?id=nothere")
    await expect(desk.page.get_by_role("heading", name="No such project")).to_be_visible()


async def test_where_nothing_is_connected_no_indicator_says_that_it_is_about_to_be(desk: Desk) -> None:
    await desk.page.goto(f"{desk.url}/project.html?id=none")
    await expect(desk.page.locator("#missing")).to_be_visible()
    for furniture in ("#indicator", "#strip"):
        await expect(desk.page.locator(furniture)).to_be_hidden()


async def test_what_could_not_be_loaded_is_not_told_as_if_it_had_been(desk: Desk) -> None:
    """Neither that nothing has happened nor that anything is on its way."""
    state, seen = desk.page.locator("#indicator-state"), desk.page.locator(".empty:visible")
    project = await new_project(desk.url, "There all the time")
    await desk.page.route("**/api/events*", lambda route: route.fulfill(status=500))
    await desk.page.goto(f"{desk.url}/")
    await expect(desk.page.locator("#notice")).to_contain_text("Try now")
    await expect(desk.page.locator(f"#projects [data-id='{project}']")).to_be_visible()
    await expect(seen).to_have_text(["Not loaded yet."])
    await expect(state).to_have_text("Not connected")
    await desk.page.route("**/api/projects**", lambda route: route.fulfill(status=500))
    await desk.page.goto(f"{desk.url}/")
    await expect(seen).to_have_text(["Not loaded yet.", "Not loaded yet."])
    await desk.page.unroute_all()
    await desk.page.get_by_role("button", name="Try now").click()
    await desk.live()
    await expect(desk.page.locator("#notice")).to_be_hidden()
    await expect(seen).to_have_count(0)
    await desk.page.route("**/api/projects/**", lambda route: route.fulfill(status=500))
    await desk.page.goto(f"{desk.url}/project.html?id={project}")
    await expect(state).to_have_text("Not connected")


async def test_a_project_deleted_elsewhere_says_so(desk: Desk) -> None:
    project = await new_project(desk.url, "Short-lived")
    await desk.open(project)
    await desk.live()
    assert (await request(desk.url, "DELETE", f"/api/projects/{project}")).status == 204
    await expect(desk.page.get_by_role("heading", name="This project was deleted")).to_be_visible()
    await expect(desk.page.locator("#project")).to_be_hidden()


async def test_deleting_asks_first_and_then_goes_home(desk: Desk) -> None:
    project = await new_project(desk.url, "To be deleted")
    await desk.open(project)
    await desk.page.get_by_role("button", name="Delete").click()
    await desk.page.get_by_role("button", name="Keep it").click()
    assert (await request(desk.url, "GET", f"/api/projects/{project}")).status == 200
    await desk.page.get_by_role("button", name="Delete").click()
    await desk.page.get_by_role("button", name="Delete for good").click()
    await expect(desk.page.get_by_role("heading", name="All projects")).to_be_visible()
    assert (await request(desk.url, "GET", f"/api/projects/{project}")).status == 404


async def test_a_conflict_is_told_as_what_it_means(desk: Desk) -> None:
    project = await new_project(desk.url, "Busy")
    await desk.open(project)

    async def conflict(route: Route) -> None:
        body = {"title": "Conflict", "status": 409, "detail": "a run is going"}
        await route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(body))

    await desk.page.route("**/generate", conflict)
    await desk.generate()
    await expect(desk.page.locator(".toast")).to_contain_text("already going")
    await expect(desk.page.get_by_role("button", name="Generate")).to_be_enabled()


# The home page


async def test_the_home_page_is_live_without_a_reload(desk: Desk) -> None:
    await desk.home()
    await desk.live()
    project = await new_project(desk.url, "Made elsewhere")
    row = desk.page.locator(f'[data-id="{project}"]')
    await expect(row).to_contain_text("Made elsewhere")
    assert (await request(desk.url, "POST", f"/api/projects/{project}/generate")).status == 202
    await expect(row.locator(".badge")).to_have_text("completed", timeout=RUN_DEADLINE)
    await expect(row.locator("[role=progressbar]")).to_have_attribute("aria-valuenow", "100")
    await expect(desk.page.locator("#feed > li").first).to_contain_text("Made elsewhere")
    await request(desk.url, "DELETE", f"/api/projects/{project}")
    await expect(row).to_have_count(0)


async def test_among_many_projects_one_is_found(page: Page, serve: Serve) -> None:
    """The list begins with twenty; a filter is for all of them."""
    desk = Desk(page, serve("0.05").url)
    for number in range(30):
        await new_project(desk.url, f"Project {number:02d}")
    await desk.home()
    rows = page.locator("#projects li:visible")
    await expect(rows).to_have_count(20)
    await expect(page.locator("#list-count")).to_have_text("the newest 20 projects")
    await page.get_by_label("Search in names and briefs").fill("project 03")
    await expect(rows).to_have_count(1)
    await expect(page.locator("#list-count")).to_have_text("1 of 30 projects")
    await page.get_by_label("Status").select_option("completed")
    await expect(page.locator("#projects-empty")).to_have_text("None of 30 projects matches this filter.")
    await page.get_by_label("Status").select_option("")
    await page.get_by_label("Search in names and briefs").fill("")
    await expect(rows).to_have_count(30)
    await desk.live()
    await new_project(desk.url, "One more")
    await expect(rows.first).to_contain_text("One more")


async def test_one_who_talks_much_does_not_hide_the_others_from_the_feed(desk: Desk) -> None:
    project = await new_project(desk.url, "Quiet")
    noise = f"projects/{project}/noise"
    await publish_many(desk.url, noise, ({"level": "info", "message": f"line {n}"} for n in range(400)))
    await desk.home()
    feed = desk.page.locator("#feed")
    await expect(feed).to_contain_text("was created")
    await expect(desk.page.locator("#feed-empty")).to_be_hidden()
    await desk.live()
    await desk.page.get_by_label("with log lines").check()
    await expect(feed.locator("li").first).to_contain_text("line 399")
    await publish(desk.url, noise, {"level": "info", "message": "line 400"})
    await expect(feed.locator("li").first).to_contain_text("line 400")
    await desk.page.get_by_label("with log lines").uncheck()
    await expect(feed).not_to_contain_text("line")
    await expect(feed).to_contain_text("was created")


async def test_files_are_one_stop_of_the_keyboard(desk: Desk) -> None:
    await desk.create("By keyboard")
    await desk.generate()
    await desk.status("completed")
    files = desk.page.locator("#files button")
    await expect(desk.page.locator("#files button[tabindex='0']")).to_have_count(1)
    assert await files.count() > 12
    await files.first.focus()
    await desk.page.keyboard.press("ArrowDown")
    await expect(files.nth(1)).to_be_focused()
    await desk.page.keyboard.press("End")
    await expect(files.last).to_be_focused()
    await desk.page.keyboard.press("Enter")
    await expect(files.last).to_have_attribute("aria-pressed", "true")
    await expect(files.last).to_have_attribute("tabindex", "0")


async def test_a_name_from_right_to_left_turns_nothing_but_itself(desk: Desk) -> None:
    name = "\u202etxt.exe \u05e9\u05dc\u05d5\u05dd"
    project = await new_project(desk.url, name)
    await desk.open(project)
    assert await desk.page.title() == "txt.exe \u05e9\u05dc\u05d5\u05dd · Twinwire"
    await desk.home()
    row = desk.page.locator(f"#projects [data-id='{project}'] a")
    assert await row.evaluate("node => getComputedStyle(node).unicodeBidi") == "isolate"


async def test_the_feed_tells_a_projects_name_once_for_what_follows(desk: Desk) -> None:
    first, second = [await new_project(desk.url, name) for name in ("Once", "Between")]
    for project in (first, first, second, first):
        await publish(desk.url, f"projects/{project}/own", {}, type="shout")
    await desk.home()
    await expect(desk.page.locator("#feed > li").first).to_be_visible()
    told = await desk.page.locator("#feed > li").evaluate_all(
        "nodes => nodes.slice(0, 4).map(({ dataset }) => [dataset.project, 'same' in dataset])"
    )
    assert told == [[first, False], [second, False], [first, False], [first, True]]
    await publish(desk.url, f"projects/{first}/own", {}, type="shout")
    again = desk.page.locator("#feed > li").nth(1)
    await expect(again).to_have_attribute("data-same", "")


async def test_the_feed_tells_a_run_in_a_line_that_opens(page: Page, serve: Serve) -> None:
    """The same when it was open all the time and when it is loaded; a run under way grows in one place."""
    desk = Desk(page, serve("1").url)
    first, second = [await new_project(desk.url, name) for name in ("Kill test", "Between")]
    await desk.home()
    await desk.live()
    for project in (first, second):
        assert (await request(desk.url, "POST", f"/api/projects/{project}/generate")).status == 202
    groups = page.locator("#feed > li:has(details)")
    await expect(groups.filter(has_text=re.compile(r"Running: agent \d+ of 12")).first).to_be_visible()
    await expect(groups).to_have_count(2)
    growing = page.locator(f"#feed > li[data-project='{first}']:has(details)")
    await growing.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(growing.locator("ol li").last).to_contain_text("Queued")
    assert (await request(desk.url, "POST", f"/api/projects/{second}/cancel")).status == 202
    await expect(groups.filter(has_text=re.compile(r"Cancelled after .* s, at agent \d+ of 12"))).to_have_count(1)
    done = groups.filter(has_text=re.compile(r"Completed: \d+ files, 12 agents, \d+\.\d s"))
    await expect(done).to_have_count(1, timeout=RUN_DEADLINE)
    await expect(groups.first).to_contain_text("Kill test")
    await expect(done.locator("summary")).to_be_focused()
    await expect(done.locator("ol li").first).to_contain_text("Generated")
    await expect(done.get_by_text("is not shown here")).to_be_hidden()
    texts = await page.locator("#feed").all_inner_texts()
    await page.reload()
    await expect(groups).to_have_count(2)
    await done.locator("summary").click()
    assert await page.locator("#feed").all_inner_texts() == texts


# Under a prefix, with a narrow screen, for everyone


async def test_the_narrow_pages_do_not_scroll_sideways(browser: Browser, server: ServerProcess) -> None:
    project = await new_project(server.url, "A_rather_long_name_without_any_place_to_break_it_in_two_or_three_parts")
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    page = await context.new_page()
    for path in ("", f"project.html?id={project}", "lab.html"):
        await page.goto(f"{server.url}/{path}")
        await Desk(page, server.url).live()
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"/{path} is {wide} pixels too wide"
    await context.close()


async def test_the_keyboard_skips_to_the_content_and_opens_the_indicator(desk: Desk) -> None:
    await desk.home()
    await desk.page.keyboard.press("Tab")
    await expect(desk.page.get_by_role("link", name="Skip to content")).to_be_focused()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.locator("#main")).to_be_focused()
    await desk.live()
    await desk.page.locator("#indicator summary").focus()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.locator("#indicator-facts")).to_contain_text("Replayed since last reconnect")
    await desk.page.keyboard.press("Escape")
    await expect(desk.page.locator("#indicator-facts")).to_be_hidden()


# What is not so


async def test_events_that_lie_about_projects_change_nothing(open_desk: Desk) -> None:
    """As from before the types were the application's own: no error on the page, and it is not gone."""
    project = await new_project(open_desk.url, "Still here")
    await open_desk.open(project)
    await open_desk.live()
    for type in ("status_update", "agent_update", "log", "file_update", "completion", "run_update", "run_output"):
        for data in (None, [], {"status": {}, "path": 1}):
            await publish(open_desk.url, f"projects/{project}", data, type=type)
    for data in (None, {"id": {"an": "object"}}, {"id": project, "name": "Still here"}):
        await publish(open_desk.url, "projects", data, type="project_deleted")
    await publish(open_desk.url, f"projects/{project}", {"status": "idle", "progress": 0}, type="status_update")
    assert (await request(open_desk.url, "POST", f"/api/projects/{project}/generate")).status == 202
    await open_desk.status("completed")
    await expect(open_desk.page.locator("#name")).to_have_text("Still here")
    await open_desk.home()
    await expect(open_desk.page.get_by_role("heading", name="Still here")).to_be_visible()
