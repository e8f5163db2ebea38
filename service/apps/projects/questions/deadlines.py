"""One timer for the deadlines of all open questions. They are in the table: a restart loses none.

It sleeps until the next one, or until somebody says that there may be a nearer one (`look`), and LOOK_EVERY at most,
since the calendar, by which deadlines are, may be set meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from service.apps.projects.patience import persist
from service.apps.projects.questions.models import Question
from service.apps.projects.questions.store import QuestionStore
from service.core.errors import DrainingError
from service.core.time import Clock

LOOK_EVERY: Final = 30.0
"""Seconds between two looks at the calendar."""

TOGETHER: Final = 50
"""Deadlines that are carried out at a time: they share a commit."""


class Deadlines:
    """`expire` is what a deadline does; if it raises, it is called again later."""

    def __init__(self, store: QuestionStore, clock: Clock, expire: Callable[[Question], Awaitable[None]]) -> None:
        self._store = store
        self._clock = clock
        self._expire = expire
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Once."""
        self._task = asyncio.create_task(self._watch(), name="deadlines of questions")

    def look(self) -> None:
        """There may be a nearer one."""
        self._news.set()

    async def close(self) -> None:
        """Idempotent. What is just being stored is stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        with suppress(DrainingError):  # the next process goes on
            while True:
                await self._pause(await persist(self._look, self._clock, step="deadlines"))

    async def _look(self) -> float | None:
        """Carry out what is due; seconds until the next one, None if there is none."""
        self._news.clear()
        while True:
            async with self._store.view() as view:
                due = await view.due(self._clock.unix_ms(), TOGETHER)
                after = None if due else await view.next_deadline()
            if not due:
                return None if after is None else max(0.0, (after - self._clock.unix_ms()) / 1000)
            done = await asyncio.gather(*map(self._expire, due), return_exceptions=True)
            for error in filter(None, done):
                raise error

    async def _pause(self, seconds: float | None) -> None:
        if seconds is None:
            await self._news.wait()
            return
        news = asyncio.ensure_future(self._news.wait())
        waiting = {news, asyncio.ensure_future(self._clock.sleep(min(seconds, LOOK_EVERY)))}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
