"""Publishing: once, in order, whatever happens on the way."""

import asyncio
from pathlib import Path

import pytest

from tests.python.conftest import QUICK
from tests.support.api import history, unique
from tests.support.server import ServerProcess
from twinwire import AsyncTwinwire, ClosedError, Draft, InvalidError, RawJson, Timing, TwinwireError
from twinwire.publishing import BYTES_MAX, EVENTS_MAX


async def test_the_id_is_the_cursor_after_it(any_live: AsyncTwinwire) -> None:
    topic = unique("id")
    first = await any_live.publish(topic, "k", 1)
    second = await any_live.publish(topic, "k", 2)
    page = await any_live.history(topic, after=first)
    assert [event.id for event in page.events] == [second] == [page.cursor]


async def test_a_key_makes_a_repeat_harmless(any_live: AsyncTwinwire) -> None:
    topic = unique("key")
    first = await any_live.publish(topic, "k", 1, key="x")
    assert await any_live.publish(topic, "k", 2, key="x") == first
    assert [event.data for event in await any_live.latest(topic, count=9)] == [1]


async def test_subjects(any_live: AsyncTwinwire) -> None:
    topic = unique("subject")
    await any_live.publish(topic, "k", "Once ", subject="tale")
    await any_live.publish(topic, "k", "upon", subject="tale", append=True)
    await any_live.publish(topic, "k", True, subject="lamp", final=True)
    with pytest.raises(TwinwireError) as raised:
        await any_live.publish(topic, "k", "more", subject="lamp", append=True)
    assert (raised.value.status, raised.value.field, raised.value.is_passing) == (409, "append", False)
    state = await any_live.state(topic, join=True)
    assert {event.subject: event.data for event in state.events} == {"tale": "Once upon", "lamp": True}
    assert [event.subject for event in (await any_live.state(topic, subject="tale")).events] == ["tale", "tale"]
    async with any_live.subscribe(topic, after=state.cursor) as events:
        await any_live.publish(topic, "k", 3)
        assert (await anext(events)).data == 3  # type: ignore[union-attr]


async def test_raw_json(any_live: AsyncTwinwire) -> None:
    topic = unique("raw")
    await any_live.publish(topic, "k", RawJson('{"n": 1.10}'))
    (event,) = await any_live.latest(topic)
    assert '"data":{"n": 1.10}' in event.raw


@pytest.mark.parametrize(
    ("draft", "field"),
    [(Draft("a//b", "k"), "topic"), (Draft("a", "heartbeat"), "type"), (Draft("a", "k", key=""), "key")],
)
async def test_what_is_refused_is_told_at_once(any_live: AsyncTwinwire, draft: Draft, field: str) -> None:
    with pytest.raises(TwinwireError) as raised:
        await any_live.publish(draft.topic, draft.type, draft.data, key=draft.key)
    assert (raised.value.status, raised.value.field) == (422, field)


