"""One stage at work: the workspace that its agent sees, with its pace and its progress."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.apps.projects.agents.base import NOTHING_USED, Agent, AgentError, Executed, Used, check_path, may_write
from service.apps.projects.brief import Brief
from service.apps.projects.changes import Change
from service.apps.projects.executing import execute
from service.apps.projects.limits import (
    ARCHIVE_MAX,
    EXECUTE_SECONDS,
    FILE_MAX,
    FILES_MAX,
    MESSAGE_MAX,
    OUTPUT_ALL_MAX,
    OUTPUT_MAX,
    PREVIEW_MAX,
    REMARK_MAX,
)
from service.apps.projects.models import FileUpdate, Level, LogLine, Run, StatusUpdate
from service.apps.projects.questions.asking import Ask, answer_to, question_of
from service.apps.projects.runs.news import News
from service.apps.projects.sandbox.sandbox import NO_SANDBOX, Sandbox
from service.apps.projects.sandbox.values import Limits
from service.apps.projects.texts import cut
from service.core.time import Clock

_ALMOST: Final = 0.95
"""Share of a stage that estimates may reach: the rest belongs to its end."""

Commit = Callable[[Change], Awaitable[None]]


def shorten(text: str, limit: int = MESSAGE_MAX) -> str:
    """At most `limit` characters, marked where it was cut, and encodable: a lone surrogate is not UTF-8."""
    return cut(text.encode("utf-8", "replace").decode(), limit)


class Pace:
    """Spreads what an agent does over the time that a stage takes at least."""

    def __init__(self, clock: Clock, seconds: float, steps: int) -> None:
        self._clock = clock
        self._step = seconds / steps
        self._began = clock.monotonic()
        self._due = self._began + seconds
        self._paced = seconds > 0

    @property
    def elapsed(self) -> float:
        """Seconds since the stage began."""
        return self._clock.monotonic() - self._began

    async def breathe(self) -> None:
        """Wait one step, so that people see what has just happened, but never past the stage's due time."""
        await self._wait(min(self._step, self._due - self._clock.monotonic()))

    async def settle(self) -> None:
        """Wait until the stage is due, also if a timer fires a moment early."""
        while self._paced and self._clock.monotonic() < self._due:
            await self._wait(self._due - self._clock.monotonic())

    async def _wait(self, seconds: float) -> None:
        if self._paced and seconds > 0:
            await self._clock.sleep(seconds)


class RunFiles:
    """What this run has written, and which paths the project has from earlier runs."""

    def __init__(self, written: dict[str, str], known: Iterable[str]) -> None:
        self.written = written
        self.known = {*known, *written}
        self._sizes = {path: len(text.encode()) for path, text in written.items()}

    def add(self, path: str, text: str, size: int) -> None:
        self.written[path] = text
        self.known.add(path)
        self._sizes[path] = size

    def check(self, path: str, text: str) -> int:
        """The bytes of `text` in UTF-8. Raises AgentError if they can't become a file of this run."""
        check_path(path)
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise AgentError(f"the text of {path!r} is not valid Unicode: {error.reason}") from error
        others = {other: size for other, size in self._sizes.items() if other != path}
        if size > FILE_MAX:
            raise AgentError(f"{path!r} has {size:,} bytes, at most {FILE_MAX:,}")
        if len(others) >= FILES_MAX:
            raise AgentError(f"a run writes at most {FILES_MAX:,} files")
        if sum(others.values()) + size > ARCHIVE_MAX:
            raise AgentError(f"the files of a run have at most {ARCHIVE_MAX:,} bytes")
        for other in others:
            if other.startswith(f"{path}/") or path.startswith(f"{other}/"):
                raise AgentError(f"{path!r} and {other!r} can't both exist: one would be a folder")
        return size


@dataclass(slots=True)
class RunContext:
    """What the stages of one run share. `progress` is that of the whole run, 0-100, and never goes back."""

    title: str
    brief: Brief
    run: Run
    files: RunFiles
    clock: Clock
    commit: Commit
    progress: int
    news: News
    ask: Ask
    used: Used = NOTHING_USED
    is_used_stored: bool = True
    sandbox: Sandbox = NO_SANDBOX
    may_run: bool = False


