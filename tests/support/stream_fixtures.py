"""The fixtures that tests of streams and of wires share: a bus in memory, a hub on a manual clock."""

from collections.abc import Iterator

import pytest

from service.bus.bus import EventBus
from service.stream.hub import StreamHub
from service.wire.frames import Frames
from tests.support.clock import ManualClock
from tests.support.wires import memory_bus


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus() -> EventBus:
    return memory_bus()


@pytest.fixture
async def hub(bus: EventBus, clock: ManualClock) -> StreamHub:
    return StreamHub(bus, Frames(bus.epoch), clock, heartbeat=20.0, send_timeout=30.0)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(bus: EventBus) -> Iterator[None]:
    """Whatever a test does, no subscription outlives its client."""
    yield
    assert not bus.subscriptions().total()
