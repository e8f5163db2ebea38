"""Runs on a project's page: commands that machines report, and generations; what is told of them, and their logs."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.desk import Command, Desk, command_project, sign_in
from tests.browser.looks import FITS, listen
from tests.support.bearers import token
from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
ESC: Final = "\x1b"
LONG: Final = 100_000
"""Lines of a long log."""
DRAWN_MAX: Final = 2_000
"""Lines that may have elements at once, however long a log is."""
TO_A_PART_OF_THE_PAGE: Final = """() => new Promise((done) => {
    addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(done)), { once: true });
    location.hash = "#logs-panel";
})"""
"""As a link to it does, until what it changes is drawn."""
AT_ONCE: Final = "(buttons) => buttons.forEach((one) => document.querySelector(one).click())"
"""Press them all before the server has answered the first."""
BAR: Final = "".join(f"\rfetching {percent}%" for percent in range(0, 101, 10)) + "\n"
FAILING: Final = (
    f"{ESC}[1m=== test session starts ==={ESC}[0m\n"
    "  test_store.py   ...F\n"
    f"{ESC}[31mE   assert 1 == 2{ESC}[0m see https://docs.example.org/joins"
    f" (or {ESC}]8;;javascript:alert(1)\x07not{ESC}]8;;\x07)\n"
    f"{ESC}[31mFAILED{ESC}[0m test_store.py::test_joins <b>twice</b>\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bench(browser: Browser) -> AsyncIterator[Page]:
    """One page for the tests of this file: a project is loaded in it for each."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    errors = listen(page)
    yield page
    assert errors == []
    await context.close()


@pytest.fixture
def watched(bench: Page, server: ServerProcess) -> Desk:
    return Desk(bench, server.url)


async def failed_command(url: str, name: str) -> Command:
    run = await Command.begin(url, await command_project(url, name), "make test", "fetch", "build", "test")
    await run.report({"stage": "fetch"}, {"output": BAR}, {"stage": "build"}, {"output": "compiled\n" * 60})
    await run.report({"stage": "test"}, {"output": FAILING})
    await run.end(2)
    return run


def link(number: int, line: int | None = None) -> str:
    return f"#run-{number}" if line is None else f"#run-{number}-L{line}"


# The list


async def test_runs_that_overlap_are_live_at_once_and_each_has_its_own_log(watched: Desk) -> None:
    page, project = watched.page, await command_project(watched.url, "nightly")
    await watched.open(project)
    await watched.live()
    await expect(page.get_by_role("button", name="Generate")).to_be_hidden()
    await expect(page.locator("#report-line")).to_have_text(
        f"twinwire run --url {watched.url} --project {project} -- make test"
    )
    one, other = [await Command.begin(watched.url, project, command) for command in ("make one", "make other")]
    rows = page.locator("#runs li")
    await expect(rows).to_have_count(2)
    await expect(page.locator("#run-name")).to_have_text("Run 1")
    for number in range(40):
        await one.output(f"one {number}\n")
        await other.output(f"other {number}" + ("\n" if number % 2 else " "))
    await one.report({"progress": 40, "message": "halfway"})
    await expect(page.locator("#percent")).to_have_text("40")
    assert await watched.log_lines() == (await one.log()).splitlines()
    await rows.nth(0).click()
    await expect(page.locator("#run-name")).to_have_text("Run 2")
    assert page.url.endswith(link(2))
    await other.output("the end")
    await expect(page.locator("#log-lines .line").last).to_contain_text("the end")
    assert await watched.log_lines() == (await other.log()).split("\n")
    await other.end()
    await watched.status("completed")
    await page.evaluate(TO_A_PART_OF_THE_PAGE)
    await expect(page.locator("#run-name")).to_have_text("Run 2")
    await one.end(3)
    await expect(rows.nth(1)).to_contain_text("exit code 3")
    toast = page.locator(".toast").filter(has_text="exit code 3")
    await toast.get_by_role("link", name="Show run 1").click()
    await watched.status("failed")
    await expect(page.locator("#message")).to_have_text("Ended with exit code 3")
    await expect(rows.nth(1)).to_contain_text("on build-7")


