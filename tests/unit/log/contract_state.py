"""What holds of subjects and of states; `test_contract.py` has it for every engine."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.core.errors import ClosedSubjectError
from service.core.event import APPEND, FINAL, Draft, Event
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from tests.unit.log.rigs import ALL, PLENTY, Rig, drafts


def about(topic: str, subject: str, data: str = '"x"', *, append: bool = False, final: bool = False) -> Draft:
    return Draft(topic, "log", data, None, subject, append, final)


def piece(text: str, *, append: bool = True, final: bool = False, subject: str = "s", topic: str = "a") -> Draft:
    """Of a text that grows."""
    return Draft(topic, "token", json.dumps(text, ensure_ascii=False), None, subject, append, final)


async def state(
    rig: Rig,
    topics: TopicFilter = ALL,
    at: int | None = None,
    subject: str | None = None,
    limit: int = 1_000,
    *,
    lasts: bool = False,
) -> list[Event]:
    """All of it, page by page."""
    found: list[Event] = []
    at, after = rig.log.head if at is None else at, 0
    while after < at:
        page = await rig.log.state(StateSearch(topics, at, after, subject, lasts, limit, PLENTY))
        assert len(page.rows) <= limit
        assert page.next > after or not page.rows
        found += page.events
        after = page.next
    return found


async def check_text(rig: Rig, topic: str, subject: str, limit: int, at: int | None = None) -> list[Event]:
    """Each page of a value as text is the page of its events, as one if they are strings. Return those as text."""
    at = rig.log.head if at is None else at
    plain = await state(rig, TopicFilter((topic,)), at, subject)
    search = StateSearch(TopicFilter((topic,)), at, 0, subject, limit=limit, max_bytes=PLENTY, is_text=True)
    texts: list[Event] = []
    while search.after < at:
        page = await rig.log.state(search)
        expected = [event for event in plain if search.after < event.offset <= page.next]
        assert len(expected) <= limit
        if expected and all(event.data.startswith('"') for event in expected):
            mark = (expected[-1].mark or 0) & ~APPEND | (expected[0].mark or 0) & APPEND
            text = json.dumps("".join(json.loads(event.data) for event in expected), ensure_ascii=False)
            expected = [expected[-1]._replace(data=text, mark=mark or None)]
        assert list(page.events) == expected
        texts += page.events
        search = replace(search, after=page.next)
    return texts


def offsets(events: Sequence[Event]) -> list[int]:
    return [event.offset for event in events]


class SubjectContract:
    """The latest of each subject, from the same log, at any position."""

    async def test_an_event_carries_its_subject_and_what_it_does_to_it(self, rig: Rig) -> None:
        heard: list[Event] = []
        rig.log.follow(heard.extend, lambda topic, floor: None)
        await rig.log.append(drafts("a", 1))
        await rig.log.append(
            [
                about("a", "s"),
                about("a", "s", append=True),
                about("a", 'q"ü', append=True, final=True),
                *drafts("a", 1),
            ],
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        found = [(event.subject, event.mark or 0, event.traceparent is not None) for event in heard]
        assert found == [
            (None, 0, False),
            ("s", 0, True),
            ("s", APPEND, True),
            ('q"ü', APPEND | FINAL, True),
            (None, 0, True),
        ]
        await rig.restart()
        assert (await rig.log.read(ALL, 0, 100, PLENTY)).events == heard

    async def test_a_log_without_subjects_has_no_state(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 3))
        assert await state(rig) == []

    async def test_a_value_is_replaced_appended_to_and_deleted(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("a", "t", append=True)])
        assert offsets(await state(rig)) == [1, 2, 3]
        await rig.log.append([about("a", "s"), *drafts("a", 1), about("b", "s")])
        assert offsets(await state(rig)) == [3, 4, 6]
        await rig.log.append([about("a", "t", "null"), about("a", "s", append=True)])
        assert offsets(await state(rig)) == [4, 6, 8]
        await rig.restart()
        assert offsets(await state(rig)) == [4, 6, 8]
        await rig.log.append([about("a", "t", append=True)])
        assert offsets(await state(rig)) == [4, 6, 8, 9], "an append to what was deleted begins a value"

    async def test_null_that_is_appended_deletes_nothing(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", "null", append=True)])
        assert offsets(await state(rig)) == [1, 2]

    async def test_what_is_final_takes_nothing_more_until_it_is_replaced(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s", append=True, final=True)])
        for batch, number in (
            ([about("a", "s", append=True)], 0),
            ([*drafts("b", 2), about("a", "s", append=True)], 2),
        ):
            with pytest.raises(ClosedSubjectError) as refused:
                await rig.log.append(batch)
            assert refused.value.number == number
        assert rig.log.head == 1, "all or nothing"
        await rig.restart()
        with pytest.raises(ClosedSubjectError):
            await rig.log.append([about("a", "s", append=True)])
        await rig.log.append([about("a", "t", append=True)])
        await rig.log.append([about("a", "s"), about("a", "s", append=True)])
        assert offsets(await state(rig)) == [2, 3, 4]
        with pytest.raises(ClosedSubjectError):
            await rig.log.append([about("a", "s", append=True, final=True), about("a", "s", append=True)])
        await rig.log.append([about("a", "s", "null", final=True)])
        with pytest.raises(ClosedSubjectError):
            await rig.log.append([about("a", "s", append=True)])

    async def test_a_repeat_is_answered_though_its_subject_is_final(self, rig: Rig) -> None:
        closing = Draft("a", "log", '"x"', "k", "s", append=True, final=True)
        first = await rig.log.append([closing])
        assert await rig.log.append([closing]) == (first.offsets, False)
        assert (await rig.log.append([closing, closing, about("a", "t")])).offsets == (1, 1, 2)

    async def test_the_state_at_an_earlier_position_is_what_it_was(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("b", "s"), about("a", "t")])
        await rig.log.append([about("a", "s"), about("b", "s", "null"), about("a", "u")])
        assert offsets(await state(rig, at=4)) == [1, 2, 3, 4]
        assert offsets(await state(rig, at=5)) == [3, 4, 5]
        assert offsets(await state(rig, at=1)) == [1]
        assert offsets(await state(rig, TopicFilter(("a",)), at=4, limit=1)) == [1, 2, 4]
        assert offsets(await state(rig)) == [4, 5, 7]

    async def test_of_a_filter_and_of_a_subject(self, rig: Rig) -> None:
        await rig.log.append([about(topic, subject) for topic in ("a", "b", "c/d") for subject in ("s", "t")])
        assert offsets(await state(rig, TopicFilter(("a", "c/*")))) == [1, 2, 5, 6]
        assert offsets(await state(rig, TopicFilter(("a", "c/*")), subject="t")) == [2, 6]
        assert offsets(await state(rig, subject="s", limit=1)) == [1, 3, 5]
        assert await state(rig, TopicFilter(("nowhere",))) == []

    async def test_a_page_ends_with_the_event_that_fills_it(self, rig: Rig) -> None:
        await rig.log.append([about("a", str(n), f'"{"x" * 100}"') for n in range(10)])
        page = await rig.log.state(StateSearch(ALL, 10, limit=1_000, max_bytes=250))
        assert (len(page.rows), page.next) == (3, 3)

    async def test_a_value_without_its_beginning_is_left_out_until_it_is_replaced(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("a", "t"), about("b", "s")])
        before = (await rig.log.state(StateSearch(ALL, 4, limit=1))).floor
        await rig.log.trim(TopicFilter(("a",)), 2)
        assert offsets(await state(rig)) == [3, 4]
        assert (await rig.log.state(StateSearch(ALL, 4, limit=1))).floor > before, "whoever has a page of it is told"
        await rig.log.append([about("a", "s", append=True)])
        assert offsets(await state(rig)) == [3, 4]
        await rig.log.trim(TopicFilter(("a",)), 0)
        await rig.restart()
        await rig.log.append([about("a", "s", append=True), about("a", "t", append=True), about("a", "u", append=True)])
        assert offsets(await state(rig)) == [4, 8], "though nothing of it is left, it had a beginning"
        await rig.log.append([about("a", "s"), about("a", "s", append=True), about("a", "t", "null")])
        await rig.log.append([about("a", "t", append=True)])
        assert offsets(await state(rig)) == [4, 8, 9, 10, 12]

    async def test_a_topic_whose_subjects_were_cut_is_not_forgotten(self, rig: Rig) -> None:
        await rig.log.append([about("a", "s"), *drafts("b", 1)])
        await rig.log.trim(ALL, 0)
        assert await rig.forget() == 1
        await rig.log.append([about("a", "s", append=True)])
        assert await state(rig) == []

    @pytest.mark.parametrize("seed", range(3))
    async def test_it_is_what_a_plain_dictionary_holds(self, rig: Rig, seed: int) -> None:
        """At every position there ever was, whatever was published, replaced, deleted and trimmed since."""
        chance = random.Random(seed)
        model: dict[tuple[str, str], list[int]] = {}
        final: dict[tuple[str, str], bool] = {}
        moments: dict[int, list[int]] = {}
        oldest = 0
        for _ in range(60):
            batch = [_random(chance) for _ in range(chance.randint(1, 5))]
            if _breaks(batch, dict(final)):
                with pytest.raises(ClosedSubjectError):
                    await rig.log.append(batch)
                continue
            receipt = await rig.log.append(batch)
            for draft, offset in zip(batch, receipt.offsets, strict=True):
                if draft.subject is not None:
                    _carry_out(model, final, draft, offset)
            moments[rig.log.head] = sorted(offset for value in model.values() for offset in value if offset)
            if chance.random() < 0.1:
                topic = chance.choice("abc")
                kept = (await rig.log.read(TopicFilter((topic,)), 0, 1_000, PLENTY)).events
                keep = chance.randint(0, 4)
                gone = {event.offset for event in kept[: max(0, len(kept) - keep)]}
                await rig.log.trim(TopicFilter((topic,)), keep)
                left = {(event.topic, event.subject) for event in kept if event.offset not in gone}
                for key, value in model.items():
                    if gone & set(value):
                        value[:] = [0]  # it lacks its beginning
                    if key[0] == topic and key not in left and not value:
                        final.pop(key, None)  # of what was deleted nothing is left
                oldest = rig.log.head
                moments = {rig.log.head: sorted(offset for value in model.values() for offset in value if offset)}
            if chance.random() < 0.05:
                await rig.restart()
            assert offsets(await state(rig, limit=chance.choice((1, 3, 1_000)))) == moments[rig.log.head]
            lasts = sorted(value[-1] for value in model.values() if value and value[-1])
            assert offsets(await state(rig, lasts=True, limit=chance.choice((1, 3, 1_000)))) == lasts
            await check_text(rig, chance.choice("abc"), chance.choice("stu"), chance.choice((1, 2, 3, 1_000)))
            at = chance.choice(list(moments))
            assert offsets(await state(rig, at=at, limit=chance.choice((1, 3, 1_000)))) == moments[at], (at, oldest)

    async def test_strings_of_a_value_come_as_one_event(self, rig: Rig) -> None:
        await rig.log.append([piece("old", append=False), piece("and ", append=False), piece("t\u00e9xt", subject="t")])
        await rig.log.append([piece("\u20ac "), piece('"', final=True), drafts("a", 1)[0]])
        (text,) = await check_text(rig, "a", "s", 1_000)
        assert (text.offset, text.data, text.mark) == (5, '"and \u20ac \\""', FINAL)
        assert [(one.data, one.mark) for one in await check_text(rig, "a", "s", 2)] == [
            ('"and \u20ac "', None),
            ('"\\""', APPEND | FINAL),
        ]
        assert await check_text(rig, "a", "none", 2) == await check_text(rig, "none", "s", 2) == []
        search = StateSearch(TopicFilter(("a",)), 6, 0, "s", is_text=True, max_bytes=7)
        page = await rig.log.state(search)
        assert ([event.data for event in page.events], page.next) == (['"and \u20ac "'], 4), "as many bytes as may be"

    async def test_what_is_no_text_comes_as_it_is(self, rig: Rig) -> None:
        await rig.log.append([piece("a", append=False), about("a", "s", "1", append=True), piece("b"), piece("c")])
        assert offsets(await check_text(rig, "a", "s", 1_000)) == [1, 2, 3, 4]
        assert offsets(await check_text(rig, "a", "s", 2)) == [1, 2, 4]

    async def test_a_text_as_it_was_is_told_at_its_position(self, rig: Rig) -> None:
        await rig.log.append([piece("a", append=False), piece("b"), piece("new", append=False), piece("er")])
        for at, expected in ((1, '"a"'), (2, '"ab"'), (3, '"new"'), (4, '"newer"')):
            assert [text.data for text in await check_text(rig, "a", "s", 1_000, at)] == [expected]


def _random(chance: random.Random) -> Draft:
    subject = chance.choice(("s", "t", "u", None))
    append, final = chance.random() < 0.5, chance.random() < 0.1
    data = "null" if chance.random() < 0.2 else '"x"'
    if subject is None:
        return Draft(chance.choice("abc"), "log", data)
    return about(chance.choice("abc"), subject, data, append=append, final=final)


def _breaks(batch: Sequence[Draft], final: dict[tuple[str, str], bool]) -> bool:
    for draft in batch:
        if draft.subject is not None:
            if draft.append and final.get((draft.topic, draft.subject)):
                return True
            final[draft.topic, draft.subject] = draft.final
    return False


def _carry_out(model: dict[Any, list[int]], final: dict[Any, bool], draft: Draft, offset: int) -> None:
    key = draft.topic, draft.subject
    final[key] = draft.final
    value = model.setdefault(key, [])
    if draft.append:
        if value[:1] != [0]:
            value.append(offset)
    else:
        value[:] = [] if draft.is_deletion else [offset]
