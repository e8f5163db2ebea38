"""Witness: a project's page that keeps what its stream delivers, to be compared with what the log holds."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, Route

from service.resources import resource
from service.web.linking import link
from tests.browser.desk import READ_LOG, RUN_DEADLINE
from tests.support.api import history

LIVE_DEADLINE: Final = 45_000
"""Milliseconds until a page must be live, whatever the path does, with many of them loading at once."""

WATCH: Final = """
    window.watched = { events: [], notices: [], after: null, started: null, live: null, shown: null, stream: null };
    new MutationObserver(() => {
      const done = document.querySelector("#status")?.textContent === "completed";
      const told = document.querySelector(".toast[data-kind=done]") !== null;
      if (done && told) watched.shown ??= Date.now();
    }).observe(document, { subtree: true, childList: true, characterData: true });
"""
"""Runs before the page: notes when people are shown the completion, by the status and by a toast. Times are
milliseconds since 1970.
"""
TAP: Final = """
    const open = $modules["client/index.js"].connect;
    $modules["client/index.js"] = { ...$modules["client/index.js"], connect(options) {
      watched.started ??= Date.now();
      watched.after ??= options.after;
      const stream = open(window.allowed ? { ...options, transports: window.allowed } : options);
      const note = (name) => (detail) => watched.notices.push({ name, at: Date.now(), ...detail });
      const names = [":state", ":transport", ":attempt", ":fault", ":anomaly", ":retry", ":role"];
      for (const name of names) stream.on(name, note(name));
      stream.on("*", (message) => watched.events.push([message.topic, message.id]));
      stream.on(":state", ({ state }) => { if (state === "live") watched.live ??= Date.now(); });
      watched.stream = stream;
      return stream;
    } };
"""
"""Put behind the client in the page's script: all of it is the product's own, with a witness beside it."""
CLIENT: Final = re.compile(r'^\$modules\["client/index\.js"\] = .*?^\}\)\(\);\n', re.MULTILINE | re.DOTALL)
"""The client's part of it."""
AGAIN: Final = "watched.live = null; watched.started = Date.now();"
SEEN: Final = """(() => {
    const { stream, ...rest } = watched;
    return { ...rest, transport: stream.transport, anomalies: stream.stats.anomalies };
})()"""
HAS: Final = "(last) => watched.events.some(([, id]) => id === last)"
REMEMBERED: Final = "Object.keys(localStorage).filter((key) => key.startsWith('twinwire:transport'))"


@dataclass(slots=True)
class Outcome:
    """What watching a run came to; times in seconds."""

    name: str
    expected: list[str]
    """The ids of the server's events, in log order."""
    received: list[str]
    """Those that the page's stream delivered, in this order."""
    lines: tuple[int, int]
    """Log lines on the page, and in the log."""
    live_after: float
    """From the start, or `again`, until the page was live."""
    shown_after: float
    """From the server's completion until the page showed it."""
    transport: str | None
    settled_after: float
    """From the start, or `again`, until the last change of transport."""
    anomalies: int
    way: list[str] = field(default_factory=list)
    """Notices of the stream, for a failure's message."""


@dataclass(frozen=True, slots=True)
class Witness:
    """`url` is the server's own, past every proxy, without a trailing slash."""

    page: Page
    url: str
    project: str

    @classmethod
    async def open(cls, context: BrowserContext, root: str, url: str, project: str) -> "Witness":
        """Open the project's page at `root`, in a context that was tapped."""
        page = await context.new_page()
        await page.goto(f"{root}/project.html?id={project}")
        return cls(page, url, project)

    async def live(self) -> None:
        """Wait until the page is live, or has been since `again`."""
        await self.page.wait_for_function("() => watched.live !== null", timeout=LIVE_DEADLINE)

    async def again(self) -> None:
        """Measure anew from now."""
        await self.page.evaluate(AGAIN)

    async def generate(self) -> None:
        """Press Generate in the page, so that it goes the way of everything else."""
        async with self.page.expect_response(f"**/api/projects/{self.project}/generate") as pressed:
            await self.page.click("#generate")
        answer = await pressed.value
        assert answer.status == 202, await answer.text()

    async def delivered(self, count: int) -> None:
        """Wait until the stream has delivered so many events."""
        await self.page.wait_for_function("(n) => watched.events.length >= n", arg=count, timeout=LIVE_DEADLINE)

    async def shown(self) -> None:
        """Wait until people are shown the completion."""
        await self.page.wait_for_function("() => watched.shown !== null", timeout=RUN_DEADLINE)

    async def remembered(self) -> list[str]:
        """Where the page's origin remembers a fallback."""
        keys: list[str] = await self.page.evaluate(REMEMBERED)
        return keys

    async def outcome(self, name: str) -> Outcome:
        """After `shown`; waits for the last event, which shows nothing that those before it have not."""
        topic = f"projects/{self.project}"
        events = await history(self.url, [topic], await self.page.evaluate("watched.after"))
        await self.page.wait_for_function(HAS, arg=events[-1]["id"], timeout=LIVE_DEADLINE)
        seen = await self.page.evaluate(SEEN)
        notices, started = seen["notices"], seen["started"]
        moves = [notice["at"] for notice in notices if notice["name"] == ":transport" and notice["transport"]]
        completion = next(event for event in events if event["type"] == "completion")
        return Outcome(
            name,
            expected=[event["id"] for event in events],
            received=[id for where, id in seen["events"] if where == topic],
            lines=(
                len(await self.page.evaluate(READ_LOG)),
                sum(event["type"] == "log" for event in events),
            ),
            live_after=((seen["live"] or 0) - started) / 1_000,
            shown_after=seen["shown"] / 1_000 - datetime.fromisoformat(completion["time"]).timestamp(),
            transport=seen["transport"],
            settled_after=max(moves[-1] - started, 0) / 1_000 if moves else 0.0,
            anomalies=seen["anomalies"],
            way=[f"{(notice.pop('at') - started) / 1_000:7.2f} {notice}" for notice in notices],
        )


def assert_exact(outcome: Outcome) -> None:
    """The page ended with exactly the server's events, in order, and shows them."""
    way = "\n".join(outcome.way)
    assert outcome.received == outcome.expected, way
    assert len(outcome.expected) > 100
    assert outcome.lines[0] == outcome.lines[1], way
    assert outcome.anomalies == 0, way


@cache
def tapped(entry: str) -> str:
    """A page's script as the service links it, with TAP."""
    static = resource("static")
    modules = {path.relative_to(static).as_posix(): path.read_text() for path in static.rglob("*.js")}
    text, count = CLIENT.subn(lambda found: found[0] + TAP, link(entry, modules))
    assert count == 1
    return text


async def tap(context: BrowserContext, transports: list[str] | None = None) -> None:
    """Let every page of `context` keep what its stream delivers; `transports`: those that it may use."""

    async def stand_in(route: Route) -> None:
        entry = urlsplit(route.request.url).path.partition("/app/")[2]
        await route.fulfill(content_type="text/javascript", body=tapped(f"app/{entry}"))

    await context.add_init_script(WATCH)
    if transports is not None:
        await context.add_init_script(f"window.allowed = {transports!r};")
    await context.route("**/main.js", stand_in)
