"""One server and one browser for all cases, which run beside each other; the table of what they came to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.conftest import browser as browser
from tests.browser.conftest import server as server
from tests.browser.witness import Outcome
from tests.proxies.cases import LONG, QUICK, SHORT, Case
from tests.proxies.watching import Watcher
from tests.support.server import ServerProcess

TOGETHER: Final = 12
"""Pages at a time: what two cores carry without making the pages late themselves."""
REPORT: Final = pytest.StashKey[list[Outcome]]()


@pytest.fixture(scope="session")
def paced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[float, ServerProcess]]:
    """A server for each pace, with as many runs at a time as there are pages."""
    with ExitStack() as stack:
        servers: dict[float, ServerProcess] = {}
        for pace in (LONG, SHORT, QUICK):
            env = {"TWINWIRE_GENERATION_PACE": str(pace), "TWINWIRE_GENERATION_CONCURRENCY": str(TOGETHER)}
            server = ServerProcess(tmp_path_factory.mktemp("paced"), env=env)
            servers[pace] = stack.enter_context(server)
        yield servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def outcomes(
    request: pytest.FixtureRequest, browser: Browser, paced: dict[float, ServerProcess]
) -> AsyncIterator[dict[str, "asyncio.Task[Outcome]"]]:
    """The cases of the tests that were selected, all under way, by name."""
    watcher = Watcher(browser, paced)
    places = asyncio.Semaphore(TOGETHER)

    async def watch(case: Case) -> Outcome:
        async with places:
            return await watcher.watch(case)

    longest_first = sorted(selected(request.session, "outcomes"), key=lambda case: (not case.before, -case.pace))
    tasks = {case.name: asyncio.create_task(watch(case)) for case in longest_first}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


def selected(session: pytest.Session, fixture: str) -> Iterator[Case]:
    """The cases of the tests that will run and use `fixture`."""
    for item in session.items:
        if isinstance(item, pytest.Function) and fixture in item.fixturenames:
            case = item.callspec.params["case"]
            assert isinstance(case, Case)
            yield case


@pytest.fixture
def report(request: pytest.FixtureRequest) -> list[Outcome]:
    """Where tests put what the table at the end shows."""
    return request.config.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of docs/proxies.md, with the figures of this run."""
    outcomes = config.stash.get(REPORT, [])
    if outcomes:
        terminalreporter.section("pages behind bad proxies")
        for line in table(outcomes):
            terminalreporter.write_line(line)


def table(outcomes: list[Outcome]) -> Iterator[str]:
    yield "| the path | live after | ended on | there after | completion shown | events | a button in the page works |"
    yield "|---|---|---|---|---|---|---|"
    for one in outcomes:
        yield (
            f"| {one.name} | {one.live_after:.1f} s | {one.transport} | {one.settled_after:.1f} s "
            f"| {one.shown_after:.2f} s | {len(one.received)} of {len(one.expected)} | yes |"  # pressed, or no run
        )
