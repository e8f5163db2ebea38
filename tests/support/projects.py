"""A database with its log and bus, agents that tests command, and a clock that moves when somebody sleeps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.service import ProjectService
from service.bus.bus import EventBus
from service.clock import SystemClock
from service.core.errors import DrainingError
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from service.log.base import Ability, Guard, Receipt, Statement
from service.log.sqlite.log import SQLiteEventLog
from service.log.sqlite.tables import open_tables
from tests.support.sqlitelog import open_sqlite_log

MIGRATIONS = Path(__file__).parents[2] / "migrations"
BRIEF = "tasks: title text, done bool, due date; people: name text, email text, age int"
DEADLINE = 20.0
"""Seconds after which a test gives up; nothing here takes one."""


class Told(NamedTuple):
    """An event with its data decoded."""

    offset: int
    topic: str
    type: str
    data: dict[str, Any]


class World:
    """One database and everything that was published on it since it was opened."""

    def __init__(self, path: Path, log: SQLiteEventLog) -> None:
        self.path = path
        self.log = log
        self.bus = EventBus(log, SystemClock(), tail_events=10_000, tail_bytes=32 << 20)
        self.told: list[Told] = []
        self._waiting: list[tuple[Callable[[Told], bool], asyncio.Future[Told]]] = []
        self._services: list[ProjectService] = []
        log.follow(self._hear, lambda topic, floor: None)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        log = await open_sqlite_log(path, SystemClock())
        world = cls(path, log)
        try:
            yield world
        finally:
            for service in world._services:
                await service.close()
            await log.close()

    async def service(self, agents: Sequence[Agent] | None = None, **options: Any) -> ProjectService:
        """A started service; closed with the world."""
        service = await ProjectService.open(
            options.pop("bus", self.bus),
            partial(open_tables, self.path),
            agents=agents,
            **{"pace": 0, "concurrency": 4, "clock": SystemClock(), **options},
        )
        self._services.append(service)
        await service.start()
        return service

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            told = Told(event.offset, event.topic, event.type, msgspec.json.decode(event.data))
            self.told.append(told)
            for predicate, future in self._waiting:
                if not future.done() and predicate(told):
                    future.set_result(told)

    async def until(self, predicate: Callable[[Told], bool]) -> Told:
        """The first event, past or to come, that fits."""
        for told in self.told:
            if predicate(told):
                return told
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((predicate, future))
        return await asyncio.wait_for(future, DEADLINE)

    async def completion(self, run: str) -> Told:
        return await self.until(lambda told: told.type == "completion" and told.data["run"] == run)

    def of(self, type: str, project: str | None = None) -> list[dict[str, Any]]:
        """The data of every event of a type, in order."""
        topic = None if project is None else f"projects/{project}"
        return [one.data for one in self.told if one.type == type and topic in (None, one.topic)]

    def stages(self, project: str) -> list[tuple[str, str]]:
        """Agent and status of every agent_update, in order."""
        return [(one["agent"], one["status"]) for one in self.of("agent_update", project)]


class LimitedBus:
    """Hands everything to a real bus until `publishes` have been made; from then on it is as if killed."""

    def __init__(self, bus: EventBus, publishes: int) -> None:
        self._bus = bus
        self._left = publishes
        self._dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.died = asyncio.Event()

    @property
    def abilities(self) -> frozenset[Ability]:
        return self._bus.abilities

    async def publish(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        self._left -= 1
        if self._left < 0:
            self.died.set()
            await asyncio.shield(self._dead)
        return await self._bus.publish(drafts, also, guards)

    def bury(self) -> None:
        """Let go of those who still wait for it, so that their tasks can end."""
        self._dead.set_exception(DrainingError("killed"))

    async def reach(self, offset: int) -> None:
        await self._bus.reach(offset)

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        return await self._bus.trim(topics, keep)

    def cursor(self, offset: int) -> str:
        return self._bus.cursor(offset)


class Plain(Agent):
    """Writes one file named after itself, and counts how often it worked."""

    name: ClassVar[str] = "plain"
    writes = ("*.txt",)

    def __init__(self, name: str = "plain") -> None:
        self.name = name  # type: ignore[misc]
        self.worked = 0

    async def run(self, work: Workspace) -> None:
        self.worked += 1
        await work.log(f"{self.name} at work")
        await work.write(f"{self.name}.txt", f"by {self.name}\n")


class Gate(Plain):
    """Stops in the middle until `open` is set."""

    def __init__(self, name: str = "gate") -> None:
        super().__init__(name)
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.left = False

    async def run(self, work: Workspace) -> None:
        await super().run(work)
        self.reached.set()
        try:
            await self.open.wait()
        finally:
            self.left = True


class Failing(Plain):
    """Raises what it is given, as long as there is something left to raise."""

    def __init__(self, *errors: BaseException, name: str = "failing") -> None:
        super().__init__(name)
        self.errors = list(errors)

    async def run(self, work: Workspace) -> None:
        await super().run(work)
        if self.errors:
            raise self.errors.pop(0)
