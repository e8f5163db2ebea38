"""Who works in projects, as members of their places: agents at their stages, and commands that are reported.

Nobody tells this one anything but what was committed. Whoever publishes about a run does so through `AttendedBus`, and
what the drafts say of it is carried out once they are stored, in the order in which they were:

    agent_update started, of a generation     agent:NAME is there, as :stage-RUN-STAGE
    agent_update with another status          it goes
    run_update of a command that runs         run:N is there, as :run-N
    run_update of one that is silent, or of   it goes, and with a generation all of its agents
    any run that has ended
    project_deleted                           all of the project go

No client's member has a name that begins with a colon, so that none can be taken for one of these, whatever its user is
called. What is here is gone when the process ends: of the next one, commands that run are there from its start, and
agents from the moment at which they work again. A generation whose steps can't be stored any more is told by `rest`:
it works no more, though its end is not on record.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec
import structlog

from service.apps.base import Bus, Company
from service.apps.projects.changes import PROJECTS_TOPIC, topic_of
from service.apps.projects.models import EVENT_TYPES, UNFINISHED, AgentUpdate, Run, RunUpdate
from service.apps.projects.patience import uninterrupted
from service.apps.projects.store import Store
from service.apps.projects.texts import cut, is_one_line
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Ability, Guard, Receipt, Statement

logger = structlog.get_logger(__name__)

T = TypeVar("T")

TITLE_MAX: Final = 100
"""Characters of a command as its member tells it: of any script they are within what a member's data may have."""

PAGE: Final = 500
"""Commands that are taken up at a time."""

RUN: Final = EVENT_TYPES[RunUpdate]
TURN: Final = EVENT_TYPES[AgentUpdate]
DELETED: Final = "project_deleted"

_OPEN: Final = (
    "SELECT serial, project, number, command FROM runs WHERE kind = 'command' AND status = 'running' AND NOT silent"
    " AND serial > :after ORDER BY serial LIMIT :limit"
)


class _Run(msgspec.Struct):
    """What counts here of a `run_update`."""

    number: int
    kind: str
    status: str
    silent: bool
    command: str | None

    @property
    def is_over(self) -> bool:
        return self.status not in UNFINISHED


class _Turn(msgspec.Struct):
    """What counts here of an `agent_update`."""

    agent: str
    stage: int
    status: str


class _Deleted(msgspec.Struct):
    id: str


def title_of(command: str) -> str:
    """A command in one line, as short as a title is."""
    line = " ".join(command.split())
    return cut("".join(one if is_one_line(one) else " " for one in line[: TITLE_MAX + 1]), TITLE_MAX)


class Attendance:
    """One for all projects."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._here: dict[str, dict[str, str]] = {}
        """By project: its members that are there, and as which user."""

    def members(self, project: str) -> Mapping[str, str]:
        """Those of the project that are there, and as which user."""
        return dict(self._here.get(project, ()))

    async def start(self, store: Store) -> None:
        """Commands that an earlier process left running are there: their reporters go on, or are silent in a while."""
        after = 0
        while True:
            async with store.view() as view:
                page = await view.rows(_OPEN, after=after, limit=PAGE)
            for _, project, number, command in page:
                self._command(project, number, command)
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def heard(self, drafts: Sequence[Draft]) -> None:
        """These are stored."""
        runs = [(one.topic, _decoded(one, _Run)) for one in drafts if one.type == RUN]
        generations = {topic: run.number for topic, run in runs if run.kind == "generation"}
        for draft in drafts:
            if draft.type == TURN and (number := generations.get(draft.topic)) is not None:
                self._turn(_project(draft.topic), number, _decoded(draft, _Turn))
            elif draft.type == DELETED and draft.topic == PROJECTS_TOPIC:
                self._clear(_decoded(draft, _Deleted).id)
        for topic, run in runs:
            self._run(_project(topic), run)

    def rest(self, run: Run) -> None:
        """Nobody works on this generation for now."""
        self._leave_stages(run.project, run.number)

    def _turn(self, project: str, run: int, turn: _Turn) -> None:
        member = f"{_stages(run)}{turn.stage}"
        if turn.status == "started":
            data = {"agent": turn.agent, "run": run, "stage": turn.stage}
            self._enter(project, member, f"agent:{turn.agent}", data)
        else:
            self._leave(project, member)

    def _run(self, project: str, run: _Run) -> None:
        if run.kind == "generation":
            if run.is_over:
                self._leave_stages(project, run.number)
        elif run.is_over or run.silent:
            self._leave(project, f":run-{run.number}")
        else:
            self._command(project, run.number, run.command or "")

    def _command(self, project: str, number: int, command: str) -> None:
        self._enter(project, f":run-{number}", f"run:{number}", {"run": number, "title": title_of(command)})

    def _leave_stages(self, project: str, run: int) -> None:
        for member in self.members(project):
            if member.startswith(_stages(run)):
                self._leave(project, member)

    def _clear(self, project: str) -> None:
        for member in self.members(project):
            self._leave(project, member)

    def _enter(self, project: str, member: str, user: str, data: Mapping[str, object]) -> None:
        """Whoever is there already is there: what is told of him does not change. Where there is no room for more, he
        is not: he comes with what is told of him next, if there is then."""
        if member in self._here.get(project, ()):
            return
        if not self._company.enter(topic_of(project), member, user=user, data=data):
            logger.debug("not_present", project=project, member=member, reason="there is no room for more")
            return
        self._here.setdefault(project, {})[member] = user

    def _leave(self, project: str, member: str) -> None:
        here = self._here.get(project, {})
        if here.pop(member, None) is not None:
            self._company.leave(topic_of(project), member)
        if not here:
            self._here.pop(project, None)


class AttendedBus:
    """A bus of which `attendance` hears what concerns it: see `service.apps.base.Bus`."""

    def __init__(self, bus: Bus, attendance: Attendance) -> None:
        self._bus = bus
        self._attendance = attendance

    @property
    def head(self) -> int:
        return self._bus.head

    @property
    def abilities(self) -> frozenset[Ability]:
        return self._bus.abilities

    async def publish(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        """What is about a run is published to its end, though the caller is cancelled: it may be stored all the same,
        and then nobody would hear of it."""
        if not any(draft.type in (RUN, DELETED) for draft in drafts):
            return await self._bus.publish(drafts, also, guards)
        return await uninterrupted(self._publish(drafts, also, guards))

    async def _publish(self, drafts: Sequence[Draft], also: Sequence[Statement], guards: Sequence[Guard]) -> Receipt:
        receipt = await self._bus.publish(drafts, also, guards)
        try:
            self._attendance.heard(drafts)
        except Exception:  # it is stored: whoever published it is not told otherwise
            logger.exception("attendance_failed")
        return receipt

    async def reach(self, offset: int) -> None:
        await self._bus.reach(offset)

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        return await self._bus.trim(topics, keep)

    def cursor(self, offset: int) -> str:
        return self._bus.cursor(offset)


def _stages(run: int) -> str:
    """With what the members of its agents begin."""
    return f":stage-{run}-"


def _project(topic: str) -> str:
    return topic.removeprefix(f"{PROJECTS_TOPIC}/")


def _decoded(draft: Draft, kind: type[T]) -> T:
    return msgspec.json.decode(draft.data, type=kind)
