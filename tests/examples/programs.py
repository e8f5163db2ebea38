"""An application of examples/, started as its own first lines say, beside a service; and a browser to look at it."""

import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from playwright.sync_api import BrowserContext, expect, sync_playwright

from tests.browser.conftest import FLAGS, chromium
from tests.examples.sites import SEEN
from tests.support.daemon import Daemon
from tests.support.server import HOST, ROOT, ServerProcess, environment, free_port

EXAMPLES: Final = ROOT / "examples"
PROGRAMS: Final = Path(sys.executable).parent
PAGE: Final = f"http://{HOST}:5000"
"""Where its pages are for whoever copies the lines."""

expect.set_options(timeout=SEEN)


def told_in(name: str) -> str:
    """The file that tells how it is run: its README, else its program."""
    return "README.md" if (EXAMPLES / name / "README.md").exists() else "app.py"


def lines_of(name: str) -> list[str]:
    """What runs it."""
    text = (EXAMPLES / name / told_in(name)).read_text("utf-8")
    if told_in(name) == "app.py":
        text = text.split('"""')[1]
    return re.findall(r"^    (\S.*)$", text, re.MULTILINE)


class Example:
    """A copy of it, so that what it writes is nowhere else. `service` may be killed and started again; `url` is where
    its pages are."""

    def __init__(self, name: str, folder: Path) -> None:
        self._lines = lines_of(name)
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._folder = Path(shutil.copytree(EXAMPLES / name, folder / name))
        self.service = ServerProcess(
            folder / "service", env={"TWINWIRE_APPS": "none", "TWINWIRE_ALLOWED_ORIGINS": self.url}
        )
        ours = {"TWINWIRE_URL": self.service.url, "TWINWIRE_TOKEN": "", "PORT": str(port), "FLASK_RUN_PORT": str(port)}
        self._env = environment(ours)
        self._running = ExitStack()

    def __enter__(self) -> "Example":
        assert f"TWINWIRE_ALLOWED_ORIGINS={PAGE} twinwire serve &" in self._lines[1]
        self._running.enter_context(self.service)
        return self

    def __exit__(self, *raised: object) -> None:
        self._running.close()

    def start(self, command: str, ready: str = "Running on") -> Daemon:
        """One that the lines have, in its folder, until it says so; it is ended with the example."""
        assert re.search(rf"(^|& ){re.escape(command)}($| &)", "\n".join(self._lines), re.MULTILINE), self._lines
        program, *arguments = shlex.split(command)
        daemon = Daemon(ready)
        self._running.callback(_end, daemon)
        daemon.start([str(PROGRAMS / program), *arguments], env=self._env, cwd=self._folder)
        return daemon


def children(pid: int) -> list[int]:
    """Processes that it has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end(daemon: Daemon) -> None:
    """At once, with those: asked politely, Celery takes seven seconds."""
    forked = children(daemon.pid)
    daemon.stop()
    for pid in forked:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def looked_at() -> Iterator[tuple[BrowserContext, list[str]]]:
    """A fresh profile, and what its pages' scripts fail with."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        context = browser.new_context()
        context.set_default_timeout(SEEN)
        errors: list[str] = []
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context, errors
        browser.close()
