"""A button in the page works behind proxies that lose `Host`; where it can't, the page says what would help.

Real nginx and Apache as people write them first, one line each. Chromium takes any name below `.test` for this machine.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import FLAGS, PACE, chromium
from tests.proxies.apache import Apache
from tests.proxies.nginx import DEFAULT, Nginx
from tests.support.certificate import Certificate
from tests.support.creating import new_project
from tests.support.server import HOST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NAME: Final = "live.test"
RESOLVE: Final = "--host-resolver-rules=MAP *.test 127.0.0.1"

UNDER_WAY: Final = re.compile("queued|running|completed")

Front = Nginx | Apache


def front(
    kind: str, server: ServerProcess, folder: Path, certificate: Certificate | None
) -> AbstractContextManager[Front]:
    return Nginx(DEFAULT, server, folder, certificate) if kind == "nginx" else Apache(server, folder, certificate)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def named() -> AsyncIterator[Browser]:
    """A browser that finds NAME."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, RESOLVE])
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(named: Browser) -> AsyncIterator[Page]:
    context = await named.new_context(ignore_https_errors=True, reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.made(tmp_path_factory.mktemp("tls"))


async def press(page: Page, root: str, server: ServerProcess, name: str) -> None:
    """Open a new project's page and press Generate, once it is live."""
    project = await new_project(server.url, name)
    await page.goto(f"{root}/project.html?id={project}")
    await expect(page.locator("#indicator")).to_have_attribute("data-tone", "live", timeout=30_000)
    await page.click("#generate")


@pytest.mark.parametrize(("scheme", "host"), [("http", HOST), ("https", HOST), ("https", NAME)])
@pytest.mark.parametrize("kind", ["nginx", "apache"])
async def test_generate_is_pressed_behind_one_line_of_a_proxy(
    visitor: Page, server: ServerProcess, tmp_path: Path, certificate: Certificate, kind: str, scheme: str, host: str
) -> None:
    """The browser says that it is the page's own, over https and to loopback."""
    with front(kind, server, tmp_path, certificate if scheme == "https" else None) as proxy:
        await press(visitor, f"{scheme}://{host}:{proxy.port}", server, f"Pressed behind {kind}, {scheme}, {host}")
        await expect(visitor.locator("#status")).to_have_text(UNDER_WAY)


@pytest.mark.parametrize("kind", ["nginx", "apache"])
async def test_over_http_and_a_name_the_page_says_which_setting_it_takes(
    visitor: Page, tmp_path: Path, kind: str
) -> None:
    """And with it, pasted as it is said, the button works."""
    with (
        ServerProcess(tmp_path / "server", env={"TWINWIRE_GENERATION_PACE": PACE}) as server,
        front(kind, server, tmp_path, None) as proxy,
    ):
        origin = f"http://{NAME}:{proxy.port}"
        await press(visitor, origin, server, f"Pressed in vain behind {kind}")
        toast = visitor.locator(".toast[data-kind=error]")
        await expect(toast).to_contain_text("a proxy has lost the name: have it pass Host on")
        setting = re.search(r"(TWINWIRE_ALLOWED_ORIGINS)=(\S+)", await toast.inner_text())
        assert setting is not None
        assert setting[2] == origin
        server.stop()
        server.env[setting[1]] = setting[2]
        server.start()
        await expect(visitor.locator("#indicator")).to_have_attribute("data-tone", "live", timeout=30_000)
        await visitor.click("#generate")
        await expect(visitor.locator("#status")).to_have_text(UNDER_WAY)
