"""Somebody who trims topics again and again, and lets the killer know when a trim is under way."""

import asyncio
import json
import random
from contextlib import suppress
from typing import Final

from tests.kills.publishers import BACK_OFF, BATCH_MAX, BUSY, JSON
from tests.support.http import Connection

KEEP: Final = (2 * BATCH_MAX, 5 * BATCH_MAX)
"""Events that a trim leaves, from and to: what a publisher with keys may yet repeat is among them."""
PAUSE: Final = 0.15
"""Seconds between two trims, on average."""
PATIENCE: Final = 3.0
"""Seconds that the killer waits for a trim."""


class Trimmer:
    """`asked` counts trims that were sent, `done` those that were answered."""

    def __init__(self, url: str, seed: str) -> None:
        self.url = url
        self.asked = 0
        self.done = 0
        self._random = random.Random(f"{seed} trims")
        self._begun = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._trim()
                await asyncio.sleep(self._random.uniform(0, 2 * PAUSE))
            except OSError:
                await asyncio.sleep(self._random.uniform(*BACK_OFF))

    async def _trim(self) -> None:
        body = json.dumps({"topic": "cut/**", "keep": self._random.randint(*KEEP)}).encode()
        connection = await Connection.open(self.url)
        try:
            await connection.send("POST", "/api/topics/trim", headers={"Content-Type": JSON}, body=body)
            self.asked += 1
            self._begun.set()
            head = await connection.read_head()
            assert head.status in {200, 202, *BUSY}, head
            self.done += 1
        finally:
            connection.reset()

    async def begun(self) -> None:
        """Return as soon as the next trim has been sent, or after PATIENCE."""
        self._begun.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._begun.wait()
