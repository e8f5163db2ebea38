"""Every state of every page at four widths, light and dark: axe finds nothing, nothing is wider than the window, and
screenshots/index.html shows all of them side by side to people (screenshots/ is not kept).

A state is a coroutine of a few lines that brings a page there and waits until it shows; a new one needs no more.
"""

import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.desk import Command, Desk, command_project, sign_in
from tests.browser.looks import FITS, PICTURES, assert_accessible, picture_of
from tests.browser.operator import ROOT, listening
from tests.support.api import publish
from tests.support.bearers import ask, token
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.pictures, pytest.mark.asyncio(loop_scope="session")]

SIZES: Final = ((360, 780), (768, 1024), (1280, 800), (1920, 1080))
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
BRIEF: Final = "tools: name text, deposit float, available bool"
NAME: Final = "Neighbourhood tool library"
FOR_EVER: Final = "60"
"""Seconds a stage, and as many as may be: a run that stays where it is while pictures are taken."""
REPAINT: Final = """async () => {
    const { style } = document.documentElement;
    style.display = "none";
    void document.documentElement.offsetHeight;
    style.display = "";
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
}"""
"""Chromium leaves some text in the colours of the scheme before."""


@dataclass
class Stage:
    """What a state is made of. `cleanup` ends with the test."""

    context: BrowserContext
    page: Page
    server: ServerProcess
    guarded: ServerProcess
    odd: ServerProcess
    serve: Callable[..., ServerProcess]
    folder: Path
    cleanup: AsyncExitStack = field(default_factory=AsyncExitStack)

    def desk(self, pace: str | None = None) -> Desk:
        """On the shared server, or on one of the state's own, which has nothing yet."""
        return Desk(self.page, (self.server if pace is None else self.serve(pace)).url)

    async def project(self, desk: Desk, name: str = NAME) -> str:
        """A project whose page is live."""
        project = await new_project(desk.url, name, BRIEF)
        await desk.open(project)
        await desk.live()
        return project

    async def signed_in(self, text: str) -> Desk:
        await sign_in(self.context, self.guarded.url, text)
        return Desk(self.page, self.guarded.url)

    async def click(self, name: str, *, exact: bool = False) -> None:
        await self.page.get_by_role("button", name=name, exact=exact).click()


State = Callable[[Stage], Awaitable[None]]
STATES: Final[dict[str, State]] = {}


def state(made: State) -> State:
    STATES[made.__name__.replace("_", "-")] = made
    return made


# The home page


@state
async def home_loading(stage: Stage) -> None:
    desk = stage.desk()

    async def never(route: Route) -> None:
        stage.cleanup.push_async_callback(route.abort)

    await stage.page.route("**/api/projects*", never)
    await stage.page.goto(f"{desk.url}/", wait_until="commit")
    await expect(stage.page.locator("#projects-empty")).to_have_text("Loading projects…")


@state
async def home_empty(stage: Stage) -> None:
    desk = stage.desk("0.05")
    await desk.home()
    await desk.live()
    await expect(stage.page.locator("#feed-empty")).to_be_visible()


@state
async def home_at_work(stage: Stage) -> None:
    """One runs, one is done, one failed to be read, many wait; a run of the feed is open."""
    page, desk = stage.page, stage.desk("0.05")
    for number in range(24):
        await new_project(desk.url, f"{NAME} {number:02}", BRIEF)
    await desk.home()
    await desk.live()
    done = await new_project(desk.url, "Reading list", BRIEF)
    await request(desk.url, "POST", f"/api/projects/{done}/generate")
    await expect(page.locator(f"[data-id='{done}'] .badge")).to_have_text("completed", timeout=40_000)
    summary = page.locator(f"#feed li[data-project='{done}'] summary")
    await expect(summary).to_contain_text("Completed")
    if await page.locator("#tab-activity").is_visible():
        await page.locator("#tab-activity").click()
    await summary.click()
    await page.locator("#indicator summary").click()


@state
async def home_filter_without_a_match(stage: Stage) -> None:
    page, desk = stage.page, stage.desk("0.05")
    for number in range(24):
        await new_project(desk.url, f"{NAME} {number:02}", BRIEF)
    await desk.home()
    await desk.live()
    await page.get_by_label("Search in names and briefs").fill("nothing of that")
    await expect(page.locator("#projects-empty")).to_contain_text("None of 24")


