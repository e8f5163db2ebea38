"""Projects as the rest of the service uses them: create, look, generate, cancel, delete."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from service.apps.base import Alone, Bus, Company
from service.apps.projects.agents.base import Agent
from service.apps.projects.archive import pack, slug
from service.apps.projects.attendance import Attendance, AttendedBus
from service.apps.projects.brief import parse_brief
from service.apps.projects.changes import Change, topic_of
from service.apps.projects.ids import new_id
from service.apps.projects.limits import LISTED_CHARACTERS, LOOKED_AT, NAME_MAX
from service.apps.projects.locks import Locks
from service.apps.projects.models import (
    Listing,
    Project,
    Run,
    Snapshot,
    Stage,
    StatusUpdate,
    StoredFile,
)
from service.apps.projects.orchestrator import RUNS, Orchestrator
from service.apps.projects.picture import STATUS, subject_of_file, subject_of_question, subject_of_run
from service.apps.projects.pipeline import Pipeline, installed_pipeline
from service.apps.projects.questions.service import Questions
from service.apps.projects.questions.store import QuestionStore
from service.apps.projects.runs.made import WISH, Wish
from service.apps.projects.runs.retry import Start
from service.apps.projects.runs.service import BOUNDS, Bounds, RunService
from service.apps.projects.sandbox.sandbox import NO_SANDBOX, Sandbox
from service.apps.projects.store import Store
from service.apps.projects.texts import is_one_line
from service.core.errors import InvalidError, NotFoundError, OverloadedError, TwinwireError
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Tables

T = TypeVar("T")
Making = Callable[[], AbstractContextManager[object]]
"""What is entered around the making of a project: it may refuse it."""

PROJECTS: Final = 100_000
"""Projects at most, unless it is said otherwise."""

_NOBODY: Final = Alone()

_NOTHING: Final = ""
"""An id that no project has."""


def check_name(text: str) -> str:
    """`text` without white space around it. Raises InvalidError if it can't be a project's name."""
    name = text.strip()
    if not 1 <= len(name) <= NAME_MAX:
        raise InvalidError(f"a name has 1-{NAME_MAX} characters, not {len(name):,}", field="name")
    if not is_one_line(name):
        raise InvalidError("a name is one line without control characters", field="name")
    return name


class ProjectService:
    """Make it with `open`, then `start` it; `close` it before the bus.

    Calls that change something go on to their end when the caller is cancelled: a client that hangs up can't
    leave a run that is queued and forgotten.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        orchestrator: Orchestrator,
        pipeline: Pipeline,
        clock: Clock,
        runs: RunService,
        questions: Questions,
        attendance: Attendance,
        *,
        max_projects: int = PROJECTS,
        sandbox: Sandbox = NO_SANDBOX,
    ):
        """`max_projects` is how many there may be; if there are more already, they stay. `attendance` is told by `bus`
        who works."""
        self._attendance = attendance
        self.sandbox: Final = sandbox
        self._max_projects = max_projects
        self._bus = bus
        self._store = store
        self._orchestrator = orchestrator
        self._pipeline = pipeline
        self._clock = clock
        self.runs = runs
        self._names = Locks()
        self.questions: Final = questions
        self._known: set[str] = set()
        self._operations: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(
        cls,
        bus: Bus,
        tables: Callable[[], Awaitable[Tables]],
        *,
        clock: Clock,
        pace: float,
        concurrency: int,
        agents: Sequence[Agent] | None = None,
        max_projects: int = PROJECTS,
        max_runs: int = RUNS,
        bounds: Bounds = BOUNDS,
        sandbox: Sandbox = NO_SANDBOX,
        presence: Company = _NOBODY,
    ) -> "ProjectService":
        """`pace` is the seconds that a stage takes at least, `concurrency` how many runs work at a time.

        `agents` replaces the built-in and installed ones; what they write is run in `sandbox`. Who works is present
        in `presence`. Raises InvalidError if an agent breaks the contract, StorageError if the tables can't be read.
        """
        pipeline = installed_pipeline() if agents is None else Pipeline(agents)
        attendance = Attendance(presence)
        bus = AttendedBus(bus, attendance)
        opened = await tables()
        store, questions = Store(opened), Questions(bus, QuestionStore(opened), clock)
        runs = RunService(bus, store, clock, bounds)
        orchestrator = Orchestrator(
            bus,
            store,
            pipeline,
            pace,
            concurrency,
            clock,
            questions,
            sandbox,
            max_runs=max_runs,
            ended=runs.pruning.wake,
            rests=attendance.rest,
        )
        parts = (bus, store, orchestrator, pipeline, clock, runs, questions, attendance)
        return cls(*parts, max_projects=max_projects, sandbox=sandbox)

    async def start(self) -> None:
        """Go on with the runs that an earlier process left unfinished."""
        async with self._store.view() as view:
            self._known.update(await view.project_ids())
        await self._attendance.start(self._store)
        self.questions.start()
        await self._orchestrator.start()
        self.runs.start()

    async def close(self) -> None:
        """Stop the runs where they are; they go on after the next start."""
        await self._orchestrator.close()
        await self.questions.close()
        if self._operations:
            await asyncio.wait(self._operations)
        await self.runs.close()
        await self._store.close()

    @property
    def store(self) -> Store:
        """Where projects are read."""
        return self._store

    def exists(self, id: str) -> bool:
        """Whether there is such a project; answered from memory."""
        return id in self._known

    async def create(self, name: str, brief: str | None) -> Project:
        """Without a brief it is for what is reported: nothing is generated there.

        Raises InvalidError that names the field, OverloadedError if there are as many as there may be.
        """
        checked = check_name(name)
        if brief is not None:
            parse_brief(brief)
        return await self._to_the_end(self._create(checked, (brief or "").strip()))

    async def once(self, name: str, is_shown: Callable[[str], bool], making: Making) -> tuple[Project, bool]:
        """The newest project of this name for whose id `is_shown` says so, else a new one without a brief, and whether
        it is new: however many ask for it together, it is made once. `making` is entered around that.

        Raises what `create` and `making` raise.
        """
        return await self._to_the_end(self._once(check_name(name), is_shown, making))

    async def _once(self, name: str, is_shown: Callable[[str], bool], making: Making) -> tuple[Project, bool]:
        async with self._names.of(name):
            before: str | None = None
            while True:
                async with self._store.view() as view:
                    page = await view.newest_of_name(name, LOOKED_AT, before)
                    if (found := next(filter(is_shown, page), None)) is not None:
                        return await view.project(found), False
                if len(page) < LOOKED_AT:
                    break
                before = page[-1]
            with making():
                return await self._create(name, ""), True

    async def _create(self, name: str, brief: str) -> Project:
        id = new_id()
        change = Change(id).add_project(name, brief, self._clock.unix_ms()).tell_all("project_created", name)
        change.tell(StatusUpdate(status="idle", progress=0, run=None, message="Project created"))
        if len(self._known) >= self._max_projects:
            raise OverloadedError(f"there are {len(self._known):,} projects already: delete one first")
        self._known.add(id)  # whoever hears of it may ask for it before we are back
        try:
            await self._bus.publish(change.drafts, change.also)
        except TwinwireError:
            self._known.discard(id)
            raise
        async with self._store.view() as view:
            return await view.project(id)

    async def listing(
        self, limit: int, before: str | None = None, is_shown: Callable[[str], bool] = lambda id: True
    ) -> Listing:
        """Newest first; `before` is the id of the last one of the page before, `is_shown` whether one is listed."""
        if before is not None and not is_shown(before):
            before = _NOTHING  # where it stands among the others would tell that it is there
        shown: list[str] = []
        size = limit + 1  # mostly it is these
        async with self._store.view() as view:
            while len(shown) <= limit:
                page = await view.newest(size, before)
                shown += [id for id in page if is_shown(id)]
                if len(page) < size:
                    break
                before, size = page[-1], LOOKED_AT
            found = await view.projects(shown[: limit + 1])
            position = await view.position()
        await self._bus.reach(position)
        cursor = self._bus.cursor(position)
        fits = _fitting(found[:limit])
        return Listing(projects=tuple(found[:fits]), more=len(found) > fits, cursor=cursor)

    async def snapshot(self, id: str) -> Snapshot:
        """A project, its stages and the cursor up to which it includes every event. Raises NotFoundError."""
        async with self._store.view() as view:
            project = await view.project(id)
            stages = await view.stages(project.run.id) if project.run else self._pending(project)
            files = await view.file_count(id)
            position = await view.position()
        # A commit is visible to SQL a moment before the head moves; a cursor beyond the head would be a gap.
        await self._bus.reach(position)
        values = {name: getattr(project, name) for name in Project.model_fields}
        return Snapshot(**values, stages=tuple(stages), files=files, cursor=self._bus.cursor(position))

    def _pending(self, project: Project) -> list[Stage]:
        """Those that its first generation will have."""
        if project.brief is None:
            return []
        return [
            Stage(number=number, agent=name, status="pending", message="", duration=None)
            for number, name in enumerate(self._pipeline.names, 1)
        ]

    async def generate(self, id: str, wish: Wish = WISH, start: Start | None = None) -> Run:
        """Queue a run, which begins at `start`.

        Raises NotFoundError, ConflictError (one is unfinished, or there is no brief), UnavailableError; of a start that
        it can't have, InvalidError and GoneError.
        """
        return await self._to_the_end(self._orchestrator.generate(id, wish, start))

    async def cancel(self, id: str, by: str | None = None) -> Run:
        """Stop the unfinished generation, as `by` wishes. Raises NotFoundError, ConflictError (there is none)."""
        return await self._to_the_end(self._orchestrator.cancel(id, by))

    async def delete(self, id: str) -> None:
        """Stop its run, remove its rows, its files and its events. Raises NotFoundError."""
        await self._to_the_end(self._delete(id))

    async def _delete(self, id: str) -> None:
        """Nothing begins in it meanwhile. Of what is reported to a run, a guard fails once that is gone."""
        async with self._orchestrator.exclusive(id), self.questions.exclusive(id), self.runs.commands.exclusive(id):
            async with self._store.view() as view:
                project = await view.project(id)
            await self._orchestrator.cancel_within(id)
            async with self._store.view() as view:
                files = [file.path for file in await view.files(id)]
                run = (await view.project(id)).run
                stages = [] if run is None else await view.stages(run.id)
                runs = await view.run_numbers(id)
            change = Change(id).remove_project().tell_all("project_deleted", project.name)
            # What is deleted leaves no trace once its events are trimmed.
            change.remove([STATUS, *self._pipeline.subjects_of(stages), *map(subject_of_file, files)])
            change.remove(map(subject_of_run, runs))
            asked = await self.questions.ids(id)
            change.remove(map(subject_of_question, asked))
            await self._bus.publish(change.drafts, change.also)
            self._known.discard(id)
            self.questions.forget(asked)
            self.runs.pruning.wake()
            await self._bus.trim(TopicFilter((topic_of(id),)), keep=0)

    async def files(self, id: str) -> list[StoredFile]:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            await view.project(id)
            return await view.files(id)

    async def file(self, id: str, path: str) -> str:
        """Raises NotFoundError."""
        async with self._store.view() as view:
            await view.project(id)
            return await view.file(id, path)

    async def archive(self, id: str) -> tuple[str, bytes]:
        """The project's name, and its files as a zip. Raises NotFoundError, also if there are no files yet."""
        async with self._store.view() as view:
            project = await view.project(id)
            files = await view.contents(id)
        if not files:
            raise NotFoundError(f"the project {id!r} has no files yet")
        return project.name, await asyncio.to_thread(pack, files, slug(project.name))

    async def _to_the_end(self, operation: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(operation)
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)
        task.add_done_callback(_hear)
        return await asyncio.shield(task)


def _hear(task: asyncio.Task[Any]) -> None:
    """Of an operation whose caller has left, nobody else would: asyncio takes that for a mistake, and logs it."""
    if not task.cancelled():
        task.exception()


def _fitting(projects: Sequence[Project]) -> int:
    """How many of them an answer holds, one at least."""
    room = LISTED_CHARACTERS
    for count, project in enumerate(projects):
        room -= len(project.brief or "") + len(project.name)
        if room < 0:
            return max(count, 1)
    return len(projects)
