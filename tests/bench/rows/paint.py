"""First content of a page over a slow line, in Chromium, whose requests are held up by the line's latency."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from tests.bench.measure import Context, Row, Sample
from tests.bench.process import HOST
from tests.bench.servers import Twinwire
from tests.browser.conftest import CANDIDATES, SHELL

LATENCIES: Final = {150: 1.2, 400: 2.5}
"""Milliseconds of a request, and within how many seconds there must be content."""
PAGES: Final = {
    "home": ("", "#projects li"),
    "project": ("project.html?id={project}", "#name:not(:empty)"),
    "lab": ("lab.html", "#indicator[data-tone=live]"),
}
"""Of each: its path, and what is there as soon as there is content, out of what the service has answered."""
PROJECT: Final = {"name": "Painted", "brief": "tasks: title text, done bool"}


NOTICE: Final = """(content) => {
    const look = () => {
        if (!document.querySelector(content)) return;
        watch.disconnect();
        window.painted = performance.now();
    };
    const watch = new MutationObserver(look);
    watch.observe(document, { childList: true, subtree: true, attributes: true, characterData: true });
}"""
"""In the page, since who asks from outside learns of it up to half a second later, on two cores."""


def rows(context: Context) -> Iterator[Row]:
    whole = [path for path in CANDIDATES if not path.endswith(SHELL)]
    chromium = next((path for path in whole if Path(path).exists()), None)
    if chromium is None:
        context.note("no Chromium here: the rows of pages are left out")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for page in PAGES:
            for latency, target in LATENCIES.items():
                name = f"first content of the page {page}, {latency} ms latency"
                samples = []
                for _ in context.rounds(name):
                    ours = context.twinwire()
                    with ours.process:
                        samples.append(Sample.alone(_seconds(browser, ours, page, latency)))
                yield Row(f"paint-{page}-{latency}", name, "nothing in the cache", "s", "at most", target, samples)
        browser.close()


def _seconds(browser: Browser, ours: Twinwire, name: str, latency: int) -> float:
    """From the navigation's start; by the browser's clock."""
    path, content = PAGES[name]
    root = f"http://{HOST}:{ours.process.port}"
    visitor = browser.new_context()
    try:
        project = visitor.request.post(f"{root}/api/projects", data=PROJECT).json()["id"]
        page = visitor.new_page()
        page.add_init_script(f"({NOTICE})({json.dumps(content)})")
        line: dict[str, Any] = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
        session = visitor.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", {**line, "latency": latency})
        page.goto(f"{root}/{path.format(project=project)}", wait_until="commit")
        page.wait_for_selector(content, state="attached")
        return float(page.evaluate("window.painted")) / 1_000
    finally:
        visitor.close()
