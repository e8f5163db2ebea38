"""The contract of `service.log.base`, third part: statements, guards and their tables, topics, health and floors."""

import asyncio

import pytest

from service.core.errors import ConflictError, GuardError, StorageError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import Ability, Receipt, Search, Statement, TopicPage, require
from tests.unit.log.rigs import ALL, PLENTY, Rig, drafts, list_topics, read_all


class StatementContract:
    """What belongs to events commits with them, or not at all."""

    async def test_statements_commit_with_their_events(self, rig: Rig) -> None:
        require(rig.log, Ability.STATEMENTS, Ability.GUARDS)
        receipt = await rig.log.append(drafts("a", 1), [rig.add("one", 1), rig.add("two", "2")])
        assert receipt == Receipt((1,), True)
        assert await rig.notes() == {"one": 1, "two": "2"}
        assert (await rig.log.append([], [rig.put("one", None)])).offsets == ()
        assert await rig.notes() == {"one": None, "two": "2"}

    async def test_they_may_name_what_was_assigned(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 7))
        rig.clock.advance(0.123)
        claims = [rig.claim("first", "offset_0"), rig.claim("last", "offset_2"), rig.claim("when", "time")]
        await rig.log.append([*drafts("a", 2), *drafts("b", 1)], claims)
        assert await rig.notes() == {"first": 8, "last": 10, "when": rig.clock.now}
        assert {event.time for event in await read_all(rig.log, after=7)} == {rig.clock.now}

    async def test_a_repeat_is_named_by_its_first_offset(self, rig: Rig) -> None:
        await rig.log.append([Draft("a", "log", "1", "key")])
        await rig.log.append([*drafts("a", 1), Draft("a", "log", "1", "key")], [rig.claim("key", "offset_1")])
        assert await rig.notes() == {"key": 1}

    async def test_what_was_not_assigned_cannot_be_named(self, rig: Rig) -> None:
        with pytest.raises(StorageError):
            await rig.log.append(drafts("a", 1), [rig.claim("second", "offset_1")])
        assert (rig.log.head, await rig.notes()) == (0, {})
        assert rig.log.health().failure is None, "the engine is well"

    @pytest.mark.parametrize("name", ["time", "offset_0", "offset_12"])
    def test_what_is_assigned_cannot_be_given(self, name: str) -> None:
        with pytest.raises(ValueError, match=name):
            Statement("anything", {name: 1})

    async def test_all_or_nothing(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 1), [rig.add("one", 1)])
        with pytest.raises(StorageError):
            await rig.log.append(drafts("b", 3), [rig.add("two", 2), rig.add("one", 2)])
        assert await rig.notes() == {"one": 1}
        assert [event.topic for event in await read_all(rig.log)] == ["a"]
        assert [stats.topic for stats in await list_topics(rig.log)] == ["a"]

    async def test_one_requests_fault_does_not_fail_its_neighbours(self, rig: Rig) -> None:
        await rig.log.append([], [rig.add("taken", 0)])
        answers = await asyncio.gather(
            rig.log.append(drafts("a", 2)),
            rig.log.append([Draft("b", "log", "1", "key")], [rig.add("taken", 1)]),
            rig.log.append(drafts("a", 1), [rig.add("free", 2)]),
            return_exceptions=True,
        )
        assert answers[0] == Receipt((1, 2), True)
        assert isinstance(answers[1], StorageError)
        assert answers[2] == Receipt((3,), True)
        assert [(event.offset, event.prev) for event in await read_all(rig.log)] == [(1, 0), (2, 1), (3, 2)]
        assert await rig.notes() == {"free": 2, "taken": 0}
        assert (await rig.log.append([Draft("b", "log", "1", "key")])).fresh, "its key was not taken"

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_they_last_as_long_as_their_events(self, rig: Rig, way: str) -> None:
        await rig.log.append(drafts("a", 1), [rig.claim("first", "offset_0")])
        await getattr(rig, way)()
        assert await rig.notes() == {"first": 1}
        assert rig.log.head == 1


