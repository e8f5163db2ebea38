"""Presence by the browser client in a real Chromium: tabs, reloads, copies of tabs, a network that goes, a transport
that changes. Somebody in a browser of his own looks on, and sees what others of a page's comings and goings see.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.own import Hosting
from tests.proxies.http1 import Head
from tests.proxies.modes import StripUpgrade, Unplugged
from tests.proxies.rig import Mode, Proxy
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PATH: Final = "/own.html"
PAGE: Final = """<!doctype html><title>here</title><script type="module">
  import { connect } from "./client/index.js";
  const asked = new URLSearchParams(location.search);
  const transports = asked.get("transports")?.split(",");
  const stream = connect({ topics: "here/*", transports });
  const place = stream.place(asked.get("place"), {
    data: { name: asked.get("name") }, enter: asked.get("enter") !== "0", away: true,
  });
  const told = [];
  place.on("change", ({ joined, updated, left }) => {
    for (const { member, data } of joined) told.push(["joined", member, data.name]);
    for (const { member, data } of updated) told.push(["updated", member, data.name]);
    for (const { member, reason } of left) told.push(["left", member, reason]);
  });
  const heard = [];
  stream.hear("cursor", ({ data }) => heard.push(data));
  globalThis.here = { stream, place, told, heard };
</script>"""

GRACE: Final = 3.0
"""Seconds that who closed his connection has to come back."""
LOST: Final = 10.0
"""Seconds that who lost it has."""
SOON: Final = 5.0
"""Seconds for what is at once, on a busy machine."""


class Way(Hosting):
    """The page beside the service, on a path that may lose `Upgrade`, or everything."""

    def __init__(self, mode: Mode | None = None) -> None:
        super().__init__({PATH: PAGE})
        self._mode = mode or Mode()

    async def refuse(self, request: Head) -> bytes | None:
        return await self._mode.refuse(request) or await super().refuse(request)

    def forward(self, request: Head) -> Head:
        return self._mode.forward(request)


@dataclass(frozen=True, slots=True)
class Room:
    """One place of a test's own, over a path of its own."""

    proxy: Proxy
    looker: Page
    place: str

    def url(self, name: str, **more: str) -> str:
        asked = "&".join(f"{key}={value}" for key, value in {"place": self.place, "name": name, **more}.items())
        return f"{self.proxy.url}{PATH}?{asked}"

    async def open(self, context: BrowserContext, name: str, **more: str) -> Page:
        page = await context.new_page()
        await page.goto(self.url(name, **more))
        await entered(page)
        return page

    async def told(self) -> list[list[Any]]:
        """What the one who looks on was told so far."""
        told: list[list[Any]] = await self.looker.evaluate("here.told")
        return told

    async def left(self) -> list[list[Any]]:
        return [one for one in await self.told() if one[0] == "left"]

    async def has(self, goal: str, seconds: float = SOON) -> None:
        """Whoever looks on sees that it is so; `place` is his."""
        await reaches(self.looker, f"(({{ place }}) => {goal})(here)", seconds)


async def reaches(page: Page, goal: str, seconds: float = SOON) -> None:
    await page.wait_for_function(f"() => window.here && ({goal})", timeout=seconds * 1_000)


async def entered(page: Page) -> None:
    """It sees itself there."""
    await reaches(page, "here.place.current && here.place.self !== null", 20)


async def member(page: Page) -> str:
    return str(await page.evaluate("here.place.member"))


_ROOMS = iter(range(1_000))


@pytest_asyncio.fixture(loop_scope="session")
async def room(browser: Browser, server: ServerProcess) -> AsyncIterator[Room]:
    place = f"here/{next(_ROOMS)}"
    async with Proxy(server.port, Way()) as proxy, Proxy(server.port, Way()) as straight:
        aside = await browser.new_context()
        looker = await aside.new_page()
        made = Room(proxy, looker, place)
        await looker.goto(Room(straight, looker, place).url("looker", enter="0"))
        await reaches(looker, "here.place.current", 20)
        yield made
        await aside.close()


