"""How every stream begins, whatever its wire."""

import pytest

from service.access.caller import Caller
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import StorageError
from service.core.limits import RETRY_MIN_MS
from service.core.topics import TopicFilter
from service.stream.opening import RETRY_MS
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import FakePipe, drafts, memory_bus

T = TopicFilter(("t",))


async def test_a_stream_knows_its_peer_and_tells_it_its_id(house: House, clock: ManualClock) -> None:
    caller = Caller(address="192.0.2.7")
    opened = await house.opening.open(FakePipe(), house.frames.websocket_messages, T, Start.now(), caller)
    peer = opened.stream.peer
    assert (peer.caller, peer.transport, peer.since) == (caller, "websocket", clock.unix_ms())
    ((connection,),) = opened.first
    assert peer.id.encode() in connection
    assert not list(house.hub.peers()), "it is there once it runs"
    opened.stream.subscription.close()


async def test_a_gap_follows_connection(house: House, bus: EventBus) -> None:
    await bus.publish(drafts(2))
    for text, expected in ((str(bus.cursor(1)), 1), ("elsewhere-1", 2)):
        opened = await house.opening.open(FakePipe(), house.frames.websocket_messages, T, Start.parse(text), Caller())
        assert len(opened.first) == expected
        assert b'"connection"' in opened.first[-1][0], "taken from the end"
        opened.stream.subscription.close()


async def test_every_stream_draws_a_retry_that_browsers_accept(house: House) -> None:
    drawn = set()
    for _ in range(200):
        opened = await house.opening.open(FakePipe(), house.frames.sse(True, False), T, Start.now(), Caller())
        drawn.add(int(opened.first[-1].decode().partition("retry: ")[2].partition("\n")[0]))
        opened.stream.subscription.close()
    assert RETRY_MS[0] >= RETRY_MIN_MS
    assert all(RETRY_MS[0] <= retry <= RETRY_MS[1] for retry in drawn)
    assert len(drawn) > 50


async def test_a_log_that_fails_leaves_nothing_open(clock: ManualClock) -> None:
    class Broken(MemoryEventLog):
        async def read(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            raise StorageError("the disk is on fire")

    house = House.of(memory_bus(log=Broken(clock)), clock)
    await house.bus.publish(drafts(1))
    with pytest.raises(StorageError):
        await house.opening.open(FakePipe(), house.frames.websocket_messages, T, Start.parse("earliest"), Caller())
    assert not house.bus.subscriptions().total()
