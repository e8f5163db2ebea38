"""The machine's clock. The composition root hands it to whoever needs the time; nobody else here asks for it."""

import asyncio
import time
from functools import partial
from typing import Final

_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux has the first; elsewhere the second goes on or stands still in a sleep, as the system likes."""


class SystemClock:
    """Implements `service.core.time.Clock`, with the event loop's timers. It believes its calendar."""

    doubt: Final = 0.0
    steps: Final = 0

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    # Asked for with each request and each event: without a call between.
    monotonic = staticmethod(time.monotonic)
    elapsed = staticmethod(partial(time.clock_gettime, _ELAPSED))
    worked = staticmethod(time.thread_time)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """The same for a command, which has no event loop."""
        time.sleep(seconds)