WAYS: Final = {
    "websocket": {},
    "sse": {"transports": "sse"},
    "poll": {"transports": "poll"},
    "eventsource": {"transports": "eventsource"},
}

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@every_way
async def test_each_tab_is_a_member_of_its_own_and_goes_with_its_tab(
    room: Room, context: BrowserContext, way: dict[str, str]
) -> None:
    """Three tabs over one connection: also when the one that holds it is closed nobody else is seen to go."""
    first = await room.open(context, "one", **way)
    second, third = await asyncio.gather(*(room.open(context, name, **way) for name in ("two", "three")))
    await room.has("place.counts.members === 3")
    roles = [await page.evaluate("here.stream.role") for page in (first, second, third)]
    assert sorted(roles) == ["follower", "follower", "leader"]
    assert len({await member(page) for page in (first, second, third)}) == 3
    gone = await member(second)
    await second.close(run_before_unload=False)
    await room.has("place.counts.members === 2", LOST + 4 * SOON)  # over a poll it is there for ten seconds
    assert [one[1] for one in await room.left()] == [gone]
    leader = first if roles[0] == "leader" else third
    other = third if leader is first else first
    ended = await member(leader)
    await leader.close()
    await room.has("place.counts.members === 1", 50)
    assert {one[1] for one in await room.left()} == {gone, ended}
    await entered(other)
    assert [one for one in await room.told() if one[1] == await member(other)] == [
        ["joined", await member(other), "one" if other is first else "three"]
    ]


@every_way
async def test_a_reload_is_silent(room: Room, context: BrowserContext, way: dict[str, str]) -> None:
    page = await room.open(context, "ada", **way)
    before, took = await member(page), 0.0
    for _ in range(3):
        began = time.monotonic()
        await page.reload()
        await entered(page)
        took = max(took, time.monotonic() - began)
        assert await member(page) == before
    await asyncio.sleep(GRACE + 1)  # by then it would have been told
    told = await room.told()
    assert took > GRACE - 0.5 or told == [["joined", before, "ada"]], told  # on a machine that was too slow for it
    assert told[0] == ["joined", before, "ada"]


async def test_a_copy_of_a_tab_is_another_member(room: Room, context: BrowserContext) -> None:
    """A window that a page opens begins with a copy of its sessionStorage, as a duplicated tab does."""
    first = await room.open(context, "ada")
    async with context.expect_page() as opening:
        await first.evaluate("url => void window.open(url)", room.url("copy"))
    copy = await opening.value
    await entered(copy)
    await room.has("place.counts.members === 2")
    kept = await member(copy)
    assert kept != await member(first)
    await copy.reload()
    await entered(copy)
    assert await member(copy) == kept
    assert await room.left() == []


async def test_another_transport_and_back_is_silent(room: Room, context: BrowserContext) -> None:
    page = await room.open(context, "ada")
    own = await member(page)
    assert await page.evaluate("here.stream.transport") == "websocket"
    await room.proxy.switch(Way(StripUpgrade()))
    await reaches(page, "here.stream.transport === 'sse' && here.place.current", 20)
    await page.evaluate("here.place.merge({ name: 'Ada' })")
    await room.has("place.users[0].data.name === 'Ada'")
    await room.proxy.switch(Way())
    await reaches(page, "here.stream.transport === 'websocket' && here.place.current", 60)
    await asyncio.sleep(GRACE + 1)
    assert await room.told() == [["joined", own, "ada"], ["updated", own, "Ada"]]


async def test_a_network_that_comes_back_in_time_was_never_away(room: Room, context: BrowserContext) -> None:
    page = await room.open(context, "ada")
    own = await member(page)
    await room.proxy.switch(Way(Unplugged()))
    await reaches(page, "!here.place.current && here.place.members.length === 1", 10)
    await room.proxy.switch(Way())
    await page.evaluate("here.stream.reconnect()")
    await entered(page)
    await asyncio.sleep(LOST + 1)
    assert await room.told() == [["joined", own, "ada"]]


async def test_a_network_that_goes_takes_its_member(room: Room, context: BrowserContext) -> None:
    page = await room.open(context, "ada")
    own = await member(page)
    await context.set_offline(True)
    began = time.monotonic()
    await room.proxy.switch(Way(Unplugged()))
    await room.has("place.counts.members === 0", 45)
    assert time.monotonic() - began > GRACE - 1
    assert [one[:2] for one in await room.left()] == [["left", own]]
    assert await page.evaluate("here.place.current") is False
    await context.set_offline(False)
    await room.proxy.switch(Way())
    await entered(page)
    await room.has("place.counts.members === 1", 10)
    assert await member(page) == own


async def test_what_is_not_kept_is_heard_at_once_by_the_others(room: Room, context: BrowserContext) -> None:
    pages = [await room.open(context, name) for name in ("one", "two")]
    send = f"here.stream.ephemeral('{room.place}', 'cursor', here.place.member)"
    for page in pages:
        await page.evaluate(send)
    names = [await member(page) for page in pages]
    await reaches(room.looker, f"here.heard.length === 2 && here.heard.includes('{names[1]}')")
    await reaches(pages[0], f"here.heard.includes('{names[1]}')")
    await reaches(pages[1], f"here.heard.includes('{names[0]}')")
    assert await room.looker.evaluate("here.stream.stats.received") == 0
