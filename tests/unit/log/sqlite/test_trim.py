"""Trimming: small batches, floors first, counts that survive, and cuts that overlap."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.core.errors import StorageError
from service.core.topics import TopicFilter
from service.log.base import Progress, TopicStats
from service.log.sqlite.database import WriterConnection, connect_reader, on_thread, unsynced
from service.log.sqlite.opening import read_opened
from service.log.sqlite.ranges import Wanted
from service.log.sqlite.topics import Topic
from service.log.sqlite.trim import AHEAD, FIRST_ROWS, LEAST_ROWS, TRIM_ROWS, TRIM_SECONDS, Stride
from tests.support.clock import ManualClock
from tests.unit.log.rigs import ALL, PLENTY, Parts, drafts

A = TopicFilter(("a",))


async def filled(parts: Parts, *counts: tuple[str, int]) -> Topic:
    """Publish `count` events to each topic; returns the first one."""
    for name, count in counts:
        await parts.writer.append(drafts(name, count), ())
    topic: Topic | None = parts.registry.get(counts[0][0])
    assert topic is not None
    return topic


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of TRIM_ROWS, as where nobody else publishes, and each for itself."""
    monkeypatch.setattr(Stride, "rows", TRIM_ROWS)


async def floor_on_disk(parts: Parts, name: str) -> int:
    found: int = (await parts.sql("SELECT floor FROM topics WHERE name = ?", name))[0][0]
    return found


@pytest.mark.parametrize("excess", [1, TRIM_ROWS - 1, TRIM_ROWS, TRIM_ROWS + 1, 2 * TRIM_ROWS + 500])
@pytest.mark.usefixtures("whole")
async def test_batches(parts: Parts, excess: int) -> None:
    topic = await filled(parts, ("a", excess + 10), ("b", 5))
    floors: list[int] = []
    parts.registry.watch(lambda name, floor: floors.append(floor))
    assert await parts.trimmer.to_count(topic, 10) == excess
    assert floors == [min(n, excess) for n in range(TRIM_ROWS, excess + TRIM_ROWS, TRIM_ROWS)]
    assert parts.kept() == list(range(excess + 1, excess + 16))
    assert topic.stats == TopicStats("a", 10, excess + 10, excess)


@pytest.mark.usefixtures("whole")
async def test_the_floor_is_raised_while_the_rows_are_still_there(parts: Parts) -> None:
    topic = await filled(parts, ("a", 2 * TRIM_ROWS + 500))
    seen: list[tuple[int, int, int]] = []

    def watch(name: str, floor: int) -> None:
        kept = parts.kept(A)
        seen.append((kept[0], floor, parts.registry.floor(A)))

    parts.registry.watch(watch)
    await parts.trimmer.to_offset(topic, 2_200)
    assert seen == [(1, 1_000, 1_000), (1_001, 2_000, 2_000), (2_001, 2_200, 2_200)]


@pytest.mark.usefixtures("whole")
async def test_counts_and_floors_are_right_whenever_the_process_is_killed(
    parts: Parts, tmp_path: Path, clock: ManualClock
) -> None:
    topic = await filled(parts, ("a", 2 * TRIM_ROWS), ("b", 50))
    copies: list[Path] = []

    def copy(*_: object) -> None:
        folder = tmp_path / f"killed-{len(copies)}"
        folder.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{parts.path}{suffix}", f"{folder / 'test.db'}{suffix}")
        copies.append(folder / "test.db")

    parts.registry.watch(copy)
    cut = asyncio.create_task(parts.trimmer.to_count(topic, 100))
    while not cut.done():
        await parts.writer.append(drafts("b", 1), ())
    copy()
    for path in copies:
        await expect_right(path, clock)
    assert len(copies) == 3


