"""Figures of this moment: what they add up to, and how late the loop is."""

import pytest

from service.bus.bus import EventBus
from service.operations.connections import Connections
from service.operations.delay import WINDOW, LoopDelay
from service.operations.figures import Figures
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.streams import stream_on
from tests.support.wires import drafts

pytestmark = pytest.mark.usefixtures("fed")


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    return EventBus(MemoryEventLog(clock), clock, tail_events=100, tail_bytes=1 << 20, remembered=100)


def figures_of(house: House, bus: EventBus, clock: ManualClock) -> Figures:
    return Figures(bus, bus._log, house.hub, house.gate, Connections(house.hub, bus, clock), LoopDelay(clock), clock)


async def test_they_are_what_happened(house: House, bus: EventBus, clock: ManualClock) -> None:
    figures = figures_of(house, bus, clock)
    empty = await figures.now()
    assert (empty["latency_ms"], empty["lag"]) == (None, None), "of nothing there is no spread"
    async with stream_on(house) as one, stream_on(house) as other:
        await one.live()
        await other.live()
        await bus.publish(drafts(2))
        other.pipe.fill()
        await bus.publish(drafts(1))
        found = await figures.now()
        assert (found["published"], found["delivered"], found["head"]) == (3, 5, bus.cursor(3))
        assert (found["streams"], found["subscriptions"]) == (2, {"websocket": 2, "sse": 0, "poll": 0})
        assert found["lag"] == {"p50": 0, "p99": 0, "max": 1}
        assert found["latency_ms"] == {"p50": 0, "p99": 0, "max": 0}
        assert found["memory_bytes"] is None or found["memory_bytes"] > 1 << 20
        clock.advance(WINDOW + 1)
        assert (await figures.now())["latency_ms"] is None
        other.pipe.empty()
