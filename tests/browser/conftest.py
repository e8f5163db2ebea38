"""A real Chromium, a real server, and a page that must not log an error."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.desk import Desk, sign_in
from tests.browser.looks import listen
from tests.support.bearers import KEYS
from tests.support.needs import need
from tests.support.server import ServerProcess

PACE: Final = "0.05"
"""Seconds of each stage: long enough that a run is seen on its way, short enough for twelve of them."""
CANDIDATES: Final = (
    "/usr/bin/chromium-headless-shell",
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
)
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE: Final = 20_000
"""Milliseconds in which what a page is to show has to be there: Playwright's five are over while a machine is busy."""

expect.set_options(timeout=PATIENCE)

SHELL: Final = "chromium-headless-shell"
"""Without windows, menus and the settings of a profile: half as much work."""


def chromium(*, is_whole: bool = False) -> str:
    """The browser's path. Without one tests are skipped, but never in CI, where that would hide them all.

    `is_whole`: one with the settings of a profile.
    """
    wanted = os.environ.get("TWINWIRE_CHROMIUM")
    known = [path for path in (wanted, *CANDIDATES) if path and not (is_whole and path.endswith(SHELL))]
    found = next((path for path in known if path == wanted or Path(path).exists()), None)
    return need(found, "no Chromium: install one or name it in TWINWIRE_CHROMIUM")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile; each test sets what it needs on it."""
    fresh = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    fresh.set_default_timeout(PATIENCE)
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page on which nothing may go wrong."""
    fresh = await context.new_page()
    errors = listen(fresh)
    yield fresh
    assert errors == []


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for the tests that do not stop it."""
    directory = tmp_path_factory.mktemp("pages")
    with ServerProcess(directory, env={"TWINWIRE_GENERATION_PACE": PACE}) as process:
        yield process


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """One where there are keys, of a module's own: what is revoked there concerns nobody else. With what the module
    sets in `GUARDED`.
    """
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_GENERATION_PACE": PACE, **getattr(request.module, "GUARDED", {})}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.faults() == []


@pytest.fixture
def signed_in(context: BrowserContext, guarded: ServerProcess) -> Callable[[str], Awaitable[None]]:
    """`await signed_in(token)`."""
    return partial(sign_in, context, guarded.url)


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose example lets others tell of it, for tests that put words into its mouth."""
    directory = tmp_path_factory.mktemp("talkative")
    with ServerProcess(
        directory, env={"TWINWIRE_GENERATION_PACE": PACE}, module="tests.support.open_projects"
    ) as process:
        yield process


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose agents fail or never end, for projects of some names."""
    env = {"TWINWIRE_GENERATION_PACE": "0"}
    with ServerProcess(tmp_path_factory.mktemp("odd"), env=env, module="tests.support.odd_projects") as process:
        yield process


@pytest.fixture
def open_desk(page: Page, talkative: ServerProcess) -> Desk:
    """The page on the talkative server."""
    return Desk(page, talkative.url)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """`serve(pace)` starts a server of the test's own."""
    started: list[ServerProcess] = []

    def start(pace: str = PACE) -> ServerProcess:
        directory = tmp_path / f"server{len(started)}"
        started.append(ServerProcess(directory, env={"TWINWIRE_GENERATION_PACE": pace}))
        return started[-1].start()

    yield start
    for process in started:
        process.discard()


@pytest.fixture
def desk(page: Page, server: ServerProcess) -> Desk:
    """The page on the shared server."""
    return Desk(page, server.url)