class GuardContract:
    """An append goes on only if what it depends on is so, in the order of the requests."""

    async def test_a_guard_that_holds_changes_nothing(self, rig: Rig) -> None:
        await rig.log.append([], [rig.put("owner", "me")])
        guards = [rig.expect("owner", "me"), rig.expect("other", None)]
        assert await rig.log.append(drafts("a", 2), [rig.put("seen", 1)], guards) == Receipt((1, 2), True)
        assert await rig.log.append([], [], guards) == Receipt((), True)

    @pytest.mark.parametrize(
        ("key", "expected", "row"), [("owner", "me", ("you",)), ("owner", None, ("you",)), ("x", 1, None)]
    )
    async def test_one_that_does_not_hold_rejects_the_append_and_tells_what_it_found(
        self, rig: Rig, key: str, expected: str | None, row: tuple[str] | None
    ) -> None:
        await rig.log.append([], [rig.put("owner", "you")])
        guards = [rig.expect("owner", "you"), rig.expect(key, expected)]
        with pytest.raises(GuardError) as caught:
            await rig.log.append([*drafts("new", 1)], [rig.put("seen", 1)], guards)
        assert caught.value.row == row
        assert isinstance(caught.value, ConflictError)
        assert (rig.log.head, await rig.notes()) == (0, {"owner": "you"})
        assert await list_topics(rig.log) == []
        assert rig.log.health().failure is None, "the engine is well"

    async def test_of_those_that_want_the_same_exactly_one_wins(self, rig: Rig) -> None:
        """Compare and set: they may share one commit, and still each sees what the one before it did."""
        answers = await asyncio.gather(
            *(
                rig.log.append(drafts(f"t{n}", 1), [rig.put("owner", n)], [rig.expect("owner", None)])
                for n in range(10)
            ),
            return_exceptions=True,
        )
        assert answers[0] == Receipt((1,), True)
        assert [getattr(answer, "row", None) for answer in answers[1:]] == [(0,)] * 9
        assert [event.topic for event in await read_all(rig.log)] == ["t0"]
        assert await rig.notes() == {"owner": 0}

    async def test_a_rejected_one_leaves_no_hole_among_its_neighbours(self, rig: Rig) -> None:
        answers = await asyncio.gather(
            rig.log.append(drafts("a", 2), [rig.put("step", 1)]),
            rig.log.append([Draft("a", "log", "1", "key")], [], [rig.expect("step", 0)]),
            rig.log.append(drafts("a", 1), [rig.put("step", 2)], [rig.expect("step", 1)]),
            rig.log.append([Draft("a", "log", "1", "key")], [], [rig.expect("step", 2)]),
            return_exceptions=True,
        )
        assert [answer for answer in answers if isinstance(answer, Receipt)] == [
            Receipt((1, 2), True),
            Receipt((3,), True),
            Receipt((4,), True),
        ]
        assert isinstance(answers[1], GuardError)
        assert [(event.offset, event.prev) for event in await read_all(rig.log)] == [(1, 0), (2, 1), (3, 2), (4, 3)]

    async def test_a_guard_sees_nothing_of_a_neighbour_that_failed(self, rig: Rig) -> None:
        await rig.log.append([], [rig.add("taken", 0)])
        answers = await asyncio.gather(
            rig.log.append([], [rig.put("owner", "me"), rig.add("taken", 1)]),
            rig.log.append(drafts("a", 1), [], [rig.expect("owner", None)]),
            return_exceptions=True,
        )
        assert isinstance(answers[0], StorageError)
        assert answers[1] == Receipt((1,), True)


class TableContract:
    """The door to what statements wrote: consistent, and it says up to which event."""

    async def test_a_view_and_its_position_are_of_one_commit(self, rig: Rig) -> None:
        tables = await rig.tables()
        try:
            async with tables.view() as view:
                assert await view.position() == 0
            await rig.log.append(drafts("a", 3), [rig.put("n", 3)])
            async with tables.view() as view:
                assert await view.position() == 3
                await rig.log.append(drafts("a", 1), [rig.put("n", 4)])
                assert await view.position() == 3
            await rig.log.trim(ALL, 0)
            async with tables.view() as view:
                assert await view.position() == 4, "also if nothing is left"
        finally:
            await tables.close()

    async def test_views_of_two_tasks_do_not_mix(self, rig: Rig) -> None:
        tables = await rig.tables()

        async def look(n: int) -> int:
            async with tables.view() as view:
                before = await view.position()
                await rig.log.append(drafts(f"t{n}", 1))
                assert await view.position() == before
                return before

        try:
            await asyncio.gather(*(look(n) for n in range(5)))
        finally:
            await tables.close()
        assert rig.log.head == 5


