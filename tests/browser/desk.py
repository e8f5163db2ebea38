"""Desk: what a person does on the pages, in the words of the product."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Page, expect

from tests.support.http import request

BRIEF: Final = "tasks: title text, done bool, due date; people: name text, email text, age int"
AGENTS: Final = 12
RUN_DEADLINE: Final = 40_000
"""Milliseconds in which a whole run must be seen to its end, on a loaded machine."""

BLACK_HOLE: Final = """
    window.WebSocket = class extends EventTarget {
      static CONNECTING = 0; static OPEN = 1; static CLOSING = 2; static CLOSED = 3;
      readyState = 0; bufferedAmount = 0;
      send() {}
      close() { this.readyState = 3; }
    };
"""
"""A script that makes every WebSocket handshake vanish, as some proxies do: no answer, no error."""


async def sign_in(context: BrowserContext, url: str, text: str) -> None:
    """A cookie with this token, as if by the login page."""
    await context.add_cookies([{"name": "twinwire", "value": text, "url": url, "httpOnly": True}])


@dataclass(frozen=True, slots=True)
class Desk:
    """A page on a server; `url` is the service's root without a trailing slash."""

    page: Page
    url: str

    async def home(self) -> None:
        await self.page.goto(f"{self.url}/")
        await expect(self.page.locator("#projects-empty")).not_to_have_text("Loading projects…")

    async def lab(self) -> None:
        await self.page.goto(f"{self.url}/lab.html")
        await self.live()

    async def open(self, project: str) -> None:
        await self.page.goto(f"{self.url}/project.html?id={project}")
        await expect(self.page.locator("#project")).to_be_visible()

    async def live(self, transport: str | None = None) -> None:
        """Wait for the green light, over `transport` as the indicator names it."""
        pattern = re.compile(rf"^Live · {re.escape(transport) if transport else '.+'}$")
        await expect(self.page.locator("#indicator-state")).to_have_text(pattern, timeout=30_000)
        await expect(self.page.locator("#indicator")).to_have_attribute("data-tone", "live")

    async def create(self, name: str, brief: str = BRIEF) -> str:
        """Create a project by the form of the home page; its id."""
        await self.home()
        await self.page.get_by_label("Name", exact=True).fill(name)
        await self.page.get_by_label("Brief", exact=True).fill(brief)
        await self.page.get_by_role("button", name="Create project").click()
        await expect(self.page.locator("#project")).to_be_visible()
        return parse_qs(urlsplit(self.page.url).query)["id"][0]

    async def generate(self) -> None:
        await self.page.get_by_role("button", name=re.compile("^Generate")).click()

    async def status(self, status: str) -> None:
        """Wait until the page shows this status."""
        await expect(self.page.locator("#status")).to_have_text(status, timeout=RUN_DEADLINE)

    async def log_lines(self) -> list[str]:
        """The messages in the log, oldest first, each with its agent before it."""
        return await self.page.locator("#log-lines .line__text").all_inner_texts()

    async def figure(self, name: str) -> int:
        """A figure of the lab's ledger."""
        return int((await self.page.locator(f"#{name}").inner_text()).replace(",", ""))


async def new_project(url: str, name: str, brief: str = BRIEF) -> str:
    """Create a project without a page; its id."""
    answer = await request(url, "POST", "/api/projects", json_body={"name": name, "brief": brief})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])
