"""Who asks, by the word of the application that the service is mounted in: its own session counts.

The application is asked once for each request, before the front door, and what it said travels in the scope. There it
counts as a cookie does, which it is mostly: a browser sends it by itself (`carriers.py`). One whose word has an end is
asked about again when that has come, with the same scope (`stream/renewal.py`).

An application that fails to say who it is gets nobody in, and nobody the anonymous' rights: 503, since a client that
was told 401 would throw away what is good.
"""

import asyncio
import math
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

import structlog

from service.access.caller import Caller
from service.access.claims import Times, read_caller, read_times
from service.core.errors import InvalidTokenError, TwinwireError, UnavailableError
from service.core.time import Clock

DECIDED: Final = "twinwire.caller"
"""Where a scope holds what was said: a Caller, or a TwinwireError to be raised once it is asked who it is."""

WORD: Final = "caller"
"""In place of the key's id, in logs, of who is somebody by the application's word."""

ASK_MAX: Final = 10.0
"""Seconds that the application has to say it: it asks its own database, perhaps."""

ASKED_TOGETHER: Final = 32
"""Streams of which it is asked at a time: many end in one step, and an application's database has a few connections."""

TOLD_EVERY: Final = 1.0
"""Seconds between two lines in the log that say why it could not be asked: each has a traceback, which takes time."""

Ask = Callable[[MutableMapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""From an ASGI scope to claims as of a token (`claims.py`); None for who is nobody. May raise anything."""

_UNKNOWN: Final = "who asks can't be found out at the moment; the application's log says why"

logger = structlog.get_logger(__name__)


class Decider:
    """`ask` is the application's."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._told = -math.inf
        self._turns = asyncio.Semaphore(ASKED_TOGETHER)

    async def decide(self, scope: MutableMapping[str, Any]) -> Caller | TwinwireError | None:
        """What goes into the scope; None for who is nobody. Raises nothing."""
        try:
            async with asyncio.timeout(ASK_MAX):
                claims = await self._ask(scope)
            if claims is None:
                return None
            now, times = self._clock.unix_ms(), read_times(claims)
            caller = read_caller(claims, Times(times.expires, now, None), WORD)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._failed(error)  # something that it waited for was ended, and not we
        except Exception as error:  # of the application's own: its log has it
            return self._failed(error)
        if caller.expires is None:
            return caller
        if caller.expires <= now:
            return InvalidTokenError(reason="expired")
        return caller._replace(again=partial(self._again, scope))

    async def _again(self, scope: MutableMapping[str, Any]) -> Caller | None:
        """Raises UnavailableError, or InvalidTokenError; after twice ASK_MAX at most, those who wait for a turn too."""
        try:
            async with asyncio.timeout(ASK_MAX):
                await self._turns.acquire()
        except TimeoutError:
            raise UnavailableError(_UNKNOWN) from None
        try:
            found = await self.decide(scope)
        finally:
            self._turns.release()
        if isinstance(found, TwinwireError):
            raise found
        return found

    def _failed(self, error: BaseException) -> UnavailableError:
        """Without the values of variables, which a scope's cookies are among: loggers show them if they may."""
        now = self._clock.monotonic()
        if now >= self._told + TOLD_EVERY:
            self._told = now
            logger.error("caller_failed", exception="".join(traceback.format_exception(error)))
        return UnavailableError(_UNKNOWN)
