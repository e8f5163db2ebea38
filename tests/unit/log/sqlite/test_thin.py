"""Bounds of a topic whose state is kept: they are for events without a subject."""

import pytest

from service.core.topics import TopicFilter
from service.log.sqlite import thin
from tests.support.clock import ManualClock
from tests.unit.log.contract_state import about
from tests.unit.log.rigs import Parts, Rule, drafts

A = TopicFilter(("a",))


async def mixed(parts: Parts, clock: ManualClock, count: int, topic: str = "a") -> None:
    """Each minute an event of 10 bytes without a subject and one that is about another thing each time."""
    for n in range(count):
        if n:
            clock.advance(60)
        await parts.writer.append(drafts(topic, 1, data="1234567890"), ())
        await parts.writer.append([about(topic, str(n))], ())


@pytest.mark.parametrize("rows", [1, 2, 1_000])
@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (Rule(keep="state"), [1, 2, 3, 4, 5, 6, 7, 8]),
        (Rule(keep="state", max_age=60.0), [2, 4, 5, 6, 7, 8]),
        (Rule(keep="state", max_count=1), [2, 4, 6, 7, 8]),
        (Rule(keep="state", max_count=0), [2, 4, 6, 8]),
        (Rule(keep="state", max_count=4), [1, 2, 3, 4, 5, 6, 7, 8]),
        (Rule(keep="state", max_bytes=25), [2, 4, 5, 6, 7, 8]),
        (Rule(keep="state", max_bytes=20, max_count=3, max_age=1_000), [2, 4, 5, 6, 7, 8]),
    ],
)
async def test_what_has_a_subject_stays(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, rule: Rule, kept: list[int], rows: int
) -> None:
    monkeypatch.setattr(thin, "LOOK_ROWS", rows)
    await mixed(parts, clock, 4)
    retention = parts.retention([rule])
    assert await retention.run(clock.now, parts.head) == 8 - len(kept)
    assert parts.kept() == kept
    assert await retention.run(clock.now, parts.head) == 0
    topic = parts.registry.get("a")
    assert topic is not None
    assert (topic.count, topic.floor) == (len(kept), 0)
    gone = {1, 3, 5, 7} - set(kept)
    assert parts.registry.floor(A) == parts.registry.trimmed(A) == max(gone, default=0), "nothing replaces these"


async def test_later_passes_take_what_has_come_since(parts: Parts, clock: ManualClock) -> None:
    retention = parts.retention([Rule("a", keep="state", max_count=2, max_age=150.0)])
    for _ in range(3):
        await mixed(parts, clock, 4)
        await mixed(parts, clock, 1, "b")
        await retention.run(clock.now, parts.head)
        plain = await parts.sql("SELECT count(*) FROM events WHERE topic = 1 AND subject IS NULL")
        assert plain == [(2,)]
        clock.advance(60)
    clock.advance(1_000)
    await retention.run(clock.now, parts.head)
    assert await parts.sql("SELECT count(*) FROM events WHERE topic = 1 AND subject IS NULL") == [(0,)]
    assert len(parts.kept(TopicFilter(("b",)))) == 6


async def test_the_tail_is_told_that_all_without_a_subject_go(parts: Parts, clock: ManualClock) -> None:
    told: list[tuple[str, int, bool]] = []
    parts.registry.holes.watch(lambda *of: told.append(of))
    await mixed(parts, clock, 3)
    await parts.retention([Rule(keep="state", max_count=1)]).run(clock.now, parts.head)
    assert told[-1] == ("a", 3, True)


async def test_of_many_topics_the_first_is_looked_at_again(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thin, "KNOWN_MAX", 2)
    for name in "abc":
        await mixed(parts, clock, 3, name)
    retention = parts.retention([Rule(keep="state", max_count=1)])
    assert await retention.run(clock.now, parts.head) == 6
    assert await retention.run(clock.now, parts.head) == 0
    assert len(retention._thinner._seen) == 2