@state
async def home_form_refused(stage: Stage) -> None:
    desk = stage.desk("0.05")
    await desk.home()
    await desk.live()
    await desk.write_brief("tools: name text, price euro")
    await stage.click("Create project")
    await expect(stage.page.locator("#name-error")).to_be_visible()
    await stage.page.get_by_label("Name", exact=True).fill(NAME)
    await stage.click("Create project")
    await expect(stage.page.locator("#brief-error")).to_be_visible()


@state
async def home_form_as_rows(stage: Stage) -> None:
    """An example in the place of what was typed, and two names that won't do."""
    desk, page = stage.desk("0.05"), stage.page
    await desk.home()
    await desk.live()
    await page.get_by_label("Name", exact=True).fill(NAME)
    await stage.click("Tool library")
    await page.get_by_label("Field 2 of tools").fill("Größe in cm")
    await page.get_by_label("Field 3 of tools").fill("name")
    await expect(page.get_by_role("button", name="Use groesse_in_cm")).to_be_visible()


@state
async def home_form_described(stage: Stage) -> None:
    """Where there is a language model."""
    desk, page = stage.desk("0.05"), stage.page
    await page.route("**/api/projects/brief", lambda route: route.fulfill(json={"available": True}))
    await desk.home()
    await desk.live()
    await desk.write_brief("We lend tools to neighbours. Every loan has a due date, and a person who handed it out.")
    await expect(page.get_by_role("button", name="Ask the language model")).to_be_visible()


@state
async def home_offline(stage: Stage) -> None:
    desk = stage.desk("0.05")
    await new_project(desk.url, NAME, BRIEF)
    await desk.home()
    await desk.live()
    await stage.context.set_offline(True)
    await expect(stage.page.locator("#notice")).to_contain_text("This device is offline")


@state
async def home_server_away(stage: Stage) -> None:
    server = stage.serve("0.05")
    desk = Desk(stage.page, server.url)
    await new_project(desk.url, NAME, BRIEF)
    await desk.home()
    await desk.live()
    server.kill9()
    await expect(stage.page.locator("#notice")).to_be_visible(timeout=20_000)


@state
async def home_list_not_read(stage: Stage) -> None:
    desk = stage.desk("0.05")

    async def fails(route: Route) -> None:
        body = {"title": "Internal Server Error", "status": 500}
        await route.fulfill(status=500, content_type="application/problem+json", body=json.dumps(body))

    await stage.page.route("**/api/projects*", fails)
    await stage.page.goto(f"{desk.url}/")
    await expect(stage.page.locator("#notice")).to_contain_text("Try now", timeout=20_000)


@state
async def home_not_signed_in(stage: Stage) -> None:
    await stage.page.goto(f"{stage.guarded.url}/")
    await expect(stage.page.locator("#notice")).to_contain_text("You are not signed in")


@state
async def home_few_rights(stage: Stage) -> None:
    project = f"projects/{await new_project(stage.guarded.url, NAME, BRIEF, token=ROOT)}"
    desk = await stage.signed_in(token("ada", subscribe=[project, f"{project}/**"]))
    await desk.home()
    await desk.live()
    await expect(stage.page.get_by_role("button", name="Create")).to_be_disabled()


@state
async def home_signed_out_elsewhere(stage: Stage) -> None:
    rights = ["projects", "projects/**"]
    desk = await stage.signed_in(token("eve", subscribe=rights, publish=rights))
    await desk.home()
    await desk.live()
    await ask(stage.guarded.url, "POST", "/api/auth/revoke", ROOT, {"sub": "eve"})
    await expect(stage.page.locator("#notice")).to_contain_text("no longer lets this page listen", timeout=30_000)


# A project's page


@state
async def project_created(stage: Stage) -> None:
    await stage.project(stage.desk())
    await expect(stage.page.locator("#status")).to_have_text("idle")


@state
async def project_running(stage: Stage) -> None:
    """The sixth of twelve is at work."""
    desk = Desk(stage.page, stage.odd.url)
    await stage.project(desk, f"Stuck {NAME}")
    await desk.generate()
    await expect(stage.page.locator(".agent[data-status=started]")).to_have_count(1)
    await expect(stage.page.locator(".agent[data-status=completed]")).to_have_count(5)


