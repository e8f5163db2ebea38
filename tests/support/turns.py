"""How often others get a turn of the event loop while something is done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """`count` is how many there were so far."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def counted_turns() -> AsyncIterator[Turns]:
    """Inside, each turn of the loop is counted."""
    turns = Turns()
    task = asyncio.create_task(turns.run())
    try:
        yield turns
    finally:
        task.cancel()
