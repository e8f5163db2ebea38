"""One run, from its first unfinished stage to its end. What is stored and what is announced commit together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from service.apps.base import Bus
from service.apps.projects.agents.base import Agent, AgentError, Used
from service.apps.projects.brief import parse_brief
from service.apps.projects.changes import Change
from service.apps.projects.models import AgentUpdate, Completion, FinalStatus, LogLine, Run, Stage, StatusUpdate
from service.apps.projects.patience import persist, uninterrupted
from service.apps.projects.picture import subject_of_file, subject_of_output
from service.apps.projects.pipeline import Pipeline
from service.apps.projects.questions.models import Asked, Question
from service.apps.projects.questions.service import Questions
from service.apps.projects.runs.news import News
from service.apps.projects.runs.wording import cancelled, details, unexpected, without_folders
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.slots import Slot
from service.apps.projects.stage import Pace, RunContext, RunFiles, StageWork, running_percent, shorten, steps_of
from service.apps.projects.store import Store
from service.core.errors import DrainingError, StorageDownError, StorageError, UnavailableError
from service.core.time import Clock, rfc3339

T = TypeVar("T")

logger = structlog.get_logger(__name__)


def _is_cancelled() -> bool:
    """Whether somebody asked this task to stop; an agent can also raise CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@dataclass(frozen=True, slots=True)
class Turn:
    """An agent's turn in a run: stage `number` of `stages`."""

    agent: str
    number: int
    stages: int
    pace: Pace

    def update(
        self, status: Literal["started", "completed", "failed", "cancelled"], message: str, why: str = ""
    ) -> AgentUpdate:
        """The event; `{agent}` and `{duration}` in `message` are filled in, and `why` follows it."""
        seconds = self.pace.elapsed
        return AgentUpdate(
            agent=self.agent,
            stage=self.number,
            stages=self.stages,
            status=status,
            message=message.format(agent=self.agent, duration=f"{seconds:.2f}") + (f": {why}" if why else ""),
            duration=None if status == "started" else round(seconds, 3),
        )


