"""What goes of runs, and when: a project keeps its latest, and all logs and files together have a bound.

    a project has more finished runs than it keeps   the oldest go, with an event that they are removed
    all logs and files have more bytes than allowed  the run that finished first loses its log and its files; it stays
                                                     in the list, with how much is missing
    a project is deleted, or one of the above        what is left of its runs (`run_leftovers`) is removed

Each is a small commit of its own, so that whoever publishes waits for none for long, and a service that is killed goes
on where it was. The files that a project has now are counted, and stay.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.models import Run
from service.apps.projects.patience import persist
from service.apps.projects.picture import subject_of_run
from service.apps.projects.runs.applying import tell_run
from service.apps.projects.runs.rows import COLUMNS, run_of
from service.apps.projects.store import Store
from service.core.errors import DrainingError, GuardError, TwinwireError
from service.core.time import Clock
from service.log.base import Guard, Statement

logger = structlog.get_logger(__name__)

STEP_BYTES: Final = 1 << 20
"""Of a log, or of files, that are removed with one commit."""

STEP_ROWS: Final = 500
"""Rows of them, likewise."""

PAGE: Final = 50
"""Runs that are found at a time."""

_CROWDED: Final = "SELECT project FROM runs WHERE finished IS NOT NULL GROUP BY project HAVING count(*) > :kept"
_BEYOND: Final = (
    "SELECT id, number FROM (SELECT id, number FROM runs WHERE project = :project AND finished IS NOT NULL"
    " ORDER BY number DESC LIMIT -1 OFFSET :kept)"
    " WHERE number NOT IN (SELECT max(number) FROM runs WHERE project = :project GROUP BY kind)"
    " ORDER BY number DESC LIMIT :limit"
)
"""The newest of each kind stays in any case: a project's status is that of one of them."""

_FINISHED: Final = "SELECT finished IS NOT NULL FROM runs WHERE id = :run"
_TOTAL: Final = "SELECT bytes FROM run_total"
_LEFT: Final = "SELECT run FROM run_leftovers LIMIT 1"
_PIECES: Final = "SELECT piece, length(data) FROM run_log WHERE run = :run ORDER BY piece LIMIT :limit"
_FILES: Final = (
    "SELECT f.rowid, coalesce(c.size, 0) FROM run_files f LEFT JOIN contents c ON c.id = f.content"
    " WHERE f.run = :run ORDER BY f.rowid LIMIT :limit"
)
_OLDEST: Final = (
    f"SELECT r.id, {COLUMNS} FROM runs r WHERE r.kept = 1 AND r.finished IS NOT NULL"  # noqa: S608 - constants
    " AND (r.bytes > 0 OR EXISTS (SELECT 1 FROM run_files WHERE run = r.serial))"
    " ORDER BY r.finished LIMIT 1"
)
_DROP: Final = (
    "UPDATE runs SET kept = 0, ended = 1, cut = cut + bytes, bytes = 0, lines = 0, unfinished = 0, tail = x''"
    " WHERE id = :run"
)


class Pruning:
    """One for all projects. `wake` it when there may be something to do."""

    def __init__(self, bus: Bus, store: Store, clock: Clock, *, kept: int, most: int) -> None:
        """`kept` is how many finished runs a project keeps, `most` the bytes of all logs and files."""
        self._bus = bus
        self._store = store
        self._clock = clock
        self._kept = kept
        self._most = most
        self._projects: set[str] = set()
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """What is left to do is done by the next process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def wake(self, project: str | None = None) -> None:
        """A run of this project has ended, or something was deleted."""
        if project is not None:
            self._projects.add(project)
        self._awake.set()

    async def _work(self) -> None:
        with suppress(DrainingError):  # the next process goes on
            await persist(self._find, self._clock, step="pruning")
            while True:
                await persist(self.prune, self._clock, step="pruning")
                await self._awake.wait()

    async def _find(self) -> None:
        """What an earlier process has left to do."""
        async with self._store.view() as view:
            self._projects.update([id for (id,) in await view.rows(_CROWDED, kept=self._kept)])

    async def prune(self) -> None:
        """Until there is nothing to do. Of a project where that raises what it should not, the rest is left until a
        run of it ends: others have theirs to be done."""
        while True:
            self._awake.clear()
            while self._projects:
                await self._shorten_all(self._projects.pop())
            await self._sweep()
            if not await self._drop_oldest() and not self._awake.is_set():
                return

    async def _shorten_all(self, project: str) -> None:
        try:
            while await self._shorten(project):
                pass
        except TwinwireError:
            self._projects.add(project)
            raise

    async def _shorten(self, project: str) -> bool:
        """Remove runs beyond those that it keeps; whether there may be more of them."""
        async with self._store.view() as view:
            beyond = await view.rows(_BEYOND, project=project, kept=self._kept, limit=PAGE)
        for run, number in beyond:
            change = Change(project).remove([subject_of_run(number)])
            change.also.append(Statement("DELETE FROM stages WHERE run = :run", {"run": run}))
            change.also.append(Statement("DELETE FROM runs WHERE id = :run", {"run": run}))
            await self._publish(change, run)
        return len(beyond) == PAGE

    async def _drop_oldest(self) -> bool:
        """Have the run that finished first lose its log and files, if there are too many; whether one did."""
        async with self._store.view() as view:
            ((total,),) = await view.rows(_TOTAL)
            rows = await view.rows(_OLDEST) if total > self._most else []
        if not rows:
            return False
        run: Run = run_of(rows[0])
        change = Change(run.project)
        change.also.append(Statement(_DROP, {"run": run.id}))
        now = {"cut": run.cut + run.bytes, "bytes": 0, "lines": 0}
        await self._publish(tell_run(change, run.model_copy(update=now), is_shown=False), run.id)
        logger.info("run_log_dropped", project=run.project, run=run.id, bytes=run.bytes)
        return True

    async def _publish(self, change: Change, run: str) -> None:
        try:
            await self._bus.publish(change.drafts, change.also, [Guard(_FINISHED, {"run": run}, (1,))])
        except GuardError:
            logger.debug("run_not_pruned", run=run)  # it has gone, or was opened again

    async def _sweep(self) -> None:
        """Remove what is left of runs, step by step."""
        while True:
            async with self._store.view() as view:
                rows = await view.rows(_LEFT)
                if not rows:
                    return
                ((run,),) = rows
                pieces = await view.rows(_PIECES, run=run, limit=STEP_ROWS)
                files = [] if pieces else await view.rows(_FILES, run=run, limit=STEP_ROWS)
            if pieces:
                sql, last = "DELETE FROM run_log WHERE run = :run AND piece <= :last", _reach(pieces)
            elif files:
                sql, last = "DELETE FROM run_files WHERE run = :run AND rowid <= :last", _reach(files)
            else:
                sql, last = "DELETE FROM run_leftovers WHERE run = :run", 0
            await self._bus.publish([], [Statement(sql, {"run": run, "last": last})])


def _reach(rows: Sequence[tuple[int, int]]) -> int:
    """Of rows and their sizes in order, the last of so many as make a step."""
    size = 0
    for row, bytes in rows:
        size += bytes
        if size >= STEP_BYTES:
            return row
    return rows[-1][0]
