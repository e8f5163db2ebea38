"""Retention: age, count and bytes; the first policy that matches a topic decides for it."""

import pytest

from service.core.topics import TopicFilter
from service.log.sqlite.retention import STEP
from tests.support.clock import ManualClock
from tests.support.turns import counted_turns
from tests.unit.log.rigs import Parts, Rule, drafts


async def minutes(parts: Parts, clock: ManualClock, count: int, *topics: str) -> None:
    """An event of 10 bytes on each topic, each minute; the clock stands at the last one."""
    for n in range(count):
        if n:
            clock.advance(60)
        for topic in topics:
            await parts.writer.append(drafts(topic, 1, data="1234567890"), ())


async def apply(parts: Parts, clock: ManualClock, *rules: Rule) -> int:
    return await parts.retention(rules).run(clock.now, parts.head)


async def test_without_policies_everything_stays(parts: Parts, clock: ManualClock) -> None:
    await minutes(parts, clock, 3, "a")
    clock.advance(10**9)
    assert await apply(parts, clock) == 0
    assert parts.kept() == [1, 2, 3]


@pytest.mark.parametrize(
    ("max_age", "kept"),
    [(120.0, [3, 4, 5]), (119.999, [4, 5]), (120.001, [3, 4, 5]), (0.0, [5]), (10_000.0, [1, 2, 3, 4, 5])],
)
async def test_age(parts: Parts, clock: ManualClock, max_age: float, kept: list[int]) -> None:
    await minutes(parts, clock, 5, "a")
    assert await apply(parts, clock, Rule(max_age=max_age)) == 5 - len(kept)
    assert parts.kept() == kept


async def test_age_after_a_clock_that_was_ahead_is_set_right(parts: Parts, clock: ManualClock) -> None:
    """It rested for as long as the clock had been ahead: the log's times step back once, when that is confirmed."""
    clock.now += 86_400_000
    await minutes(parts, clock, 20, "a")
    clock.now -= 86_400_000
    clock.steps += 1
    await minutes(parts, clock, 5, "a")
    assert await apply(parts, clock, Rule(max_age=120.0)) == 22
    assert parts.kept() == [23, 24, 25]


async def test_age_as_time_goes_by(parts: Parts, clock: ManualClock) -> None:
    await minutes(parts, clock, 3, "a", "b")
    rule = Rule(max_age=90)
    assert await apply(parts, clock, rule) == 2
    assert await apply(parts, clock, rule) == 0
    clock.advance(31)
    assert await apply(parts, clock, rule) == 2
    clock.advance(3_600)
    assert await apply(parts, clock, rule) == 2
    assert parts.kept() == []
    assert parts.registry.floor(TopicFilter.all()) == 6
    await parts.writer.append(drafts("a", 1), ())
    assert await apply(parts, clock, rule) == 0


@pytest.mark.parametrize(("max_count", "kept"), [(0, []), (1, [5, 6]), (2, [3, 4, 5, 6]), (3, [1, 2, 3, 4, 5, 6])])
async def test_count_is_per_topic(parts: Parts, clock: ManualClock, max_count: int, kept: list[int]) -> None:
    await minutes(parts, clock, 3, "a", "b")
    await apply(parts, clock, Rule(max_count=max_count))
    assert parts.kept() == kept


@pytest.mark.parametrize(("max_bytes", "kept"), [(30, [1, 2, 3]), (29, [2, 3]), (20, [2, 3]), (19, [3]), (0, [])])
async def test_bytes(parts: Parts, clock: ManualClock, max_bytes: int, kept: list[int]) -> None:
    await minutes(parts, clock, 3, "a")
    await apply(parts, clock, Rule(max_bytes=max_bytes))
    assert parts.kept() == kept


async def test_the_strictest_bound_of_a_policy_decides(parts: Parts, clock: ManualClock) -> None:
    await minutes(parts, clock, 10, "a")
    assert await apply(parts, clock, Rule(max_age=8 * 60, max_count=5, max_bytes=35)) == 7
    assert parts.kept() == [8, 9, 10]


async def test_the_first_policy_that_matches_wins(parts: Parts, clock: ManualClock) -> None:
    await minutes(parts, clock, 4, "logs/a", "logs/b", "other")
    rules = (Rule("logs/a"), Rule("logs/*", max_count=1), Rule("**", max_count=2))
    await apply(parts, clock, *rules)
    kept = {topic: len(parts.kept(TopicFilter((topic,)))) for topic in ("logs/a", "logs/b", "other")}
    assert kept == {"logs/a": 4, "logs/b": 1, "other": 2}, "a policy without bounds keeps everything"


async def test_topics_without_a_policy_stay(parts: Parts, clock: ManualClock) -> None:
    await minutes(parts, clock, 4, "a", "b")
    clock.advance(10**6)
    assert await apply(parts, clock, Rule("a", max_age=1)) == 4
    assert parts.kept() == [2, 4, 6, 8]


async def test_what_came_after_the_pass_began_is_left_to_the_next(parts: Parts, clock: ManualClock) -> None:
    """The age of what lies beyond the given head is not looked at."""
    await minutes(parts, clock, 2, "a")
    head = parts.head
    await minutes(parts, clock, 3, "a")
    clock.advance(3_600)
    await parts.retention([Rule(max_age=1)]).run(clock.now, head)
    assert parts.kept() == [3, 4, 5]


async def test_a_pass_over_many_topics_gives_way(parts: Parts) -> None:
    """On a clock that goes on with each look."""
    await parts.writer.append([draft for n in range(200) for draft in drafts(f"t/{n}", 1)], ())
    retention = parts.retention([Rule("none/*", max_count=1)])
    retention._clock = Hasty()
    async with counted_turns() as turns:
        assert await retention.run(0, parts.head) == 0
    assert turns.count >= 50


class Hasty(ManualClock):
    """A step is over at every second look."""

    def monotonic(self) -> float:
        self.looks = getattr(self, "looks", 0) + 1
        return self.looks * 0.75 * STEP