class Runner:
    """Carries out a run, once."""

    def __init__(
        self,
        run: Run,
        bus: Bus,
        store: Store,
        pipeline: Pipeline,
        pace: float,
        clock: Clock,
        questions: Questions,
        slot: Slot,
        sandbox: Sandbox,
    ) -> None:
        """`pace` is the seconds that each stage takes at least; `slot` is for whoever lets it work to take and give."""
        self.run = run
        self.slot = slot
        self.finishing = False
        """Set before the run's end is announced: whoever hears of it may act on it at once."""
        self._bus = bus
        self._store = store
        self._pipeline = pipeline
        self._pace = pace
        self._clock = clock
        self._questions = questions
        self._sandbox = sandbox
        self._progress = run.progress
        self._news = News(run, clock)
        self._turn: Turn | None = None
        self._work: StageWork | None = None
        self._dismissed = False

    def dismiss(self) -> None:
        """Nothing that an agent still does counts from now on; the task is then cancelled."""
        self._dismissed = True
        if self._work is not None:
            self._work.close()

    async def carry_out(self) -> None:
        """Run every stage that is not completed. An agent's failure ends the run, and does not raise.

        Raises DrainingError or StorageError if the run can't be recorded; it then goes on after a restart.
        """
        try:
            context, stages = await self._load()
            await self._announce_resumption(stages)
            for stage in stages:
                if stage.status != "completed":
                    await self._stage(context, stage, len(stages))
        except (DrainingError, StorageError):
            raise
        except asyncio.CancelledError:
            if self._dismissed or _is_cancelled():
                raise
            await self._fail("the agent was cancelled from within")
        except Exception as error:
            if self._dismissed:  # the agent's way to take its cancellation
                raise asyncio.CancelledError from error
            if not isinstance(error, AgentError):
                logger.exception("agent_failed", project=self.run.project, run=self.run.id)
            await self._fail_with(error)
        else:
            await self._complete(len(context.files.written))

    async def end_cancelled(self, by: str | None = None) -> None:
        """Announce the end of a run whose task has been stopped, or never began; `by` is who wished that."""
        message = cancelled(by, 0 if self._turn is None else self._turn.number)
        change = self._close_turn("Cancelled {agent} agent after {duration}s", "cancelled")
        change.log(self.run, LogLine(level="warning", message=message))
        await self._end(change, "cancelled", message)

    async def _load(self) -> tuple[RunContext, list[Stage]]:
        async with self._store.view() as view:
            project = await view.project(self.run.project)
            stages = await view.stages(self.run.id)
            known = [file.path for file in await view.files(project.id)]
            written = await view.contents(project.id, self.run.id)
            used = Used(*await view.used(self.run.id))
            may_run = await view.may_run(self.run.id)
        files = RunFiles(written, known)
        brief = parse_brief(project.brief or "")
        commit, ask, progress = self._commit, self._ask, self.run.progress
        context = RunContext(project.name, brief, self.run, files, self._clock, commit, progress, self._news, ask)
        context.used = used
        context.sandbox, context.may_run = self._sandbox, may_run
        return context, stages

    async def _announce_resumption(self, stages: Sequence[Stage]) -> None:
        if self.run.started is None:
            return
        left = [stage for stage in stages if stage.status != "completed"]
        where = f"stage {left[0].number} of {len(stages)}, {left[0].agent}" if left else "the end"
        message = f"Resumed after an interruption: going on with {where}"
        change = self._moved(message).log(self.run, LogLine(level="warning", message=message))
        await self._commit(self._tell(change, message))

    async def _stage(self, context: RunContext, stage: Stage, stages: int) -> None:
        try:
            agent = self._agent(stage, context)
        except AgentError:
            await self._open_turn(Turn(stage.agent, stage.number, stages, Pace(self._clock, 0, 1)), ())
            raise
        pace = Pace(self._clock, self._pace, steps_of(agent))
        is_repeated = agent.streams and stage.status != "pending"
        stale = [subject_of_output(stage.number)] if is_repeated else []
        await self._open_turn(Turn(agent.name, stage.number, stages, pace), stale)
        self._work = StageWork(context, agent, stage.number, stages, pace)
        try:
            await agent.run(self._work)
            if self._dismissed:  # the agent swallowed its cancellation
                raise asyncio.CancelledError
            await pace.settle()
        finally:
            self._work.close()
            self._progress = context.progress
        self._progress = context.progress = max(context.progress, running_percent(stage.number, stages))
        async with self._store.view() as view:
            self._news.run = await view.run(self.run.id)
        remark = self._work.remarked
        await self._commit(self._close_turn("Completed {agent} agent in {duration}s", "completed", remark))
        self._turn = None

    def _agent(self, stage: Stage, context: RunContext) -> Agent:
        agent = self._pipeline.get(stage.agent)
        if agent is None:
            raise AgentError(f"the agent {stage.agent!r} is not installed any more")
        missing = [path for path in agent.needs if path not in context.files.written]
        if missing:
            raise AgentError(f"the agent {stage.agent!r} needs {missing[0]!r}, which was not written")
        return agent

    async def _open_turn(self, turn: Turn, stale: Sequence[str]) -> None:
        """`stale` are subjects of what an interrupted turn has left."""
        update = turn.update("started", "Starting {agent} agent")
        now = self._clock.unix_ms()
        change = self._moved(update.message).start_run(self.run.id, now).remove(stale)
        change.start_stage(self.run.id, turn.number, update.message).tell(update)
        self._turn = turn
        started = self._news.run.started or rfc3339(now)
        await self._commit(self._tell(change, update.message, stage=turn.agent, started=started))

    def _close_turn(self, message: str, status: FinalStatus = "failed", why: str = "") -> Change:
        """The end of the current turn, if an agent has one; `why` it ended so, if there is more to say."""
        change = Change(self.run.project)
        if self._turn is None:
            return change
        update = self._turn.update(status, message, why)
        change.set_stage(self.run.id, self._turn.number, status, update.message, update.duration)
        change.tell(update)
        if status == "completed":
            change.set_run(self.run.id, "running", self._progress, update.message)
            self._tell(change, update.message)
        return change

    async def _complete(self, files: int) -> None:
        self._progress = 100
        message = f"Generated {files} files"
        async with self._store.view() as view:
            dropped = await view.paths_of_others(self.run.project, self.run.id)
        change = Change(self.run.project).drop_files_of_other_runs(self.run.id)
        change.remove(map(subject_of_file, dropped))
        change.log(self.run, LogLine(level="info", message=message))
        await self._end(change, "completed", message, files)

    async def _fail_with(self, error: Exception) -> None:
        """What an AgentError says is for people; of another error that is a detail."""
        agent = self._turn.agent if self._turn is not None else "first"
        if isinstance(error, AgentError) and str(error):
            await self._fail(shorten(without_folders(str(error))))
        else:
            await self._fail(unexpected(agent, error), shorten(details(error)))

    async def _fail(self, message: str, detail: str | None = None) -> None:
        agent, stage = (None, None) if self._turn is None else (self._turn.agent, self._turn.number)
        change = self._close_turn("Failed {agent} agent after {duration}s", why=message)
        if detail is not None:
            change.log(self.run, LogLine(level="debug", message=detail, agent=agent, stage=stage))
        change.log(self.run, LogLine(level="error", message=message, agent=agent, stage=stage))
        await self._end(change, "failed", message)

    async def _end(self, change: Change, status: FinalStatus, message: str, files: int | None = None) -> None:
        """Announce and store the end; `files` is what the project then holds, None for what it holds now."""
        self.finishing = True
        await self._patiently(lambda: self._questions.withdraw_of_run(self.run.project, self.run.id))
        async with self._store.view() as view:
            run = await view.run(self.run.id)
            count = await view.file_count(run.project) if files is None else files
        now = self._clock.unix_ms()
        change.end_run(run.id, status, self._progress, message, now)
        self._news.run = run
        self._news.tell(
            change,
            status=status,
            progress=self._progress,
            message=message,
            finished=rfc3339(now),
            duration=None if run.started is None else run.seconds_until(now),
        )
        change.tell(
            StatusUpdate(status=status, progress=self._progress, run=run.id, message=message),
            Completion(run=run.id, status=status, duration=run.seconds_until(now), files=count, message=message),
        )
        await self._commit(change)

    async def _ask(self, asked: Asked) -> Question:
        """What becomes of it. Raises InvalidError, ConflictError (too many are open), DrainingError, StorageError."""
        project = self.run.project
        question, _ = await self._patiently(lambda: self._questions.ask(project, asked))
        if not question.is_open:
            return question
        async with self.slot.lent():
            return await self._questions.ended(project, question.id)

    async def _commit(self, change: Change) -> None:
        """Publish, however long the disk stays full or away. Raises DrainingError, StorageError."""
        await self._patiently(lambda: uninterrupted(self._bus.publish(change.drafts, change.also)))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await persist(work, self._clock, "run_waits", on=(UnavailableError, StorageDownError), run=self.run.id)

    def _moved(self, message: str) -> Change:
        change = Change(self.run.project)
        return change.set_run(self.run.id, "running", self._progress, message)

    def _tell(self, change: Change, message: str, **now: object) -> Change:
        """That it is at work, how far, and what else is so `now`."""
        change.tell(StatusUpdate(status="running", progress=self._progress, run=self.run.id, message=message))
        return self._news.tell(change, status="running", progress=self._progress, message=message, **now)
