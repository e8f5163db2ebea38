"""A connection's far end, for whoever sends to it."""

import asyncio
from collections.abc import Mapping
from typing import Any


class Peer:
    """An ASGI `send` whose far end takes messages only while it is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.taken: list[Mapping[str, Any]] = []

    async def send(self, message: Mapping[str, Any]) -> None:
        await self.open.wait()
        self.taken.append(message)
