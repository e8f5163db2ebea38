"""The contract between an agent and the service that runs it.

What an agent may rely on:

- **Its turn.** Agents of one run work one after the other; what `needs` names has been written.
- **Nothing is half done.** Each `write`, `log` and `progress` is on disk, and announced, when it returns.
- **Cancelling** raises CancelledError out of the await where the agent stands. It lets go of what it holds and
  lets the error pass; an agent that doesn't is left behind after a grace period, and can't write any more.

What an agent owes:

- **It can be run again.** A stage that was interrupted starts anew after a restart, with the files that it wrote
  before still there: the same brief gives the same files.
- **It writes what it declares**, nothing else, and raises `AgentError` if it can't; any other exception fails
  the run too, with its message.
- **It gives way**: it awaits, and sends blocking work to a thread. All runs share one event loop.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Final, NamedTuple, Protocol

from service.apps.projects.brief import Brief
from service.apps.projects.limits import EXECUTE_SECONDS, PATH_MAX
from service.apps.projects.models import Level
from service.core.errors import InvalidError

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,62}[A-Za-z0-9])?\Z", re.ASCII)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9._-]+\Z", re.ASCII)


class AgentError(Exception):
    """Raised by an agent that can't go on; its text is what people read."""


class Used(NamedTuple):
    """What a run has used of something that costs: tokens of a model, and seconds of waiting for it."""

    tokens: int = 0
    seconds: float = 0.0


NOTHING_USED: Final = Used()


@dataclass(frozen=True, slots=True)
class Executed:
    """What became of a command. Where nothing was run, `ran` is false and `reason` is a sentence that says why.

    Else `exit` is its exit code, 128 + n of one that signal n ended; None if it had to be ended, and `reason` is what
    it took too much of: `time`, `memory`, `output` or `folder`. `tail` is the end of what it put out.
    """

    ran: bool
    exit: int | None
    reason: str | None
    tail: str


class Workspace(Protocol):
    """What an agent works with. Every method may raise CancelledError, and AgentError for a misuse."""

    @property
    def title(self) -> str:
        """The project's name: any text. Escape it for what you write it into."""

    @property
    def brief(self) -> Brief: ...

    def paths(self) -> Sequence[str]:
        """The files that this run has written so far, sorted."""

    def read(self, path: str) -> str:
        """The text of a file that this run has written."""

    async def write(self, path: str, text: str) -> None:
        """Create or replace one of the files that the agent declares."""

    async def log(self, message: str, level: Level = "info") -> None:
        """Tell people what happens."""

    async def output(self, text: str) -> None:
        """Raw text as it comes, of a model or a tool: people see it grow. The agent declares that it `streams`."""

    @property
    def used(self) -> Used:
        """By all agents of this run, before a restart too."""

    def use(self, tokens: int, seconds: float) -> None:
        """Count so much more; it is on disk with whatever the agent tells next."""

    async def ask(
        self,
        question: str,
        choices: Sequence[str] | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - it is the question's, which survives this call
        default: str | None = None,
    ) -> str:
        """Ask people, and wait for the first answer: one of `choices`, or any line of text without them.

        After `timeout` seconds (1 to 86,400) the answer is `default`; without one it raises AgentError, as it does if
        the question is withdrawn. An agent that asks the same in its repeated turn asks nothing anew.
        """

    async def execute(self, command: Sequence[str], *, seconds: float = EXECUTE_SECONDS) -> Executed:
        """Run a command in a folder with this run's files so far, shut off from the machine, for `seconds` at most.

        `python` is Python with its standard library. What it puts out is told as it comes, if the agent `streams`. It
        may be that nothing is run here, or not at the wish of whoever began the run: then that is the answer.
        """

    def remark(self, text: str) -> None:
        """What the message of this stage says behind its end, in few words; the last remark counts."""

    async def progress(self, fraction: float) -> None:
        """How much of this stage is done, 0 to 1; without it, it is estimated from the files written."""


class Agent(ABC):
    """One stage of a run. Class attributes are the declaration, `run` is the work."""

    name: ClassVar[str]
    """1-64 of `A-Z a-z 0-9 space _ -`; unique. An installed agent with a built-in agent's name replaces it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Paths that earlier agents have to write first."""

    writes: ClassVar[tuple[str, ...]] = ()
    """Paths, or patterns with `*`, that this agent writes."""

    streams: ClassVar[bool] = False
    """Whether it puts out text as it works (`Workspace.output`)."""

    after: ClassVar[str | None] = None
    """An installed agent works right after the agent of this name; None is after all others."""

    @abstractmethod
    async def run(self, work: Workspace) -> None:
        """Do the work. Raises AgentError."""


def check_agent(agent: Agent) -> Agent:
    """Return `agent`. Raises InvalidError if its declaration breaks the contract."""
    name = getattr(agent, "name", None)
    if not isinstance(name, str) or _NAME.match(name) is None:
        kind = type(agent).__qualname__
        raise InvalidError(f"the agent {kind} needs a name of 1-64 characters A-Z a-z 0-9 space _ -, has {name!r}")
    for attribute in ("needs", "writes"):
        paths = getattr(agent, attribute)
        if not isinstance(paths, tuple) or not all(isinstance(path, str) for path in paths):
            raise InvalidError(f"{attribute} of the agent {name!r} has to be a tuple of paths")
    return agent


def may_write(agent: Agent, path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in agent.writes)


def check_path(path: str) -> str:
    """Return `path`. Raises AgentError unless it is safe to unpack: relative, `/` between plain segments."""
    segments = path.split("/")
    if len(path) > PATH_MAX or any(_SEGMENT.match(one) is None or one in {".", ".."} for one in segments):
        raise AgentError(f"{path[:PATH_MAX]!r} is not a path: segments of A-Z a-z 0-9 . _ - joined by /")
    return path