class StageWork:
    """The workspace of one stage. Implements `service.apps.projects.agents.base.Workspace`."""

    def __init__(self, context: RunContext, agent: Agent, number: int, stages: int, pace: Pace) -> None:
        """`number` is the stage's, from 1."""
        self._context = context
        self._agent = agent
        self._number = number
        self._stages = stages
        self._pace = pace
        self._fraction = 0.0
        self._closed = False
        self._asked = 0
        """Questions: the number of one is in its key, by which it is found again after a restart."""
        self._output = 0
        """Characters put out. The first take the place of what an earlier turn has put out."""
        self.remarked = ""
        """What the stage's message says behind its end."""

    @property
    def title(self) -> str:
        return self._context.title

    @property
    def brief(self) -> Brief:
        return self._context.brief

    def close(self) -> None:
        """From now on every call raises CancelledError: the agent's turn is over."""
        self._closed = True

    def paths(self) -> Sequence[str]:
        return sorted(self._context.files.written)

    def read(self, path: str) -> str:
        self._check_open()
        if path not in self._context.files.written:
            raise AgentError(f"{path!r} has not been written in this run")
        return self._context.files.written[path]

    async def write(self, path: str, text: str) -> None:
        self._check_open()
        if not may_write(self._agent, path):
            raise AgentError(f"the agent {self._agent.name!r} does not declare that it writes {path!r}")
        files = self._context.files
        size = files.check(path, text)
        action: Literal["created", "updated"] = "updated" if path in files.known else "created"
        event = FileUpdate(path=path, size=size, action=action, preview=shorten(text, PREVIEW_MAX))
        self._estimate()
        now = self._context.clock.unix_ms()
        change = self._moved(self._change().tell(event))
        await self._context.commit(change.put_file(self._context.run.id, path, text, now, self._number))
        files.add(path, text, size)
        await self._pace.breathe()

    async def log(self, message: str, level: Level = "info") -> None:
        self._check_open()
        line = LogLine(level=level, message=shorten(str(message)), agent=self._agent.name, stage=self._number)
        self._estimate()
        await self._context.commit(self._moved(self._change().log(self._context.run, line)))
        await self._pace.breathe()

    async def output(self, text: str) -> None:
        self._check_open()
        if not self._agent.streams:
            raise AgentError(f"the agent {self._agent.name!r} does not declare that it streams")
        if self._output + len(text) > OUTPUT_ALL_MAX:
            raise AgentError(f"the output of a stage has at most {OUTPUT_ALL_MAX:,} characters")
        change = self._moved(self._change())
        for start in range(0, len(text), OUTPUT_MAX):
            piece = shorten(text[start : start + OUTPUT_MAX], OUTPUT_MAX)
            change.put_out(self._context.run.id, self._number, piece, is_first=not self._output and not start)
        if change.drafts:
            await self._context.commit(change)
        self._output += len(text)
        await self._pace.breathe()

    @property
    def used(self) -> Used:
        return self._context.used

    def use(self, tokens: int, seconds: float) -> None:
        self._check_open()
        used = self._context.used
        self._context.used = Used(max(0, used.tokens + tokens), max(0.0, used.seconds + seconds))
        self._context.is_used_stored = False

    async def execute(self, command: Sequence[str], *, seconds: float = EXECUTE_SECONDS) -> Executed:
        self._check_open()
        context, limits = self._context, Limits(seconds=seconds, cpu_seconds=seconds)
        files = dict(context.files.written)
        tell, may_run = self._tell_output, context.may_run
        executed = await execute(context.sandbox, files, command, limits, context.clock, tell, may_run=may_run)
        self._check_open()
        return executed

    async def _tell_output(self, text: str) -> None:
        """As much of a command's output as there is room for, if it is to be told at all."""
        room = OUTPUT_ALL_MAX - self._output if self._agent.streams else 0
        if text[:room]:
            await self.output(text[:room])

    def remark(self, text: str) -> None:
        self._check_open()
        self.remarked = shorten(text, REMARK_MAX)

    async def progress(self, fraction: float) -> None:
        self._check_open()
        if not 0 <= fraction <= 1:
            raise AgentError(f"progress is a fraction from 0 to 1, not {fraction!r}")
        self._fraction = max(self._fraction, fraction)
        change = self._moved(self._change())
        if change.drafts:
            await self._context.commit(change)
        await self._pace.breathe()

    async def ask(
        self,
        question: str,
        choices: Sequence[str] | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - it is the question's, which survives this call
        default: str | None = None,
    ) -> str:
        self._check_open()
        self._asked += 1
        run, place = self._context.run, f"{self._context.run.id}/{self._number}/{self._asked}"
        asked = question_of(self._agent.name, place, run.number, question, choices, timeout, default)
        answer = await answer_to(asked, self._context.ask)
        self._check_open()
        return answer

    def _check_open(self) -> None:
        if self._closed:
            raise asyncio.CancelledError

    def _estimate(self) -> None:
        """One step further, of about as many as `steps_of` expects."""
        step = 1 / steps_of(self._agent)
        self._fraction = max(self._fraction, min(_ALMOST, self._fraction + step))

    def _change(self) -> Change:
        return Change(self._context.run.project)

    def _moved(self, change: Change) -> Change:
        """`change` with the run's progress, if it has moved, and what it has used, if that has."""
        run = self._context.run
        if change.drafts and not self._context.is_used_stored:
            change.set_used(run.id, *self._context.used)
            self._context.is_used_stored = True
        percent = running_percent(self._number - 1 + self._fraction, self._stages)
        if percent > self._context.progress:
            self._context.progress = percent
            message = f"The {self._agent.name} agent is at work"
            change.set_run(run.id, "running", percent, message)
            change.tell(StatusUpdate(status="running", progress=percent, run=run.id, message=message))
            self._context.news.tell_progress(change, status="running", progress=percent, message=message)
        return change


def running_percent(done: float, stages: int) -> int:
    """The progress of a run with `done` stages behind it; only its end says 100."""
    return min(99, int(100 * done / stages))


def steps_of(agent: Agent) -> int:
    """About how many things an agent does: each file with a line of log, one line before and one after."""
    return 2 * max(1, len(agent.writes)) + 2
