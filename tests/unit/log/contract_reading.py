"""The contract of `service.log.base`, second part: reading, searching and trimming."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.core.errors import OverloadedError
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from service.log.base import Search
from tests.unit.log.rigs import ALL, PLENTY, Rig, drafts, list_topics, read_all

MANY = 40
"""More topics than an implementation would look up one by one."""

FILTERS = [
    ALL,
    TopicFilter(("a",)),
    TopicFilter(("a", "b/1")),
    TopicFilter(("unknown",)),
    TopicFilter(("unknown", "a")),
    TopicFilter(()),
    TopicFilter(("*",)),
    TopicFilter(("b/*",)),
    TopicFilter(("b/**", "a")),
    TopicFilter(("many/**",)),
    TopicFilter(("nothing/*",)),
    TopicFilter(tuple(f"many/{n}" for n in range(0, MANY, 2))),
]


async def fill(rig: Rig, seed: int = 1, count: int = 300) -> list[Event]:
    """A log of many topics and types, whose clock moves; returns its events."""
    rng = random.Random(seed)
    topics = ["a", "b/1", "b/2", "b/2/c", *(f"many/{n}" for n in range(MANY))]
    while rig.log.head < count:
        rig.clock.advance(rng.choice([0, 0, 0.5, 7]))
        batch = [
            Draft(rng.choice(topics), rng.choice(["x", "y", "z"]), f'"{"é" * rng.randrange(40)}"')
            for _ in range(rng.randrange(1, 8))
        ]
        await rig.log.append(batch)
    return await read_all(rig.log)


def chosen(events: list[Event], topics: TopicFilter, after: int = 0) -> list[Event]:
    return [event for event in events if topics.matches(event.topic) and event.offset > after]


class ReadContract:
    """Bounded pages, in log order, each event once."""

    @pytest.mark.parametrize("topics", FILTERS, ids=lambda topics: ",".join(topics.patterns)[:20])
    @pytest.mark.parametrize("limit", [1, 7, 1_000])
    async def test_pages_make_up_the_whole(self, rig: Rig, topics: TopicFilter, limit: int) -> None:
        events = await fill(rig)
        after = rig.log.head // 3
        assert await read_all(rig.log, topics, limit=limit) == chosen(events, topics)
        assert await read_all(rig.log, topics, after, limit) == chosen(events, topics, after)

    async def test_a_page_holds_at_most_limit_events(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 10), *drafts("b", 5)])
        page = await rig.log.read(TopicFilter(("a",)), 2, 3, PLENTY)
        assert ([event.offset for event in page.events], page.next) == ([3, 4, 5], 5)

    @pytest.mark.parametrize("max_bytes", [1, 99, 100, 101, 250, 5_000, PLENTY])
    async def test_a_page_holds_about_max_bytes_but_one_event_at_least(self, rig: Rig, max_bytes: int) -> None:
        await rig.log.append([*drafts("a", 20, data="1" * 100), *drafts("a", 5, data="2" * 3_000)])
        after, seen = 0, 0
        while after < rig.log.head:
            page = await rig.log.read(ALL, after, 1_000, max_bytes)
            assert page.events
            assert sum(len(event.data) for event in page.events[:-1]) < max_bytes
            after, seen = page.next, seen + len(page.events)
        assert seen == 25

    async def test_nothing_is_left_at_the_head(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 3))
        for after in (3, 2, 0):
            page = await rig.log.read(TopicFilter(("b",)), after, 10, PLENTY)
            assert (list(page.events), page.next) == ([], 3)
        assert list((await rig.log.read(ALL, 3, 10, PLENTY)).events) == []

    async def test_reading_an_empty_log(self, rig: Rig) -> None:
        page = await rig.log.read(ALL, 0, 10, PLENTY)
        assert (list(page.events), page.next) == ([], 0)
        assert await rig.log.search(Search(ALL)) == ([], 0, 0, False)

    async def test_no_page_runs_ahead_of_the_head(self, rig: Rig) -> None:
        """A commit is on disk before the head moves; what a page shows must not overtake the listeners."""
        publishing = [asyncio.create_task(rig.log.append(drafts(f"t{n % 20}", 3))) for n in range(60)]
        everything = TopicFilter(("*",))
        after, seen = 0, 0
        while not all(task.done() for task in publishing) or after < rig.log.head:
            page = await rig.log.read(everything, after, 10, PLENTY)
            assert page.next <= rig.log.head
            assert all(event.offset <= page.next for event in page.events)
            after, seen = page.next, seen + len(page.events)
            await asyncio.sleep(0)
        assert seen == 180


class OwnContract:
    """The service's own topics: no wildcard reaches them from outside, and no trim."""

    async def test_what_is_the_services_own_is_in_no_page_count_or_trim(self, rig: Rig) -> None:
        for _ in range(3):
            await rig.log.append([*drafts("a", 1), *drafts("twinwire/x", 1)])
        assert [event.topic for event in await read_all(rig.log, ALL)] == ["a"] * 3
        assert [event.topic for event in await read_all(rig.log, TopicFilter(("*/x", "a")))] == ["a"] * 3
        page = await rig.log.search(Search(ALL, newest_first=True))
        assert [event.topic for event in page.events] == ["a"] * 3
        assert [one.topic for one in await list_topics(rig.log)] == ["a"]
        assert await rig.log.trim(ALL, 0) == 3
        own = TopicFilter(("twinwire/x",))
        assert len(await read_all(rig.log, own)) == 3
        floor = rig.log.bounds(ALL).floor
        assert await rig.log.trim(own, 0) == 3
        assert rig.log.bounds(ALL).floor == floor
        assert rig.log.bounds(own).floor > floor


