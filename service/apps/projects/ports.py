"""What the generator needs from outside: a bus to publish on, and a clock."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Receipt, Statement


class Publisher(Protocol):
    """The part of `service.bus.bus.EventBus` that is used here."""

    async def publish(self, drafts: Sequence[Draft], also: Sequence[Statement] = ()) -> Receipt:
        """Commit drafts and statements in one transaction. Raises TwinwireError."""

    async def reach(self, offset: int) -> None:
        """Return once the head is at `offset` or beyond."""

    async def trim(self, topics: TopicFilter, keep: int) -> int: ...

    def cursor(self, offset: int) -> str: ...


class Clock(Protocol):
    """Time as the generator sees it; tests bring a manual one."""

    def unix_ms(self) -> int: ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock and the event loop's timers."""

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