@state
async def project_failed(stage: Stage) -> None:
    desk = Desk(stage.page, stage.odd.url)
    await stage.project(desk, f"Unlucky {NAME} {uuid.uuid4().hex[:6]}")
    await desk.generate()
    await desk.status("failed")
    await expect(stage.page.locator(".line[data-level=error]")).to_be_visible()


@state
async def project_cancelled(stage: Stage) -> None:
    desk = stage.desk(FOR_EVER)
    await stage.project(desk)
    await desk.generate()
    await desk.status("running")
    await stage.click("Cancel run")
    await desk.status("cancelled")


@state
async def project_completed(stage: Stage) -> None:
    desk = stage.desk()
    await stage.project(desk)
    await desk.generate()
    await desk.status("completed")
    await stage.click("README.md")
    await expect(stage.page.locator("#preview-note")).not_to_be_empty()


@state
async def project_generated_again(stage: Stage) -> None:
    """What changed with the second run, which is asked about first."""
    desk = stage.desk()
    await stage.project(desk)
    await desk.generate()
    await desk.status("completed")
    await stage.click("Generate again")
    await stage.page.get_by_role("dialog").get_by_role("button", name="Generate again").click()
    await expect(stage.page.locator("#run-name")).to_have_text("Run 2")
    await desk.status("completed")
    await stage.page.get_by_role("link", name="#1").click()
    await expect(stage.page.locator("#files-count")).to_contain_text("new")


@state
async def project_generate_again_asks(stage: Stage) -> None:
    desk = stage.desk()
    await stage.project(desk)
    await desk.generate()
    await desk.status("completed")
    await stage.click("Generate again")
    await expect(stage.page.get_by_role("dialog")).to_be_visible()


# Runs of commands

ESC: Final = "\x1b"
COLOURS: Final = "".join(
    f"{ESC}[3{n}mcolour {n}{ESC}[0m {ESC}[9{n}mbright{ESC}[0m {ESC}[4{n}mground{ESC}[0m {ESC}[7;3{n}minverse{ESC}[0m"
    f" {ESC}[38;5;{20 + 30 * n}m256{ESC}[0m {ESC}[48;2;{30 * n};90;200mtrue{ESC}[0m {ESC}[1mbold{ESC}[0m"
    f" {ESC}[2mdim{ESC}[0m {ESC}[3mitalic{ESC}[0m {ESC}[4munderlined{ESC}[0m\n"
    for n in range(8)
)
TRACE: Final = (
    f"{ESC}[31m{ESC}[1m___________________ test_joins_twice ___________________{ESC}[0m\n\n"
    f">       {ESC}[94massert{ESC}[0m join({ESC}[94m1{ESC}[0m) == {ESC}[94m2{ESC}[0m\n"
    f"{ESC}[1m{ESC}[31mE       assert 1 == 2{ESC}[0m\n\nSee https://docs.example.org/joins?version=2#twice.\n"
    "\u05e9\u05dc\u05d5\u05dd: a line from right to left\n"
    f"{ESC}[31mFAILED{ESC}[0m tests/test_store.py::{ESC}[1mtest_joins_twice{ESC}[0m - assert 1 == 2\n"
)


async def ended(url: str, project: str, command: str, exit: int, *stages: str) -> None:
    """A run of a command that put out something in each of its stages."""
    run = await Command.begin(url, project, command, *stages)
    for name in stages:
        await run.report({"stage": name}, {"output": f"{name} begins\n" + COLOURS})
    await run.output(TRACE if exit else "done\n")
    await run.end(exit)


@state
async def runs_none(stage: Stage) -> None:
    desk = stage.desk()
    await desk.open(await command_project(desk.url, "nightly build"))
    await desk.live()
    await expect(stage.page.locator("#report-line")).to_be_visible()


