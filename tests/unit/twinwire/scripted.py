"""A transport that says what it is told to, and what a link and a connection need around it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from twinwire.errors import Fault
from twinwire.frames import Frame, decode
from twinwire.link import WireError
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.token import Token

CONNECTION = '{"type":"connection","id":"e-1","heartbeat":60,"resumed":true}'


def event(number: int, prev: int | None = None, topic: str = "t") -> str:
    before = "null" if prev is None else f'"e-{prev}"'
    return f'{{"id":"e-{number}","topic":"{topic}","type":"k","prev":{before},"data":1}}'


class Wire:
    """Gives the texts that it is told of; a Fault or another error ends it."""

    def __init__(self, after: str | None = None) -> None:
        self.after = after
        self.texts: asyncio.Queue[str | Fault | Exception] = asyncio.Queue()
        self.sent: list[str] = []
        self.is_closed = False
        self.is_let_go = False

    def say(self, *texts: str | Fault | Exception) -> None:
        for text in texts:
            self.texts.put_nowait(text)

    async def frames(self) -> AsyncGenerator[tuple[Frame, str], None]:
        try:
            while True:
                text = await self.texts.get()
                if isinstance(text, Fault):
                    raise WireError(text)
                if isinstance(text, Exception):
                    raise text
                yield decode(text), text
        finally:
            self.is_let_go = True

    async def send(self, text: str) -> bool:
        self.sent.append(text)
        return True

    async def close(self) -> None:
        self.is_closed = True


class Http:
    place = Place("http://x")

    def __init__(self, timing: Timing, token: Token | None = None) -> None:
        self.timing = timing
        self.token = token or Token("")


class Wires:
    """Those of one connection: what was opened, by transport, in order."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Wire]] = []
        self.news = asyncio.Event()

    def of(self, name: str) -> Any:
        def open(http: Any, topics: Sequence[str], after: str | None) -> Wire:
            self.opened.append((name, Wire(after)))
            self.news.set()
            return self.opened[-1][1]

        return open

    async def next(self, count: int) -> tuple[str, Wire]:
        """The `count`-th, from 1."""
        async with asyncio.timeout(10):
            while len(self.opened) < count:
                self.news.clear()
                await self.news.wait()
        return self.opened[count - 1]
