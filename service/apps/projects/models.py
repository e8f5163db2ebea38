"""What the generator stores and publishes, as values checked at construction (docs/protocol.md, section 6)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.core.time import parse_rfc3339

RunStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
ProjectStatus = Literal["idle", "queued", "running", "completed", "failed", "cancelled"]
FinalStatus = Literal["completed", "failed", "cancelled"]
RunKind = Literal["generation", "command"]
StageStatus = Literal["pending", "started", "completed", "failed", "cancelled"]
Level = Literal["debug", "info", "warning", "error"]
Progress = Annotated[int, Field(ge=0, le=100, strict=True)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, strict=True)]

UNFINISHED: Final[tuple[RunStatus, ...]] = ("queued", "running")


class Value(BaseModel):
    """A value of ours: never changed, never more than what it declares."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunState(BaseModel):
    """What is told of a run: as a value, and as an event."""

    id: str
    number: Annotated[int, Field(ge=1, strict=True)]
    project: str
    kind: RunKind
    status: RunStatus
    progress: Progress
    message: str
    stage: str | None
    command: str | None
    author: str | None
    host: str | None
    exit: int | None
    signal: str | None
    created: str
    started: str | None
    finished: str | None
    duration: Seconds | None
    silent: bool
    bytes: Count
    cut: Count
    changed: Count


class Run(RunState, Value):
    """One press of Generate, or a command that somebody's machine reports.

    `number` counts from 1 within the project. Times are RFC 3339; `duration` is seconds from the first start to the
    end. `stage` is the name of the one it is at, or ended in. `author` is the subject of the token that began it.
    `exit` is a command's code, 128 + n if signal n ended it, whose name is `signal`. `silent`: nothing was heard of its
    reporter for a minute. `lines` and `bytes` are those of its log, `cut` bytes that are missing there; `changed` files
    that it created or changed.
    """

    lines: Count

    def seconds_until(self, milliseconds: int) -> float:
        """From the first start to a moment in Unix milliseconds; 0 if the run never started."""
        if self.started is None:
            return 0.0
        return max(0.0, round((milliseconds - parse_rfc3339(self.started)) / 1000, 3))

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED


class Stage(Value):
    """One agent's part of a run; `number` counts from 1, `duration` is seconds."""

    number: int
    agent: str
    status: StageStatus
    message: str
    duration: Seconds | None


class Project(Value):
    """A project as lists show it: status, progress and `run` are those of its last generation.

    One without a brief has none: there they are those of its last command.
    """

    id: str
    name: str
    brief: str | None
    status: ProjectStatus
    progress: Progress
    created: str
    run: Run | None


class Snapshot(Project):
    """A project as of `cursor`: every event up to it is included, none after it."""

    stages: tuple[Stage, ...]
    files: Count
    cursor: str


class Listing(Value):
    """Projects, newest first, as of `cursor`; `more` says that older ones exist."""

    projects: tuple[Project, ...]
    more: bool
    cursor: str


class StoredFile(Value):
    """A file that an agent wrote; `size` is bytes of UTF-8."""

    path: str
    size: Count
    updated: str


class NewProject(BaseModel):
    """What a client sends to create a project; its bounds are checked by the service."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    brief: str | None
    once: bool = False
    """Without a brief, and only if there is none of this name: else it is the newest of those."""


class EventData(BaseModel):
    """Base of the event models. Own fields are checked; a publisher may add others, which pass through."""

    model_config = ConfigDict(frozen=True, extra="allow")


class StatusUpdate(EventData):
    status: ProjectStatus
    progress: Progress
    run: str | None = None
    message: str = ""

    @classmethod
    def of(cls, run: Run) -> "StatusUpdate":
        return cls(status=run.status, progress=run.progress, run=run.id, message=run.message)


class AgentUpdate(EventData):
    """`stage` of `stages`, from 1; `duration` is seconds, None until the agent has ended."""

    agent: str
    stage: Annotated[int, Field(ge=1, strict=True)]
    stages: Annotated[int, Field(ge=1, strict=True)]
    status: Literal["started", "completed", "failed", "cancelled"]
    message: str = ""
    duration: Seconds | None = None


class LogLine(EventData):
    """`run` is the number of the run, `stage` that of the agent's stage, None for the run as a whole."""

    level: Level = "info"
    message: str
    agent: str | None = None
    run: int | None = None
    stage: int | None = None


class FileUpdate(EventData):
    """`size` is bytes of UTF-8; `preview` is the beginning of the text."""

    path: str
    size: Count
    action: Literal["created", "updated"]
    preview: str = ""


class Completion(EventData):
    """The end of a run; `duration` is seconds, `files` how many the project holds."""

    run: str | None = None
    status: FinalStatus
    duration: Seconds | None = None
    files: Count | None = None
    message: str = ""


class RunUpdate(RunState, EventData):
    """A run as it is now, but for how many lines its log has."""

    @classmethod
    def of(cls, run: Run) -> "RunUpdate":
        return cls(**run.model_dump(exclude={"lines"}))


class RunOutput(EventData):
    """What a command put out: `line` is the number of that in which it begins, `run` that of the run."""

    run: Annotated[int, Field(ge=1, strict=True)]
    stage: str | None = None
    line: Annotated[int, Field(ge=1, strict=True)]
    text: str


EVENT_MODELS: Final[Mapping[str, type[EventData]]] = MappingProxyType(
    {
        "status_update": StatusUpdate,
        "agent_update": AgentUpdate,
        "log": LogLine,
        "file_update": FileUpdate,
        "completion": Completion,
        "run_update": RunUpdate,
        "run_output": RunOutput,
    }
)
"""Event type to the model of its data, for events on `projects/{id}`."""

EVENT_TYPES: Final[Mapping[type[EventData], str]] = MappingProxyType(
    {model: type for type, model in EVENT_MODELS.items()}
)

OUTPUT: Final = "output"
"""The type of events whose data is text that an agent puts out."""

REMOVED: Final = "removed"
"""The type of events, without data, about what is not there any more."""

QUESTION: Final = "question"
ANSWER: Final = "answer"
"""Events about a question: that it is asked, and what became of it; the data of both is the whole question."""

OWN_TYPES: Final = frozenset({*EVENT_MODELS, OUTPUT, REMOVED, QUESTION, ANSWER, "project_created", "project_deleted"})
"""What the application tells on `projects` and `projects/{id}`, and nobody else may."""
