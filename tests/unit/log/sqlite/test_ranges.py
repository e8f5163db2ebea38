"""Cutting many topics together: exact for each of them, floors first, right after a kill, and little is written."""

import asyncio
import shutil
from pathlib import Path
from typing import Final

import pytest

from service.core.errors import StorageError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import TopicStats
from service.log.sqlite.database import checkpoint
from service.log.sqlite.ranges import SPARSE, Span, Wanted, split
from service.log.sqlite.room import BALLAST_BYTES
from service.log.sqlite.topics import Topic
from service.log.sqlite.trim import SCARCE_ROWS, TRIM_ROWS, Stride
from tests.support.clock import ManualClock
from tests.unit.log.rigs import Parts, Rule, drafts

KEEP_ALL: Final = "CREATE TRIGGER keep_all BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'kept by hand'); END"


async def in_turn(parts: Parts, topics: int, rounds: int, data: str = "{}") -> None:
    """An event on each of t/0, t/1, ..., and again."""
    for _ in range(rounds):
        await parts.writer.append([Draft(f"t/{n}", "log", data) for n in range(topics)])


def wanted(parts: Parts, cutoff: int, keep: int | None = None) -> list[Wanted]:
    return [Wanted(topic, cutoff, keep) for topic in parts.registry]


async def floors_on_disk(parts: Parts) -> list[int]:
    return [floor for (floor,) in await parts.sql("SELECT floor FROM topics ORDER BY id")]


async def test_each_topic_loses_what_is_its_own(parts: Parts) -> None:
    """Ages and numbers that differ, and topics that nobody cuts, in the same range."""
    names = ("old", "few", "both", "kept")
    for _ in range(10):
        await parts.writer.append([draft for name in names for draft in drafts(name, 1)])
    old, few, both, kept = parts.registry
    cut = [Wanted(old, 21, None), Wanted(few, 0, 3), Wanted(both, 8, 2)]
    assert await parts.cutter.cut(cut) == 6 + 7 + 8
    assert {name: parts.kept(TopicFilter((name,))) for name in names} == {
        "old": [25, 29, 33, 37],
        "few": [30, 34, 38],
        "both": [35, 39],
        "kept": list(range(4, 41, 4)),
    }
    assert [topic.stats for topic in (old, few, both, kept)] == [
        TopicStats("old", 4, 37, 21),
        TopicStats("few", 3, 38, 26),
        TopicStats("both", 2, 39, 31),
        TopicStats("kept", 10, 40, 0),
    ]
    assert await floors_on_disk(parts) == [21, 26, 31, 0]
    assert [topic.bytes for topic in parts.registry] == [8, 6, 4, 20]
    assert await parts.cutter.cut(cut) == 0, "a floor is what has gone, and not the cutoff"
    assert not parts.trimmer.unfinished


async def test_all_floors_rise_once_before_anything_goes(parts: Parts) -> None:
    await in_turn(parts, 4, TRIM_ROWS)
    seen: list[tuple[str, int, int]] = []
    parts.registry.watch(lambda name, floor: seen.append((name, floor, len(parts.kept()))))
    everything = 4 * TRIM_ROWS
    assert await parts.cutter.cut(wanted(parts, 3_000)) == 3_000
    assert sorted(seen) == [(f"t/{n}", 2_997 + n, everything) for n in range(4)]


async def test_counts_and_floors_are_right_whenever_the_process_is_killed(
    parts: Parts, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stride, "rows", TRIM_ROWS)
    await in_turn(parts, 5, TRIM_ROWS)
    copies: list[Path] = []

    def copy() -> None:
        folder = tmp_path / f"killed-{len(copies)}"
        folder.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{parts.path}{suffix}", f"{folder / 'test.db'}{suffix}")
        copies.append(folder / "test.db")

    copy()
    cut = asyncio.create_task(parts.cutter.cut(wanted(parts, 4_000)))
    while not cut.done():  # how often that is, is the disk's affair
        await parts.writer.append(drafts("t/3", 1))
        copy()
    assert await cut == 4_000
    copy()
    gone: set[int] = set()
    for path in copies:
        again = await Parts.open(path, clock)
        rows = await again.sql(
            "SELECT name, count(offset), coalesce(sum(length(data)), 0), floor, coalesce(min(offset), 0)"
            " FROM topics t LEFT JOIN events e ON e.topic = t.id GROUP BY t.id"
        )
        for name, count, size, floor, first in rows:
            topic = again.registry.get(name)
            assert topic is not None
            assert (topic.count, topic.bytes, topic.floor) == (count, size, floor)
            assert first in (floor + 5, int(name[2:]) + 1), "what is gone is covered by the floor, and no more"
        gone.add(max(floor for *_, floor, _ in rows))
        await again.close()
    assert {0, 4_000} <= gone


async def test_a_delete_that_failed_is_made_up_for(parts: Parts) -> None:
    await in_turn(parts, 3, 10)
    await parts.sql(KEEP_ALL)
    retention = parts.retention([Rule("t/*", max_count=4)])
    with pytest.raises(StorageError):
        await retention.run(0, parts.head)
    assert [topic.stats for topic in parts.registry] == [TopicStats(f"t/{n}", 10, 28 + n, 16 + n) for n in range(3)]
    assert await floors_on_disk(parts) == [0, 0, 0]
    await parts.sql("DROP TRIGGER keep_all")
    assert await retention.run(0, parts.head) == 18
    assert parts.kept() == list(range(19, 31))
    assert await floors_on_disk(parts) == [16, 17, 18]
    assert not parts.trimmer.unfinished


