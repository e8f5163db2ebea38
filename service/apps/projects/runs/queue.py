"""The runs that wait for a slot, in their order: each is told its place, and told again when those before it have left.

A run may begin while it is told that it waits: so it is told where it is stored, and only if it still waits there.
"""

import asyncio
from typing import Final

import structlog

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.models import Run, RunUpdate, StatusUpdate
from service.apps.projects.runs.limits import PLACES_TOLD
from service.apps.projects.runs.wording import place
from service.core.errors import GuardError, TwinwireError
from service.log.base import Guard

logger = structlog.get_logger(__name__)

_STATUS: Final = "SELECT status FROM runs WHERE id = :run"


class Queue:
    """Of one orchestrator."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: dict[str, Run] = {}
        """By id, as they were told last; the first is the next."""
        self._task: asyncio.Task[None] | None = None
        self._has_moved = False
        self._is_closed = False

    async def close(self) -> None:
        """What is not told yet is told by the next process."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def message(self, is_full: bool) -> str:
        """For one more; `is_full`: there is no slot for it."""
        return place(len(self._waiting) + 1) if is_full else "Queued"

    def add(self, run: Run) -> None:
        """At the end, as it was told."""
        self._waiting[run.id] = run

    def leave(self, run: str) -> None:
        """It begins, or is cancelled. Those behind it are told."""
        self._waiting.pop(run, None)
        self._has_moved = True
        if self._task is None and self._waiting and not self._is_closed:
            self._task = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._has_moved:
                self._has_moved = False
                for number, run in enumerate([*self._waiting.values()][: PLACES_TOLD + 1], 1):
                    if run.id in self._waiting and run.message != (message := place(number)):
                        await self._tell_one(run.model_copy(update={"message": message}))
        except TwinwireError as error:
            logger.debug("queue_not_told", reason=error.detail)
        finally:
            self._task = None

    async def _tell_one(self, run: Run) -> None:
        change = Change(run.project).set_run(run.id, run.status, run.progress, run.message)
        change.tell(StatusUpdate.of(run), RunUpdate.of(run))
        try:
            await self._bus.publish(change.drafts, change.also, [Guard(_STATUS, {"run": run.id}, ("queued",))])
        except GuardError:
            return  # it has begun
        if run.id in self._waiting:
            self._waiting[run.id] = run
