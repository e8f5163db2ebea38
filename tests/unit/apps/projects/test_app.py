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


@pytest.mark.parametrize(
    ("topic", "type", "owned"),
    [
        ("projects", "project_deleted", True),
        ("projects/a", "log", True),
        ("projects/a", "completion", True),
        ("projects", "status_update", True),
        ("projects/a", "note", False),
        ("projects/a/b", "log", False),
        ("projectsx", "log", False),
        ("others/a", "log", False),
    ],
)
def test_it_owns_its_types_on_its_topics(topic: str, type: str, owned: bool) -> None:
    assert ProjectsApp().owns(topic, type) is owned
