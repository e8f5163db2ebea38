"""What stands behind a stop that hangs: a thread that closes what must be closed, and ends the process.

A connection that can't be closed must not keep the next start waiting.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

EXTRA: Final = 2.0
"""Seconds: beyond what a stop may take until it counts as hanging, and until what is closed then must be closed."""

logger = structlog.get_logger(__name__)


def arm_watchdog(seconds: float, close: Callable[[], Coroutine[Any, Any, None]]) -> threading.Timer:
    """End the process `seconds` and a little from now: status 0 if `close`, on the running loop, went well, else 1.

    Call it on the loop. A process that has ended by itself takes the thread with it.
    """
    loop = asyncio.get_running_loop()

    def give_up() -> None:
        logger.error("stop_forced", seconds=seconds + EXTRA)
        try:
            asyncio.run_coroutine_threadsafe(close(), loop).result(EXTRA)
        except Exception:
            logger.exception("log_not_closed")
            os._exit(1)
        os._exit(0)

    timer = threading.Timer(seconds + EXTRA, give_up)
    timer.daemon = True
    timer.start()
    return timer
