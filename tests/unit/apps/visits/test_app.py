"""The record's side of the contract of applications."""

import pytest

from service.apps.base import Ground
from service.apps.visits.app import VisitsApp
from service.core.errors import InvalidError, UnsupportedError
from service.log.base import Tables
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import memory_bus


async def test_an_engine_without_statements_is_refused_at_start() -> None:
    bus = memory_bus(log=MemoryEventLog(ManualClock(), abilities=frozenset()))

    async def tables() -> Tables:
        raise AssertionError("they are not opened")

    app = VisitsApp(["**"])
    with pytest.raises(UnsupportedError, match="no statements that commit with events"):
        await app.open(Ground(bus, bus.reading, ManualClock(), tables))
    with pytest.raises(RuntimeError):
        await app.start()
    await app.close()


@pytest.mark.parametrize(
    ("topic", "type", "owned"),
    [
        ("projects/a", "presence.came", True),
        ("elsewhere", "presence.went", True),
        ("projects/a", "presence.asked", False),
        ("projects/a", "came", False),
    ],
)
def test_its_types_are_its_own_on_every_topic(topic: str, type: str, owned: bool) -> None:
    assert VisitsApp(["projects/*"]).owns(topic, type) is owned


def test_a_filter_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidError):
        VisitsApp(["a//b"])