async def expect_right(path: Path, clock: ManualClock) -> None:
    again = await Parts.open(path, clock)
    try:
        rows = await again.sql(
            "SELECT name, count(offset), coalesce(sum(length(data)), 0), floor FROM topics t"
            " LEFT JOIN events e ON e.topic = t.id GROUP BY t.id"
        )
        for name, count, size, floor in rows:
            topic = again.registry.get(name)
            assert topic is not None
            assert (topic.count, topic.bytes, topic.floor) == (count, size, floor)
        kept = await again.sql("SELECT offset FROM events e JOIN topics t ON t.id = e.topic WHERE name = 'a'")
        gone = set(range(1, 2 * TRIM_ROWS + 1)) - {offset for (offset,) in kept}
        assert max(gone, default=0) == again.registry.floor(A), "what is gone is covered by the floor, and no more"
    finally:
        await again.close()


@pytest.mark.parametrize("first", ["large", "small"])
async def test_cuts_that_overlap_keep_the_highest_floor(parts: Parts, clock: ManualClock, first: str) -> None:
    """Retention by age and a trim by hand may meet on a topic; the lower floor must not be the one that stays."""
    topic = await filled(parts, ("a", 1_000))
    cuts = [parts.trimmer.to_offset(topic, 900), parts.trimmer.to_offset(topic, 100)]
    removed = await asyncio.gather(*(cuts if first == "large" else cuts[::-1]))
    assert sum(removed) == 900
    assert await floor_on_disk(parts, "a") == 900
    assert topic.stats == TopicStats("a", 100, 1_000, 900)
    connection = connect_reader(parts.path)
    assert connection.execute("SELECT count FROM topics").fetchone() == (100,)
    connection.close()


