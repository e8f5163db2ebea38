"""Ten tabs of one browser over HTTP/1.1: one connection, all of them live, no event lost with the tab that holds it."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest
from playwright.async_api import BrowserContext

from tests.browser.witness import Witness, assert_exact, tap
from tests.proxies.modes import StripUpgrade
from tests.proxies.rig import Mode, Proxy
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., ServerProcess]
TABS: Final = 10
"""More than the six connections that a browser opens to a host over HTTP/1.1."""
PACE: Final = "0.4"
"""Seconds a stage: the run lasts five, so that there is a middle."""
MIDDLE: Final = 60
"""Events after which the leader's tab is closed; a run has 160."""
TAKEN_WITHIN: Final = 5_000
"""Milliseconds after the end of the leader's tab in which another one leads: some tens, or a second where ten tabs
share two busy cores, and in any case before a leader would be taken for one that hangs."""
HANGS: Final = 15_000
"""Milliseconds that a leader's page does not answer."""
REPLACED_WITHIN: Final = 14_000
"""Milliseconds after it began to hang: ten seconds, and four that a busy machine takes to notice."""

ROLE: Final = "watched.stream.role"
LED: Final = "watched.notices.findLast(({ name, role }) => name === ':role' && role === 'leader')?.at ?? null"


async def tabs(context: BrowserContext, root: str, url: str, project: str) -> list[Witness]:
    opened = await asyncio.gather(*(Witness.open(context, root, url, project) for _ in range(TABS)))
    await asyncio.gather(*(tab.live() for tab in opened))
    return opened


async def subscribers(url: str, topic: str) -> int:
    topics = (await request(url, "GET", "/api/topics")).json()["topics"]
    return sum(sum(entry["subscribers"].values()) for entry in topics if entry["topic"] == topic)


@pytest.mark.parametrize("mode", [Mode, StripUpgrade], ids=["websocket", "sse"])
async def test_the_leader_is_closed_in_mid_stream(context: BrowserContext, serve: Serve, mode: type[Mode]) -> None:
    server = serve(PACE)
    await tap(context)
    project = await new_project(server.url, "Ten tabs")
    async with Proxy(server.port, mode()) as proxy:
        opened = await tabs(context, proxy.url, server.url, project)
        roles = [await tab.page.evaluate(ROLE) for tab in opened]
        assert sorted(roles) == ["follower"] * (TABS - 1) + ["leader"]
        await opened[0].generate()
        leader = opened[roles.index("leader")]
        assert await subscribers(server.url, f"projects/{project}") == 1, "one connection for all"
        await leader.delivered(MIDDLE)
        followers = [tab for tab in opened if tab is not leader]
        ended = await followers[0].page.evaluate("Date.now()")
        await leader.page.close()
        await asyncio.gather(*(tab.shown() for tab in followers))
        for number, tab in enumerate(followers):
            assert_exact(await tab.outcome(f"tab {number}"))
        taken = [at for tab in followers if (at := await tab.page.evaluate(LED)) is not None]
        assert len(taken) == 1, "one of them leads now"
        assert taken[0] - ended < TAKEN_WITHIN
        assert len({(await tab.outcome("")).transport for tab in followers}) == 1


async def test_a_leader_that_hangs_is_replaced(context: BrowserContext, serve: Serve) -> None:
    server = serve(PACE)
    await tap(context)
    project = await new_project(server.url, "A tab that hangs")
    root = server.url
    opened = await asyncio.gather(*(Witness.open(context, root, server.url, project) for _ in range(3)))
    await asyncio.gather(*(tab.live() for tab in opened))
    roles = [await tab.page.evaluate(ROLE) for tab in opened]
    leader = opened[roles.index("leader")]
    followers = [tab for tab in opened if tab is not leader]
    await opened[0].generate()
    await leader.delivered(MIDDLE)
    began = await leader.page.evaluate(
        f"setTimeout(() => {{ for (const end = Date.now() + {HANGS}; Date.now() < end; ); }}), Date.now()"
    )
    await asyncio.gather(*(tab.shown() for tab in followers))
    (taken,) = [at for tab in followers if (at := await tab.page.evaluate(LED)) is not None]
    assert taken - began < REPLACED_WITHIN
    await leader.shown()
    for tab in opened:
        assert_exact(await tab.outcome(""))
    assert await leader.page.evaluate(ROLE) == "follower"
