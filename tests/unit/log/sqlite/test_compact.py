"""Compaction in passes; what it does to a state and to readers is in `contract_compaction.py`."""

import asyncio
from typing import Any

import pytest

from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.sqlite import compact
from service.log.sqlite.about import FORGET_KEYS, forget
from service.log.sqlite.trim import Stride
from tests.support.clock import ManualClock
from tests.unit.log.contract_state import about
from tests.unit.log.rigs import ALL, TOMBSTONES, OpenRig, Parts, Rule, drafts, read_all

KEEP = Rule("a/*", keep="state")


async def test_a_pass_takes_what_was_replaced_before_the_last_one(parts: Parts, clock: ManualClock) -> None:
    """Whoever comes back within the time between two of them is told no gap."""
    retention = parts.retention([KEEP])
    await parts.writer.append([about("a/1", "s"), about("a/1", "s")], ())
    assert await retention.run(clock.now, parts.head) == 0
    await parts.writer.append([about("a/1", "s"), about("b", "s"), about("b", "s")], ())
    assert await retention.run(clock.now, parts.head) == 1
    assert parts.kept() == [2, 3, 4, 5]
    assert parts.registry.holes.up_to == 2
    assert await retention.run(clock.now, parts.head) == 1
    assert parts.kept() == [3, 4, 5]


async def test_the_first_policy_that_matches_decides(parts: Parts, clock: ManualClock) -> None:
    retention = parts.retention([Rule("a/1"), KEEP])
    await parts.writer.append([about(topic, "s") for topic in ("a/1", "a/2", "a/1", "a/2")], ())
    await retention.run(clock.now, parts.head)
    assert await retention.run(clock.now, parts.head) == 1
    assert parts.kept() == [1, 3, 4]


@pytest.mark.parametrize("topics", [1, 2, 50_000])
@pytest.mark.parametrize(("look", "rows"), [(1, 1), (2, 1), (3, 2), (2_000, 1_000)])
async def test_however_short_its_steps_are(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, look: int, rows: int, topics: int
) -> None:
    monkeypatch.setattr(compact, "LOOK_ROWS", look)
    monkeypatch.setattr(compact, "TOPICS", topics)
    monkeypatch.setattr(compact, "TRIM_ROWS", rows)
    monkeypatch.setattr(Stride, "rows", rows)
    for n in range(4):
        texts = [about("a/1", "text", '"x"', append=k > 0) for k in range(5)]
        await parts.writer.append([*texts, about("b", "s"), about("a/2", str(n % 2)), *drafts("a/2", 1)], ())
    await parts.writer.append([about("a/2", "1", "null")], ())
    retention = parts.retention([KEEP])
    await retention.run(clock.now, parts.head)
    assert await retention.run(clock.now, parts.head) == 3 * 5 + 3
    assert parts.kept(TopicFilter(("a/1",))) == [25, 26, 27, 28, 29]
    assert parts.kept(TopicFilter(("a/2",))) == [8, 16, 23, 24, 32, 33]
    counted = {topic.name: (topic.count, topic.bytes) for topic in parts.registry}
    saved = await parts.sql(
        "SELECT t.name, count(*), sum(length(CAST(data AS BLOB))) FROM events JOIN topics t ON t.id = topic GROUP BY 1"
    )
    assert counted == {name: (count, size) for name, count, size in saved}


async def test_while_the_clock_is_doubted_no_deletion_goes(parts: Parts, clock: ManualClock) -> None:
    await parts.writer.append([about("a/1", "s"), about("a/1", "s", "null")], ())
    retention = parts.retention([KEEP])
    await retention.run(clock.now, parts.head)
    clock.advance(TOMBSTONES + 1)
    clock.doubt = "it jumped"
    assert await retention.run(clock.now, parts.head) == 1
    assert parts.kept() == [2]
    clock.doubt = None
    assert await retention.run(clock.now, parts.head) == 1


