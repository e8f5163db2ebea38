"""Programs that an example starts in a shell, and their pages."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import FLAGS, chromium
from tests.support.server import environment

DEADLINE: Final = 60.0
SEEN: Final = 20_000
"""Milliseconds in which a page shows what it is to show."""

expect.set_options(timeout=SEEN)


def shell(**more: str) -> dict[str, str]:
    """The environment: `python`, `twinwire` and their like are those of the tests, and nothing is configured."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    known = {name: value for name, value in environment().items() if not name.startswith("TWINWIRE_")}
    return {**known, "PATH": path, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def running(script: str, folder: Path, env: dict[str, str], log: Path) -> Iterator[None]:
    """What it says is added to `log`; it ends with all that it has started."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_page(url: str, log: Path) -> None:
    """Until it is there. Raises AssertionError with the log."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        await browser.close()


async def opened(browser: Browser, url: str, errors: list[str]) -> Page:
    """In a profile of its own; what goes wrong in it is added to `errors`."""
    context = await browser.new_context()
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(SEEN)
    await page.goto(url)
    return page
