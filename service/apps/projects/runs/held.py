"""A command's run as its reports find it: what is told of it, and how far they have come."""

from dataclasses import dataclass
from typing import Final

from service.apps.projects.models import Run
from service.apps.projects.runs.rows import COLUMNS, run_of
from service.apps.projects.store import View
from service.core.errors import NotFoundError
from service.log.base import Guard, Value

_SHOWN: Final = (
    "(SELECT brief FROM projects WHERE id = r.project) = ''"
    " AND r.number = (SELECT max(number) FROM runs WHERE project = r.project AND kind = 'command')"
)
"""Whether its project's status is that of this run."""

_STATE: Final = (
    "r.status, r.stage, r.reported, r.ended, r.cancelling, r.silent, r.kept, r.pieces, r.lines, r.bytes, r.cut,"
    f" r.unfinished, r.tail, r.progress, r.message, {_SHOWN}"
)
_GUARD: Final = f"SELECT {_STATE} FROM runs r WHERE r.id = :run"  # noqa: S608 - constants
_HELD: Final = f"SELECT r.serial, r.heard, r.cancelled_by, {_STATE}, r.id, {COLUMNS} FROM runs r WHERE "  # noqa: S608 - constants
_STATES: Final = 16
"""Columns of `_STATE`."""


@dataclass(frozen=True, slots=True)
class Held:
    """As of one commit. `heard` is when something was reported, in Unix ms; `stage` the number of the one it is at, 0
    for none; `is_shown`: so is its project.
    """

    run: Run
    serial: int
    heard: int
    cancelled_by: str | None
    state: tuple[Value, ...]
    stage: int
    reported: int
    ended: bool
    cancelling: bool
    kept: bool
    pieces: int
    unfinished: bool
    tail: bytes
    is_shown: bool

    @property
    def guard(self) -> Guard:
        """That it is still so."""
        return Guard(_GUARD, {"run": self.run.id}, self.state)


async def held(view: View, project: str, number: int) -> Held:
    """Raises NotFoundError."""
    rows = await view.rows(f"{_HELD} r.project = :project AND r.number = :number", project=project, number=number)
    if not rows:
        raise missing(project, number)
    return _held(rows[0])


async def held_by_key(view: View, project: str, key: str) -> Held | None:
    rows = await view.rows(f"{_HELD} r.project = :project AND r.key = :key", project=project, key=key)
    return _held(rows[0]) if rows else None


def missing(project: str, number: int) -> NotFoundError:
    return NotFoundError(f"the project {project!r} has no run {number}")


def _held(row: tuple[Value, ...]) -> Held:
    serial, heard, cancelled_by, *rest = row
    state = tuple(rest[:_STATES])
    _, stage, reported, ended, cancelling, _, kept, pieces, _, _, _, unfinished, tail, _, _, shown = state
    return Held(
        run=run_of(tuple(rest[_STATES:])),
        serial=serial,  # type: ignore[arg-type]
        heard=heard,  # type: ignore[arg-type]
        cancelled_by=cancelled_by,  # type: ignore[arg-type]
        state=state,
        stage=stage,  # type: ignore[arg-type]
        reported=reported,  # type: ignore[arg-type]
        ended=bool(ended),
        cancelling=bool(cancelling),
        kept=bool(kept),
        pieces=pieces,  # type: ignore[arg-type]
        unfinished=bool(unfinished),
        tail=tail,  # type: ignore[arg-type]
        is_shown=bool(shown),
    )
