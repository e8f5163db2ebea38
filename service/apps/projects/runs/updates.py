"""When the progress of a run is told: at once, unless something of this run was told a moment ago; then a moment later.

What waits here when the service is killed is not told: it is stored, and told with what comes next.
"""

import asyncio
from typing import Final

import structlog

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.runs.applying import tell_run
from service.apps.projects.runs.held import held
from service.apps.projects.runs.limits import UPDATE_PACE
from service.apps.projects.store import Store
from service.core.errors import GuardError, TwinwireError
from service.core.time import Clock

logger = structlog.get_logger(__name__)

KNOWN_MAX: Final = 1_000
"""Runs of which it is known when something was told; of others it was long ago, or their number is large."""


class Updates:
    """Of reported commands; one for all of them."""

    def __init__(self, bus: Bus, store: Store, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._clock = clock
        self._told: dict[str, float] = {}
        """By run: when, on the monotonic clock; the latest last."""
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        """Those of which more came since."""

    async def close(self) -> None:
        """What waits is not told."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def is_due(self, run: str) -> bool:
        """Whether progress may be told now."""
        return self._clock.monotonic() - self._told.get(run, -UPDATE_PACE) >= UPDATE_PACE

    def told(self, run: str) -> None:
        """Something of it is told now."""
        self._told.pop(run, None)
        self._told[run] = self._clock.monotonic()
        while len(self._told) > KNOWN_MAX:
            del self._told[next(iter(self._told))]

    def later(self, project: str, number: int, run: str) -> None:
        """Tell how it then is, as soon as it may be told."""
        if run in self._waiting:
            self._again.add(run)  # what is about to be told may have been read before this
            return
        task = self._waiting[run] = asyncio.create_task(self._tell(project, number, run))
        task.add_done_callback(lambda _: self._forget(run))

    def _forget(self, run: str) -> None:
        del self._waiting[run]
        self._again.discard(run)

    async def _tell(self, project: str, number: int, run: str) -> None:
        try:
            while True:
                self._again.discard(run)
                while not self.is_due(run):
                    await self._clock.sleep(self._told[run] + UPDATE_PACE - self._clock.monotonic())
                try:
                    await self._tell_now(project, number, run)
                except GuardError:
                    continue  # it has come further meanwhile: how far is told in its turn
                if run not in self._again:
                    return
        except TwinwireError as error:
            logger.debug("run_update_not_told", run=run, reason=error.detail)

    async def _tell_now(self, project: str, number: int, run: str) -> None:
        async with self._store.view() as view:
            found = await held(view, project, number)
        self.told(run)
        change = tell_run(Change(project), found.run, is_shown=found.is_shown)
        await self._bus.publish(change.drafts, change.also, [found.guard])
