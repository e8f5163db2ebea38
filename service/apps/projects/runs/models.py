"""What is answered of runs, as values."""

from typing import Annotated, Literal

from pydantic import Field

from service.apps.projects.models import Count, Level, Run, Seconds, StageStatus, Value


class RunStage(Value):
    """A part of a run: `number` counts from 1, `duration` is seconds, `first_line` where in the log it begins.

    `agent` is the name once more where it is an agent's.
    """

    number: Annotated[int, Field(ge=1)]
    name: str
    status: StageStatus
    message: str
    duration: Seconds | None
    agent: str | None
    first_line: int | None


class RunDetail(Run):
    """A run as of `cursor`: every event up to it is included, none after it."""

    stages: tuple[RunStage, ...]
    cursor: str


class RunListing(Value):
    """Runs of a project, newest first, as of `cursor`; `more` says that older ones exist."""

    runs: tuple[Run, ...]
    more: bool
    cursor: str


class Limits(Value):
    """Of a run's log in bytes, and of one report: items, and bytes of the request."""

    bytes: Count
    items: Count
    body: Count


class BegunRun(Run):
    """A command's run that may be reported; `reported` is the number of the last item that was accepted."""

    limits: Limits
    reported: Count


class Reported(Value):
    """`reported` as above. `cancel`: somebody wishes that the command ends."""

    reported: Count
    cancel: bool = False


class Line(Value):
    """A line of a log, by its number from 1.

    `level` and `agent` are those of what an agent logged: of that the text may have several lines. `stream` is what a
    reporter told of where it came from.
    """

    line: Annotated[int, Field(ge=1)]
    stage: str | None
    time: str
    level: Level | None
    agent: str | None
    stream: str | None
    text: str


class Lines(Value):
    """Lines of a log as of `cursor`; `more` says that others follow behind the line `next`, `unfinished` that the last
    one of the log has not ended yet.
    """

    lines: tuple[Line, ...]
    next: Count
    more: bool
    unfinished: bool
    cursor: str


class RunFile(Value):
    """A file as a run left it, and what the run did to that of the project; of one `removed`, `size` is 0."""

    path: str
    size: Count
    action: Literal["created", "updated", "same", "removed"]
