"""A generation that begins at a stage of an earlier one: what the stages before it wrote is taken over.

Of each file, that is the version of the last stage before: a later one may have written it anew. The stages before are
completed from the beginning, so that the runner goes on as it does after an interruption.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.apps.projects.changes import Change
from service.apps.projects.limits import PREVIEW_MAX
from service.apps.projects.models import AgentUpdate, FileUpdate, LogLine, Run
from service.apps.projects.runs.files import COUNT_CHANGED, serial_of
from service.apps.projects.store import View
from service.core.errors import ConflictError, InvalidError
from service.log.base import Statement, Value

_STAGES: Final = (
    "SELECT s.name, s.status FROM stages s JOIN runs r ON r.id = s.run WHERE r.serial = :run ORDER BY s.number"
)
_KIND: Final = "SELECT kind FROM runs WHERE serial = :run"
_VERSION: Final = (
    "f.run = :before AND f.content IS NOT NULL"
    " AND f.stage = (SELECT max(stage) FROM run_files WHERE run = f.run AND path = f.path AND stage < :stage)"
)
_DIFFERENT: Final = (
    "SELECT f.path, c.size, substr(c.text, 1, :preview), p.content IS NULL"  # noqa: S608 - constants
    " FROM run_files f JOIN contents c ON c.id = f.content"
    " LEFT JOIN files p ON p.project = :project AND p.path = f.path"
    f" WHERE {_VERSION} AND f.content IS NOT p.content ORDER BY f.path"
)
_TAKE: Final = (
    "INSERT INTO run_files (run, path, stage, content, before)"  # noqa: S608 - constants
    " SELECT r.serial, f.path, f.stage, f.content,"
    " (SELECT content FROM files WHERE project = :project AND path = f.path)"
    f" FROM run_files f, runs r WHERE r.id = :run AND {_VERSION}",
    "INSERT INTO files (project, path, run, content, updated)"  # noqa: S608 - constants
    f" SELECT :project, f.path, :run, f.content, :time FROM run_files f WHERE {_VERSION}"
    " ON CONFLICT (project, path) DO UPDATE SET run = excluded.run, content = excluded.content,"
    " updated = excluded.updated",
    "UPDATE stages SET status = 'completed', message = :message WHERE run = :run AND number < :stage",
    COUNT_CHANGED,
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: at a stage of the run with this number."""

    number: int
    stage: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What that run has for it: `different` are files that the project holds otherwise, or not at all."""

    start: Start
    serial: int
    names: Sequence[str]
    different: Sequence[tuple[Any, ...]]

    def add_to(self, change: Change, run: Run) -> Change:
        """To the change that makes the new run."""
        number, stage = self.start.number, self.start.stage
        message = f"Taken over from run {number}"
        own: dict[str, Value] = {"project": run.project, "run": run.id, "message": message}
        for sql in _TAKE:
            change.also.append(Statement(sql, {**own, "before": self.serial, "stage": stage}))
        for path, size, preview, is_new in self.different:
            change.tell(FileUpdate(path=path, size=size, action="created" if is_new else "updated", preview=preview))
        for place, name in enumerate(self.names[: stage - 1], 1):
            stages = len(self.names)
            change.tell(AgentUpdate(agent=name, stage=place, stages=stages, status="completed", message=message))
        where = f"Begins with stage {stage}, {self.names[stage - 1]}: what is before it is taken over from run {number}"
        return change.log(run, LogLine(message=where))


async def taken(view: View, project: str, start: Start, names: Sequence[str]) -> Taken:
    """`names` are those of the stages that a run has now.

    Raises NotFoundError, GoneError (its files are not kept), InvalidError (there is no such stage), ConflictError.
    """
    serial = await serial_of(view, project, start.number)
    (kind,) = (await view.rows(_KIND, run=serial))[0]
    if kind != "generation":
        raise ConflictError("this run is a command: it is started again where it ran")
    stages = await view.rows(_STAGES, run=serial)
    if start.stage > len(stages):
        raise InvalidError(f"run {start.number} has {len(stages)} stages", field="stage")
    before = stages[: start.stage - 1]
    if start.stage > len(names) or [name for name, _ in before] != list(names[: start.stage - 1]):
        raise ConflictError(f"the stages before stage {start.stage} are other ones now: generate anew", field="stage")
    if (open := next((name for name, status in before if status != "completed"), None)) is not None:
        raise ConflictError(f"run {start.number} has not completed its stage {open!r}", field="stage")
    different = await view.rows(_DIFFERENT, before=serial, stage=start.stage, project=project, preview=PREVIEW_MAX)
    return Taken(start, serial, names, different)