@state
async def runs_at_work(stage: Stage) -> None:
    """Two at once, behind them those that have ended in each way."""
    desk = stage.desk()
    project = await command_project(desk.url, "nightly build")
    await ended(desk.url, project, "make test", 0, "fetch", "build", "test")
    await ended(desk.url, project, "./migrate --database postgres://db.internal/a-rather-long-name-of-one", 1)
    stopped = await Command.begin(desk.url, project, "sleep 600")
    await stopped.report({"output": "sleeping\n"}, {"end": {"signal": "SIGINT"}})
    other = await Command.begin(desk.url, project, "terraform plan")
    await other.report({"progress": 70}, {"output": "planning\n"})
    run = await Command.begin(desk.url, project, "make all")
    bar = "".join(f"\rfetching {percent}%" for percent in range(0, 101, 10))
    await run.report({"stage": "compile the whole of it"}, {"output": f"{bar}\n{COLOURS}and goes on"})
    await desk.open(project)
    await desk.live()
    await stage.page.get_by_role("link", name="#5").click()
    await expect(stage.page.locator("#log-lines .line").last).to_contain_text("and goes on")


@state
async def runs_failed(stage: Stage) -> None:
    """The failing step is open, and a line of it is linked."""
    desk = stage.desk()
    project = await command_project(desk.url, "nightly build")
    for number in range(3):
        await ended(desk.url, project, f"make test ROUND={number}", 2 if number == 2 else 0, "fetch", "build", "test")
    await desk.open(project)
    await desk.live()
    await stage.page.get_by_role("link", name="#3").click()
    await expect(stage.page.locator("#log-lines .line").last).to_contain_text("FAILED")
    await stage.page.locator(".line__number").last.click()
    await expect(stage.page.locator(".line[data-here]")).to_have_count(1)


@state
async def runs_cancelled(stage: Stage) -> None:
    desk = stage.desk()
    project = await command_project(desk.url, "nightly build")
    run = await Command.begin(desk.url, project, "make deploy", "build", "deploy")
    await run.report({"stage": "build"}, {"output": COLOURS}, {"stage": "deploy"}, {"output": "uploading\n"})
    await run.report({"progress": 60}, {"end": {"signal": "SIGINT"}})
    await desk.open(project)
    await desk.status("cancelled")
    await expect(stage.page.locator("#log-lines .line").last).to_contain_text("uploading")


@state
async def runs_searched(stage: Stage) -> None:
    desk = stage.desk()
    project = await command_project(desk.url, "nightly build")
    run = await Command.begin(desk.url, project, "make logs", "one", "two")
    for name in ("one", "two"):
        lines = "".join(f"line {number} of the {name}\n" for number in range(600))
        await run.report({"stage": name}, {"output": lines})
    await desk.open(project)
    await desk.live()
    await stage.page.get_by_label("Search in all of the log").fill("line 42")
    await expect(stage.page.locator("#found-count")).to_have_text("22 found in all 1,200 lines")


@state
async def runs_search_without_a_match(stage: Stage) -> None:
    desk = stage.desk()
    project = await command_project(desk.url, "nightly build")
    await ended(desk.url, project, "make test", 0, "fetch", "build")
    await desk.open(project)
    await desk.live()
    await stage.page.get_by_label("Search in all of the log").fill("nowhere")
    await expect(stage.page.locator("#found-empty")).to_contain_text("None of")


@state
async def runs_many(stage: Stage) -> None:
    """With names that are long, or from right to left."""
    desk = stage.desk()
    name = "\u05e4\u05e8\u05d5\u05d9\u05e7\u05d8 A_rather_long_name_without_any_place_to_break_it_in_two_or_three_parts"
    project = await command_project(desk.url, name)
    for number in range(40):
        await ended(desk.url, project, f"\u05d1\u05e0\u05d4 {number} {'very ' * number}long", number % 3)
    await desk.open(project)
    await desk.live()
    await expect(stage.page.get_by_role("button", name="Show older runs")).to_be_visible()


@state
async def project_to_be_deleted(stage: Stage) -> None:
    await stage.project(stage.desk())
    await stage.click("Delete")
    await expect(stage.page.locator("#confirm")).to_be_visible()


@state
async def project_deleted(stage: Stage) -> None:
    desk = stage.desk()
    project = await stage.project(desk)
    await request(desk.url, "DELETE", f"/api/projects/{project}")
    await expect(stage.page.get_by_role("heading", name="This project was deleted")).to_be_visible()


