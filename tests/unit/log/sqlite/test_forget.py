"""Topics without events are forgotten, and nobody is told too little for it."""

import asyncio
from typing import Any

import pytest

from service.core.errors import OverloadedError, StorageError
from service.core.topics import TopicFilter
from service.log.sqlite import forget, topics, upkeep
from service.log.sqlite.drivers import driver
from tests.unit.log.rigs import ALL, OpenRig, SQLiteRig, drafts, list_topics, read_all

DAY = 86_400.0
LEAST = 90.0


async def opened(open_rig: OpenRig, **options: float) -> SQLiteRig:
    return await open_rig(**{"forget_after": DAY, **options})


async def emptied(rig: SQLiteRig, *names: str) -> None:
    for name in names:
        await rig.log.append(drafts(name, 1))
    await rig.log.trim(TopicFilter(names), 0)


def floor(rig: SQLiteRig, *patterns: str) -> int:
    return rig.log.bounds(TopicFilter(patterns)).floor


async def names(rig: SQLiteRig) -> list[str]:
    return [stats.topic for stats in await list_topics(rig.log)]


def subscribed(rig: SQLiteRig, *patterns: str) -> list[str]:
    """From now on somebody subscribes to these; what was asked about."""
    asked: list[str] = []

    async def interest(topic: str) -> bool:
        asked.append(topic)
        return TopicFilter(patterns).matches(topic)

    rig.log.keep_while(interest)
    return asked


async def test_after_a_day_without_events_and_no_sooner(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "b")
    await rig.log.append(drafts("kept", 1))
    rig.clock.advance(DAY - 1)
    await emptied(rig, "later")
    assert await rig.log.forgetter.run() == 0
    rig.clock.advance(1)
    assert await rig.log.forgetter.run() == 2
    assert await names(rig) == ["kept", "later"]
    assert (rig.log.has_topic("a"), rig.log.health().topics) == (False, 2)
    assert await rig.log.forgetter.run() == 0


async def test_0_is_never(open_rig: OpenRig) -> None:
    rig = await opened(open_rig, forget_after=0, max_topics=1)
    await emptied(rig, "a")
    rig.clock.advance(100 * DAY)
    assert await rig.log.forgetter.run() == 0
    assert not rig.log.forgetter.is_pressed


async def test_what_is_there_again_in_time_stays(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "b")
    rig.clock.advance(DAY - 1)
    await rig.log.append(drafts("a", 1))
    rig.clock.advance(1)
    await rig.log.trim(TopicFilter(("a",)), 0)
    assert await rig.log.forgetter.run() == 1
    assert await names(rig) == ["a"]
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 1


@pytest.mark.parametrize("end", ["restart", "kill"])
async def test_the_floor_of_all_of_them_is_that_of_whatever_is_not_known(open_rig: OpenRig, end: str) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "b")
    await rig.log.append(drafts("kept", 1))
    assert (floor(rig, "never"), floor(rig, "x/*")) == (0, 0)
    rig.clock.advance(DAY)
    await rig.log.forgetter.run()
    for again in (False, True):
        assert [floor(rig, name) for name in ("a", "never", "x/*", "kept", "twinwire/x")] == [2, 2, 2, 0, 0], again
        if not again:
            await getattr(rig, end)()
    await rig.log.append(drafts("a", 2) + drafts("never", 1) + drafts("kept", 1) + drafts("twinwire/x", 1))
    found = [*await read_all(rig.log), *await read_all(rig.log, TopicFilter(("twinwire/x",)))]
    assert [(one.topic, one.offset, one.prev) for one in found] == [
        ("kept", 3, 0),
        ("a", 4, 2),
        ("a", 5, 4),
        ("never", 6, 2),
        ("kept", 7, 3),
        ("twinwire/x", 8, 0),
    ]
    for _ in range(2):
        assert [floor(rig, name) for name in ("a", "never", "kept", "twinwire/x")] == [2, 2, 0, 0]
        await getattr(rig, end)()


