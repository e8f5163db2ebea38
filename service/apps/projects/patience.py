"""Work that goes on: to its end, though nobody may wait for it any more; or again, for as long as it fails.

A task that looks after something for as long as the service runs has nobody who would see that it has ended. So each
step of it is a `persist`: a disk that is full, a database that is away, or a mistake of ours that one row brings about
is logged and tried again, at a growing distance; the task goes on. A run's steps wait for the disk and the database
alone: a mistake is the run's end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog

from service.apps.projects.limits import RETRY_MAX
from service.core.errors import DrainingError, TwinwireError
from service.core.time import Clock

logger = structlog.get_logger(__name__)

T = TypeVar("T")

AGAIN: Final = 1.0
"""Seconds until the second attempt; twice as many before each other, up to RETRY_MAX."""


async def persist(
    step: Callable[[], Awaitable[T]],
    clock: Clock,
    /,
    event: str = "step_failed",
    *,
    on: type[Exception] | tuple[type[Exception], ...] = Exception,
    **about: str,
) -> T:
    """What `step` returns, once it does; `event` is logged with `about` at each failure. Raises what is not one of
    `on`, and DrainingError: the next process goes on."""
    pause = AGAIN
    while True:
        try:
            return await step()
        except DrainingError:
            raise
        except on as error:
            seconds = pause
            if isinstance(error, TwinwireError):
                logger.warning(event, **about, reason=error.detail)
                seconds = min(error.retry_after or pause, RETRY_MAX)
            else:
                logger.exception(event, **about)
        await clock.sleep(seconds)
        pause = min(2 * pause, RETRY_MAX)


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even if the caller is cancelled, which takes effect after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
