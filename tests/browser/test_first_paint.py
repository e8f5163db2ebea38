"""How many times a page's first content has to go over the line and back, however long the machine takes.

The line is emulated: each request takes LATENCY, so that those that wait for another are told from those that don't.
"""

import json
from collections import Counter
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext

from tests.support.creating import new_project
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LINE: Final = {"offline": False, "latency": 400, "downloadThroughput": -1, "uploadThroughput": -1}
CONTENT: Final = {
    "": (3, "#projects li"),
    "project.html?id={project}": (3, "#name:not(:empty)"),
    "lab.html": (4, "#indicator[data-tone=live]"),
    "admin.html": (4, "#indicator[data-tone=live], #main table"),
}
"""Round trips of each page until there is content, at most, and what is there as soon as it shows something of what the
service has answered. What a page asks for first comes with its script.
"""

LOADS: Final = """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(({ name, startTime, responseEnd, transferSize }) => ({ name, startTime, responseEnd, transferSize }))"""


def trips(loads: list[dict[str, Any]]) -> int:
    """How many loads there were one behind the other, the longest way."""
    deep: list[tuple[float, int]] = []
    for load in sorted(loads, key=lambda one: float(one["startTime"])):
        before = [depth for end, depth in deep if end <= load["startTime"]]
        deep.append((load["responseEnd"] or float("inf"), 1 + max(before, default=0)))
    return max(depth for _, depth in deep)


@pytest.mark.parametrize("path", CONTENT)
async def test_first_content_takes_few_round_trips(context: BrowserContext, server: ServerProcess, path: str) -> None:
    project = await new_project(server.url, "Seen from afar")
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", dict(LINE))
    await page.goto(f"{server.url}/{path.format(project=project)}", wait_until="commit")
    most, content = CONTENT[path]
    found = await page.wait_for_function(f"() => document.querySelector({json.dumps(content)}) && {LOADS}")
    loads = await found.json_value()
    assert trips(loads) <= most, loads
    asked = Counter(load["name"] for load in loads)
    assert asked.most_common(1)[0][1] == 1, "what was asked for with the script is not asked for again"
    # Once more: what is below the version is in the browser, and nobody asks for it.
    await page.reload(wait_until="commit")
    await page.wait_for_selector(content, state="attached")
    kept = [load for load in await page.evaluate(LOADS) if "/v/" in load["name"]]
    assert len(kept) == 2
    assert [load["transferSize"] for load in kept] == [0, 0]


async def test_trips_are_counted_along_the_longest_way() -> None:
    def load(start: float, end: float) -> dict[str, Any]:
        return {"startTime": start, "responseEnd": end}

    assert trips([load(0, 1), load(1, 2), load(1, 3), load(2.5, 4), load(3, 4)]) == 3
    assert trips([load(0, 5), load(1, 2)]) == 1
