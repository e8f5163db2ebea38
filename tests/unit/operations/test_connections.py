"""Lists of connections: what they tell, whom they leave out, and that they take turns."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.access.caller import Caller
from service.bus.bus import EventBus
from service.core.time import rfc3339
from service.core.topics import TopicFilter
from service.operations.connections import Connections
from service.stream.ending import RESTART
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.streams import Running, stream_on
from tests.support.wires import drafts

pytestmark = pytest.mark.usefixtures("fed")

ADA = Caller("ada", address="192.0.2.7")
BOB = Caller("bob")


@pytest.fixture
def connections(house: House, bus: EventBus, clock: ManualClock) -> Connections:
    return Connections(house.hub, bus, clock)


async def opened(stack: AsyncExitStack, house: House, caller: Caller, *patterns: str, **more: Any) -> Running:
    return await (
        await stack.enter_async_context(stream_on(house, topics=TopicFilter(patterns), caller=caller, **more))
    ).live()


async def subjects(connections: Connections, **wanted: Any) -> list[str | None]:
    found, _, _ = await connections.page(limit=100, **wanted)
    return [one["subject"] for one in found]


async def test_a_row_tells_who_it_is_and_how_far(
    house: House, bus: EventBus, clock: ManualClock, connections: Connections
) -> None:
    async with AsyncExitStack() as stack:
        ada = await opened(stack, house, ADA, "t", "u/*")
        clock.advance(1.5)
        await bus.publish(drafts(3))
        ada.pipe.fill()
        await bus.publish(drafts(2))
        (row,), more, last = await connections.page(limit=10)
        assert row == {
            "connection": ada.stream.peer.id,
            "subject": "ada",
            "address": "192.0.2.7",
            "transport": "websocket",
            "state": "replaying",
            "topics": ["t", "u/*"],
            "filters": 2,
            "cursor": bus.cursor(3),
            "lag": 2,
            "buffer": 20_000,
            "since": rfc3339(clock.unix_ms() - 1_500),
            "age": 1.5,
            "ended": None,
            "reason": None,
        }
        assert (more, last) == (False, 1)
        assert await connections.lags() == [2]
        ada.pipe.empty()


async def test_they_come_in_pages_in_the_order_of_their_coming(house: House, connections: Connections) -> None:
    async with AsyncExitStack() as stack:
        running = [await opened(stack, house, Caller(str(n)), "t") for n in range(5)]
        found, more, last = await connections.page(limit=2)
        assert ([one["subject"] for one in found], more, last) == (["0", "1"], True, 2)
        running[2].listener.leave()
        await running[2].over()
        found, more, last = await connections.page(limit=2, after=last)
        assert ([one["subject"] for one in found], more, last) == (["3", "4"], False, 5)
        assert await connections.page(limit=2, after=5) == ([], False, 5)


async def test_they_are_chosen_by_subject_transport_and_topic(house: House, connections: Connections) -> None:
    async with AsyncExitStack() as stack:
        await opened(stack, house, ADA, "t/*")
        await opened(stack, house, BOB, "t/1", "u")
        await opened(stack, house, BOB, "**")
        assert await subjects(connections, subject="ada") == ["ada"]
        assert await subjects(connections, subject="eve") == []
        assert await subjects(connections, transport="websocket") == ["ada", "bob", "bob"]
        assert await subjects(connections, transport="sse") == []
        assert await subjects(connections, topic="t/1") == ["ada", "bob", "bob"]
        assert await subjects(connections, topic="t/2") == ["ada", "bob"]
        assert await subjects(connections, topic="t/*") == ["ada"], "a pattern is looked for as it stands"
        assert await subjects(connections, topic="u", subject="ada") == []


async def test_those_that_have_ended_are_listed_for_some_minutes(
    house: House, bus: EventBus, clock: ManualClock, connections: Connections
) -> None:
    async with AsyncExitStack() as stack:
        ada = await opened(stack, house, ADA, "t")
        bob = await opened(stack, house, BOB, "t")
        await bus.publish(drafts(1))
        clock.advance(2)
        assert house.hub.end(ada.stream.peer.id, RESTART)
        await ada.over()
        assert await subjects(connections) == ["bob"]
        (row,), _, last = await connections.page(limit=10, gone=True)
        assert (row["subject"], row["state"], row["reason"], row["age"], last) == ("ada", "gone", "restart", 2.0, 1)
        assert (row["cursor"], row["lag"], row["ended"]) == (bus.cursor(1), None, rfc3339(clock.unix_ms()))
        assert await subjects(connections, gone=True, subject="bob") == []
        bob.listener.leave()
        await bob.over()
        assert await subjects(connections, gone=True, after=1) == ["bob"]
        clock.advance(601)
        assert await subjects(connections, gone=True) == []
        assert connections.find(ada.stream.peer.id) is None


async def test_a_long_filter_is_cut_in_lists(house: House, connections: Connections) -> None:
    async with AsyncExitStack() as stack:
        await opened(stack, house, ADA, *(f"t/{n:02}" for n in range(30)))
        (row,), _, _ = await connections.page(limit=10)
        assert (row["topics"], row["filters"]) == ([f"t/{n:02}" for n in range(10)], 30)


async def test_listing_takes_turns(
    house: House, bus: EventBus, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among all that read, as soon as its time is over: here with each connection."""
    monkeypatch.setattr("service.operations.connections.LOOK", 0)
    asked = 0
    turn = bus.reading.turn

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await turn()

    monkeypatch.setattr(bus.reading, "turn", counted)
    async with AsyncExitStack() as stack:
        for n in range(20):
            await opened(stack, house, Caller(str(n)), "t")
        before = asked
        assert len(await subjects(connections, topic="t")) == 20
        assert asked - before >= 20
