"""Subscriptions on every transport, against a real server."""

import asyncio
import gc
from pathlib import Path

import pytest

from tests.python.conftest import QUICK
from tests.python.taking import become, data_of, rest_of, take
from tests.support.api import moved, publish_many, trim, unique
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, ClosedError, Event, FileStore, Gap, Transport, TwinwireError
from twinwire.inbox import ITEMS_MAX


async def test_what_is_published_after_it_has_begun_comes(live: AsyncTwinwire, transport: Transport) -> None:
    topic = unique("begun")
    async with live.subscribe(topic) as events:
        assert events.transport == transport
        id = await live.publish(topic, "note", {"n": 1})
        (event,) = await take(events, 1)
    assert isinstance(event, Event)
    assert (event.id, event.topic, event.type, event.data, event.prev) == (id, topic, "note", {"n": 1}, None)


async def test_it_goes_on_from_a_cursor(live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("cursor")
    ids = await publish_many(server.url, topic, range(1_200))
    assert await data_of(live.subscribe(topic, after="earliest"), 1_200) == list(range(1_200))
    assert await data_of(live.subscribe(topic, after=ids[1_190]), 9) == list(range(1_191, 1_200))


async def test_several_topics_and_filters_in_one_order(live: AsyncTwinwire) -> None:
    base = unique("many")
    async with live.subscribe(f"{base}/a", f"{base}/x/*") as events:
        for n, topic in enumerate([f"{base}/a", f"{base}/b", f"{base}/x/y", f"{base}/a"]):
            await live.publish(topic, "k", n)
        assert await data_of(events, 3) == [0, 2, 3]


async def test_more_topics_than_fit_a_url(live: AsyncTwinwire) -> None:
    base = unique("long")
    topics = [f"{base}/{n}-{'x' * 120}" for n in range(90)]
    async with live.subscribe(*topics) as events:
        await live.publish(topics[-1], "k", "last")
        assert await data_of(events, 1) == ["last"]


async def test_a_gap_is_told_in_its_place(live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("gap")
    ids = await publish_many(server.url, topic, range(10))
    await trim(server.url, topic, 3)
    gap, *rest = await take(live.subscribe(topic, after=ids[0]), 4)
    assert isinstance(gap, Gap)
    assert (gap.requested, gap.reason, gap.floor) == (ids[0], "trimmed", ids[6])
    assert [event.id for event in rest if isinstance(event, Event)] == ids[7:]


@pytest.mark.parametrize(("cursor", "reason"), [("nobody-7", "epoch"), ("no cursor", "malformed")])
async def test_a_cursor_that_is_not_of_this_log(live: AsyncTwinwire, cursor: str, reason: str) -> None:
    topic = unique("alien")
    await live.publish(topic, "k", 1)
    (gap,) = await take(live.subscribe(topic, after=cursor), 1)
    assert isinstance(gap, Gap)
    assert gap.reason == reason


async def test_its_cursor_moves_when_the_body_has_run(live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("moves")
    ids = await publish_many(server.url, topic, range(3))
    events = live.subscribe(topic, after=moved(ids[0], -1))
    await anext(events)
    assert events.cursor != ids[0]
    await anext(events)
    assert events.cursor == ids[0]
    await events.aclose()


async def test_a_store_holds_what_was_done(live: AsyncTwinwire, server: ServerProcess, tmp_path: Path) -> None:
    topic = unique("store")
    store = FileStore(tmp_path / "cursor")
    await publish_many(server.url, topic, range(6))

    async def run(until: int) -> list[int]:
        """As a program that is killed while it works on `until`."""
        seen: list[int] = []
        subscription = live.subscribe(topic, after="earliest", store=store)
        async for event in subscription:
            assert isinstance(event, Event)
            seen.append(event.data)
            if event.data == until:
                break
        await subscription.aclose()
        return seen

    assert await run(2) == [0, 1, 2]
    assert await run(3) == [2, 3], "what it had not finished comes again, and nothing else"
    assert await run(5) == [3, 4, 5]


async def test_a_store_may_be_asynchronous_and_moves_without_events(live: AsyncTwinwire) -> None:
    topic = unique("quiet")

    class Store:
        saved: str | None = None

        async def load(self) -> str | None:
            return self.saved

        async def save(self, cursor: str) -> None:
            self.saved = cursor

    store = Store()
    async with live.subscribe(topic, store=store) as events:
        reading = asyncio.create_task(take(events, 1))
        await become(lambda: store.saved is not None)
        id = await live.publish(topic, "k", 1)
        await reading
    assert store.saved == id, "the end of `async with` is the end of the last body"


async def test_who_reads_slowly_holds_no_more_than_his_inbox(any_live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("slow")
    await publish_many(server.url, topic, range(3 * ITEMS_MAX))
    async with any_live.subscribe(topic, after="earliest") as events:
        await asyncio.sleep(0.5)
        assert len(events._inbox) <= ITEMS_MAX
        assert await data_of(events, 3 * ITEMS_MAX) == list(range(3 * ITEMS_MAX))


async def test_what_the_service_refuses_ends_it_in_words(live: AsyncTwinwire) -> None:
    with pytest.raises(TwinwireError) as raised:
        async with live.subscribe("a//b"):
            pass
    assert (raised.value.status, raised.value.field) == (422, "topic")
    with pytest.raises(TwinwireError) as raised:
        await take(live.subscribe("a//b"), 1)
    assert raised.value.status == 422


async def test_a_list_in_place_of_topics_is_told(any_live: AsyncTwinwire) -> None:
    with pytest.raises(TypeError, match=r"subscribe\(\*topics\)"):
        any_live.subscribe(["a", "b"])  # type: ignore[arg-type]


async def test_closing_ends_the_iteration(live: AsyncTwinwire) -> None:
    events = live.subscribe(unique("close"))
    await events.__aenter__()
    waiting = asyncio.create_task(rest_of(events))
    await asyncio.sleep(0)
    await events.aclose()
    assert await waiting == []
    assert events.state == "closed"
    assert await rest_of(events) == []
    unused = live.subscribe("a")
    await unused.aclose()
    assert await rest_of(unused) == []
    with pytest.raises(ClosedError):
        await unused.__aenter__()


async def test_a_client_that_is_closed_says_so(server: ServerProcess) -> None:
    live = AsyncTwinwire(server.url)
    async with live:
        events = live.subscribe("a")
        await events.__aenter__()
    assert [event async for event in events] == []
    with pytest.raises(ClosedError):
        await live.publish("a", "k")
    with pytest.raises(ClosedError):
        await anext(live.subscribe("a"))


async def test_a_loop_that_breaks_leaves_nothing(live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("break")
    await publish_many(server.url, topic, range(3))
    before = asyncio.all_tasks()
    async for _ in live.subscribe(topic, after="earliest"):
        break
    gc.collect()
    await become(lambda: asyncio.all_tasks() <= before)


async def test_two_at_once(any_live: AsyncTwinwire) -> None:
    topic = unique("two")
    async with any_live.subscribe(topic) as one, any_live.subscribe(topic) as other:
        await any_live.publish(topic, "k", 1)
        assert await data_of(one, 1) == await data_of(other, 1) == [1]


@pytest.mark.parametrize("kill", [True, False], ids=["kill-9", "restart"])
async def test_it_outlives_the_service(tmp_path: Path, transport: Transport, kill: bool) -> None:
    with ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none", "TWINWIRE_DRAIN_DELAY": "0"}) as server:
        async with (
            AsyncTwinwire(server.url, transports=[transport], timing=QUICK) as live,
            live.subscribe("a") as events,
        ):
            await live.publish("a", "k", 1)
            assert await data_of(events, 1) == [1]
            await (server.akill9() if kill else asyncio.to_thread(server.stop))
            publishing = asyncio.create_task(live.publish("a", "k", 2))
            await become(lambda: events.state == "reconnecting")
            await server.astart()
            await publishing
            await live.publish("a", "k", 3)
            assert await data_of(events, 2) == [2, 3]
            assert events.transport == transport


async def test_the_state_is_told(live: AsyncTwinwire) -> None:
    events = live.subscribe(unique("state"))
    assert (events.state, events.transport) == ("connecting", None)
    async with events:
        await become(lambda: events.state == "live")
    assert events.state == "closed"
