"""`examples/django`, by the lines of its README: an order that is committed is on every page that is open."""

import re
import shutil
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.examples.sites import SEEN, await_page, browsing, opened, running, shell
from tests.support.server import ROOT, free_port

EXAMPLE: Final = ROOT / "examples" / "django"


def copied(folder: Path, live: int, site: int) -> str:
    """The example with these ports in place of its own; the lines of its README but for the first, which installs."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    for path in (folder / "README.md", folder / "shop" / "settings.py"):
        path.write_text(path.read_text().replace("8000", str(site)).replace("8001", str(live)))
    install, *lines = re.findall(r"^    (\S.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert install == "pip install 'twinwire[server,django]'"
    assert len(lines) == 2
    return "\n".join(lines)


async def shows(pages: list[Page], text: str) -> None:
    for page in pages:
        await expect(page.locator("#order-1")).to_have_text(text, timeout=SEEN)


@pytest.mark.browser
async def test_an_order_is_on_every_page(tmp_path: Path) -> None:
    live, site = free_port(), free_port()
    lines = copied(tmp_path / "django", live, site)
    url, log, errors = f"http://127.0.0.1:{site}/", tmp_path / "log", list[str]()
    with running(lines, tmp_path / "django", shell(), log):
        await_page(url, log)
        await_page(f"http://127.0.0.1:{live}/api/ready", log)
        async with browsing() as browser:
            pages = [await opened(browser, url, errors) for _ in range(2)]
            await pages[0].fill("input[name=what]", "<b>tea</b>")
            await pages[0].click("text=Order")
            await shows(pages, "<b>tea</b>: new Pay")
            await pages[1].click("#order-1 button")
            await shows(pages, "<b>tea</b>: paid ")
        text = log.read_text()
    assert errors == []
    assert "Traceback" not in text, text
    assert "this relay publishes now" in text
