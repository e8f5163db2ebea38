"""Pages: found through an index or the rowid, never sorted, never more than a bounded step."""

import random
import tracemalloc
from typing import Any

import pytest

from service.core.topics import TopicFilter
from service.log.base import Search
from service.log.sqlite import raised as raised_module
from service.log.sqlite import reader as reader_module
from service.log.sqlite.database import connect_reader
from service.log.sqlite.jobs import COMMIT_EVENTS
from service.log.sqlite.plan import MERGE_TOPICS
from service.log.sqlite.reader import LEAST_ROWS, WINDOW
from tests.support.clock import ManualClock
from tests.unit.log.rigs import ALL, PLENTY, Parts, SQLiteRig, drafts

ORDERS = pytest.mark.parametrize("newest_first", [False, True], ids=["asc", "desc"])


def topics_of(count: int) -> TopicFilter:
    return TopicFilter(tuple(f"t{n}" for n in range(count)))


async def fill(parts: Parts, topics: int, each: int) -> None:
    """`each` rounds over the topics t0, t1, ..."""
    for _ in range(each):
        await parts.writer.append([draft for n in range(topics) for draft in drafts(f"t{n}", 1)], ())


async def plans_of(parts: Parts, connection: Any, *page: Any) -> list[str]:
    """The steps of SQLite's plan for every statement that a page runs."""
    statements: list[str] = []
    parts.reader.readers.connection.set_trace_callback(statements.append)
    await parts.reader.page(*page)
    parts.reader.readers.connection.set_trace_callback(None)
    assert statements
    return [row[3] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


@ORDERS
@pytest.mark.parametrize("topics", [1, 2, MERGE_TOPICS, MERGE_TOPICS + 1, 0], ids=lambda n: f"{n or 'all'} topics")
async def test_plans(parts: Parts, topics: int, newest_first: bool) -> None:
    await fill(parts, MERGE_TOPICS + 5, 3)
    connection = connect_reader(parts.path)
    try:
        filter = topics_of(topics) if topics else ALL
        steps = await plans_of(parts, connection, filter, 0, parts.head + 1, 10, PLENTY, newest_first)
    finally:
        connection.close()
    assert not [step for step in steps if "TEMP B-TREE" in step], "nothing is sorted"
    assert not [step for step in steps if step.startswith("SCAN")], "nothing is read through"
    found = [step for step in steps if step.startswith(("SEARCH e ", "SEARCH events "))]
    by_topic = "USING INDEX events_topic (topic=? AND rowid>? AND rowid<?)"
    by_rowid = "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    expected = by_topic if 0 < topics <= MERGE_TOPICS else by_rowid
    assert len(found) == (topics if 0 < topics <= MERGE_TOPICS else 1)
    assert all(step.endswith(expected) for step in found), found


@ORDERS
@pytest.mark.parametrize("topics", [1, MERGE_TOPICS - 1, MERGE_TOPICS, MERGE_TOPICS + 1])
async def test_merging_and_scanning_find_the_same(parts: Parts, topics: int, newest_first: bool) -> None:
    await fill(parts, MERGE_TOPICS + 5, 20)
    expected = [n for n in range(1, parts.head + 1) if (n - 1) % (MERGE_TOPICS + 5) < topics]
    found: list[int] = []
    low, high = 0, parts.head + 1
    while low + 1 < high:
        page = await parts.reader.page(topics_of(topics), low, high, 7, PLENTY, newest_first)
        found += [event.offset for event in page.events]
        assert len(page.events) <= 7
        low, high = (low, page.next) if newest_first else (page.next, high)
    assert found == (expected[::-1] if newest_first else expected)


async def test_ranges_are_exclusive(parts: Parts) -> None:
    await fill(parts, MERGE_TOPICS + 5, 2)
    for topics in (ALL, topics_of(5), topics_of(MERGE_TOPICS + 1)):
        page = await parts.reader.page(topics, 1, 4, 10, PLENTY)
        assert ([event.offset for event in page.events], page.next) == ([2, 3], 3)
        page = await parts.reader.page(topics, 1, 4, 10, PLENTY, True)
        assert ([event.offset for event in page.events], page.next) == ([3, 2], 2)


async def test_a_scan_is_cut_into_windows(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few events match, one step looks at WINDOW offsets at most."""
    monkeypatch.setattr("service.log.sqlite.topics.KNOWN_MAX", 0)
    many = topics_of(MERGE_TOPICS + 1)
    await fill(parts, MERGE_TOPICS + 1, 1)
    first = parts.head
    await parts.writer.append(drafts("other", WINDOW), ())
    await parts.writer.append(drafts("t0", 1), ())
    end = parts.head + 1
    empty = await parts.reader.page(many, first, end, 10, PLENTY)
    assert (list(empty.events), empty.next) == ([], first + WINDOW)
    found = await parts.reader.page(many, empty.next, end, 10, PLENTY)
    assert ([event.offset for event in found.events], found.next) == ([end - 1], end - 1)
    last = await parts.reader.page(many, 0, end - 1, 10, PLENTY, True)
    assert (list(last.events), last.next) == ([], end - 1 - WINDOW)


@ORDERS
async def test_a_window_ends_with_the_topics_that_can_be_held_against_the_filter(
    parts: Parts, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one step; those that come again cost nothing."""
    await fill(parts, 40, 3)
    every = TopicFilter(("*",))
    monkeypatch.setattr("service.log.sqlite.reader._COMPARISONS", 5 * every.weight)
    monkeypatch.setattr("service.log.sqlite.topics.KNOWN_MAX", 0)
    low, high, found, pages = 0, parts.head + 1, list[int](), 0
    while low + 1 < high:
        page = await parts.reader.page(every, low, high, 1_000, PLENTY, newest_first)
        assert len({row[1] for row in page.rows}) <= 5
        found += [row[0] for row in page.rows]
        low, high = (low, page.next) if newest_first else (page.next, high)
        pages += 1
    assert sorted(found) == list(range(1, parts.head + 1))
    assert pages == 120 // 5


@ORDERS
async def test_a_window_stops_where_the_page_is_full(parts: Parts, newest_first: bool) -> None:
    await fill(parts, MERGE_TOPICS + 1, 3)
    page = await parts.reader.page(topics_of(MERGE_TOPICS + 1), 0, parts.head + 1, 5, PLENTY, newest_first)
    assert page.next == page.events[-1].offset
    assert len(page.events) == 5
    page = await parts.reader.page(topics_of(MERGE_TOPICS + 1), 0, parts.head + 1, 5, 1, newest_first)
    assert len(page.events) == 1


async def test_reading_on_after_small_events_meets_large_ones(parts: Parts) -> None:
    """How many rows are asked for follows the size of those before; no page leaves one out for that."""
    await parts.writer.append(drafts("a", 300, data="1"), ())
    await parts.writer.append(drafts("a", 30, data=f'"{"x" * 20_000}"'), ())
    await parts.writer.append(drafts("a", 300, data="1"), ())
    low, found = 0, list[int]()
    while low < parts.head:
        page = await parts.reader.page(ALL, low, parts.head + 1, 200, 64_000)
        assert sum(len(event.data) for event in page.events[:-1]) < 64_000
        found += [event.offset for event in page.events]
        low = page.next
    assert found == list(range(1, parts.head + 1))


async def test_far_more_rows_than_fill_the_page_are_not_taken(parts: Parts) -> None:
    """The size of those read before says nothing of those that come."""
    await parts.writer.append(drafts("a", 1_000, data="1"), ())
    await parts.writer.append(drafts("a", 960, data=f'"{"x" * 60_000}"'), ())
    assert len((await parts.reader.page(ALL, 0, parts.head + 1, 1_000, PLENTY)).rows) == 1_000
    tracemalloc.start()
    page = await parts.reader.page(ALL, 1_000, parts.head + 1, 1_000, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(page.rows) == 18
    assert page.next == 1_018
    assert peak < 16 << 20, "58 MB, if all of them were"


async def test_what_is_beyond_the_given_head_is_not_shown(parts: Parts) -> None:
    await parts.writer.append(drafts("a", 10), ())
    for topics in (ALL, TopicFilter(("a",)), TopicFilter(("*",))):
        assert [event.offset for event in (await parts.reader.page(topics, 5, 8, 10, PLENTY)).events] == [6, 7]


@ORDERS
@pytest.mark.parametrize("type", [None, "log", "none"])
async def test_many_topics_that_lie_far_apart_are_asked_for_by_their_index(
    parts: Parts, newest_first: bool, type: str | None
) -> None:
    """What lies between them is not looked at."""
    await fill(parts, 40, 2)
    await parts.writer.append(drafts("other", 30_000), ())
    await fill(parts, 40, 2)
    connection = connect_reader(parts.path)
    try:
        asked = (topics_of(40), 0, parts.head + 1, 200, PLENTY, newest_first, type)
        steps = await plans_of(parts, connection, *asked)
    finally:
        connection.close()
    assert not [step for step in steps if "TEMP B-TREE" in step or "(rowid>?" in step]
    assert [step for step in steps if "USING COVERING INDEX events_topic (topic=? AND rowid>? AND rowid<?)" in step]
    page = await parts.reader.page(*asked)
    expected = [] if type == "none" else [*range(1, 81), *range(parts.head - 79, parts.head + 1)]
    assert [row[0] for row in page.rows] == (expected[::-1] if newest_first else expected)


async def test_topics_in_one_heap_are_found_though_none_was_expected_there(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window for topics that lie evenly holds far too many of them there."""
    for name in ("SEEKS", "SEEK_STEP"):
        monkeypatch.setattr(f"service.log.sqlite.reader.{name}", 4)
    await fill(parts, 20, 1)
    await parts.writer.append(drafts("other", 20_000), ())
    first = parts.head
    await fill(parts, 20, 200)
    low, found = 20, list[int]()
    while low < parts.head:
        page = await parts.reader.page(topics_of(20), low, parts.head + 1, 3, PLENTY)
        assert page.next > low
        found += [row[0] for row in page.rows]
        low = page.next
    assert found == list(range(first + 1, parts.head + 1))


async def test_a_page_leaves_no_transaction_behind(parts: Parts) -> None:
    """One that stayed open would keep the WAL from being moved into the database."""
    await fill(parts, MERGE_TOPICS + 1, 3)
    for topics in (ALL, topics_of(2), topics_of(MERGE_TOPICS + 1)):
        await parts.reader.page(topics, 0, parts.head + 1, 2, PLENTY)
        await parts.reader.page(topics, 0, parts.head + 1, 100, 1)
        assert not parts.reader.readers.connection.in_transaction
        assert (await parts.sql("PRAGMA wal_checkpoint(TRUNCATE)"))[0][0] == 0, "not busy"


async def test_the_first_event_at_a_time(parts: Parts, clock: ManualClock) -> None:
    rng = random.Random(7)
    times: dict[int, int] = {}
    for _ in range(60):
        clock.advance(rng.choice([0, 0, 0.001, 0.5]))
        for offset in (await parts.writer.append(drafts(rng.choice("ab"), 1), ())).offsets:
            times[offset] = clock.now
    topic = parts.registry.get("a")
    assert topic is not None
    await parts.trimmer.to_count(topic, 3)
    kept = parts.kept()
    for moment in {time + step for time in times.values() for step in (-1, 0, 1)}:
        found = await parts.reader.first_at(moment, parts.head)
        assert [n for n in kept if n < found] == [n for n in kept if times[n] < moment]


async def test_a_time_is_found_though_a_clock_was_set_back(parts: Parts, clock: ManualClock) -> None:
    """A thousand events of a clock that was years ahead hid for years how old the next ones were."""
    clock.now += 10 * 365 * 86_400_000
    await parts.writer.append(drafts("a", 1_000), ())
    clock.now -= 10 * 365 * 86_400_000
    clock.steps += 1  # confirmed
    times = {}
    for _ in range(60):
        (offset,) = (await parts.writer.append(drafts("a", 1), ())).offsets
        times[offset] = clock.now
        clock.advance(60)
    for offset, moment in times.items():
        if offset > 1_030:  # while fewer are old than are young, the search may pass them over
            assert await parts.reader.first_at(moment, parts.head) == offset
    assert await parts.reader.first_at(clock.now, parts.head) == parts.head + 1


async def test_the_first_event_at_a_time_is_never_beyond_the_head(parts: Parts, clock: ManualClock) -> None:
    assert await parts.reader.first_at(0, 0) == 1
    await parts.writer.append(drafts("a", 5), ())
    assert await parts.reader.first_at(clock.now, 3) == 1
    assert await parts.reader.first_at(clock.now + 1, 3) == 4, "what lies beyond is not yet there"


async def test_a_page_larger_than_a_commit(parts: Parts) -> None:
    await parts.writer.append(drafts("a", COMMIT_EVENTS + 500), ())
    page = await parts.reader.page(ALL, 0, parts.head + 1, PLENTY, PLENTY)
    assert len(page.events) == COMMIT_EVENTS + 500


async def test_the_column_of_traces_is_read_once_there_is_one(parts: Parts) -> None:
    """To read a column that is always null would be a twentieth of a replay."""

    async def columns(*topics: str) -> set[int]:
        page = await parts.reader.page(TopicFilter(topics) if topics else ALL, 0, parts.head + 1, 10, PLENTY)
        return {len(row) for row in page.rows}

    await parts.writer.append(drafts("a", 2))
    assert (await columns(), await columns("a"), await parts.sql("SELECT traced FROM log")) == ({6}, {6}, [(0,)])
    await parts.writer.append(drafts("b", 1), traceparent="t")
    assert (await columns(), await columns("a"), await parts.sql("SELECT traced FROM log")) == ({7}, {7}, [(1,)])


async def test_pages_that_are_put_together_are_alike(sqlite_rig: SQLiteRig) -> None:
    """The first trace comes while a search goes on, which looks at what was there when it began."""
    log = sqlite_rig.log
    await log.append(drafts("a", 3_000, data=f'"{"x" * 200}"'))
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            await log.append(drafts("a", 1), traceparent="t")

    page = await log.search(Search(ALL, limit=5_000, max_bytes=PLENTY), turn)
    assert turns > 2
    assert (len(page.rows), {len(row) for row in page.rows}) == (3_000, {6})
    await sqlite_rig.restart()
    page = await sqlite_rig.log.search(Search(ALL, limit=5_000, max_bytes=PLENTY))
    assert (len(page.rows), {len(row) for row in page.rows}) == (3_001, {7})


@pytest.mark.parametrize("topics", [1, MERGE_TOPICS + 1], ids=["merged", "sought"])
async def test_a_short_page_holds_what_takes_a_third_of_a_millisecond(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, topics: int
) -> None:
    """Four hundred rows that lie on a page of the file each took 4 ms, for which publishes waited."""
    await fill(parts, 20 * topics, 500 // topics + 1)
    filter, end = topics_of(topics), parts.head + 1
    worked = iter(range(1_000_000))
    monkeypatch.setattr(parts.reader, "_worked", lambda: next(worked) * 0.004)  # each look 4 ms later

    async def page(*, is_short: bool) -> int:
        return len((await parts.reader.page(filter, 0, end, 400, PLENTY, is_short=is_short)).rows)

    assert await page(is_short=True) >= 390, "nothing is known of them yet"
    for _ in range(10):
        await page(is_short=False)
    assert await page(is_short=False) >= 390
    assert 27 <= await page(is_short=True) <= 32
    monkeypatch.setattr(parts.reader, "_worked", lambda: next(worked) * 0.4)
    for _ in range(3):
        await page(is_short=False)
    assert await page(is_short=True) == LEAST_ROWS


async def test_a_page_of_texts_that_were_joined_takes_few_of_them(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After pages of small events, each row may be a mebibyte: 64 of them took a tenth of a second of the loop."""
    await parts.writer.append(drafts("a", 400), ())
    for _ in range(40):
        await parts.writer.append(drafts("a", 1, data=f'"{"x" * 100_000}"'), ())
    taken: list[int] = []
    take = reader_module._take

    def counted(cursor: Any, max_bytes: int) -> Any:
        found = take(cursor, max_bytes)
        taken.append(len(found[0]))
        return found

    monkeypatch.setattr(reader_module, "_take", counted)
    await parts.reader.page(ALL, 0, 401, 400, 1 << 18)
    await parts.reader.page(ALL, 400, parts.head + 1, 400, 1 << 18)
    assert taken[-1] == reader_module.FIRST_TAKE


async def test_floors_that_are_raised_meanwhile_are_held_against_in_steps(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trim of ten thousand topics goes on beside a page with 99 patterns: that took 0.2 s of one step."""
    await fill(parts, 200, 1)
    registry, filter = parts.registry, TopicFilter(tuple(f"t{n}/*" for n in range(99)))
    monkeypatch.setattr(raised_module, "COMPARISONS", 5 * filter.weight)
    asked: list[int] = []
    held_against = registry.raised._held_against

    def counted(topics: TopicFilter, floor: int, seen: int, end: int) -> int:
        asked.append(end - seen)
        return held_against(topics, floor, seen, end)

    monkeypatch.setattr(registry.raised, "_held_against", counted)
    run = parts.reader.readers.run

    async def meanwhile(work: Any) -> Any:
        found = await run(work)
        for n in range(100):
            registry.raised.add(f"t{n}/x", parts.head)
        return found

    monkeypatch.setattr(parts.reader.readers, "run", meanwhile)
    page = await parts.reader.page(filter, 0, parts.head + 1, 10, PLENTY)
    assert page.floor == parts.head, "what was raised meanwhile is told"
    assert sum(asked) == 100
    assert max(asked) <= 5
