"""What every page is looked at for, whatever it shows: its width, its errors, and whether all can use it."""

from pathlib import Path
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page

FITS: Final = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
"""Whether no part of it is wider than the window."""

WIDTHS: Final = (360, 768, 1280, 1920)
"""Of windows, in CSS pixels: a telephone, a tablet, a desk and a wall."""

PICTURES: Final = Path(__file__).parent / "screenshots"
"""Where pictures of pages are, to be looked at."""

EXPECTED_NOISE: Final = ("Failed to load resource", "WebSocket connection to", "ERR_CONNECTION_REFUSED")
"""What Chromium itself logs for a refused request; the page's own errors look otherwise."""

_SERIOUS: Final = ("serious", "critical")


def picture_of(name: str) -> Path:
    """Where a picture of this name belongs; its folder is there from then on."""
    PICTURES.mkdir(exist_ok=True)
    return PICTURES / f"{name}.png"


def listen(page: Page) -> list[str]:
    """What goes wrong on a page from now on: uncaught errors and messages of the console's error level, which is also
    how a breach of the Content-Security-Policy shows.
    """
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(noise in message.text for noise in EXPECTED_NOISE):
            errors.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


async def assert_accessible(page: Page, where: object = "", *, serious: bool = False) -> None:
    """Axe finds nothing; `serious`: nothing that it calls serious or critical."""
    found = (await Axe().run(page)).response["violations"]
    counted = [one for one in found if not serious or one["impact"] in _SERIOUS]
    told = [f"{one['id']} ({one['impact']}): {[node['html'][:160] for node in one['nodes']]}" for one in counted]
    assert told == [], where
