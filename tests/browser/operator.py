"""What stands behind the operator's page in its tests: a server with keys, and people who are connected to it."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from playwright.async_api import Page, expect

from tests.browser.desk import sign_in
from tests.support.bearers import ask, bearer, token
from tests.support.http import Connection, target

ROOT: Final = token("root", admin=True)
AT_ONCE: Final = 100
"""Connections that are opened together."""
DESCRIPTORS: Final = 4_096
"""What a thousand connections take, here and in a server that is started after `allow_many`."""


class Listening:
    """One stream over SSE, of which only as much is read as a test asks for."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.id = ""

    @classmethod
    async def open(cls, url: str, text: str, receive_buffer: int | None = None, **query: Any) -> "Listening":
        """As the bearer of `text`, once its `connection` has come."""
        one = cls(await Connection.open(url, receive_buffer=receive_buffer))
        await one.connection.send("GET", target("/api/sse", query), headers=bearer(text))
        assert (await one.connection.read_head()).status == 200
        one.id = (await one.until('"connection":'))["connection"]
        return one

    async def until(self, text: str) -> Any:
        """The data of the next frame that has `text` in it."""
        async with asyncio.timeout(20):
            while True:
                line = (await self.connection.reader.readline()).decode()
                if line.startswith("data: ") and text in line:
                    return json.loads(line.removeprefix("data: "))

    def close(self) -> None:
        self.connection.reset()


@asynccontextmanager
async def listening(url: str, text: str, **query: Any) -> AsyncIterator[Listening]:
    one = await Listening.open(url, text, **query)
    try:
        yield one
    finally:
        one.close()


def allow_many() -> None:
    """Let this process, and those that it starts, have so many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))


@asynccontextmanager
async def crowd(url: str, count: int) -> AsyncIterator[list[Listening]]:
    """So many who listen, of forty subjects."""
    async with AsyncExitStack() as stack:
        found: list[Listening] = []
        for start in range(0, count, AT_ONCE):
            texts = [
                token(f"user-{n % 40:02}", subscribe=["builds/**", "chats/*"])
                for n in range(start, min(count, start + AT_ONCE))
            ]
            found += await asyncio.gather(
                *(
                    stack.enter_async_context(listening(url, text, topic=[f"builds/{n % 7}/*", "chats/*"]))
                    for n, text in enumerate(texts)
                )
            )
        yield found


async def publish(url: str, *topics: str, data: Any = 1) -> list[str]:
    """One event on each; their ids."""
    events = [{"topic": topic, "type": "note", "data": data} for topic in topics]
    answer = await ask(url, "POST", "/api/events", ROOT, events)
    assert answer.status == 201, answer.body
    return list(answer.json()["ids"])


async def open_page(page: Page, url: str) -> None:
    """As the operator, once every panel has its first answer."""
    await sign_in(page.context, url, ROOT)
    await page.goto(f"{url}/admin.html")
    await expect(page.locator("#figures-note")).to_contain_text("open stream")
    for panel in ("connections", "topics", "places", "revocations"):
        await expect(page.locator(f"#{panel}-note")).not_to_be_empty()


async def look_up(page: Page, event: str, whom: str = "") -> None:
    await page.get_by_label("Event id, or a topic to look through").fill(event)
    await page.get_by_label("Why did this subject or connection not get it?").fill(whom)
    await page.get_by_role("button", name="Look", exact=True).click()