async def test_a_hundred_runs_are_a_list_of_one_stop_that_goes_back_as_far_as_there_are_any(watched: Desk) -> None:
    page, project = watched.page, await command_project(watched.url, "\u202ehundred \u05e9\u05dc\u05d5\u05dd")
    for number in range(1, 41):
        await (await Command.begin(watched.url, project, f"run {'very ' * number}long")).end(number % 2)
    await watched.open(project)
    links = page.locator("#runs a")
    await expect(links).to_have_count(30)
    await expect(page.locator("#runs-count")).to_have_text("the newest 30 runs")
    await page.get_by_role("button", name="Show older runs").click()
    await expect(links).to_have_count(40)
    await expect(page.locator("#runs a[tabindex='0']")).to_have_count(1)
    await links.first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(links.nth(1)).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.locator("#run-name")).to_have_text("Run 1")
    await expect(links.last).to_have_attribute("aria-current", "true")
    assert await page.evaluate(FITS)
    await page.evaluate("location.hash = '#run-77'")
    await expect(page.locator(".toast")).to_contain_text("no run 77")
    await expect(page.locator("#run-name")).to_have_text("Run 1")


# A log


async def test_the_failing_step_opens_and_its_output_is_as_a_terminal_shows_it(watched: Desk) -> None:
    run = await failed_command(watched.url, "red")
    page = watched.page
    await watched.open(run.project)
    await watched.status("failed")
    await expect(page.locator("#message")).to_have_text("Ended with exit code 2, in test")
    heads = page.locator(".step__head")
    await expect(heads).to_have_count(3)
    opened = [await head.get_attribute("aria-expanded") for head in await heads.all()]
    assert opened == ["false", "false", "true"]
    await expect(page.locator(".agent[data-status=failed]")).to_have_count(1)
    lines = page.locator("#log-lines .line")
    await expect(lines.last).to_be_in_viewport()
    await expect(lines.last.locator(".sgr-fg-1")).to_have_text("FAILED")
    await expect(lines.last).to_contain_text("<b>twice</b>")
    address = page.locator("#logs .line__text a")
    await expect(address).to_have_count(1)
    await expect(address).to_have_attribute("href", "https://docs.example.org/joins")
    assert await address.get_attribute("rel") == "noopener noreferrer"
    look = "node => [getComputedStyle(node).whiteSpace, node.innerText]"
    assert await page.locator("#run-1-L63 .line__text").evaluate(look) == ["pre-wrap", "  test_store.py   ...F"]
    await page.locator(".agent").first.get_by_role("button").click()
    await expect(page.locator("#run-1-L1 .line__text")).to_have_text("fetching 100%")
    await expect(heads.first).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("link", name="Line 1", exact=True)).to_be_focused()
    await heads.first.click()
    await expect(page.locator("#logs [data-stop]")).to_be_visible()


async def test_a_line_has_an_address_and_a_log_is_copied_and_downloaded_as_text(watched: Desk) -> None:
    run = await failed_command(watched.url, "linked")
    page = watched.page
    await page.goto("about:blank")
    await page.goto(f"{watched.url}/project.html?id={run.project}{link(1, 33)}")
    row = page.locator("#run-1-L33")
    await expect(row).to_be_in_viewport()
    await expect(row).to_have_attribute("data-here", "")
    await page.get_by_role("link", name="Line 35").click()
    assert page.url.endswith(link(1, 35))
    await expect(page.locator(".line[data-here]")).to_have_attribute("id", "run-1-L35")
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.locator("#log-copy")).to_have_text("Copied")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[0] == "fetching 100%"
    assert copied.splitlines()[-1] == "FAILED test_store.py::test_joins <b>twice</b>"
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download", exact=True).click()
    assert Path(await (await download.value).path()).read_bytes().decode() == await run.log()
    wrap = page.get_by_role("button", name="Wrap")
    await wrap.click()
    await expect(page.locator("#logs")).to_have_attribute("data-wrap", "off")
    await wrap.click()
    assert await row.locator(".line__number").evaluate("node => getComputedStyle(node).userSelect") == "none"