async def test_by_age_too_although_the_floor_stands_where_it_will(parts: Parts, clock: ManualClock) -> None:
    await in_turn(parts, 3, 2)
    clock.advance(61)
    await in_turn(parts, 3, 1)
    await parts.sql(KEEP_ALL)
    retention = parts.retention([Rule("t/*", max_age=60)])
    with pytest.raises(StorageError):
        await retention.run(clock.now, parts.head)
    assert [topic.floor for topic in parts.registry] == [4, 5, 6]
    await parts.sql("DROP TRIGGER keep_all")
    assert await retention.run(clock.now, parts.head) == 6


async def test_a_page_is_written_about_once(parts: Parts, clock: ManualClock) -> None:
    """By topic each page was written again for every topic that had a row in it."""
    await in_turn(parts, 200, 150, data=f'"{"x" * 60}"')
    clock.advance(10)
    await parts.writer.run(checkpoint)
    size = parts.path.stat().st_size
    assert await parts.cutter.cut(wanted(parts, 30_000)) == 30_000
    assert parts.writer.journal_used < 2 * size


async def test_whoever_waits_for_the_writer_ends_a_step(parts: Parts, clock: ManualClock) -> None:
    await in_turn(parts, 10, TRIM_ROWS)
    clock.advance(10)
    cut = asyncio.create_task(parts.cutter.cut(wanted(parts, 10 * TRIM_ROWS)))
    published = 0
    while not cut.done():
        await parts.writer.append(drafts("other", 1))
        published += 1
    assert await cut == 10 * TRIM_ROWS
    assert published >= 10
    assert len(parts.kept()) == published


async def test_steps_are_small_while_the_ballast_is_spent(parts: Parts) -> None:
    await in_turn(parts, 20, 50)
    await parts.writer.run(checkpoint)
    parts.room.is_spent = True
    steps: list[int] = []
    step = parts.room.tidy
    parts.room.tidy = lambda connection: (steps.append(len(parts.kept())), step(connection))[1]  # type: ignore[method-assign]
    assert await parts.cutter.cut(wanted(parts, 1_000)) == 1_000
    assert steps == list(range(1_000 - SCARCE_ROWS, -1, -SCARCE_ROWS))
    assert parts.writer.journal_used < BALLAST_BYTES


def span(name: str, first: int, last: int, count: int, head: int) -> Span:
    return Span(Topic(1, name, head=head, count=count), first, last)


def test_where_most_goes_topics_are_cut_together() -> None:
    dense = [span(f"d/{n}", n + 1, 9_000 + n, 100, 10_000 + n) for n in range(100)]
    assert {one.topic.name for one in split(dense)[0]} == {f"d/{n}" for n in range(100)}
    assert not split(dense)[1]
    # one that begins far before them would have the range looked through from there
    early = span("early", 1, 9_000 + 10**6, 3, 9_000 + 10**6)
    late = [one._replace(first=one.first + 10**6, last=one.last + 10**6) for one in dense]
    for one in late:
        one.topic.head += 10**6
    together, apart = split([early, *late])
    assert [one.topic.name for one in apart] == ["early"]
    assert len(together) == 100


@pytest.mark.parametrize(("rows", "together"), [(1, 0), (2, 2)])
def test_where_few_go_they_are_cut_by_topic(rows: int, together: int) -> None:
    length = SPARSE * 2 * 2
    spans = [span(name, 1, length, rows, length) for name in "ab"]
    assert len(split(spans)[0]) == together


def test_one_topic_is_found_in_the_index() -> None:
    one = span("a", 1, 100, 100, 100)
    assert split([one]) == ([], [one])
    assert split([]) == ([], [])


async def test_those_apart_lose_their_own_too(parts: Parts) -> None:
    await parts.writer.append(drafts("early", 2))
    await parts.writer.append(drafts("kept", 3_000))
    await in_turn(parts, 3, 10)
    early, _, *rest = parts.registry
    cut = [Wanted(early, 1, None), *(Wanted(topic, 3_026, None) for topic in rest)]
    assert await parts.cutter.cut(cut) == 1 + 24
    assert parts.kept() == [2, *range(3, 3_003), *range(3_027, 3_033)]
    assert [topic.floor for topic in parts.registry] == [1, 0, 3_024, 3_025, 3_026]


async def test_two_cuts_at_once_each_lose_what_is_theirs(parts: Parts) -> None:
    """A trim may come while retention cuts; the second waits, and finds what the first has left."""
    for _ in range(40):
        await parts.writer.append([draft for n in range(50) for draft in drafts(f"t{n}", 1)], ())
    topics = list(parts.registry)
    told: list[tuple[int, int]] = []
    removed = await asyncio.gather(
        parts.cutter.cut([Wanted(topic, 0, 20) for topic in topics[:30]], lambda *step: told.append(step)),
        parts.cutter.cut([Wanted(topic, 0, 5) for topic in topics[20:]]),
    )
    assert sum(removed) == 20 * 20 + 30 * 35
    assert told[-1][1] == 0 or removed[0] < 30 * 20
    assert [topic.count for topic in topics] == [20] * 20 + [5] * 30
    assert len(parts.kept()) == 20 * 20 + 30 * 5
    assert not parts.trimmer.unfinished