async def test_many_in_their_order(any_live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("many")
    ids = await any_live.publish_many(Draft(topic, "k", n) for n in range(2 * EVENTS_MAX + 7))
    found = await history(server.url, [topic])
    assert [event["id"] for event in found] == ids
    assert [event["data"] for event in found] == list(range(2 * EVENTS_MAX + 7))


async def test_many_large_ones_are_more_requests(any_live: AsyncTwinwire) -> None:
    topic = unique("large")
    large = "x" * 60_000
    assert len(await any_live.publish_many(Draft(topic, "k", large) for _ in range(2 * BYTES_MAX // 60_000))) > 30


async def test_what_of_many_was_stored_is_told(any_live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("stored")
    drafts = [Draft(topic, "k", n) for n in range(EVENTS_MAX)]
    with pytest.raises(TwinwireError) as raised:
        await any_live.publish_many([*drafts, Draft("a//b", "k"), Draft(topic, "k", "never")])
    assert (raised.value.field, raised.value.line) == ("topic", 1)
    assert [event["id"] for event in await history(server.url, [topic])] == raised.value.stored


async def test_none_at_all(any_live: AsyncTwinwire) -> None:
    assert await any_live.publish_many([]) == []


async def test_it_is_tried_again_until_the_service_is_there(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, env={"TWINWIRE_APPS": "none"})
    async with AsyncTwinwire(server.url, timing=QUICK) as live:
        publishing = asyncio.create_task(live.publish("a", "k", 1))
        await asyncio.sleep(0.3)
        assert not publishing.done()
        with server:
            await asyncio.wait_for(publishing, 20)
            assert len(await history(server.url, ["a"])) == 1


async def test_it_gives_up_in_the_end(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)  # that is never started
    async with AsyncTwinwire(server.url, timing=Timing(publish=0.3, backoff_base=0.05, backoff_cap=0.1)) as live:
        with pytest.raises(TwinwireError) as raised:
            await asyncio.wait_for(live.publish("a", "k"), 10)
    assert raised.value.is_passing
    assert raised.value.status == 0
    assert str(server.port) in str(raised.value)


async def test_a_batch_is_few_requests_in_order(any_live: AsyncTwinwire, server: ServerProcess) -> None:
    topic = unique("batch")
    async with any_live.batch() as batch:
        futures = [await batch.add(topic, "k", n) for n in range(3_000)]
    found = await history(server.url, [topic])
    assert [event["data"] for event in found] == list(range(3_000))
    assert [future.result() for future in futures] == [event["id"] for event in found]


async def test_one_of_a_batch_that_is_refused_takes_no_other_along(
    any_live: AsyncTwinwire, server: ServerProcess
) -> None:
    topic = unique("one")
    batch = await any_live.batch().__aenter__()
    good = [await batch.add(topic, "k", n) for n in range(3)]
    bad = await batch.add("a//b", "k")
    good += [await batch.add(topic, "k", n) for n in range(3, 6)]
    with pytest.raises(TwinwireError) as raised:
        await batch.__aexit__(None)
    assert raised.value.field == "topic"
    assert bad.exception() is raised.value
    assert [event["id"] for event in await history(server.url, [topic])] == [future.result() for future in good]


async def test_publishing_in_a_batch_waits_for_the_id(any_live: AsyncTwinwire) -> None:
    topic = unique("wait")
    async with any_live.batch(linger_ms=0) as batch:
        ids = await asyncio.gather(*(batch.publish(topic, "k", n) for n in range(50)))
        assert len((await any_live.history(topic)).events) == 50
    assert len(set(ids)) == 50


async def test_a_batch_that_is_over(any_live: AsyncTwinwire) -> None:
    batch = any_live.batch()
    with pytest.raises(ClosedError):
        await batch.add("a", "k")
    async with batch:
        pass
    with pytest.raises(ClosedError):
        await batch.add("a", "k")


async def test_what_can_not_be_sent_is_told_where_it_is_added(any_live: AsyncTwinwire) -> None:
    topic = unique("bad")
    async with any_live.batch() as batch:
        with pytest.raises(InvalidError):
            await batch.add(topic, "k", object())
        await batch.add(topic, "k", 1)
    assert [event.data for event in await any_live.latest(topic, count=5)] == [1]


async def test_history_by_page_by_type_and_by_time(any_live: AsyncTwinwire) -> None:
    topic = unique("history")
    ids = await any_live.publish_many(Draft(topic, "even" if n % 2 == 0 else "odd", n) for n in range(10))
    first = await any_live.history(topic, limit=4)
    assert ([event.data for event in first.events], first.more) == ([0, 1, 2, 3], True)
    second = await any_live.history(topic, after=first.cursor, limit=100)
    assert ([event.data for event in second.events], second.more) == ([4, 5, 6, 7, 8, 9], False)
    backwards = await any_live.history(topic, before=ids[5], limit=2)
    assert [event.data for event in backwards.events] == [4, 3]
    assert [event.data for event in (await any_live.history(topic, type="odd")).events] == [1, 3, 5, 7, 9]
    moment = first.events[0].time
    assert (await any_live.history(topic, since=moment)).events
    assert not (await any_live.history(topic, until=moment.replace(year=2000))).events
    with pytest.raises(ValueError, match="zone"):
        await any_live.history(topic, since=moment.replace(tzinfo=None))
    assert [event.data for event in await any_live.latest(topic, count=3)] == [7, 8, 9]
    assert await any_live.latest(unique("nothing")) == []
