"""What every page is looked at for, whatever it shows."""

from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

FITS: Final = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
"""Whether no part of it is wider than the window."""

_SERIOUS: Final = ("serious", "critical")


async def assert_accessible(page: Page, where: object = "", *, serious: bool = False) -> None:
    """Axe finds nothing; `serious`: nothing that it calls serious or critical."""
    found = (await Axe().run(page)).response["violations"]
    counted = [one for one in found if not serious or one["impact"] in _SERIOUS]
    told = [f"{one['id']} ({one['impact']}): {[node['html'][:160] for node in one['nodes']]}" for one in counted]
    assert told == [], where