class SearchContract:
    """History: every filter together, in both directions, paged."""

    @pytest.mark.parametrize("seed", range(6))
    async def test_agrees_with_a_list(self, rig: Rig, seed: int) -> None:
        events = await fill(rig, seed, 200)
        rng = random.Random(seed)
        for _ in range(30):
            search = random_search(rng, events)
            expected = expected_of(search, events)
            assert await page_through(rig, search) == expected, search

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_a_short_page_is_the_last_one(self, rig: Rig, newest_first: bool) -> None:
        await rig.log.append(drafts("a", 10))
        full = await rig.log.search(Search(ALL, limit=10, newest_first=newest_first))
        short = await rig.log.search(Search(ALL, limit=11, newest_first=newest_first))
        assert len(full.events) == len(short.events) == 10
        assert short.next == (1 if newest_first else 10)

    async def test_ranges_are_exclusive_and_times_inclusive(self, rig: Rig) -> None:
        start = rig.clock.now
        for _ in range(6):
            rig.clock.advance(1)
            await rig.log.append(drafts("a", 1))

        async def found(**range: Any) -> list[int]:
            return [event.offset for event in (await rig.log.search(Search(ALL, **range))).events]

        assert await found(after=2, before=5) == [3, 4]
        assert await found(after=4, before=5) == []
        assert await found(after=6) == []
        assert await found(before=1) == []
        assert await found(before=100) == [1, 2, 3, 4, 5, 6]
        assert await found(from_time=start + 2_000, to_time=start + 4_000) == [2, 3, 4]
        assert await found(from_time=start + 2_001, to_time=start + 3_999) == [3]
        assert await found(from_time=start + 6_001) == []
        assert await found(to_time=start + 999) == []
        assert await found(from_time=start + 5_000, to_time=start + 2_000) == []

    async def test_a_rare_type_is_found_behind_many_others(self, rig: Rig) -> None:
        await rig.log.append([Draft("a", "rare", "1"), *drafts("a", 5_000), Draft("a", "rare", "2"), *drafts("b", 9)])
        for newest_first, data in ((False, ["1", "2"]), (True, ["2", "1"])):
            page = await rig.log.search(Search(ALL, type="rare", limit=2, newest_first=newest_first))
            assert [event.data for event in page.events] == data

    @pytest.mark.parametrize("newest_first", [False, True])
    @pytest.mark.parametrize("type", [None, "log"])
    async def test_a_search_stops_at_its_bytes(self, rig: Rig, newest_first: bool, type: str | None) -> None:
        await rig.log.append(drafts("t", 20, data='"' + "a" * 98 + '"'))
        search = Search(ALL, newest_first=newest_first, max_bytes=500, type=type)
        page = await rig.log.search(search)
        assert len(page.rows) == 5
        assert page.next == (16 if newest_first else 5)
        more = replace(search, max_bytes=1)
        assert len((await rig.log.search(more)).rows) == 1, "one at least"

    async def test_a_search_waits_for_its_turn_and_ends_with_it(self, rig: Rig) -> None:
        await rig.log.append(drafts("t", 3))
        turns: list[int] = []

        async def turn() -> None:
            turns.append(1)

        assert len((await rig.log.search(Search(ALL), turn)).rows) == 3
        assert turns

        async def no_more() -> None:
            raise OverloadedError("enough")

        with pytest.raises(OverloadedError):
            await rig.log.search(Search(ALL), no_more)