async def test_a_log_of_a_hundred_thousand_lines_is_gone_through_and_searched(watched: Desk) -> None:
    page, project = watched.page, await command_project(watched.url, "long")
    run = await Command.begin(watched.url, project)
    await run.output("".join(f"line {number:06d}\n" for number in range(1, LONG + 1)))
    await run.output("almost a needle 4321\n")
    await watched.open(project)
    await watched.live()
    await expect(page.locator("#logs-count")).to_have_text("100,001 lines")
    drawn = page.locator("#log-lines .line")
    await expect(drawn.last).to_contain_text("almost")
    for where, line in ((0, 1), (0.5, LONG // 2)):
        await page.locator("#logs").evaluate("(box, where) => { box.scrollTop = box.scrollHeight * where; }", where)
        await expect(page.locator(f"#run-1-L{line}")).to_contain_text(f"line {line:06d}")
        assert await drawn.count() <= DRAWN_MAX
    await page.get_by_label("Search in all of the log").fill("004321")
    found = page.locator("#log-found .line")
    await expect(found).to_have_count(1)
    await expect(found.locator("mark")).to_have_text("004321")
    await expect(page.locator("#found-count")).to_have_text("1 found in all 100,001 lines")
    await expect(page.locator("#log-found [tabindex='0']")).to_have_count(1)
    await run.output("another 004321, l")
    await run.output("ive\n")
    await expect(found).to_have_count(2)
    await expect(found.last).to_contain_text("live")
    await expect(page.locator("#found-number")).to_have_text("2 found")
    await found.first.get_by_role("link", name="Line 4321").click()
    await expect(page.locator("#run-1-L4321")).to_be_in_viewport()
    await expect(page.locator("#log-found")).to_be_hidden()
    await expect(
        page.get_by_role("button", name="newer").or_(page.get_by_role("button", name="Newest"))
    ).to_be_visible()
    await page.get_by_label("Search in all of the log").fill("nowhere")
    await expect(page.locator("#found-empty")).to_have_text("None of 100,002 lines matches.")
    await page.get_by_label("Search in all of the log").fill("")
    await page.locator("#logs-newest").click()
    await expect(drawn.last).to_contain_text("live")
    await expect(drawn.last).to_be_in_viewport()


async def test_a_command_goes_on_through_a_server_that_is_killed_each_line_once(page: Page, serve: Serve) -> None:
    server = serve()
    project = await command_project(server.url, "survivor")
    desk = Desk(page, server.url)
    await desk.open(project)
    await desk.live()
    run = await Command.begin(server.url, project)
    for turn in range(3):
        await run.output("".join(f"turn {turn} line {number}\nno end yet" for number in range(50)))
        await server.akill9()
        await server.astart()
    await run.output(" but now\n")
    await run.end()
    await desk.status("completed")
    await expect(page.locator("#log-lines .line").last).to_contain_text("but now")
    assert await desk.log_lines() == (await run.log()).splitlines()


# How a run ends


async def test_cancelled_is_not_failed(watched: Desk) -> None:
    page, project = watched.page, await command_project(watched.url, "stopped")
    run = await Command.begin(watched.url, project, "sleep 60", "first", "second")
    await run.report({"stage": "first"}, {"output": "begun\n"})
    await watched.open(project)
    await watched.live()
    await page.get_by_role("button", name="Cancel run").click()
    await expect(page.locator(".toast").filter(has_text="told to end")).to_be_visible()
    assert (await run.report({"alive": True}))["cancel"] is True
    await run.report({"end": {"signal": "SIGTERM"}})
    await watched.status("cancelled")
    await expect(page.locator(".agent[data-status=cancelled]")).to_have_count(1)
    await expect(page.locator(".step[data-status=cancelled]")).to_contain_text("cancelled")
    await expect(page.locator("[data-status=failed]")).to_have_count(0)
    await expect(page.locator("#message")).to_contain_text("Cancelled")
    await expect(page.get_by_role("button", name="Cancel run")).to_be_hidden()


async def test_a_generation_that_failed_says_where_and_goes_on_from_there(bench: Page, odd: ServerProcess) -> None:
    page, desk = bench, Desk(bench, odd.url)
    project = await new_project(odd.url, "Unlucky")
    await desk.open(project)
    await desk.live()
    await desk.generate()
    await desk.status("failed")
    await expect(page.locator("#message")).to_contain_text("Documentation, stage 11 of 12")
    text = await page.locator("body").inner_text()
    assert "/srv/app" not in text
    await expect(page.locator("#cause-text")).to_contain_text("documentation agent failed")
    head = page.locator(".step__head[aria-expanded=true]")
    await expect(head).to_have_count(1)
    await expect(head).to_contain_text("Documentation")
    await expect(page.locator(".step[data-status=failed] .step__message")).to_contain_text("failed")
    await page.get_by_role("link", name="Where the log says so").click()
    await expect(page.locator(".line[data-here]")).to_be_in_viewport()
    await expect(page.get_by_role("link", name="Download partial archive")).to_be_visible()
    retry = page.get_by_role("button", name="Retry from Documentation", exact=True)
    await expect(retry.and_(page.locator("#retry"))).to_have_class(re.compile("button--primary"))
    await page.evaluate(AT_ONCE, ["#retry", ".step[data-status=failed] .step__retry"])
    await expect(page.locator("#run-name")).to_have_text("Run 2")
    await desk.status("completed")
    await expect(page.locator(".agent[data-status=completed]")).to_have_count(12)
    await expect(page.locator("#runs li")).to_have_count(2)
    await expect(page.locator("#preview-path")).to_have_text("README.md")
    await page.locator("#runs li").last.click()
    await desk.status("failed")
    await expect(page.locator("#files-count")).not_to_be_empty()
    await expect(page.get_by_role("button", name="README.md")).to_have_count(0)


async def test_the_result_comes_first_and_what_it_replaces_is_asked_about(watched: Desk) -> None:
    """ux 13 and 28: nothing lies on the log's last lines, and files are in view."""
    page, project = watched.page, await new_project(watched.url, "Done")
    await watched.open(project)
    await watched.live()
    await watched.generate()
    await watched.status("completed")
    toast = page.locator(".toast[data-kind=done]")
    await expect(toast.get_by_role("link", name="Download")).to_be_visible()
    boxes = [await page.locator(one).bounding_box() for one in (".toast[data-kind=done]", "#logs", "#files-panel")]
    assert all(boxes)
    on_top, log, files = [box for box in boxes if box]
    assert on_top["y"] + on_top["height"] <= log["y"]
    assert files["y"] + 200 < 800
    result = page.locator("#download")
    await expect(result).to_have_class(re.compile("button--primary"))
    async with page.expect_download() as download:
        await result.click()
    assert Path(await (await download.value).path()).read_bytes().startswith(b"PK")
    await expect(page.locator("#preview-path")).to_have_text("README.md")
    again = page.get_by_role("button", name="Generate again")
    await again.click()
    await page.get_by_role("button", name="Not now").click()
    await expect(page.locator("#runs li")).to_have_count(1)
    await again.click()
    await page.get_by_role("dialog").get_by_role("button", name="Generate again").click()
    await expect(page.locator("#run-name")).to_have_text("Run 2")
    await watched.status("completed")
    await expect(page.locator("#files-count")).to_have_text(re.compile(r"^\d+ files$"))
    await page.get_by_label("changed only").check()
    await expect(page.locator("#files-empty")).to_have_text("This run changed no file.")
    await page.get_by_label("changed only").uncheck()
    await page.locator("#runs li").last.click()
    await expect(page.locator("#files-count")).to_have_text(re.compile(r"^(\d+) files, \1 new$"))
    await expect(page.locator("#log-lines .line").first).to_have_attribute("id", re.compile("^run-1-"))


async def test_on_a_phone_the_log_comes_first_and_how_the_run_is_stays_in_view(
    browser: Browser, server: ServerProcess
) -> None:
    run = await failed_command(server.url, "A_rather_long_name_without_any_place_to_break_it_in_two_or_three_parts")
    context = await browser.new_context(viewport={"width": 360, "height": 780}, reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(f"{server.url}/project.html?id={run.project}")
    await expect(page.locator("#status")).to_have_text("failed")
    tops = await page.evaluate(
        "['agents', 'logs-panel', 'runs-panel'].map((id) => document.getElementById(id).getBoundingClientRect().top)"
    )
    assert tops == sorted(tops)
    assert tops[1] < 780
    await page.locator("#report-copy").scroll_into_view_if_needed()
    await expect(page.locator("#status")).to_be_in_viewport()
    assert await page.evaluate(FITS)
    await context.close()


async def test_who_may_look_alone_is_told_why_nothing_can_be_done(browser: Browser, guarded: ServerProcess) -> None:
    root = token("root", admin=True)
    project = await command_project(guarded.url, "theirs", token=root)
    await Command.begin(guarded.url, project, "make", token=root)
    context = await browser.new_context()
    few = token("ada", subscribe=[f"projects/{project}", f"projects/{project}/**"])
    await sign_in(context, guarded.url, few)
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.post_data or "") if sent.url.endswith("/auth/check") else None)
    await page.goto(f"{guarded.url}/project.html?id={project}")
    await expect(page.get_by_role("button", name="Cancel run")).to_be_disabled()
    await expect(page.locator("p.reason:visible")).to_contain_text("right to publish")
    await expect(page.locator("#runs li")).to_contain_text("by root")
    await expect(page.locator("#report-token")).to_be_visible()
    assert len([one for one in asked if "publish" in one]) == 1
    await context.close()


async def test_a_log_that_cannot_be_read_says_so_and_is_read_when_it_can(watched: Desk) -> None:
    run = await failed_command(watched.url, "unread")
    page = watched.page

    async def fails(route: Route) -> None:
        await route.fulfill(status=500, content_type="application/problem+json", body="{}")

    await page.route("**/lines?*", fails)
    await watched.open(run.project)
    await expect(page.locator(".toast[data-kind=error]")).to_contain_text("Loading the run")
    await page.unroute_all()
    await page.reload()
    await expect(page.locator("#log-lines .line").last).to_contain_text("FAILED")
