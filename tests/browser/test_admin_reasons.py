"""Why did Ada not get event X? Each reason is brought about on a real service, and told on the operator's page."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.looks import picture_of
from tests.browser.operator import ROOT, Listening, look_up, open_page, publish
from tests.support.bearers import KEYS, ask, token
from tests.support.held_replays import HELD
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BOTH: Final = token("ada", subscribe=["orders", "news"])
LARGE: Final = "x" * 60_000


@asynccontextmanager
async def service(directory: Path) -> AsyncIterator[ServerProcess]:
    """One whose replays wait while `directory/held` is there."""
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, HELD: str(directory / "held")}
    with ServerProcess(directory, env=env, module="tests.support.held_replays") as process:
        yield process
        assert process.faults() == []


async def state_of(url: str, id: str) -> str:
    answer = await ask(url, "GET", f"/api/connections/{id}/timeline", ROOT)
    assert answer.status == 200, answer.body
    return str(answer.json()["state"])


async def until_it_is(url: str, id: str, state: str) -> None:
    async with asyncio.timeout(20):
        while await state_of(url, id) != state:
            await asyncio.sleep(0)


Scene = Callable[[str, Path], Awaitable[tuple[str, Listening]]]


async def no_right(url: str, _: Path) -> tuple[str, Listening]:
    ada = await Listening.open(url, token("ada", subscribe=["news"]))
    return (await publish(url, "orders"))[0], ada


async def other_filter(url: str, _: Path) -> tuple[str, Listening]:
    ada = await Listening.open(url, BOTH, topic="news")
    return (await publish(url, "orders"))[0], ada


async def replaying(url: str, directory: Path) -> tuple[str, Listening]:
    ids = await publish(url, *(["orders"] * 100))
    (directory / "held").touch()
    ada = await Listening.open(url, BOTH, topic="orders", after="earliest")
    return ids[-1], ada


async def socket_full(url: str, _: Path) -> tuple[str, Listening]:
    ada = await Listening.open(url, BOTH, receive_buffer=4_096, topic="orders")
    await until_it_is(url, ada.id, "live")
    for _ in range(150):  # until the kernel on both sides has enough
        ids = await publish(url, "orders", data=LARGE)
    await until_it_is(url, ada.id, "replaying")
    return ids[-1], ada


async def gone(url: str, _: Path) -> tuple[str, Listening]:
    ada = await Listening.open(url, BOTH, topic="orders")
    ada.close()
    await until_it_is(url, ada.id, "gone")
    return (await publish(url, "orders"))[0], ada


async def gap(url: str, _: Path) -> tuple[str, Listening]:
    ids = await publish(url, *(["orders"] * 10))
    answer = await ask(url, "POST", "/api/topics/trim", ROOT, {"topic": "orders", "keep": 2})
    assert answer.json() == {"removed": 8}
    return ids[4], await Listening.open(url, BOTH, topic="orders", after=ids[0])


@pytest.mark.parametrize(
    ("scene", "why", "words"),
    [
        (no_right, "rights", "It has no right to the topic"),
        (other_filter, "filter", "Its filter does not match the topic"),
        (replaying, "replaying", "it is on its way, from its cursor"),
        (socket_full, "socket", "its socket is full"),
        (gone, "gone", "It had ended before it got so far"),
        (gap, "gap", "told so by a gap"),
    ],
    ids=["no-right", "other-filter", "replaying", "socket-full", "gone", "gap"],
)
async def test_why_did_ada_not_get_it(page: Page, tmp_path: Path, scene: Scene, why: str, words: str) -> None:
    async with service(tmp_path) as server:
        event, ada = await scene(server.url, tmp_path)
        try:
            await open_page(page, server.url)
            await look_up(page, event, "ada")
            verdict = page.locator(".verdict")
            await expect(verdict).to_have_count(1)
            is_on_its_way = why in ("socket", "replaying")
            await expect(verdict.locator("strong")).to_have_text("Not yet" if is_on_its_way else "Did not get it")
            await expect(verdict.locator(".verdict__why")).to_contain_text(words)
            await expect(verdict.locator("code")).to_have_text(why)
            trace = (await ask(server.url, "GET", f"/api/events/{event}/trace?connection={ada.id}", ROOT)).json()
            assert (trace["connection"]["got"], trace["connection"]["why"]) == (False, why), json.dumps(trace)
            await page.locator("#events").screenshot(path=picture_of(f"admin-why-{why}"))
            (tmp_path / "held").unlink(missing_ok=True)
        finally:
            ada.close()
