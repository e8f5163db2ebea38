"""The index finds whom a walk over all patterns would find, also while it changes, and keeps no more than it must."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.bus.index import LOOKS_LEAST, STEP, Looks, PatternIndex
from service.core.limits import TOPIC_MAX
from service.core.topics import TopicFilter

SEGMENTS = st.sampled_from(["a", "b", "aa"])
TOPICS = st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join)
PATTERNS = st.builds(
    lambda segments, rest: "/".join([*segments, rest]),
    st.lists(SEGMENTS | st.just("*"), max_size=5),
    st.sampled_from(["**", "*", "a", "b"]),
)


def found(index: PatternIndex[int], topic: str) -> Counter[int]:
    return Counter(value for value in index.walk(topic) if value is not None)


def expected(entries: set[tuple[str, int]], topic: str) -> Counter[int]:
    return Counter(value for pattern, value in entries if TopicFilter((pattern,)).matches(topic))


class Churn(RuleBasedStateMachine):
    """Patterns come and go; what is found is what a look at each would find."""

    def __init__(self) -> None:
        super().__init__()
        self.index: PatternIndex[int] = PatternIndex()
        self.entries: set[tuple[str, int]] = set()

    @rule(pattern=PATTERNS, value=st.integers(0, 3))
    def add(self, pattern: str, value: int) -> None:
        self.index.add(pattern, value)
        self.entries.add((pattern, value))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.entries:
            entry = data.draw(st.sampled_from(sorted(self.entries)))
            self.index.remove(*entry)
            self.entries.remove(entry)

    @rule(topic=TOPICS)
    def walk(self, topic: str) -> None:
        assert found(self.index, topic) == expected(self.entries, topic)

    @rule(topic=TOPICS, data=st.data())
    def walk_while_it_changes(self, topic: str, data: st.DataObject) -> None:
        """Who is in it before and after is found; values are told apart, so that none comes back as another."""
        kept, seen = set(self.entries), Counter[int]()
        for value in self.index.walk(topic):
            seen[value or 0] += 1
            self.add(data.draw(PATTERNS), len(seen) + 10)
            if self.entries and data.draw(st.booleans()):
                self.remove(data)
                kept &= self.entries
        for value, count in expected(kept, topic).items():
            assert seen[value] >= count

    @invariant()
    def there_are_at_most_two_nodes_a_pattern(self) -> None:
        patterns = {pattern for pattern, _ in self.entries}
        assert len(self.index) <= 2 * len(patterns)


TestChurn = Churn.TestCase


@pytest.mark.parametrize("pattern", ["**", "*", "a/**", "*/a", "/".join(["*"] * 100), "a/" * 99 + "**"])
def test_nothing_is_left_of_what_was_removed(pattern: str) -> None:
    index: PatternIndex[int] = PatternIndex()
    assert len(pattern) <= TOPIC_MAX + 1
    index.add(pattern, 1)
    assert len(index) <= 1, "however long it is"
    index.remove(pattern, 1)
    assert len(index) == 0
    with pytest.raises(KeyError):
        index.remove(pattern, 1)


@given(st.sets(PATTERNS, max_size=20), TOPICS)
def test_a_pattern_of_many_is_found_once_for_each(patterns: set[str], topic: str) -> None:
    index: PatternIndex[int] = PatternIndex()
    for pattern in sorted(patterns):
        for value in range(3):
            index.add(pattern, value)
    count = sum(TopicFilter((pattern,)).matches(topic) for pattern in patterns)
    assert found(index, topic) == Counter(dict.fromkeys(range(3), count)) - Counter()


def test_patterns_that_begin_differently_are_not_asked() -> None:
    index: PatternIndex[int] = PatternIndex()
    for n in range(20 * STEP):
        index.add(f"other{n}/*", n)
    assert list(index.walk("a/b")) == [], "not even one step"


def test_a_long_walk_stops_now_and_then() -> None:
    """Patterns that all begin as the topic does: two to the tenth of them, each with its own end."""
    index: PatternIndex[int] = PatternIndex()
    for n in range(4 * STEP):
        path = ["a" if n >> bit & 1 else "*" for bit in range(10)]
        index.add("/".join([*path, "*", "b"]), n)
    steps = list(index.walk("a/" * 11 + "c"))
    assert set(steps) == {None}
    assert len(steps) >= 3


def nearly(count: int) -> PatternIndex[int]:
    """Patterns that all begin as `a/a/a...` does, each with its own end; values from 0."""
    index: PatternIndex[int] = PatternIndex()
    for n in range(count):
        index.add("/".join("a" if n >> bit & 1 else "*" for bit in range(10)) + f"/*/x{n}", n)
    return index


def test_walks_with_looks_pass_over_what_they_do_not_come_to() -> None:
    index, looks = nearly(1_000), Looks[int](100)
    index.add("b/*", -1)
    assert list(index.walk("b/1", looks)) == [-1]
    assert looks.is_whole
    assert [value for value in index.walk("a/" * 11 + "x999", looks) if value is not None] in ([], [999])
    assert not looks.is_whole
    assert len(looks.passed_over) > 500, "most of a thousand, with a hundred looks"
    assert -1 not in looks.passed_over
    assert list(index.walk("b/1", looks)) == [-1], "a few looks are always there"
    assert looks.is_whole
    passed = dict(looks.passed_over)
    for n in range(20):
        assert list(index.walk("a/" * 11 + f"y{n}", looks)) == []
    assert looks.passed_over.keys() >= passed.keys()


@given(st.sets(PATTERNS, max_size=20), st.lists(TOPICS, max_size=10), st.integers(0, 40))
def test_who_matches_is_found_or_passed_over(patterns: set[str], topics: list[str], most: int) -> None:
    index: PatternIndex[str] = PatternIndex()
    for pattern in patterns:
        index.add(pattern, pattern)
    looks = Looks[str](most)
    for topic in topics:
        met = {value for value in index.walk(topic, looks) if value is not None}
        wanted = {pattern for pattern in patterns if TopicFilter((pattern,)).matches(topic)}
        assert met <= wanted <= met | looks.passed_over.keys()
        assert not looks.is_whole or met == wanted


def test_passing_over_many_stops_now_and_then_and_does_it_once() -> None:
    index, looks = nearly(1_000), Looks[int](0)
    steps = list(index.walk("a/" * 12, looks))
    assert steps.count(None) >= 3
    assert len(list(index.walk("a/" * 12, looks))) <= LOOKS_LEAST
