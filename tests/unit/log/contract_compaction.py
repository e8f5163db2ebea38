"""What holds where only the state of a topic is kept; `test_contract.py` has it for every engine."""

import random

import pytest

from service.core.errors import ClosedSubjectError, GoneError
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from tests.unit.log.contract_state import about, offsets, state
from tests.unit.log.rigs import ALL, PLENTY, TOMBSTONES, Rig, drafts, list_topics, read_all

A = TopicFilter(("a",))


class CompactionContract:
    """Events with a subject that the state does not need go, and nothing else does."""

    async def test_what_was_replaced_goes_and_the_state_stays(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), *drafts("a", 1), about("a", "s", append=True), about("a", "t")])
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("b", "s"), about("b", "s")])
        before = await state(rig)
        assert await rig.compact(A) == 2
        assert offsets(await read_all(rig.log)) == [2, 4, 5, 6, 7, 8], "without a subject, or elsewhere, it stays"
        assert await state(rig) == before
        for again in (rig.restart, rig.kill):
            await again()
            assert await state(rig) == before
            assert offsets(await read_all(rig.log)) == [2, 4, 5, 6, 7, 8]
            assert await rig.compact(A) == 0

    async def test_the_floor_rises_to_what_went_and_it_was_replaced(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "t"), about("a", "s"), about("b", "s"), about("a", "s")])
        await rig.compact(A)
        for again in (None, rig.restart, rig.kill):
            if again is not None:
                await again()
            assert rig.log.bounds(A)[1:] == (3, 5, 0)
            assert rig.log.bounds(TopicFilter(("*",)))[1:] == (3, 5, 0)
            assert rig.log.bounds(ALL)[1:] == (3, 5, 0)
            assert rig.log.bounds(TopicFilter(("b",)))[1:] == (0, 5, 0)
            assert [(one.topic, one.count, one.floor) for one in await list_topics(rig.log)] == [
                ("a", 2, 3),
                ("b", 1, 0),
            ]
        assert (await rig.log.read(A, 0, 100, PLENTY)).floor == 3

    async def test_prev_names_an_event_that_is_kept_or_lies_below_the_floor(self, rig: Rig) -> None:
        await rig.log.append([about("a", str(n % 3)) for n in range(10)])
        await rig.compact(A)
        await rig.log.append([about("a", "0"), *drafts("a", 2)])
        floor, before = rig.log.bounds(A).floor, 0
        for event in await read_all(rig.log, A):
            assert event.prev <= max(floor, before)
            before = event.offset

    async def test_listeners_hear_of_it_before_it_is_gone(self, rig: Rig) -> None:
        told: list[tuple[str, int, bool]] = []
        rig.log.follow(lambda events: None, lambda *of: None, None, lambda *of: told.append(of))
        await rig.log.append([about("a", "s"), about("a", "s"), about("a", "t", "null")])
        await rig.compact(A)
        assert told[-1] == ("a", 1, False)
        await rig.compact(A, later=TOMBSTONES + 1)
        assert told[-1] == ("a", 3, False)

    async def test_a_deletion_is_kept_for_a_while_and_nothing_replaces_it(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "t"), about("a", "s", "null")])
        assert await rig.compact(A) == 1
        assert rig.log.bounds(A)[1:] == (1, 3, 0)
        assert await rig.compact(A, later=TOMBSTONES - 1) == 0
        assert offsets(await read_all(rig.log)) == [2, 3]
        assert await rig.compact(A, later=2) == 1
        for again in (None, rig.restart, rig.kill):
            if again is not None:
                await again()
            assert offsets(await read_all(rig.log)) == [2]
            assert rig.log.bounds(A)[1:] == (3, 3, 3), "who has not seen it has what is no more: trimmed, not compacted"
        await rig.log.append([about("a", "s", append=True)])
        assert offsets(await state(rig)) == [2, 4]
        assert (await read_all(rig.log))[-1].prev == 3

    async def test_an_append_to_what_was_deleted_begins_a_value_after_that_has_gone(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", "null", final=True)])
        with pytest.raises(ClosedSubjectError):
            await rig.log.append([about("a", "s", append=True)])
        await rig.compact(A, later=TOMBSTONES + 1)
        assert await read_all(rig.log) == []
        await rig.restart()
        assert rig.log.head == 2
        await rig.log.append([about("a", "s", append=True)])
        assert offsets(await state(rig)) == [3]

    async def test_a_repeat_of_what_went_is_answered_and_brings_nothing_back(self, rig: Rig) -> None:
        first = Draft("a", "log", '"x"', "k1", "s")
        appended = Draft("a", "log", '"y"', "k2", "s", append=True, final=True)
        assert (await rig.log.append([first, appended])).offsets == (1, 2)
        await rig.log.append([about("a", "s")])
        assert await rig.compact(A) == 2
        for again in (None, rig.restart, rig.kill):
            if again is not None:
                await again()
            assert await rig.log.append([first]) == ((1,), False)
            assert await rig.log.append([appended, first]) == ((2, 1), False)
        assert offsets(await state(rig)) == [3]

    async def test_a_state_under_way_is_told_to_its_end_or_not_at_all(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "t"), about("b", "s")])
        begun = StateSearch(ALL, 3, limit=1)
        assert offsets((await rig.log.state(begun)).events) == [1]
        await rig.log.append([about("a", "t")])
        await rig.compact(A)
        with pytest.raises(GoneError):
            await rig.log.state(StateSearch(ALL, 3, 1))
        assert offsets((await rig.log.state(StateSearch(TopicFilter(("b",)), 3))).events) == [3]
        assert offsets((await rig.log.state(StateSearch(ALL, 4))).events) == [1, 3, 4]

    async def test_a_value_without_its_beginning_stays_until_it_is_replaced(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("a", "s", append=True)])
        await rig.log.trim(A, 1)
        assert await rig.compact(A) == 0
        assert await state(rig) == []
        await rig.log.append([about("a", "s", append=True), about("a", "s")])
        assert await rig.compact(A) == 2
        assert offsets(await state(rig)) == offsets(await read_all(rig.log)) == [5]

    async def test_a_trim_takes_what_the_state_needs_none_the_less(self, rig: Rig) -> None:
        await rig.log.append([about("a", str(n)) for n in range(4)])
        await rig.log.append([about("a", "0")])
        await rig.compact(A)
        assert await rig.log.trim(A, 2) == 2
        assert offsets(await read_all(rig.log)) == offsets(await state(rig)) == [4, 5]
        assert rig.log.bounds(A)[1:] == (3, 5, 3)

    async def test_a_topic_that_is_empty_then_is_forgotten(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", "null")])
        await rig.compact(A, later=TOMBSTONES + 1)
        assert await rig.forget() == 1
        assert rig.log.bounds(A).floor == 2
        await rig.log.append(drafts("a", 1))
        assert (await read_all(rig.log))[0].prev == 2

    @pytest.mark.parametrize("seed", range(8))
    async def test_the_state_is_what_a_dictionary_says(self, rig: Rig, seed: int) -> None:
        """Whoever folds all that is kept, or what came after a position at or above the floor, has the same."""
        draw = random.Random(seed)
        model: dict[tuple[str, str], list[int]] = {}
        seen: list[tuple[int, dict[tuple[str, str], list[int]]]] = []
        for _ in range(40):
            batch: list[Draft] = []
            for _ in range(draw.randint(1, 4)):
                topic, subject = draw.choice("abc"), draw.choice("stu")
                kind, head = draw.randrange(4), rig.log.head + len(batch) + 1
                batch.append(about(topic, subject, "null" if kind == 0 else '"x"', append=kind == 1))
                if kind == 0:
                    model.pop((topic, subject), None)
                elif kind == 1:
                    model.setdefault((topic, subject), []).append(head)
                else:
                    model[topic, subject] = [head]
            await rig.log.append(batch)
            seen.append((rig.log.head, {key: list(value) for key, value in model.items()}))
            if draw.random() < 0.3:
                await rig.compact(
                    TopicFilter(tuple(draw.sample("abc", draw.randint(1, 3)))), draw.choice([0, 0, 2_000])
                )
            if draw.random() < 0.1:
                await draw.choice([rig.restart, rig.kill])()
            expected = sorted(offset for value in model.values() for offset in value)
            assert offsets(await state(rig)) == expected
        kept = await read_all(rig.log)
        trimmed = rig.log.bounds(ALL).trimmed
        for at, held in seen:
            if at >= trimmed:
                assert folded(held, [event for event in kept if event.offset > at]) == model
        assert folded({}, kept) == model


def folded(held: dict[tuple[str, str], list[int]], events: list[Event]) -> dict[tuple[str, str], list[int]]:
    """What a client has then."""
    values = {key: list(value) for key, value in held.items()}
    for event in events:
        key = event.topic, event.subject or ""
        if (event.mark or 0) & 1:
            values.setdefault(key, []).append(event.offset)
        elif event.data == "null":
            values.pop(key, None)
        else:
            values[key] = [event.offset]
    return values
