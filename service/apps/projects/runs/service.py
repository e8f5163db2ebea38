"""Runs as the rest of the application uses them."""

from dataclasses import dataclass
from typing import Final

from service.apps.base import Bus
from service.apps.projects.runs.commands import Commands
from service.apps.projects.runs.files import Files
from service.apps.projects.runs.pruning import Pruning
from service.apps.projects.runs.reading import Reading
from service.apps.projects.runs.silence import Silence
from service.apps.projects.runs.updates import Updates
from service.apps.projects.store import Store
from service.core.time import Clock


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of runs: how many finished ones a project keeps, the bytes of output of one command, and those of all logs and
    files together.
    """

    kept: int = 100
    log: int = 8 << 20
    logs: int = 2 << 30


BOUNDS: Final = Bounds()
"""Unless it is said otherwise."""


class RunService:
    """What is reported, what is read, and what goes. `start` it once; `close` it before the bus."""

    def __init__(self, bus: Bus, store: Store, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        self._updates = Updates(bus, store, clock)
        self.pruning = Pruning(bus, store, clock, kept=bounds.kept, most=bounds.logs)
        self.silence = Silence(bus, store, clock, self.pruning.wake)
        self.commands = Commands(bus, store, clock, self._updates, bounds.log, self.silence.wake, self.pruning.wake)
        self.reading = Reading(bus, store)
        self.files = Files(store)

    def start(self) -> None:
        self.silence.start()
        self.pruning.start()

    async def close(self) -> None:
        await self.silence.close()
        await self.pruning.close()
        await self._updates.close()
