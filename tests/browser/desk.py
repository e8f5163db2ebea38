"""Desk: what a person does on the pages, in the words of the product."""

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Page, expect

from tests.support.bearers import ask
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.projects import BRIEF

AGENTS: Final = 12
RUN_DEADLINE: Final = 40_000
"""Milliseconds in which a whole run must be seen to its end, on a loaded machine."""

PIECE: Final = 40_000
"""Characters of output in an item of a report."""

BLACK_HOLE: Final = """
    window.WebSocket = class extends EventTarget {
      static CONNECTING = 0; static OPEN = 1; static CLOSING = 2; static CLOSED = 3;
      readyState = 0; bufferedAmount = 0;
      send() {}
      close() { this.readyState = 3; }
    };
"""
"""A script that makes every WebSocket handshake vanish, as some proxies do: no answer, no error."""


READ_LOG: Final = """async () => {
    const box = document.querySelector("#logs");
    const frame = () => new Promise(requestAnimationFrame);
    for (const head of box.querySelectorAll(".step__head[aria-expanded=false]")) head.click();
    const isFilled = () => [...box.querySelectorAll(".block")].every((block) => {
        const { top, bottom } = block.getBoundingClientRect(), view = box.getBoundingClientRect();
        return block.hasChildNodes() || bottom <= view.top || top >= view.bottom;
    });
    const lines = new Map();
    for (let top = 0; ; top += box.clientHeight / 2) {
        box.scrollTop = top;
        do { await frame(); } while (!isFilled());
        for (const row of box.querySelectorAll("#log-lines .line"))
            lines.set(row.id, row.querySelector(".line__text").innerText);
        if (top >= box.scrollHeight) return [...lines].sort(([one], [other]) =>
            Number(one.split("L")[1]) - Number(other.split("L")[1])).map(([, text]) => text);
    }
}"""
"""Every line of the log, as one comes by them: of a long log only those that are near are on the page."""


async def next_frame(page: Page) -> None:
    """Until its next frame a page says how the stream before was."""
    await page.evaluate("() => new Promise(requestAnimationFrame)")


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
        await self.write_brief(brief)
        await self.page.get_by_role("button", name="Create project").click()
        await expect(self.page.locator("#project")).to_be_visible()
        return parse_qs(urlsplit(self.page.url).query)["id"][0]

    async def write_brief(self, brief: str) -> None:
        """Write it as a text; the form is what the page begins with."""
        await self.page.get_by_role("button", name="Text", exact=True).click()
        await self.page.get_by_label("Brief", exact=True).fill(brief)

    async def generate(self) -> None:
        await self.page.get_by_role("button", name=re.compile("^Generate")).click()

    async def status(self, status: str) -> None:
        """Wait until the page shows this status."""
        await expect(self.page.locator("#status")).to_have_text(status, timeout=RUN_DEADLINE)

    async def log_lines(self) -> list[str]:
        """All of the log that is shown, oldest line first."""
        lines: list[str] = await self.page.evaluate(READ_LOG)
        return lines

    async def figure(self, name: str) -> int:
        """A figure of the lab's ledger."""
        return int((await self.page.locator(f"#{name}").inner_text()).replace(",", ""))


@dataclass(slots=True)
class Command:
    """A run that some machine reports to the service at `url`."""

    url: str
    project: str
    number: int
    next: int = 1

    @classmethod
    async def begin(
        cls, url: str, project: str, command: str = "make test", *stages: str, token: str | None = None
    ) -> "Command":
        body = {"key": uuid.uuid4().hex, "command": command, "host": "build-7", "stages": stages}
        answer = await ask(url, "POST", f"/api/projects/{project}/runs", token, body)
        assert answer.status == 201, answer.body
        return cls(url, project, answer.json()["number"])

    async def report(self, *items: dict[str, Any]) -> dict[str, Any]:
        """The answer."""
        path = f"/api/projects/{self.project}/runs/{self.number}/reports"
        answer = await request(self.url, "POST", path, json_body={"from": self.next, "items": items})
        assert answer.status == 200, answer.body
        self.next += len(items)
        return dict(answer.json())

    async def output(self, text: str) -> None:
        """As much as fits into reports."""
        pieces = [{"output": text[start : start + PIECE]} for start in range(0, len(text), PIECE)]
        for start in range(0, len(pieces), 8):
            await self.report(*pieces[start : start + 8])

    async def end(self, exit: int = 0) -> None:
        await self.report({"end": {"exit": exit}})

    async def log(self) -> str:
        return (await request(self.url, "GET", f"/api/projects/{self.project}/runs/{self.number}/log")).text


async def command_project(url: str, name: str, *, token: str | None = None) -> str:
    """A project whose runs are commands; its id."""
    return await new_project(url, name, None, token=token)