def random_search(rng: random.Random, events: list[Event]) -> Search:
    def maybe(make: Callable[[], int]) -> int | None:
        return make() if rng.random() < 0.4 else None

    return Search(
        rng.choice(FILTERS),
        after=maybe(lambda: rng.randrange(len(events))) or 0,
        before=maybe(lambda: rng.randrange(1, len(events) + 5)),
        type=rng.choice([None, None, "x", "unknown"]),
        from_time=maybe(lambda: rng.choice(events).time + rng.randrange(-1, 2)),
        to_time=maybe(lambda: rng.choice(events).time + rng.randrange(-1, 2)),
        newest_first=rng.random() < 0.5,
        limit=rng.choice([1, 3, 50, 1_000]),
    )


def expected_of(search: Search, events: list[Event]) -> list[Event]:
    found = [
        event
        for event in events
        if search.topics.matches(event.topic)
        and search.after < event.offset
        and (search.before is None or event.offset < search.before)
        and search.type in (None, event.type)
        and (search.from_time is None or search.from_time <= event.time)
        and (search.to_time is None or event.time <= search.to_time)
    ]
    return found[::-1] if search.newest_first else found


async def page_through(rig: Rig, search: Search) -> list[Event]:
    """As a client does: the answer's cursor is the next `after`, or the next `before`."""
    found: list[Event] = []
    while True:
        page = await rig.log.search(search)
        assert len(page.events) <= search.limit
        found += page.events
        if len(page.events) < search.limit:
            return found
        search = replace(search, before=page.next) if search.newest_first else replace(search, after=page.next)