@state
async def project_unknown(stage: Stage) -> None:
    await stage.page.goto(f"{stage.server.url}/project.html?id=nothere")
    await expect(stage.page.locator("#missing")).to_be_visible()


@state
async def project_server_away(stage: Stage) -> None:
    server = stage.serve(FOR_EVER)
    desk = Desk(stage.page, server.url)
    await stage.project(desk)
    await desk.generate()
    await desk.status("running")
    server.kill9()
    await expect(stage.page.locator("#indicator-detail")).to_have_text(re.compile(r"^again in \d+ s$"))
    await stage.click("Cancel run")
    await expect(stage.page.locator(".toast[data-kind=away]")).to_be_visible()


@state
async def project_few_rights(stage: Stage) -> None:
    id = await new_project(stage.guarded.url, NAME, BRIEF, token=ROOT)
    desk = await stage.signed_in(token("ada", subscribe=[f"projects/{id}", f"projects/{id}/**"]))
    await desk.open(id)
    await desk.live()
    await expect(stage.page.get_by_role("button", name="Generate")).to_be_disabled()


# The wire lab


@state
async def lab_fresh(stage: Stage) -> None:
    await stage.desk().lab()


@state
async def lab_blocked(stage: Stage) -> None:
    desk = stage.desk()
    await desk.lab()
    await stage.click("Block WebSocket")
    await desk.live()
    await stage.click("100", exact=True)
    await expect(stage.page.locator("#received")).to_have_text("100", timeout=30_000)


@state
async def lab_frozen(stage: Stage) -> None:
    """Its clock stands, or the client gives the connection up before all pictures are taken."""
    await stage.page.clock.install()
    await stage.desk().lab()
    await stage.click("Freeze it", exact=True)
    await stage.click("100", exact=True)
    await expect(stage.page.locator("#verdict")).to_contain_text("held back by the freeze")


@state
async def lab_offline(stage: Stage) -> None:
    await stage.page.clock.install()
    await stage.desk().lab()
    await stage.click("Go offline for 10 s")
    await expect(stage.page.locator("#indicator-state")).to_have_text("Offline")
    await stage.click("100", exact=True)
    await expect(stage.page.locator("#verdict")).to_contain_text("wait in the log")