class StateContract:
    """What an engine tells of itself and its topics."""

    async def test_health(self, rig: Rig) -> None:
        assert (rig.log.health().failure, rig.log.health().commits) == (None, 0)
        await rig.log.append(drafts("a", 1))
        await rig.log.append(drafts("a", 1))
        health = rig.log.health()
        assert (health.failure, health.commits) == (None, 2)
        assert health.commit_seconds >= 0
        assert health.journal_bytes >= 0

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    async def test_topics_come_by_name_in_pages(self, rig: Rig, limit: int) -> None:
        names = ["b/2", "a", "~", "b/10", "B", "b/1", "_"]
        await rig.log.append([draft for name in names for draft in drafts(name, 2)])
        assert [one.topic for one in await list_topics(rig.log, limit=limit)] == sorted(names)
        found = await list_topics(rig.log, TopicFilter(("b/*", "a", "unknown")), limit)
        assert [(one.topic, one.count, one.head, one.floor) for one in found] == [
            ("a", 2, 4, 0),
            ("b/1", 2, 12, 0),
            ("b/10", 2, 8, 0),
            ("b/2", 2, 2, 0),
        ]

    async def test_a_topic_that_comes_between_two_pages_is_in_its_place(self, rig: Rig) -> None:
        await rig.log.append([*drafts("b", 1), *drafts("d", 1)])
        page = await rig.log.topics(ALL, "", 1)
        assert ([one.topic for one in page.topics], page.next) == (["b"], "b")
        await rig.log.append([*drafts("a", 1), *drafts("c", 1)])
        assert [one.topic for one in (await rig.log.topics(ALL, "b", 9)).topics] == ["c", "d"]

    async def test_there_may_be_no_topics(self, rig: Rig) -> None:
        assert await rig.log.topics(ALL, "", 5) == TopicPage([], None)
        await rig.log.append(drafts("a", 1))
        assert (await rig.log.topics(TopicFilter(("b",)), "", 5))[:2] == ([], None)
        assert await rig.log.topics(ALL, "a", 5) == TopicPage([], None)

    async def test_a_page_of_topics_tells_how_many_names_it_looked_at(self, rig: Rig) -> None:
        """Those that did not match too, or the list of a filter that matches few would know no end."""
        await rig.log.append([draft for n in range(50) for draft in drafts(f"t{n:02}/{n % 25}", 1)])
        looked, after, found = 0, "", list[str]()
        while True:
            page = await rig.log.topics(TopicFilter(("*/7",)), after, 1)
            assert page.next is None or page.looked > 0
            looked += page.looked
            found += [one.topic for one in page.topics]
            if page.next is None:
                break
            assert page.next > after
            after = page.next
        assert (found, looked) == (["t07/7", "t32/7"], 50)

    async def test_a_read_that_finds_little_looks_at_a_step_at_most(self, rig: Rig) -> None:
        """By a filter of many topics, of which few events match, or at what an index gives for it."""
        many = TopicFilter(tuple(f"few/{n}" for n in range(50)))
        await rig.log.append([draft for n in range(50) for draft in drafts(f"few/{n}", 1)])
        await rig.log.append(drafts("other", rig.log.step))
        await rig.log.append(drafts("few/0", 1))
        page = await rig.log.read(many, 50, 10, PLENTY)
        if page.next == rig.log.head:
            assert [event.offset for event in page.events] == [rig.log.head]
            return
        assert (list(page.events), page.next) == ([], 50 + rig.log.step)
        assert [event.offset for event in (await rig.log.read(many, page.next, 10, PLENTY)).events] == [rig.log.head]


class FloorContract:
    """A page says up to where rows may be missing from it."""

    async def test_a_page_has_the_floor_of_its_filter(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 3), *drafts("b/1", 3), *drafts("b/2", 3)])
        await rig.log.trim(TopicFilter(("b/1",)), 1)
        await rig.log.trim(TopicFilter(("a",)), 0)
        for patterns, floor in {("a",): 3, ("b/1",): 5, ("b/2",): 0, ("b/*",): 5, ("**",): 5, ("c",): 0, (): 0}.items():
            topics = TopicFilter(patterns)
            assert (await rig.log.read(topics, 0, 2, PLENTY)).floor == floor, patterns
            assert (await rig.log.read(topics, 9, 2, PLENTY)).floor == floor, patterns

    async def test_a_floor_rises_with_every_cut_of_any_of_its_topics(self, rig: Rig) -> None:
        many = TopicFilter(("t/*", "u"))
        await rig.log.append([draft for n in range(30) for draft in drafts(f"t/{n}", 2)])
        for n in (3, 20, 7, 29, 0):
            await rig.log.trim(TopicFilter((f"t/{n}",)), 1)
            assert (await rig.log.read(many, 0, 1, PLENTY)).floor == rig.log.bounds(many).floor
        assert rig.log.bounds(many).floor == 59
        assert (await rig.log.read(many, 0, 1, PLENTY)).floor == 59

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_a_search_has_the_floor_of_all_its_steps(self, rig: Rig, newest_first: bool) -> None:
        """What is trimmed while it goes on is missing from it or not, and either way covered."""
        rare = Search(ALL, type="rare", newest_first=newest_first)
        await rig.log.append([draft for _ in range(1_500) for draft in (*drafts("a", 1, "rare"), *drafts("b", 4))])
        searching = asyncio.create_task(rig.log.search(rare))
        await asyncio.gather(*(rig.log.trim(TopicFilter(("a",)), keep) for keep in (1_000, 10)))
        page = await searching
        found = {event.offset for event in page.events}
        between = [offset for offset in range(1, rig.log.head, 5) if min(found) < offset < max(found)]
        assert all(offset <= page.floor for offset in between if offset not in found)
        after = await rig.log.search(rare)
        assert (len(after.events), after.floor) == (10, rig.log.bounds(ALL).floor)
