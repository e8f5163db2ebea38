"""How runs begin: their values, and the numbers that each project gives them one after the other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from service.apps.projects.ids import new_id
from service.apps.projects.models import Run
from service.apps.projects.runs.items import NewRun
from service.apps.projects.runs.limits import RACES
from service.core.errors import GuardError
from service.core.time import rfc3339
from service.log.base import Guard

T = TypeVar("T")

_GIVEN: Final = "SELECT runs FROM projects WHERE id = :project"


def number_guard(project: str, number: int) -> Guard:
    """That this is still the next number."""
    return Guard(_GIVEN, {"project": project}, (number - 1,))


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Anew as long as something else comes in between, which made a guard fail. Raises GuardError in the end."""
    for _ in range(RACES - 1):
        try:
            return await attempt()
        except GuardError:
            continue
    return await attempt()


def command_run(project: str, number: int, new: NewRun, author: str | None, now: int) -> Run:
    """It has begun, as long ago as it says; `now` is in Unix ms."""
    return _run(
        project,
        number,
        now,
        kind="command",
        status="running",
        message="Running",
        command=new.command,
        author=author,
        host=new.host,
        started=rfc3339(now - round(new.ago * 1000)),
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wishes a generation: a token's subject, and whether he may have the service run what agents wrote."""

    author: str | None = None
    may_run: bool = False


WISH: Final = Wish()
"""Of nobody in particular."""


def queued_run(project: str, number: int, now: int, author: str | None = None, message: str = "Queued") -> Run:
    """A generation that is yet to begin."""
    return _run(project, number, now, kind="generation", status="queued", message=message, author=author)


def _run(project: str, number: int, now: int, **values: Any) -> Run:
    nothing = dict.fromkeys(("stage", "command", "author", "host", "exit", "signal", "started", "finished", "duration"))
    counts = dict.fromkeys(("progress", "lines", "bytes", "cut", "changed"), 0)
    own = {"id": new_id(), "project": project, "number": number, "created": rfc3339(now), "silent": False}
    return Run(**{**nothing, **counts, **own, **values})
