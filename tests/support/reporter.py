"""A machine that reports commands: what it sends through the routes, or straight to the service."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from service.apps.projects.runs.commands import Accepted, Begun
from service.apps.projects.runs.items import NewRun, Report
from service.apps.projects.runs.reading import text_of
from service.apps.projects.service import ProjectService


class Reporter:
    """Of one command of a project: keeps count of its items."""

    def __init__(self, service: ProjectService, project: str, key: str = "k", command: str = "make test") -> None:
        self.service = service
        self.project = project
        self.key = key
        self.command = command
        self.number = 0
        self.next = 1

    @staticmethod
    def spending(events: int) -> AbstractContextManager[object]:
        """It costs nobody anything."""
        return nullcontext()

    async def begin(self, *stages: str, author: str | None = None, ago: float = 0.0) -> Begun:
        new = NewRun(self.key, self.command, "host", list(stages), ago).checked()
        begun = await self.service.runs.commands.begin(self.project, new, author, self.spending)
        self.number, self.next = begun.run.number, begun.reported + 1
        return begun

    async def report(self, *items: dict[str, Any], start: int | None = None) -> Accepted:
        """As if they had come as JSON."""
        sent = {"from": self.next if start is None else start, "items": items}
        report = msgspec.json.decode(msgspec.json.encode(sent), type=Report).checked()
        commands = self.service.runs.commands
        accepted = await commands.report(self.project, self.number, report, self.spending)
        self.next = accepted.reported + 1
        return accepted

    async def log(self, stage: str | None = None) -> bytes:
        return await log_of(self.service, self.project, self.number, stage)


async def log_of(service: ProjectService, project: str, number: int, stage: str | None = None) -> bytes:
    """The log of a run as it is answered."""
    reading = service.runs.reading
    found = await reading.kept(project, number)
    return b"".join([part async for part in text_of(reading, found, stage)])
