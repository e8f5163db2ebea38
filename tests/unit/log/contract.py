"""The contract of `service.log.base`, as tests. Every implementation passes them: see test_contract.py."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from service.core.errors import GuardError, StorageError, UnavailableError
from service.core.event import Draft, Event
from service.core.topics import TopicFilter
from service.log.base import Bounds, Receipt, Search
from tests.unit.log.rigs import ALL, Rig, drafts, list_topics, read_all

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NASTY_DATA = [
    "null",
    "12345678901234567890123456789012345678901234567890",
    "1.0",
    "1e400",
    '"\\u0000\\u2028\\ud83d\\ude00"',
    '"\u2028\u2029\x7f\U0001f600"',
    '"\\"\\\\\\/"',
    '{"a":1,"a":2}',
    "[" * 200 + "]" * 200,
    '"' + "x" * 65_000 + '"',
]


class AppendContract:
    """One order, durable before visible, all or nothing."""

    async def test_offsets_grow_by_one_over_the_whole_log(self, rig: Rig) -> None:
        assert rig.log.head == 0
        assert await rig.log.append([*drafts("a", 2), *drafts("b", 1)]) == Receipt((1, 2, 3), True)
        assert await rig.log.append(drafts("c", 1)) == Receipt((4,), True)
        assert rig.log.head == 4
        assert [event.offset for event in await read_all(rig.log)] == [1, 2, 3, 4]

    async def test_prev_is_the_one_before_on_the_same_topic(self, rig: Rig) -> None:
        await rig.log.append([*drafts("a", 2), *drafts("b", 1), *drafts("a", 1)])
        await rig.restart()
        await rig.log.append([*drafts("b", 1), *drafts("a", 1), *drafts("c", 1)])
        assert [event.prev for event in await read_all(rig.log)] == [0, 1, 0, 2, 3, 4, 0]

    async def test_events_come_back_as_they_went_in(self, rig: Rig) -> None:
        rig.clock.now = 1_700_000_000_123
        await rig.log.append(
            [Draft("projects/42", "status_update", data, f"k{n}") for n, data in enumerate(NASTY_DATA)]
        )
        await rig.restart()
        expected = [
            Event(n, "projects/42", "status_update", 1_700_000_000_123, n - 1, data)
            for n, data in enumerate(NASTY_DATA, 1)
        ]
        assert await read_all(rig.log) == expected

    async def test_the_events_of_an_append_carry_its_trace_and_no_others_do(self, rig: Rig) -> None:
        heard: list[Event] = []
        rig.log.follow(heard.extend, lambda topic, floor: None)
        await asyncio.gather(
            rig.log.append(drafts("a", 1)),
            rig.log.append([*drafts("a", 2), Draft("b", "log", "1", "key")], traceparent=TRACE),
            rig.log.append(drafts("b", 1)),
        )
        await rig.log.append([Draft("b", "log", "1", "key")], traceparent=TRACE[::-1])
        await rig.log.append(drafts("a", 1))
        expected = [None, TRACE, TRACE, TRACE, None, None]
        assert [event.traceparent for event in heard] == expected
        await rig.restart()
        assert [event.traceparent for event in await read_all(rig.log)] == expected
        topics = TopicFilter(("a",))
        assert [event.traceparent for event in await read_all(rig.log, topics)] == [None, TRACE, TRACE, None]
        page = await rig.log.search(Search(topics, newest_first=True, limit=2))
        assert [event.traceparent for event in page.events] == [None, TRACE]

    async def test_topics_are_known_once_they_were_told(self, rig: Rig) -> None:
        seen: list[bool] = []
        rig.log.follow(lambda events: seen.append(rig.log.has_topic("a")), lambda topic, floor: None)
        assert not rig.log.has_topic("a")
        await rig.log.append(drafts("a", 1))
        await rig.log.trim(ALL, 0)
        assert (seen, rig.log.has_topic("a"), rig.log.has_topic("b")) == ([True], True, False)
        await rig.restart()
        assert rig.log.has_topic("a")

    async def test_an_empty_append_is_nothing(self, rig: Rig) -> None:
        heard: list[Sequence[Event]] = []
        rig.log.follow(heard.append, lambda topic, floor: None)
        assert await rig.log.append([]) == Receipt((), False)
        assert heard == []
        assert rig.log.head == 0

    async def test_times_never_decrease(self, rig: Rig) -> None:
        start = rig.clock.now
        for step in (10, -3600, 0, 3605, -1):
            rig.clock.advance(step)
            await rig.log.append(drafts("a", 1))
        await rig.restart()
        rig.clock.advance(-7200)
        await rig.log.append(drafts("a", 1))
        times = [event.time - start for event in await read_all(rig.log)]
        assert times == [10_000, 10_000, 10_000, 15_000, 15_000, 15_000]

    async def test_a_cancelled_append_leaves_one_event_or_none(self, rig: Rig) -> None:
        keyed = [Draft("a", "log", "1", "key")]
        waiting = asyncio.create_task(rig.log.append(keyed))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        again = await rig.log.append(keyed)
        assert again.offsets == (1,)
        assert [event.offset for event in await read_all(rig.log)] == [1]

    async def test_a_cancelled_append_does_not_harm_those_that_wait_with_it(self, rig: Rig) -> None:
        tasks = [asyncio.create_task(rig.log.append(drafts(f"t{n}", 1))) for n in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(answer, Receipt) for answer in answers] == [True, True, False, True, True]
        events = await read_all(rig.log)
        assert [event.offset for event in events] == list(range(1, len(events) + 1))
        for answer, topic in zip(answers, ("t0", "t1", "t2", "t3", "t4"), strict=True):
            if isinstance(answer, Receipt):
                assert events[answer.offsets[0] - 1].topic == topic


class KeyContract:
    """A key is unique per topic for as long as its event is kept."""

    async def test_a_repeat_returns_the_first_offset(self, rig: Rig) -> None:
        first = await rig.log.append([Draft("a", "log", "1", "key")])
        assert await rig.log.append([Draft("a", "other", "2", "key")]) == Receipt(first.offsets, False)
        assert [event.data for event in await read_all(rig.log)] == ["1"]

    async def test_within_one_request(self, rig: Rig) -> None:
        twice = [Draft("a", "log", "1", "key"), Draft("a", "log", "2", "key"), Draft("a", "log", "3")]
        assert await rig.log.append(twice) == Receipt((1, 1, 2), True)
        assert await rig.log.append(twice[:2]) == Receipt((1, 1), False)

    async def test_in_requests_that_wait_together(self, rig: Rig) -> None:
        answers = await asyncio.gather(*(rig.log.append([Draft("a", "log", str(n), "key")]) for n in range(5)))
        assert [answer.offsets for answer in answers] == [(1,)] * 5
        assert [answer.fresh for answer in answers].count(True) == 1
        assert rig.log.head == 1

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_across_a_restart(self, rig: Rig, way: str) -> None:
        await rig.log.append([Draft("a", "log", "1", "key")])
        await getattr(rig, way)()
        assert await rig.log.append([Draft("a", "log", "2", "key")]) == Receipt((1,), False)

    async def test_a_key_belongs_to_its_topic(self, rig: Rig) -> None:
        receipt = await rig.log.append([Draft("a", "log", "1", "key"), Draft("b", "log", "1", "key")])
        assert receipt == Receipt((1, 2), True)

    async def test_events_without_a_key_are_never_repeats(self, rig: Rig) -> None:
        assert (await rig.log.append([Draft("a", "log", "1")] * 2)).offsets == (1, 2)

    async def test_a_key_goes_with_its_event(self, rig: Rig) -> None:
        await rig.log.append([Draft("a", "log", "1", "key"), Draft("a", "log", "2", "kept")])
        assert await rig.log.trim(ALL, 1) == 1
        assert await rig.log.append([Draft("a", "log", "3", "key")]) == Receipt((3,), True)
        assert await rig.log.append([Draft("a", "log", "3", "kept")]) == Receipt((2,), False)


class ListenerContract:
    """A listener hears every event once, in log order, after its commit, and all of one commit together."""

    async def test_order_and_once(self, rig: Rig) -> None:
        heard: list[list[int]] = []
        rig.log.follow(lambda events: heard.append([event.offset for event in events]), lambda topic, floor: None)
        await asyncio.gather(*(rig.log.append(drafts(f"t{n % 3}", n % 4 + 1)) for n in range(40)))
        assert list(itertools.chain(*heard)) == list(range(1, rig.log.head + 1))

    async def test_a_request_is_heard_in_one_piece_when_it_is_readable(self, rig: Rig) -> None:
        heads: list[tuple[int, int]] = []
        rig.log.follow(
            lambda events: heads.append((len(events), rig.log.head - events[-1].offset)), lambda topic, floor: None
        )
        await rig.log.append(drafts("a", 100))
        assert heads == [(100, 0)], "the head has moved before listeners hear"

    async def test_listeners_hear_before_the_publisher(self, rig: Rig) -> None:
        order: list[str] = []
        rig.log.follow(lambda events: order.append("listener"), lambda topic, floor: None)
        rig.log.follow(lambda events: order.append("second"), lambda topic, floor: None)
        await rig.log.append(drafts("a", 1))
        order.append("publisher")
        assert order == ["listener", "second", "publisher"]

    async def test_repeats_and_failures_are_not_heard(self, rig: Rig) -> None:
        await rig.log.append([Draft("a", "log", "1", "key")], [rig.add("one", 1)])
        heard: list[Sequence[Event]] = []
        rig.log.follow(heard.append, lambda topic, floor: None)
        await rig.log.append([Draft("a", "log", "1", "key")])
        await rig.log.append([], [rig.add("two", 2)])
        with pytest.raises(StorageError):
            await rig.log.append(drafts("a", 1), [rig.add("one", 1)])
        with pytest.raises(GuardError):
            await rig.log.append(drafts("a", 1), [], [rig.expect("one", 2)])
        assert heard == []


class RestartContract:
    """Identity and position survive, however the log ended."""

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_nothing_acknowledged_is_lost(self, rig: Rig, way: str) -> None:
        await rig.log.append([*drafts("a", 3), *drafts("b", 2)])
        before, epoch, stats = await read_all(rig.log), rig.log.epoch, await list_topics(rig.log)
        await getattr(rig, way)()
        assert rig.log.epoch == epoch
        assert rig.log.head == 5
        assert await read_all(rig.log) == before
        assert await list_topics(rig.log) == stats

    @pytest.mark.parametrize("way", ["restart", "kill"])
    async def test_no_offset_is_used_twice_even_if_the_newest_were_trimmed(self, rig: Rig, way: str) -> None:
        await rig.log.append([*drafts("a", 3), *drafts("b", 2)])
        assert await rig.log.trim(ALL, 0) == 5
        await getattr(rig, way)()
        assert rig.log.head == 5
        assert rig.log.bounds(TopicFilter(("a",))).floor == 3
        assert rig.log.bounds(ALL) == Bounds(rig.log.epoch, 5, 5, 5)
        assert (await rig.log.append(drafts("a", 1))).offsets == (6,)
        assert (await read_all(rig.log))[0].prev == 3, "the chain goes on from what was trimmed"

    async def test_closing_is_idempotent_and_final(self, rig: Rig) -> None:
        await rig.log.append(drafts("a", 1))
        await rig.log.close()
        await rig.log.close()
        with pytest.raises(UnavailableError):
            await rig.log.append(drafts("a", 1))

    async def test_closing_finishes_what_was_accepted(self, rig: Rig) -> None:
        waiting = [asyncio.create_task(rig.log.append(drafts("a", 10))) for _ in range(5)]
        await asyncio.sleep(0)
        await rig.restart()
        assert [(await one).fresh for one in waiting] == [True] * 5
        assert len(await read_all(rig.log)) == 50
