"""What stands behind a stop that hangs."""

import asyncio
import os
import threading
from typing import Final

import structlog

from service.web.app import TwinwireApp

WATCHDOG_EXTRA: Final = 2.0
"""Seconds beyond the grace period after which a stop that hangs is ended for good."""

logger = structlog.get_logger(__name__)


def arm_watchdog(app: TwinwireApp, seconds: float) -> None:
    """A connection that can't be closed must not keep the next start waiting: close the log, then leave."""
    loop = asyncio.get_running_loop()

    def give_up() -> None:
        logger.error("stop_forced", seconds=seconds)
        try:
            if app.assembly is not None:
                asyncio.run_coroutine_threadsafe(app.assembly.close(), loop).result(WATCHDOG_EXTRA)
        except Exception:
            logger.exception("log_not_closed")
            os._exit(1)
        os._exit(0)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