class TrimContract:
    """The newest stay, the floor tells what went, and nothing goes without it."""

    async def test_keeps_the_newest_of_each_topic(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 5), *drafts("b", 5), *drafts("c", 2), *drafts("a", 1)])
        assert await rig.log.trim(TopicFilter(("a", "c")), 2) == 4
        assert [event.offset for event in await read_all(rig.log)] == [5, 6, 7, 8, 9, 10, 11, 12, 13]
        assert [(one.topic, one.count, one.head, one.floor) for one in await list_topics(rig.log)] == [
            ("a", 2, 13, 4),
            ("b", 5, 10, 0),
            ("c", 2, 12, 0),
        ]

    @pytest.mark.parametrize(("keep", "removed"), [(0, 3), (1, 2), (2, 1), (3, 0), (4, 0)])
    async def test_at_the_bound(self, rig: Rig, keep: int, removed: int) -> None:
        await rig.log.append(drafts("a", 3))
        assert await rig.log.trim(ALL, keep) == removed
        assert await rig.log.trim(ALL, keep) == 0, "a second time there is nothing to do"
        assert rig.log.bounds(ALL).floor == removed
        assert len(await read_all(rig.log)) == 3 - removed

    async def test_a_floor_belongs_to_its_topic(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 3), *drafts("b/1", 3), *drafts("b/2", 3)])
        await rig.log.trim(TopicFilter(("b/1",)), 1)
        await rig.log.trim(TopicFilter(("a",)), 0)
        floors = {
            ("a",): 3,
            ("b/1",): 5,
            ("b/2",): 0,
            ("b/*",): 5,
            ("*",): 3,
            ("**",): 5,
            ("c",): 0,
            (): 0,
            ("a", "b/2"): 3,
        }
        for patterns, floor in floors.items():
            assert rig.log.bounds(TopicFilter(patterns)).floor == floor, patterns

    async def test_a_topic_that_matches_later_counts_for_the_floor(self, rig: Rig) -> None:
        await rig.log.append(drafts("b/1", 2))
        await rig.log.trim(ALL, 1)
        assert rig.log.bounds(TopicFilter(("b/*",))).floor == 1
        await rig.log.append(drafts("b/2", 2))
        await rig.log.trim(ALL, 1)
        assert rig.log.bounds(TopicFilter(("b/*",))).floor == 3

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_what_was_trimmed_stays_away(self, rig: Rig, way: str) -> None:
        await rig.log.append([*drafts("a", 5), *drafts("b", 5)])
        await rig.log.trim(TopicFilter(("a",)), 2)
        kept, stats = await read_all(rig.log), await list_topics(rig.log)
        await getattr(rig, way)()
        assert rig.log.bounds(TopicFilter(("a",))).floor == 3
        assert await read_all(rig.log) == kept
        assert await list_topics(rig.log) == stats

    async def test_the_floor_is_told_before_the_events_vanish(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 2_500), *drafts("b", 3)])
        told: list[tuple[str, int]] = []

        def trimmed(topic: str, floor: int) -> None:
            assert rig.log.bounds(TopicFilter((topic,))).floor == floor
            told.append((topic, floor))

        rig.log.follow(lambda events: None, trimmed)
        assert await rig.log.trim(ALL, 1) == 2_501
        assert told[-1] == ("b", 2_502)
        floors = [floor for topic, floor in told if topic == "a"]
        assert floors == sorted(floors)
        assert floors[-1] == 2_499

    async def test_a_reader_never_loses_an_event_without_noticing(self, rig: Rig) -> None:
        """Each page says up to where it may lack something, while the log is trimmed under the reader."""
        await rig.log.append([draft for n in range(1_300) for draft in (*drafts("a", 1), *drafts("b", 1))])
        topics = TopicFilter(("a",))
        trimming = asyncio.create_task(rig.log.trim(topics, 10))
        after, seen, lost = 0, set[int](), 0
        while after < rig.log.head:
            page = await rig.log.read(topics, after, 20, PLENTY)
            floor = page.floor
            seen |= {event.offset for event in page.events}
            lost = max(lost, floor if floor > after else 0)
            after = page.next
            await asyncio.sleep(0)
        assert await trimming == 1_290
        missing = set(range(1, 2_600, 2)) - seen
        assert all(offset <= lost for offset in missing)
        assert set(range(2_581, 2_600, 2)) <= seen, "what was kept was read"

    async def test_publishing_goes_on_while_a_topic_is_trimmed(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 3_000))
        trimming = asyncio.create_task(rig.log.trim(ALL, 1))
        offsets: list[int] = []
        while not trimming.done():
            offsets += (await rig.log.append(drafts("a", 1))).offsets
        assert offsets == list(range(3_001, 3_001 + len(offsets)))
        assert await trimming >= 2_999
        kept = [event.offset for event in await read_all(rig.log)]
        assert kept == list(range(kept[0], rig.log.head + 1))
        assert set(offsets) <= set(kept)