async def test_keys_are_remembered_for_as_long_as_deletions(parts: Parts, clock: ManualClock) -> None:
    keyed = Draft("a/1", "log", '"x"', "k", "s")
    await parts.writer.append([keyed, about("a/1", "s")], ())
    retention = parts.retention([KEEP])
    for _ in range(2):
        await retention.run(clock.now, parts.head)
    assert (await parts.writer.append([keyed], ())).offsets == (1,)
    later = clock.now + 1
    assert not await parts.writer.run(lambda connection: forget(connection, FORGET_KEYS, later - 1))
    assert (await parts.writer.append([keyed], ())).offsets == (1,)
    assert not await parts.writer.run(lambda connection: forget(connection, FORGET_KEYS, later))
    assert (await parts.writer.append([keyed], ())).offsets == (3,)


async def test_upkeep_does_it_by_itself(open_rig: OpenRig) -> None:
    rig = await open_rig(policies=[KEEP], retention_interval=0.01, tombstones=60.0)
    await rig.log.append([Draft("a/1", "log", '"x"', "k", "s"), about("a/1", "s"), about("a/1", "t", "null")])
    async with asyncio.timeout(20):
        while len(await read_all(rig.log)) != 2:
            await asyncio.sleep(0.01)
        rig.clock.advance(61)
        while len(await read_all(rig.log)) != 1:
            await asyncio.sleep(0.01)
        keys: Any = 1
        while keys:
            keys = await rig.log.writer.run(
                lambda connection: connection.execute("SELECT * FROM removed_keys").fetchall()
            )


async def test_a_fault_in_mid_step_loses_nothing_and_the_next_pass_takes_it(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parts.writer.append([about("a/1", "s"), about("a/1", "s")], ())
    retention = parts.retention([KEEP])
    await retention.run(clock.now, parts.head)
    with monkeypatch.context() as patch:
        patch.setattr(compact, "_SAVE_HOLES", "SELECT * FROM no_such_table WHERE ?")
        with pytest.raises(Exception, match="no such table"):
            await retention.run(clock.now, parts.head)
    assert parts.kept() == [1, 2]
    assert parts.registry.floor(ALL) == 1, "told before anything goes, and never lowered"
    assert await retention.run(clock.now, parts.head) == 1
    assert parts.kept() == [2]


async def test_a_pass_is_told_once_before_anything_goes(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader would else be told a gap at each of its steps, and not come forward."""
    monkeypatch.setattr(compact, "LOOK_ROWS", 2)
    told: list[tuple[str, int, int]] = []
    parts.registry.holes.watch(lambda topic, offset, _: told.append((topic, offset, len(parts.kept()))))
    await parts.writer.append([about(f"a/{n % 2}", "s") for n in range(20)], ())
    retention = parts.retention([KEEP])
    await retention.run(clock.now, parts.head)
    assert await retention.run(clock.now, parts.head) == 18
    assert told == [("a/0", 17, 20), ("a/1", 18, 20)]


async def test_topics_that_do_not_fit_into_one_go_are_told_of_all_that_goes(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counted until the same event goes together, and goes on in the next look."""
    monkeypatch.setattr(compact, "TOPICS", 1)
    monkeypatch.setattr(compact, "LOOK_ROWS", 2)
    await parts.writer.append([about("a/1", "s", '"x"', append=n > 0) for n in range(5)], ())
    await parts.writer.append([about("a/1", "s"), about("a/2", "s"), about("a/2", "s")], ())
    retention = parts.retention([KEEP])
    await retention.run(clock.now, parts.head)
    assert await retention.run(clock.now, parts.head) == 6
    assert parts.registry.holes.of("a/1").compacted == 5
    assert await parts.sql("SELECT name, compacted, removed FROM topics") == [("a/1", 5, 5), ("a/2", 7, 1)]


def test_without_a_policy_that_keeps_it_nobody_looks_for_one() -> None:
    assert not compact.keeps_state([(TopicFilter(("**",)), False)])("a")
    keeps = compact.keeps_state([(TopicFilter(("a",)), False), (TopicFilter(("*",)), True)])
    assert [keeps(name) for name in ("a", "b", "b", "b/c")] == [False, True, True, False]


async def test_what_a_trim_has_left_goes_with_the_next_pass(parts: Parts, clock: ManualClock) -> None:
    await parts.writer.append([about("a/1", str(n)) for n in range(4)], ())
    topic = parts.registry.get("a/1")
    assert topic is not None
    parts.registry.raise_floor(topic, 2)
    parts.trimmer.unfinished.add(topic)
    assert await parts.retention([KEEP]).run(clock.now, parts.head) == 2
    assert parts.kept() == [3, 4]