async def test_a_floor_that_rose_since_is_not_that_of_topics_that_began_before(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a")
    rig.clock.advance(DAY)
    await rig.log.forgetter.run()
    await rig.log.append(drafts("new", 1))
    await emptied(rig, "b")
    rig.clock.advance(DAY)
    await rig.log.forgetter.run()
    assert [floor(rig, name) for name in ("new", "never", "ne/*", "**")] == [1, 3, 3, 3]
    await rig.restart()
    assert [floor(rig, name) for name in ("new", "never", "ne/*", "**")] == [1, 3, 3, 3]


@pytest.mark.parametrize("end", ["restart", "kill"])
async def test_how_long_it_was_empty_is_known_after_a_restart(open_rig: OpenRig, end: str) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a")
    rig.clock.advance(DAY / 2)
    await emptied(rig, "b")
    await getattr(rig, end)()
    rig.clock.advance(DAY / 2)
    assert await rig.log.forgetter.run() == 1
    assert await names(rig) == ["b"]
    await rig.log.append(drafts("b", 1))
    await getattr(rig, end)()
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 0, "it has an event again"


async def test_no_offset_and_no_number_is_given_again_when_all_are_forgotten(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "b", "c")
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 3
    epoch = rig.log.epoch
    await rig.restart()
    assert (rig.log.epoch, rig.log.head, rig.log.health().topics) == (epoch, 3, 0)
    await rig.log.append(drafts("d", 1))
    await rig.log.close()
    connection = driver.connect(str(rig.path))
    assert connection.execute("SELECT id, name, floor FROM topics").fetchall() == [(4, "d", 3)]
    connection.close()
    await rig.open()


async def test_who_subscribes_is_asked_and_keeps_it(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    asked = subscribed(rig, "a/*")
    await emptied(rig, "a/1", "b", "a/2")
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 1
    assert sorted(asked) == ["a/1", "a/2", "b"]
    assert await names(rig) == ["a/1", "a/2"]
    rig.clock.advance(DAY - 1)
    assert (await rig.log.forgetter.run(), len(asked)) == (0, 3)
    rig.clock.advance(1)
    assert (await rig.log.forgetter.run(), len(asked)) == (0, 5), "a day later they are looked at again"


async def test_reserved_topics_and_those_with_events_below_the_floor_stay(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "twinwire/x", "mercure/1")
    await rig.log.append(drafts("b", 1))
    topic = rig.log._registry.get("b")
    assert topic is not None
    rig.log._registry.emptied(topic, 0)  # as a wrong count would have it
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 1
    assert await names(rig) == ["b", "mercure/1"]
    assert rig.log.has_topic("twinwire/x")
    assert [event.topic for event in await read_all(rig.log)] == ["b"]


async def test_a_calendar_that_is_not_believed_says_nothing_of_a_day(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a")
    rig.clock.advance(DAY)
    rig.clock.doubt = 5.0
    assert await rig.log.forgetter.run() == 0
    rig.clock.doubt = 0.0
    rig.clock.advance(-3 * DAY)
    await emptied(rig, "b")
    assert await rig.log.forgetter.run() == 0
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 2, "one that was emptied tomorrow counts from when that was noticed"


# At the bound


async def test_where_there_is_no_room_for_new_ones_the_oldest_go_sooner(open_rig: OpenRig) -> None:
    rig = await opened(open_rig, max_topics=4, forget_least=LEAST)
    await emptied(rig, "a", "b", "c")
    assert not rig.log.forgetter.is_pressed
    await rig.log.append(drafts("d", 1))
    assert rig.log.forgetter.is_pressed
    rig.clock.advance(LEAST - 1)
    assert await rig.log.forgetter.run() == 0, "a client's position is at most so old"
    rig.clock.advance(1)
    assert await rig.log.forgetter.run() == 1
    assert await names(rig) == ["b", "c", "d"]
    assert not rig.log.forgetter.is_pressed
    rig.log._registry.wanted = 3
    assert rig.log.forgetter.is_pressed
    assert await rig.log.forgetter.run() == 2
    assert not rig.log.forgetter.is_pressed


async def test_a_publish_that_was_refused_finds_room_a_moment_later(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await opened(open_rig, max_topics=3, retention_interval=DAY, forget_least=LEAST)
    await emptied(rig, "a", "b", "c")
    rig.clock.advance(LEAST)
    wanted = [*drafts("d", 1), *drafts("e", 1), *drafts("f", 1)]
    async with asyncio.timeout(20):
        while True:
            try:
                await rig.log.append(wanted)
                break
            except OverloadedError:
                await asyncio.sleep(0)
    assert await names(rig) == ["d", "e", "f"]
    assert [event.prev for event in await read_all(rig.log)] == [3, 3, 3]


# Beside others


async def test_what_was_published_and_trimmed_meanwhile_is_told(open_rig: OpenRig) -> None:
    """One that is empty again has a higher floor than what was raised for it: it is looked at another time."""
    rig = await opened(open_rig, retention_interval=9 * DAY)
    await emptied(rig, "a", "b")
    rig.clock.advance(DAY)
    trimmer, waiting, go_on = rig.log._trimmer, asyncio.Event(), asyncio.Event()
    journal_room = trimmer.journal_room

    async def long() -> None:
        trimmer.journal_room = journal_room  # type: ignore[method-assign]
        waiting.set()
        await go_on.wait()

    trimmer.journal_room = long  # type: ignore[method-assign]
    forgetting = asyncio.create_task(rig.log.forgetter.run())
    await waiting.wait()
    await rig.log.append([*drafts("a", 1), *drafts("kept", 1)])
    await rig.log.trim(TopicFilter(("a",)), 0)
    go_on.set()
    assert await forgetting == 1
    assert await names(rig) == ["a", "kept"]
    assert rig.log.bounds(TopicFilter(("a",))).floor == 3, "event 3 is owed to a cursor of 2"


async def test_a_publish_beside_it_is_on_a_topic_that_is_there(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time before another step of it: what is dropped from the disk is known no more in the same job."""
    monkeypatch.setattr(forget, "STEP", 2)
    rig = await opened(open_rig)
    for n in range(40):
        await rig.log.append(drafts(f"t/{n}", 1))
    await rig.log.trim(ALL, 0)
    rig.clock.advance(DAY)
    run = asyncio.create_task(rig.log.forgetter.run())
    published = 0
    while not run.done():
        await rig.log.append(drafts(f"t/{published % 40}", 1))
        published += 1
    forgotten = await run
    assert 0 < forgotten <= 40
    found = await read_all(rig.log)
    assert len(found) == published
    assert all(event.prev for event in found), "none is the first of its topic, as far as anybody knows"
    await rig.kill()
    assert await read_all(rig.log) == found


async def test_a_fault_leaves_all_names_and_a_floor_that_is_too_high_for_none(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await emptied(rig, "a", "b")
    rig.clock.advance(DAY)
    keep = "CREATE TRIGGER keep BEFORE DELETE ON topics BEGIN SELECT raise(ABORT, 'no'); END"
    await rig.log.writer.run(lambda connection: connection.execute(keep))
    with pytest.raises(StorageError, match=": no"):
        await rig.log.forgetter.run()
    assert await names(rig) == ["a", "b"]
    assert (floor(rig, "a"), floor(rig, "never")) == (1, 2)
    await rig.log.writer.run(lambda connection: connection.execute("DROP TRIGGER keep"))
    assert await rig.log.forgetter.run() == 2


async def test_memory_goes_down_with_the_topics(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_GONE_MIN", 10)
    monkeypatch.setattr(topics, "_TIDY_STEP", 50)
    rig = await opened(open_rig)
    await rig.log.append([one for n in range(500) for one in drafts(f"t/{n}", 1)])
    await list_topics(rig.log)
    await rig.log.trim(ALL, 0)
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 500
    registry = rig.log._registry
    assert (len(registry), len(registry.empty), len(registry.uncounted), len(registry._names)) == (0, 0, 0, 0)
    assert max(len(list(registry)), len(registry.raised._raised), len(registry.raised)) <= 10


async def test_the_position_of_a_view_does_not_fall(open_rig: OpenRig) -> None:
    """An application's page says it as the cursor of its snapshot: one that fell would be told a gap at once."""
    rig = await opened(open_rig)
    await emptied(rig, "a", "b")
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 2
    tables = await rig.tables()
    async with tables.view() as view:
        assert await view.position() == rig.log.head == 2
    await tables.close()


async def test_many_that_were_emptied_tomorrow_hold_nobody_up(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "STEP", 2)
    rig = await opened(open_rig)
    await emptied(rig, *(f"ahead/{n}" for n in range(7)))
    rig.clock.advance(-2 * DAY)
    await emptied(rig, "old")
    rig.clock.advance(DAY)
    assert await rig.log.forgetter.run() == 1


async def test_the_one_floor_rises_once_a_pass(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads `kept/*` from far back is told a gap each time that it does."""
    monkeypatch.setattr(forget, "STEP", 2)
    rig = await opened(open_rig)
    await emptied(rig, *(f"a/{n}" for n in range(9)))
    rig.clock.advance(DAY)
    await emptied(rig, "not/due")
    floors = {0}
    remove = rig.log.forgetter._remove

    def watched(*given: Any, **named: Any) -> Any:
        floors.add(rig.log._registry.folded)
        return remove(*given, **named)

    monkeypatch.setattr(rig.log.forgetter, "_remove", watched)
    assert await rig.log.forgetter.run() == 9
    assert floors == {0, 9}


async def test_after_a_start_those_who_were_there_may_come_back_first(open_rig: OpenRig) -> None:
    rig = await opened(open_rig, forget_least=LEAST)
    await emptied(rig, "a")
    rig.clock.advance(DAY)
    await rig.restart()
    assert await rig.log.forgetter.run() == 0
    rig.clock.advance(LEAST)
    assert await rig.log.forgetter.run() == 1
