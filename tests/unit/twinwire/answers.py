"""A service, for a member's own side: it answers as it is told to."""

import asyncio
import json
from typing import Any

from twinwire.place import Place
from twinwire.timing import Timing


class Answers:
    """Takes everything, unless there is an error to be answered with."""

    place = Place("http://x")

    def __init__(self, **timing: float) -> None:
        self.timing = Timing(**{"backoff_base": 0.001, "backoff_cap": 0.001, "pace": 0.001, "publish": 10.0, **timing})
        self.said: list[tuple[str, Any]] = []
        self.errors: list[Exception] = []
        self.lease = 30.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.news = asyncio.Event()

    async def json(self, method: str, url: str, kind: Any, body: bytes | None = None, **sent: Any) -> Any:
        assert url == "http://x/api/presence/a/b~c/t.1"
        self.said.append((method, None if body is None else json.loads(body)))
        self.news.set()
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return None if method == "DELETE" else kind(self.lease)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.said) < count:
                self.news.clear()
                await self.news.wait()
