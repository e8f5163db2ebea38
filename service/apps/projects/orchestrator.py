"""Which runs work, which wait, and how they are stopped and taken up again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from service.apps.base import Bus
from service.apps.projects.changes import Change
from service.apps.projects.limits import CANCEL_GRACE
from service.apps.projects.locks import Locks
from service.apps.projects.models import Run, RunUpdate, StatusUpdate
from service.apps.projects.pipeline import Pipeline
from service.apps.projects.questions.service import Questions
from service.apps.projects.runner import Runner
from service.apps.projects.runs.made import WISH, Wish, insist, number_guard, queued_run
from service.apps.projects.runs.queue import Queue
from service.apps.projects.runs.retry import Start, taken
from service.apps.projects.sandbox.sandbox import NO_SANDBOX, Sandbox
from service.apps.projects.slots import Slot
from service.apps.projects.store import Store
from service.core.errors import ConflictError, DrainingError, OverloadedError, TwinwireError
from service.core.time import Clock

logger = structlog.get_logger(__name__)

RUNS: Final = 1_000
"""Runs that may wait or work at a time, unless it is said otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    runner: Runner
    task: asyncio.Task[None]


class Orchestrator:
    """At most `concurrency` runs work at a time; the others are queued, in the order in which they came.

    The order of calls about one project is the order of their effects. `close` leaves unfinished runs as they
    are; `start`, once, in the next process, goes on with each from its first unfinished stage.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        pipeline: Pipeline,
        pace: float,
        concurrency: int,
        clock: Clock,
        questions: Questions,
        sandbox: Sandbox = NO_SANDBOX,
        *,
        max_runs: int = RUNS,
        ended: Callable[[str], None] = lambda project: None,
        rests: Callable[[Run], None] = lambda run: None,
    ) -> None:
        """`pace` is the seconds that each stage takes at least, `max_runs` how many runs may work or wait. `ended` is
        called with a project of which a run has ended, `rests` with a run on which nobody works any more.
        """
        self._bus = bus
        self._store = store
        self._pipeline = pipeline
        self._pace = pace
        self._clock = clock
        self._questions = questions
        self._sandbox = sandbox
        self._max_runs = max_runs
        self._ended = ended
        self._rests = rests
        self._slots = asyncio.Semaphore(concurrency)
        self._jobs: dict[str, _Job] = {}
        self._queue = Queue(bus)
        self._locks = Locks()
        self._closing = False

    async def start(self) -> None:
        """Take up what an earlier process left."""
        async with self._store.view() as view:
            unfinished = await view.unfinished()
        for run in unfinished:
            logger.info("run_taken_up", project=run.project, run=run.id, status=run.status)
            self._launch(run)

    async def generate(self, project: str, wish: Wish = WISH, start: Start | None = None) -> Run:
        """Queue a run, which begins at `start`.

        Raises NotFoundError, ConflictError (one is unfinished, or there is no brief), UnavailableError; of a start that
        it can't have, InvalidError and GoneError.
        """
        async with self.exclusive(project):
            self._check_open()
            if len(self._jobs) >= self._max_runs:
                raise OverloadedError(f"{self._max_runs:,} runs are waiting already")
            await self._await_ending(project)
            left = await self._left_behind(project)
            if project in self._jobs:
                raise ConflictError("a run of this project is not finished yet")
            if left is not None:
                return self._launch(left)
            return self._launch(await insist(partial(self._add_run, project, wish, start)))

    async def cancel(self, project: str, by: str | None = None) -> Run:
        """Stop the unfinished run, as `by` wishes.

        Raises NotFoundError, ConflictError (there is none), UnavailableError.
        """
        async with self.exclusive(project):
            self._check_open()
            run = await self._stop(project, by)
        if run is None:
            raise ConflictError("no run of this project is working or waiting")
        return run

    def exclusive(self, project: str) -> asyncio.Lock:
        """While held, no other call starts or stops a run of this project."""
        return self._locks.of(project)

    async def cancel_within(self, project: str) -> None:
        """Stop the unfinished run, if any. The caller holds `exclusive`."""
        await self._stop(project)

    async def close(self) -> None:
        """Stop working, leaving the runs to the next process. Idempotent."""
        self._closing = True
        jobs = list(self._jobs.values())
        for job in jobs:
            job.runner.dismiss()
            job.task.cancel()
        await self._queue.close()
        if jobs:
            _, stuck = await asyncio.wait({job.task for job in jobs}, timeout=CANCEL_GRACE)
            for task in stuck:
                logger.warning("agent_does_not_stop", run=task.get_name())

    def _check_open(self) -> None:
        if self._closing:
            raise DrainingError("the service is stopping")

    async def _await_ending(self, project: str) -> None:
        """Whoever heard of a run's end may act on it, though its task has a few steps to go."""
        job = self._jobs.get(project)
        if job is not None and job.runner.finishing:
            await asyncio.wait({job.task}, timeout=CANCEL_GRACE)

    async def _left_behind(self, project: str) -> Run | None:
        """An unfinished run that nobody works on, because its end could not be recorded."""
        async with self._store.view() as view:
            found = await view.project(project)
        run = None if found.brief is None else found.run
        return run if run is not None and run.unfinished and project not in self._jobs else None

    async def _add_run(self, project: str, wish: Wish, start: Start | None) -> Run:
        async with self._store.view() as view:
            found = await view.project(project)
            if found.brief is None:
                raise ConflictError("this project has no brief: there is nothing to generate from")
            number = await view.next_number(project)
            stages = [] if found.run is None else await view.stages(found.run.id)
            taking = None if start is None else await taken(view, project, start, self._pipeline.names)
        now = self._clock.unix_ms()
        run = queued_run(project, number, now, wish.author, self._queue.message(self._slots.locked()))
        change = Change(project).add_run(run, now, may_run=wish.may_run).add_stages(run.id, self._pipeline.names)
        change.remove(self._pipeline.subjects_of(stages))
        if taking is not None:
            taking.add_to(change, run)
        change.tell(StatusUpdate.of(run), RunUpdate.of(run))
        await self._bus.publish(change.drafts, change.also, [number_guard(project, number)])
        return await self._run(run.id)

    async def _run(self, id: str) -> Run:
        async with self._store.view() as view:
            return await view.run(id)

    def _launch(self, run: Run) -> Run:
        runner = self._runner(run)
        self._queue.add(run)
        task = asyncio.create_task(self._work(runner), name=f"run {run.id}")
        job = self._jobs[run.project] = _Job(runner, task)
        task.add_done_callback(lambda _: self._forget(run.project, job))
        return run

    def _runner(self, run: Run) -> Runner:
        bus, store, pipeline, clock, slot = self._bus, self._store, self._pipeline, self._clock, Slot(self._slots)
        return Runner(run, bus, store, pipeline, self._pace, clock, self._questions, slot, self._sandbox)

    def _forget(self, project: str, job: _Job) -> None:
        if self._jobs.get(project) is job:
            del self._jobs[project]

    async def _work(self, runner: Runner) -> None:
        try:
            try:
                await runner.slot.take()
            finally:
                self._queue.leave(runner.run.id)
            try:
                await runner.carry_out()
            finally:
                runner.slot.give()
                self._ended(runner.run.project)
                self._rests(runner.run)
        except TwinwireError as error:
            logger.warning("run_interrupted", run=runner.run.id, reason=error.detail)
        except Exception:
            logger.exception("run_interrupted", run=runner.run.id)

    async def _stop(self, project: str, by: str | None = None) -> Run | None:
        """Returns the cancelled run, or None if nothing was there to cancel."""
        await self._await_ending(project)
        job = self._jobs.get(project)
        if job is None:
            left = await self._left_behind(project)
            if left is None:
                return None
            runner = self._runner(left)
        else:
            runner = job.runner
            await self._halt(project, job)
        if not runner.finishing:
            await runner.end_cancelled(by)
            self._ended(project)
            return await self._run(runner.run.id)
        return None

    async def _halt(self, project: str, job: _Job) -> None:
        job.runner.dismiss()
        job.task.cancel()
        _, stuck = await asyncio.wait({job.task}, timeout=CANCEL_GRACE)
        if stuck:
            logger.warning("agent_does_not_stop", run=job.runner.run.id)
        self._forget(project, job)