async def test_a_delete_that_failed_is_made_up_for(parts: Parts) -> None:
    """The floor was told and stays; the rows below it go as soon as the disk takes writes again."""
    topic = await filled(parts, ("a", 50))
    await parts.sql("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        await parts.trimmer.to_count(topic, 10)
    assert (topic.stats, topic.bytes) == (TopicStats("a", 50, 50, 40), 100), "the counts are the disk's"
    await parts.sql("PRAGMA query_only = OFF")
    assert await parts.trimmer.to_count(topic, 10) == 40
    assert parts.kept() == list(range(41, 51))
    assert await floor_on_disk(parts, "a") == 40
    assert await parts.trimmer.to_offset(topic, 40) == 0


@pytest.mark.parametrize(("keep", "removed"), [(0, 5), (9, 5), (10, 4), (19, 4), (20, 3), (49, 1), (50, 0), (1_000, 0)])
async def test_to_bytes(parts: Parts, keep: int, removed: int) -> None:
    await parts.writer.append([*drafts("a", 3, data="1" * 10), *drafts("b", 1), *drafts("a", 2, data="1" * 10)], ())
    topic = parts.registry.get("a")
    assert topic is not None
    assert await parts.trimmer.to_bytes(topic, keep) == removed
    assert topic.bytes == 50 - 10 * removed
    assert parts.kept(A) == [1, 2, 3, 5, 6][removed:]


@pytest.mark.parametrize("character", ["a", "é", "漢", "😀"])
async def test_bytes_are_bytes_and_not_characters(parts: Parts, character: str, clock: ManualClock) -> None:
    """`max_bytes` kept four times what it says of emoji."""
    data = f'"{character * 98}"'
    size = len(data.encode())
    await parts.writer.append(drafts("a", 50, data=data), ())
    topic = parts.registry.get("a")
    assert topic is not None
    assert topic.bytes == 50 * size
    assert await parts.trimmer.to_bytes(topic, 10 * size + 5) == 40
    assert topic.bytes == 10 * size
    opened = await on_thread(parts.connection, read_opened, "full")
    assert [one.bytes for one in opened.registry] == [10 * size], "as whoever opens it next counts them"


async def test_to_bytes_over_more_than_one_batch(parts: Parts) -> None:
    topic = await filled(parts, ("a", 2 * TRIM_ROWS + 500))
    assert await parts.trimmer.to_bytes(topic, 200) == 2 * TRIM_ROWS + 400
    assert (topic.count, topic.bytes) == (100, 200)


async def test_to_offset_takes_only_this_topic(parts: Parts) -> None:
    await parts.writer.append([draft for _ in range(5) for draft in (*drafts("a", 1), *drafts("b", 1))], ())
    topic = parts.registry.get("a")
    assert topic is not None
    assert await parts.trimmer.to_offset(topic, 6) == 3
    assert parts.kept() == [2, 4, 6, 7, 8, 9, 10]
    assert topic.floor == 5, "the highest offset that went, not the cutoff: what is above was never lost"
    assert await parts.trimmer.to_offset(topic, 6) == 0
    assert topic.floor == 5


async def test_an_empty_topic_has_nothing_to_trim(parts: Parts) -> None:
    topic = await filled(parts, ("a", 3))
    assert await parts.trimmer.to_offset(topic, 100) == 3
    assert await parts.trimmer.to_offset(topic, PLENTY) == 0
    assert parts.kept(ALL) == []
    assert topic.stats == TopicStats("a", 0, 3, 3)


# Many topics


async def all_to_count(parts: Parts, topics: Sequence[Topic], keep: int, told: Progress) -> int:
    return await parts.cutter.cut([Wanted(topic, 0, keep) for topic in topics if topic.count > keep], told)


async def test_all_floors_rise_before_anything_goes(parts: Parts) -> None:
    await filled(parts, ("a", 10), ("b", 3), ("c", 2 * TRIM_ROWS), ("d", 1))
    seen: list[tuple[str, int, int]] = []
    parts.registry.watch(lambda name, floor: seen.append((name, floor, len(parts.kept()))))
    told: list[tuple[int, int]] = []
    topics = list(parts.registry)
    everything = 14 + 2 * TRIM_ROWS
    removed = await all_to_count(parts, topics, 2, lambda gone, left: told.append((gone, left)))
    assert removed == 9 + 2 * TRIM_ROWS - 2
    assert seen == [("a", 8, everything), ("b", 11, everything), ("c", 11 + 2 * TRIM_ROWS, everything)]
    assert (told[0], told[-1]) == ((0, removed), (removed, 0))
    assert all(gone + left == removed for gone, left in told)
    assert [topic.count for topic in topics] == [2, 2, 2, 1]
    assert [await floor_on_disk(parts, name) for name in "abcd"] == [8, 11, 11 + 2 * TRIM_ROWS, 0]
    assert await all_to_count(parts, topics, 2, lambda *_: None) == 0


async def test_many_topics_share_a_transaction(parts: Parts) -> None:
    """And none is long: in CPU time, so that a busy machine accuses nobody."""
    for n in range(0, 3_000, 500):
        await parts.writer.append([draft for m in range(n, n + 500) for draft in drafts(f"t/{m}", 2)], ())
    told: list[tuple[int, int]] = []
    assert await all_to_count(parts, list(parts.registry), 1, lambda *step: told.append(step)) == 3_000
    assert 1 < len(told) < 500
    assert parts.kept() == list(range(2, 6_001, 2))
    assert await parts.sql("SELECT sum(count), sum(floor) FROM topics") == [(3_000, sum(range(1, 6_001, 2)))]


async def test_what_a_trim_left_behind_goes_with_the_next(parts: Parts) -> None:
    await filled(parts, ("a", 50), ("b", 50))
    await parts.sql("PRAGMA query_only = ON")
    topics = list(parts.registry)
    with pytest.raises(StorageError):
        await all_to_count(parts, topics, 10, lambda *_: None)
    assert [topic.stats for topic in topics] == [TopicStats("a", 50, 50, 40), TopicStats("b", 50, 100, 90)]
    await parts.sql("PRAGMA query_only = OFF")
    assert await all_to_count(parts, topics, 10, lambda *_: None) == 80
    assert await parts.trimmer.to_offset(topics[0], 40) == 0
    assert parts.kept() == [*range(41, 51), *range(91, 101)]


async def test_publishing_goes_on_and_stays(parts: Parts) -> None:
    await filled(parts, ("a", 3 * TRIM_ROWS), ("b", 3 * TRIM_ROWS))
    trimming = asyncio.create_task(all_to_count(parts, list(parts.registry), 0, lambda *_: None))
    published = 0
    while not trimming.done():
        await parts.writer.append(drafts("a", 1), ())
        published += 1
    assert published > 3
    removed = await trimming
    assert len(parts.kept()) == 6 * TRIM_ROWS + published - removed
    topic = parts.registry.get("a")
    assert topic is not None
    assert topic.count == len(parts.kept(A))


async def test_beside_others_a_step_is_as_long_as_they_can_bear(parts: Parts) -> None:
    """A thousand rows of as many topics took 40 ms, for which publishers waited."""
    stride, durations = Stride(parts.writer), parts.writer.durations
    assert stride.rows == FIRST_ROWS
    stride.took(100, 2 * TRIM_SECONDS)
    assert stride.rows == 50
    stride.took(50, TRIM_SECONDS / 2)
    assert stride.rows == 75, "no more than half as many again at a time"
    durations.observe(TRIM_SECONDS / 2)
    stride.took(75, TRIM_SECONDS)
    assert stride.rows == pytest.approx(50, abs=1), "the commit after the last step paid for what that had written"
    for _ in range(20):
        stride.took(stride.rows, 1.0)
    assert stride.rows == LEAST_ROWS
    for _ in range(20):
        stride.took(stride.rows, 0.0)
    assert stride.rows == TRIM_ROWS


async def test_a_slow_trim_keeps_ahead_of_what_comes(parts: Parts) -> None:
    """Else a log would grow beyond the bounds of its retention."""
    stride = Stride(parts.writer)
    await parts.writer.append(drafts("a", 300))
    assert stride.rows == AHEAD * 300
    stride.took(600, 10.0)
    assert stride.rows == FIRST_ROWS // 2
    await parts.writer.append(drafts("a", 5_000))
    assert stride.rows == TRIM_ROWS


async def test_who_publishes_ends_a_long_step(parts: Parts, clock: ManualClock) -> None:
    """Where nobody has for a while, one goes over many takes."""
    topics = [await filled(parts, (name, 3 * TRIM_ROWS)) for name in "ab"]
    clock.advance(10)
    alone: list[int] = []
    await all_to_count(parts, topics, 0, lambda removed, _: alone.append(removed))
    assert alone == [0, 6 * TRIM_ROWS]
    topic = await filled(parts, ("a", 10 * TRIM_ROWS))
    clock.advance(10)
    beside: list[int] = []
    cut = asyncio.create_task(all_to_count(parts, [topic], 0, lambda removed, _: beside.append(removed)))
    while len(beside) < 2:
        await parts.writer.append(drafts("b", 1))
    assert beside[1] < 10 * TRIM_ROWS
    assert await cut == 10 * TRIM_ROWS


async def test_scarce_steps_leave_nothing_below_a_floor(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor that was raised for more rows than the step took ended the cut, and the rest stayed."""
    topic = await filled(parts, ("a", 2_000))
    monkeypatch.setattr(Stride, "rows", 700)
    monkeypatch.setattr(parts.writer.room, "is_spent", True)
    assert await parts.trimmer.to_offset(topic, 1_500) == 1_500
    assert parts.kept() == list(range(1_501, 2_001))
    assert not parts.trimmer.unfinished
    assert topic.stats == TopicStats("a", 500, 2_000, 1_500, 1_000)


async def test_steps_are_synced_once_in_the_end(parts: Parts) -> None:
    """What is trimmed may come back after a power loss, but not once it was said to be gone."""
    levels: list[int] = []

    def level(connection: WriterConnection) -> None:
        levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    def within(connection: WriterConnection) -> None:
        with unsynced(connection):
            level(connection)
            raise StorageError("failed")

    await parts.writer.run(level)
    with pytest.raises(StorageError):
        await parts.writer.run(within)
    await parts.writer.run(level)
    assert levels == [2, 1, 2]
    before = parts.writer.journal_used
    await parts.trimmer.settle()
    assert parts.writer.journal_used > before, "a commit, which syncs what lies before it"