@state
async def lab_tour(stage: Stage) -> None:
    await stage.page.clock.install()
    await stage.desk().lab()
    await stage.click("Show me, in 30 seconds")
    await expect(stage.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()


@state
async def lab_gap(stage: Stage) -> None:
    """What is trimmed while one is away is told."""
    desk = stage.desk()
    await desk.lab()
    await stage.click("Go offline for 10 s")
    await expect(stage.page.locator("#indicator-state")).to_have_text("Offline")
    await stage.click("100", exact=True)
    await expect(stage.page.locator("#missing")).to_have_text("100")
    await stage.click("Trim the log")
    await expect(stage.page.locator("#journal")).to_contain_text("Gap:", timeout=20_000)


@state
async def lab_may_not_publish(stage: Stage) -> None:
    desk = await stage.signed_in(token("ada", subscribe=["lab/*"]))
    await desk.lab()
    await expect(stage.page.get_by_role("button", name="10 events", exact=True)).to_be_disabled()


@state
async def lab_without_applications(stage: Stage) -> None:
    """The home page of the bus alone."""
    bare = stage.cleanup.enter_context(ServerProcess(stage.folder / "bare", env={"TWINWIRE_APPS": "none"}))
    await publish(bare.url, "builds/7", {"n": 1})
    await stage.page.goto(bare.url)
    await Desk(stage.page, bare.url).live()
    await expect(stage.page.get_by_role("row", name="builds/7")).to_be_visible()


# The operator's page, whose lists, tail and form have pictures of their own in test_admin.py and test_admin_tail.py


@state
async def admin_not_signed_in(stage: Stage) -> None:
    await stage.page.goto(f"{stage.guarded.url}/admin.html")
    await expect(stage.page.locator("#notice")).to_contain_text("you are not signed in")


@state
async def admin_no_right(stage: Stage) -> None:
    await stage.signed_in(token("ada", subscribe=["a/*"]))
    await stage.page.goto(f"{stage.guarded.url}/admin.html")
    await expect(stage.page.locator("#notice")).to_contain_text("your token has no right to it")


async def open_admin(stage: Stage) -> None:
    """With two people connected, and some topics."""
    url = stage.guarded.url
    await publish_as_root(url, *(f"builds/{number}" for number in range(5)))
    for name in ("ada", "bob"):
        person = listening(url, token(name, subscribe=["builds/*"]), topic="builds/*")
        await stage.cleanup.enter_async_context(person)
    await stage.signed_in(ROOT)
    await stage.page.goto(f"{url}/admin.html")
    await expect(stage.page.locator("#figures-note")).to_contain_text("open stream", timeout=20_000)
    await expect(stage.page.locator("#connections-rows tr").first).to_be_visible(timeout=20_000)


async def publish_as_root(url: str, *topics: str) -> None:
    for topic in topics:
        answer = await ask(url, "POST", "/api/events", ROOT, {"topic": topic, "type": "note", "data": {"n": 1}})
        assert answer.status == 201, answer.body


@state
async def admin_at_work(stage: Stage) -> None:
    await open_admin(stage)
    await stage.page.get_by_role("button", name="Timeline: ada, SSE").first.click()
    await expect(stage.page.locator("#timeline-turns li").first).to_be_visible()


@state
async def admin_asks_first(stage: Stage) -> None:
    await open_admin(stage)
    await stage.page.get_by_role("button", name="Disconnect: ada, SSE").first.click()
    await expect(stage.page.get_by_role("dialog")).to_be_visible()


@state
async def admin_service_away(stage: Stage) -> None:
    await open_admin(stage)
    await stage.page.route("**/api/**", lambda route: route.abort())
    for panel in ("figures", "connections"):
        await expect(stage.page.locator(f"#{panel}-note")).to_contain_text("did not reach", timeout=20_000)


# The login page, and a wrong address


@state
async def login_fresh(stage: Stage) -> None:
    await stage.page.goto(f"{stage.guarded.url}/login")


@state
async def login_refused(stage: Stage) -> None:
    await stage.page.goto(f"{stage.guarded.url}/login")
    await stage.page.get_by_label("Token, or the link that you were sent").fill("no token")
    await stage.click("Sign in")
    await expect(stage.page.get_by_role("alert")).to_be_visible()


@state
async def login_as_somebody_already(stage: Stage) -> None:
    await stage.signed_in(token("ada", subscribe=["a/*"]))
    await stage.page.goto(f"{stage.guarded.url}/login")
    await expect(stage.page.get_by_text("ada").first).to_be_visible()


@state
async def missing(stage: Stage) -> None:
    await stage.page.goto(f"{stage.server.url}/nowhere/at/all")


# The pictures


@pytest.fixture(scope="module", autouse=True)
def index() -> Iterator[None]:
    """All of them on one page, a row a state."""
    yield
    rows = []
    for name in STATES:
        taken = [f"{name}-{scheme}-{width}.png" for scheme in SCHEMES for width, _ in SIZES]
        images = "".join(f'<a href="{one}"><img src="{one}" alt=""></a>' for one in taken if (PICTURES / one).exists())
        rows.append(f'<section id="{name}"><h2>{escape(name)}</h2><div>{images}</div></section>')
    style = "div{display:flex;gap:8px;align-items:start}img{height:480px;border:1px solid}body{font-family:sans-serif}"
    page = f"<!doctype html><title>States</title><style>{style}</style>{''.join(rows)}"
    picture_of("index").with_suffix(".html").write_text(page, encoding="utf-8")


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    browser: Browser,
    server: ServerProcess,
    guarded: ServerProcess,
    odd: ServerProcess,
    serve: Callable[..., ServerProcess],
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    async with AsyncExitStack() as cleanup:
        cleanup.push_async_callback(context.close)
        yield Stage(context, await context.new_page(), server, guarded, odd, serve, tmp_path, cleanup)


@pytest.mark.parametrize("name", STATES)
async def test_a_state_fits_and_is_for_everyone(stage: Stage, name: str) -> None:
    await STATES[name](stage)
    page = stage.page
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate(REPAINT)
            await page.screenshot(path=picture_of(f"{name}-{scheme}-{width}"), full_page=True)
            assert await page.evaluate(FITS), (scheme, width)
            await assert_accessible(page, (scheme, width))
