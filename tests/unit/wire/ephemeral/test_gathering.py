"""A poll that waits gets ephemeral events beside stored ones, if it asked: what came meanwhile, the newest of each."""

from typing import Any

import pytest

from service.bus.bus import EventBus
from service.core.ephemeral import EphemeralDraft
from service.wire.ephemeral.gathering import GATHERED_BYTES, GATHERED_MAX
from tests.support.clock import ManualClock
from tests.support.stream_fixtures import House
from tests.support.wires import Exchange, call, drafts, http_scope, memory_bus, until


@pytest.fixture
async def bus(clock: ManualClock) -> EventBus:
    """On the same clock as the house."""
    return memory_bus(clock=clock)


def send(bus: EventBus, *found: tuple[str, int, str | None], sender: str = "ada") -> None:
    """Type, data, and key of each."""
    bus.ephemeral.send([EphemeralDraft("t", type, str(data), key, 5.0) for type, data, key in found], sender=sender)


async def parked(house: House, query: str = "topic=t&wait=60&ephemeral=1") -> Exchange:
    exchange = Exchange(house.poll(), http_scope("GET", "/api/events", query))
    await until(lambda: bool(house.bus.subscriptions()["poll"]) or exchange.task.done())
    return exchange


def data(answer: Any) -> list[int]:
    return [one["data"] for one in answer["ephemeral"]]


async def test_it_is_answered_with_what_came_and_goes_on_where_it_was(house: House, bus: EventBus) -> None:
    await bus.publish(drafts(2))
    exchange = await parked(house)
    send(bus, ("x", 1, None), ("x", 2, "k"))
    answer = (await exchange.answer()).json()
    assert data(answer) == [1, 2]
    assert list(answer["ephemeral"][0]) == ["topic", "type", "time", "after", "data"]
    assert (answer["events"], answer["cursor"], answer["gap"]) == ([], bus.cursor(2), None)
    assert bus.ephemeral.hearers == 0


@pytest.mark.parametrize("query", ["topic=t", "topic=t&wait=0", "topic=t&after=earliest&wait=60"])
async def test_who_does_not_wait_gets_none_and_who_did_not_ask_is_not_told(
    house: House, bus: EventBus, query: str
) -> None:
    await bus.publish(drafts(1))
    send(bus, ("x", 1, None))
    answer = (await call(house.poll(), "GET", "/api/events", f"{query}&ephemeral=1")).json()
    assert answer["ephemeral"] == []
    assert "ephemeral" not in (await call(house.poll(), "GET", "/api/events", query)).json()


async def test_a_poll_that_did_not_ask_sleeps_on(house: House, bus: EventBus) -> None:
    exchange = await parked(house, "topic=t&wait=60")
    send(bus, ("x", 1, None))
    await bus.publish(drafts(1))
    answer = (await exchange.answer()).json()
    assert (len(answer["events"]), "ephemeral" in answer) == (1, False)


async def test_of_each_key_it_has_the_newest_and_a_hundred_in_all(house: House, bus: EventBus) -> None:
    exchange = await parked(house)
    for n in range(GATHERED_MAX + 20):
        send(bus, ("x", n, str(n)), sender=str(n))
    send(bus, ("y", -1, "60"), sender="60")
    answer = data((await exchange.answer()).json())
    assert len(answer) == GATHERED_MAX == 100
    assert answer == [*range(21, GATHERED_MAX + 20), -1]


async def test_it_is_bounded_in_bytes_too(house: House, bus: EventBus) -> None:
    """An operator may let them be as long as stored events."""
    exchange = await parked(house)
    for n in range(GATHERED_MAX):
        draft = EphemeralDraft("t", "x", f'["{"x" * (1 << 16)}",{n}]', str(n), 5.0)
        bus.ephemeral.send([draft], sender=str(n))
    answer = (await exchange.answer()).json()
    kept = GATHERED_BYTES // (1 << 16) - 1
    assert [one["data"][1] for one in answer["ephemeral"]] == list(range(GATHERED_MAX - kept, GATHERED_MAX))


async def test_a_newer_one_of_the_same_key_takes_its_place(house: House, bus: EventBus, clock: ManualClock) -> None:
    exchange = await parked(house)
    send(bus, ("x", 1, "k"), ("x", 2, "l"))
    clock.advance(0.05)
    bus.ephemeral._throttle.due(clock.monotonic())
    send(bus, ("x", 3, "k"))
    assert data((await exchange.answer()).json()) == [2, 3]


async def test_what_it_did_not_ask_for_does_not_wake_it(house: House, bus: EventBus) -> None:
    exchange = await parked(house, "topic=t&wait=60&ephemeral=1&type=y")
    send(bus, ("x", 1, None))
    send(bus, ("y", 2, None))
    assert data((await exchange.answer()).json()) == [2]


async def test_stored_events_that_came_first_are_in_the_same_answer(house: House, bus: EventBus) -> None:
    exchange = await parked(house)
    send(bus, ("x", 1, None))
    await bus.publish(drafts(3))
    send(bus, ("x", 2, "k"))
    answer = (await exchange.answer()).json()
    assert len(answer["events"]) == 3
    assert all(one["after"] <= answer["cursor"] for one in answer["ephemeral"])
    assert 1 in data(answer)


async def test_none_stands_beside_a_page_that_ends_before_what_it_came_after(house: House, bus: EventBus) -> None:
    exchange = await parked(house, "topic=t&wait=60&ephemeral=1&limit=2")
    send(bus, ("x", 1, None))
    await bus.publish(drafts(5))
    subscribed = bool(bus.subscriptions()["poll"])
    send(bus, ("x", 2, "k"))
    answer = (await exchange.answer()).json()
    assert subscribed
    assert (len(answer["events"]), answer["more"]) == (2, True)
    assert data(answer) == [1], "the other one came after events that are in the next answer"


async def test_many_topics_in_a_body_too(house: House, bus: EventBus) -> None:
    scope = http_scope("POST", "/api/events/read", "", {"Content-Type": "application/json"})
    exchange = Exchange(house.poll(), scope, b'{"topics":["t"],"wait":60,"ephemeral":true}')
    await until(lambda: bool(bus.subscriptions()["poll"]))
    send(bus, ("x", 1, None))
    assert data((await exchange.answer()).json()) == [1]
