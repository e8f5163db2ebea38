"""Commands of which nobody has told anything for a while: first they are silent, and after a day they have ended.

Looked for every few seconds while there are commands that have not ended, and from the beginning of this process at the
earliest: while it was away nobody could be heard. A reporter that comes back later opens its run again (`applying`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.models import FinalStatus, Run
from service.apps.projects.patience import persist
from service.apps.projects.runs.applying import tell_run
from service.apps.projects.runs.held import Held, held
from service.apps.projects.runs.made import insist
from service.apps.projects.store import Store
from service.core.errors import DrainingError, NotFoundError
from service.core.time import Clock, rfc3339
from service.log.base import Statement

SILENT_AFTER: Final = 60.0
"""Seconds."""

ENDED_AFTER: Final = 24 * 60 * 60.0
"""Seconds."""

LOOK: Final = 5.0
"""Seconds between two looks."""

PAGE: Final = 100
"""Runs that are seen to in one look."""

_SILENT: Final = "UPDATE runs SET silent = 1 WHERE id = :run"
_OPEN: Final = "SELECT count(*) FROM runs WHERE kind = 'command' AND status = 'running'"
_LATE: Final = (
    "SELECT project, number FROM runs WHERE kind = 'command' AND status = 'running'"
    " AND (heard < :ended OR (heard < :silent AND NOT silent)) ORDER BY heard LIMIT :limit"
)


class Silence:
    """One for all commands. `wake` it when one begins or is heard of."""

    def __init__(self, bus: Bus, store: Store, clock: Clock, ended: Callable[[str], None]) -> None:
        """`ended` is called with a project of which a run has ended."""
        self._bus = bus
        self._store = store
        self._clock = clock
        self._ended = ended
        self._since = 0.0
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._since = self._clock.monotonic()
        self._awake.set()
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def wake(self) -> None:
        """There is a command that has not ended."""
        self._awake.set()

    async def _watch(self) -> None:
        with suppress(DrainingError):  # the next process goes on
            while True:
                await self._awake.wait()
                self._awake.clear()
                if await persist(self.look, self._clock, step="silence"):
                    await self._clock.sleep(LOOK)
                    self._awake.set()

    async def look(self) -> bool:
        """See to those that are late; whether there are commands that have not ended."""
        now = self._clock.unix_ms()
        async with self._store.view() as view:
            (count,) = (await view.rows(_OPEN))[0]
            silent, ended = now - round(SILENT_AFTER * 1000), now - round(ENDED_AFTER * 1000)
            late = await view.rows(_LATE, silent=silent, ended=ended, limit=PAGE) if count else []
        if self._clock.monotonic() - self._since >= SILENT_AFTER:
            await self._see_to_all(late)
        return bool(count)

    async def _see_to_all(self, late: Sequence[tuple[str, int]]) -> None:
        """What is the matter with one keeps no other from being seen to."""
        errors = []
        for project, number in late:
            try:
                await insist(partial(self._see_to, project, number))
            except DrainingError:
                raise
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def _see_to(self, project: str, number: int) -> None:
        try:
            async with self._store.view() as view:
                found = await held(view, project, number)
        except NotFoundError:
            return
        if found.run.status != "running":
            return
        change = Change(project)
        seconds = (self._clock.unix_ms() - found.heard) / 1000
        if seconds >= ENDED_AFTER:
            run = ended_unheard(change, found, "Not heard of for a day", self._clock.unix_ms())
        elif seconds >= SILENT_AFTER and not found.run.silent:
            change.also.append(Statement(_SILENT, {"run": found.run.id}))
            run = found.run.model_copy(update={"silent": True})
        else:
            return
        tell_run(change, run, is_shown=found.is_shown and run.finished is not None)
        await self._bus.publish(change.drafts, change.also, [found.guard])
        if run.finished is not None:
            self._ended(project)


def ended_unheard(change: Change, found: Held, message: str, now: int) -> Run:
    """With `change`, a command of which no end was reported ends. Its reporter may open it again."""
    status: FinalStatus = "cancelled" if found.cancelling else "failed"
    run = found.run
    change.end_run(run.id, status, run.progress, message, now)
    values = {"status": status, "message": message, "finished": rfc3339(now), "duration": run.seconds_until(now)}
    return run.model_copy(update=values)
