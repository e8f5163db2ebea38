"""The bus: who subscribes, who waits, who counts."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from service.bus.bus import EventBus
from service.bus.reading import PAGE_EVENTS
from service.bus.start import Start
from service.bus.subscription import Subscription
from service.bus.values import Batch
from service.core.errors import GuardError, UnavailableError
from service.core.topics import TopicFilter
from service.log.base import Guard
from tests.support.clock import ManualClock
from tests.support.memorylog import Disk, MemoryEventLog
from tests.support.wires import OffsetText, Sink, drafts, memory_bus, until

T = TopicFilter(("t",))


async def test_a_bus_on_an_old_log_starts_at_its_head() -> None:
    disk = Disk()
    await memory_bus(log=MemoryEventLog(ManualClock(), disk)).publish(drafts(9))
    bus = memory_bus(log=MemoryEventLog(ManualClock(), disk))
    assert (bus.head, bus.delivered, bus.tail.start) == (9, 9, 9)
    subscription, gap = await bus.subscribe(T, Start.parse(bus.cursor(9)), OffsetText())
    assert (subscription.offset, gap) == (9, None)
    assert subscription.go_live(Sink())


# Waiting for a position


async def test_reach_returns_when_the_head_is_there_and_not_before() -> None:
    bus = memory_bus()
    await bus.reach(0)
    reached = asyncio.create_task(bus.reach(2))
    await bus.publish(drafts(1))
    await asyncio.sleep(0)
    assert not reached.done()
    await bus.publish(drafts(1))
    await asyncio.wait_for(reached, 5)
    await bus.reach(2)


async def test_who_gives_up_waiting_is_forgotten_and_disturbs_nobody() -> None:
    bus = memory_bus()
    waiting = [asyncio.create_task(bus.reach(1)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await until(waiting[0].done)
    await bus.publish(drafts(1))
    await asyncio.gather(*waiting[1:])
    assert bus._waiting == []


# Counting


async def test_publishes_that_the_log_refuses_are_counted_by_reason() -> None:
    bus = memory_bus()
    guard = Guard("get", {"key": "x"}, ("there",))
    for _ in range(2):
        with pytest.raises(GuardError):
            await bus.publish(drafts(1), guards=[guard])
    await bus._log.close()
    with pytest.raises(UnavailableError):
        await bus.publish(drafts(1))
    assert bus.refused == {"guard": 2, "closed": 1}


async def test_topics_count_their_subscribers_by_transport() -> None:
    bus = memory_bus()
    await bus.publish([*drafts(2, "a/1"), *drafts(1, "b")])
    for pattern, transport in (
        ("a/1", "websocket"),
        ("a/*", "websocket"),
        ("**", "sse"),
        ("b", "poll"),
        ("zz", "ndjson"),
    ):
        await bus.subscribe(TopicFilter((pattern,)), Start.now(), OffsetText(transport))
    counts = {
        stats.topic: (stats.count, stats.head, subscribers)
        for stats, subscribers in (await bus.topics(TopicFilter.all())).found
    }
    assert counts == {
        "a/1": (2, 2, {"websocket": 2, "sse": 1}),
        "b": (1, 3, {"sse": 1, "poll": 1}),
    }
    assert bus.subscriptions() == {"websocket": 2, "sse": 1, "poll": 1, "ndjson": 1}, "any wire"


async def test_nothing_is_counted_for_a_topic_that_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = memory_bus()
    await bus.publish([*drafts(1, "a"), *drafts(1, "b")])
    found, find = list[str](), bus.groups.find
    monkeypatch.setattr(bus.groups, "find", lambda topic: found.append(topic) or find(topic))
    assert await names_of(bus, TopicFilter.all(), is_shown="b".__eq__) == (["b"], "b", False)
    assert found == ["b"]


async def names_of(bus: EventBus, topics: TopicFilter, *about: Any, **more: Any) -> tuple[list[str], str, bool]:
    listing = await bus.topics(topics, *about, **more)
    return [stats.topic for stats, _ in listing.found], listing.cursor, listing.more


async def test_a_listing_ends_when_it_has_looked_at_as_many_names_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a filter that matched nothing took half a second of work among 500,000 topics."""
    monkeypatch.setattr("service.bus.bus.TOPICS_PAGE", 5)
    monkeypatch.setattr("service.bus.bus.LOOKED_MAX", 10)
    monkeypatch.setattr("service.bus.bus.LOOKED_MIN", 2)
    bus = memory_bus()
    await bus.publish([draft for n in range(40) for draft in drafts(1, f"t{n:02}/{'x' if n % 15 == 0 else 'y'}")])
    wanted, listings = TopicFilter(("*/x",)), list[tuple[list[str], str, bool]]()
    cursor, more = "", True
    while more:
        listings.append(one := await names_of(bus, wanted, cursor, 3))
        assert one[2] is False or one[1] > cursor, "it goes on"
        _, cursor, more = one
    assert [name for names, _, _ in listings for name in names] == ["t00/x", "t15/x", "t30/x"]
    assert len(listings) > 1
    late = await names_of(bus, TopicFilter.all(), "", 3, is_shown=lambda topic: topic > "t30")
    assert late == (["t30/x", "t31/y", "t32/y"], "t32/y", True)
    none = await names_of(bus, TopicFilter.all(), "", 3, is_shown=lambda topic: False)
    assert none == ([], "", False), "no name is told that is not shown"
    few = await names_of(bus, wanted, "t00/x", 3, is_shown=lambda topic: topic >= "t19/y")
    assert few[1] >= "t19/y", "nor as the name up to which was looked"
    monkeypatch.setattr("service.bus.bus.COMPARED_MAX", wanted.weight)
    assert (await names_of(bus, TopicFilter.all(), "", 99))[2]
    monkeypatch.setattr("service.bus.bus.LOOKED_MIN", 40)
    assert (await names_of(bus, wanted, "", 99))[2] is False, "few topics are all looked at, whatever the filter"


