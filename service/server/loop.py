"""The event loop: which one the process runs on, and what it says of exceptions that nobody awaited."""

import asyncio
import errno
from collections.abc import Callable
from typing import Any, Final, Literal

import structlog

from service.core.errors import ConfigError

try:
    import uvloop as _uvloop
except ImportError:  # no wheel for this platform
    _uvloop = None  # type: ignore[assignment]
uvloop: Any = _uvloop

_LOST: Final = frozenset(
    {
        errno.EBADF,  # closed by us in the meantime
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EMFILE,  # at accept, again and again: `access/descriptors.py` tells it once
        errno.ENFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
    }
)
"""What the kernel says of a peer that is gone. Another error is ours, and is logged."""

logger = structlog.get_logger(__name__)

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def loop_factory(wanted: Literal["auto", "uvloop", "asyncio"]) -> LoopFactory | None:
    """What makes the loop; None for asyncio's own. Raises ConfigError if uvloop is asked for and not there."""
    if wanted == "uvloop" and uvloop is None:
        raise ConfigError("uvloop is not installed: set TWINWIRE_LOOP=asyncio", field="loop")
    if wanted == "asyncio" or uvloop is None:
        return None
    factory: LoopFactory = uvloop.new_event_loop
    return factory


def ignore_lost_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A loop's exception handler. A peer that the kernel gave up raises ETIMEDOUT, which Hypercorn lets through."""
    error = context.get("exception")
    if isinstance(error, BaseExceptionGroup):
        error = error.split(_is_lost)[1]
        if error is None:
            return
    if error is not None and _is_lost(error):
        return
    logger.error("loop_error", message=context.get("message"), exc_info=error)


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno is None or error.errno in _LOST
    return isinstance(error, asyncio.CancelledError)  # how Python 3.11 reports a cut connection
