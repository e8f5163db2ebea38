"""The example's side of the contract of applications: what it needs of the log, and what it says if that is missing."""

import pytest

from service.apps.base import Ground
from service.apps.projects.app import ProjectsApp
from service.core.errors import UnsupportedError
from service.log.base import Tables
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import memory_bus


async def test_an_engine_without_statements_is_refused_at_start() -> None:
    bus = memory_bus(log=MemoryEventLog(ManualClock(), abilities=frozenset()))

    async def tables() -> Tables:
        raise AssertionError("they are not opened")

    app = ProjectsApp()
    with pytest.raises(UnsupportedError, match="no statements that commit with events"):
        await app.open(Ground(bus, bus.reading, ManualClock(), tables))
    await app.close()
