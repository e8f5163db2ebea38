"""The machine's clock. The composition root hands it to whoever needs the time; nobody else here asks for it."""

import asyncio
import time


class SystemClock:
    """Implements `service.core.time.Clock`, with the event loop's timers."""

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
