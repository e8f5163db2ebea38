"""Everybody who uses the server: each a coroutine that goes on until it is cancelled.

Whoever streams does it on all wires, with filters and without, from now, from a cursor and from the beginning, and
leaves as people do: with a reset, with a FIN, or politely. What they count is told at the end.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from tests.support import api
from tests.support.clients import STREAMING, TRANSPORTS, Collector, connect
from tests.support.http import Connection, Query, request, target
from tests.support.projects import BRIEF

FILTERS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("kept/*",),
    ("*/batch", "few/**"),
    ("**",),
    ("cut/**", "brief/*"),
    ("projects/*", "projects"),
    ("*/http", "*/websocket", "nobody/publishes/*"),
    ("kept/http",),
)
STARTS: Final = (None, None, "latest", "earliest")
SEARCHES: Final[tuple[dict[str, str], ...]] = (
    {"order": "desc"},
    {"before": "latest"},
    {"after": "earliest"},
    {"after": "earliest", "type": "nowhere"},
)
STAY: Final = (0.2, 8.0)
"""Seconds that a visitor stays."""
PAUSE: Final = (0.0, 1.0)
"""Seconds until the next one comes."""
VISITORS: Final = 12
SLOW: Final = 3
"""How many of each there are at a time."""
SLOW_BUFFER: Final = 4096
"""Bytes that the kernel takes in for a slow reader."""
SLOW_FRAME: Final = 0.02
"""Seconds for which it thinks about each frame."""
SLOW_FRAMES: Final = 1_000
REPLAYS: Final = 6.0
"""Seconds between two replays of all that is kept."""
READS: Final = 0.2
"""Seconds between two reads of history."""
LOOKS: Final = 1.0
"""Seconds between two looks of an operator."""
PROJECTS: Final = 3.0
"""Seconds between two projects."""

Part = Callable[[], Coroutine[Any, Any, None]]


class Load:
    """Counts what each part has done."""

    def __init__(self, url: str, seed: str) -> None:
        self.url = url
        self.done: Counter[str] = Counter()
        self._random = random.Random(f"{seed} load")

    def parts(self) -> list[Part]:
        """All who are at work at the same time."""
        return [
            *([self.visit] * VISITORS),
            *([self.read_slowly] * SLOW),
            self.replay,
            self.read_history,
            self.operate,
            self.generate,
        ]

    async def visit(self) -> None:
        """A stream on any wire that comes and goes."""
        while True:
            transport = self._random.choice(TRANSPORTS)
            stream = await connect(self.url, transport, self._filter(), after=self._random.choice(STARTS))
            try:
                async with asyncio.timeout(self._random.uniform(*STAY)):
                    while True:
                        await stream.next()
                        stream.frames.clear()
            except TimeoutError:
                self.done[f"streams, {transport}"] += 1
            finally:
                await self._leave(stream)
            await asyncio.sleep(self._random.uniform(*PAUSE))

    async def _leave(self, stream: Collector) -> None:
        how = self._random.random()
        if how < 0.4:
            stream.reset()
        elif how < 0.8:
            stream.hang_up()
        else:
            await stream.close()

    async def read_slowly(self) -> None:
        """From the beginning, with a small buffer, a frame at a time."""
        while True:
            transport = self._random.choice(STREAMING)
            stream = await connect(self.url, transport, (), after="earliest", receive_buffer=SLOW_BUFFER)
            try:
                for _ in range(SLOW_FRAMES):
                    await stream.next()
                    stream.frames.clear()
                    await asyncio.sleep(SLOW_FRAME)
                self.done["slow readers"] += 1
            except ConnectionError:
                self.done["slow readers that were cut"] += 1  # by the service's patience, if this machine had none
            finally:
                stream.reset()

    async def replay(self) -> None:
        """All that is kept, as fast as it comes."""
        while True:
            transport = self._random.choice(STREAMING)
            stream = await connect(self.url, transport, self._filter(), after="earliest")
            try:
                while (await stream.next()).type != "caught_up":
                    self.done["events replayed"] += len(stream.frames)
                    stream.frames.clear()
                self.done["replays"] += 1
            finally:
                stream.reset()
            await asyncio.sleep(REPLAYS)

    async def read_history(self) -> None:
        """Pages in both directions, by type and without."""
        connection = await Connection.open(self.url)
        try:
            while True:
                query: dict[str, Any] = {"topic": list(self._filter()), "limit": self._random.choice((10, 100, 1000))}
                query |= self._random.choice(SEARCHES)
                response = await connection.request("GET", target("/api/events", query))
                assert response.status == 200, response.body
                self.done["pages of history"] += 1
                await asyncio.sleep(READS)
        finally:
            connection.reset()

    async def operate(self) -> None:
        """What people and machines look at who run it, and the page."""
        paths = ("/metrics", "/api/topics?topic=projects/*", "/api/health", "/api/ready", "/", "/api/projects?limit=5")
        while True:
            for path in paths:
                assert (await request(self.url, "GET", path)).status == 200, path
                self.done["looks"] += 1
            await asyncio.sleep(LOOKS)

    async def generate(self) -> None:
        """A project from its creation to its end."""
        while True:
            created = await self._ask("POST", "/api/projects", 201, {"name": "soak", "brief": BRIEF})
            path = f"/api/projects/{created['id']}"
            await self._ask("POST", f"{path}/generate", 202)
            stream = await connect(self.url, "sse", f"projects/{created['id']}", after="earliest")
            try:
                await stream.until(lambda frame: frame.type == "completion")
            finally:
                stream.reset()
            assert (await request(self.url, "GET", f"{path}/archive")).status == 200
            assert (await request(self.url, "DELETE", path)).status == 204
            self.done["projects"] += 1
            await asyncio.sleep(PROJECTS)

    async def _ask(self, method: str, path: str, status: int, body: object = None) -> Any:
        response = await request(self.url, method, path, json_body=body)
        assert response.status == status, response.body
        return response.json()

    def _filter(self) -> Sequence[str]:
        return self._random.choice(FILTERS)


async def publish_some(url: str) -> None:
    """One of each, before anything is measured: what is imported and opened at first use is there."""
    await api.publish(url, "warm/up", 1)
    query: Query = {"after": "earliest"}
    for path in ("/", "/metrics", target("/api/events", query), "/api/topics"):
        await request(url, "GET", path)