async def test_published_counts_events_and_not_repeats_of_a_key() -> None:
    bus = memory_bus()
    keyed = [replace(draft, key="k") for draft in drafts(2)]
    receipt = await bus.publish(keyed)
    assert receipt.offsets == (1, 1)
    assert not (await bus.publish(keyed)).fresh
    assert (bus.published, bus.head) == (1, 1)


# Turns


async def test_fifty_replays_are_complete_while_something_is_published() -> None:
    bus = memory_bus(tail_events=1)
    await bus.publish(drafts(3 * PAGE_EVENTS))
    publishing = asyncio.create_task(publish_until_cancelled(bus))
    replays = [bus.attach(TopicFilter(("t", f"other/{n}")), 0, OffsetText()) for n in range(50)]

    async def replay(subscription: Subscription[tuple[int, ...]]) -> list[int]:
        offsets: list[int] = []
        while len(offsets) < 3 * PAGE_EVENTS:
            batch = await subscription.read()
            assert isinstance(batch, Batch)
            offsets += batch.payload or ()
            await asyncio.sleep(0)
        return offsets[: 3 * PAGE_EVENTS]

    found = await asyncio.wait_for(asyncio.gather(*map(replay, replays)), 60)
    publishing.cancel()
    assert found == [list(range(1, 3 * PAGE_EVENTS + 1))] * 50


async def publish_until_cancelled(bus: EventBus) -> None:
    while True:
        await bus.publish(drafts(1))


async def test_the_bus_is_busy_while_a_publish_is_under_way_however_it_ends() -> None:
    log = MemoryEventLog(ManualClock())
    bus = memory_bus(log=log)
    assert not bus._is_busy()
    publishing = asyncio.create_task(bus.publish(drafts(1)))
    await asyncio.sleep(0)
    assert bus._is_busy()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    assert not bus._is_busy()
    await log.close()
    with pytest.raises(UnavailableError):
        await bus.publish(drafts(1))
    assert not bus._is_busy()


async def test_whom_a_trim_concerns_is_looked_for_in_steps_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 20,000 patterns that nearly match, a topic's floor was raised in a step of 71 ms."""
    bus = memory_bus()
    await bus.publish(drafts(3, "a/b"))
    subscription = bus.attach(TopicFilter(("a/*",)), 0, OffsetText())
    searched: list[str] = []
    walk = bus.groups._wild.walk
    monkeypatch.setattr(bus.groups._wild, "walk", lambda topic, looks=None: (searched.append(topic), walk(topic))[1])
    seen: list[bool] = []
    trimmed = bus._trimmed
    monkeypatch.setattr(bus._log, "_watchers", [lambda *told: (seen.append(bool(searched)), trimmed(*told))])
    await bus.trim(TopicFilter(("a/**",)), 1)
    assert (searched, seen) == (["a/b"], [True]), "once, and before the floor is raised"
    assert subscription.group.floors.moment
    subscription.close()
