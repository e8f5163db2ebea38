"""Whatever a page does, no browser outlives the test that opened it."""

import asyncio
from pathlib import Path

import pytest

from tests.browser.conftest import chromium
from tests.examples.visits import visited
from tests.support.needs import node

LIMIT = 20.0
"""Seconds: long enough for a browser to start."""


def of(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes()
        except OSError:
            continue  # it has just ended
        if str(folder).encode() in line:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


async def become(folder: Path, there: bool) -> None:
    """Until there are processes of a folder, or none: one that is killed takes a moment to go."""
    async with asyncio.timeout(LIMIT):
        while bool(of(folder)) is not there:
            await asyncio.sleep(0.05)


@pytest.mark.browser
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked for where Linux has them")
async def test_a_browser_ends_with_the_visit_that_takes_too_long(tmp_path: Path) -> None:
    page = {"name": "silent", "url": "about:blank", "said": ["never"]}
    visit = asyncio.create_task(visited("chrome", chromium(), [page], tmp_path, LIMIT))
    await become(tmp_path, there=True)
    with pytest.raises(TimeoutError):
        await visit
    await become(tmp_path, there=False)


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_without_its_packages_node_is_no_node(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="nobody-made-this for node"):
        node("nobody-made-this")
