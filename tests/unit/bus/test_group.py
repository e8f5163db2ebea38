"""Subscribers of one filter share what is matched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bus.group import Groups
from service.bus.index import STEP
from service.bus.steps import at_once
from service.bus.values import Batch
from service.core.topics import TopicFilter
from tests.support.wires import OffsetText


def topics(*patterns: str) -> TopicFilter:
    return TopicFilter(patterns)


def test_one_group_for_a_filter_and_an_encoding_and_none_after_the_last_member() -> None:
    groups = Groups()
    one, other = OffsetText(name="one"), OffsetText(name="other")
    first = groups.join(topics("a"), one)
    assert groups.join(topics("a"), one) is first
    assert groups.join(topics("a"), other) is not first
    assert groups.join(topics("b"), one) is not first
    assert list(groups.matching("a")) == [first, groups.join(topics("a"), other)]
    groups.leave(first)
    assert first in groups.matching("a")
    groups.leave(first)
    assert first not in groups.matching("a")


@pytest.mark.parametrize("pattern", ["a", "*", "**"])
def test_a_memo_of_matches_knows_who_joined_and_left(pattern: str) -> None:
    groups, encoding = Groups(), OffsetText()
    assert list(groups.matching("a")) == []
    group = groups.join(topics(pattern), encoding)
    assert list(groups.matching("a")) == [group]
    groups.leave(group)
    assert list(groups.matching("a")) == []
    assert list(groups) == []


def test_a_group_of_many_topics_is_found_under_each_and_only_once() -> None:
    groups, encoding = Groups(), OffsetText()
    group = groups.join(topics("a", "b", "c/*"), encoding)
    exact = groups.join(topics("a", "b"), encoding)
    assert set(groups.matching("a")) == {group, exact}
    assert list(groups.matching("c/1")) == [group]
    groups.leave(exact)
    assert list(groups.matching("b")) == [group]


@pytest.mark.parametrize(
    ("pattern", "covered"), [("a/b", True), ("a/*", True), ("a/**", True), ("*/c", False), ("a", False), ("**", False)]
)
def test_who_asks_for_a_topic_covers_it_and_who_asks_for_all_of_them_does_not(pattern: str, covered: bool) -> None:
    groups, encoding = Groups(), OffsetText()
    assert not at_once(groups.cover("a/b"))
    group = groups.join(topics(pattern), encoding)
    assert at_once(groups.cover("a/b")) is covered
    groups.leave(group)
    assert not at_once(groups.cover("a/b"))


def test_who_covers_a_topic_is_looked_for_in_steps_and_not_remembered() -> None:
    groups, encoding = Groups(), OffsetText()
    for n in range(2 * STEP):
        groups.join(topics(f"*/{n}/*"), encoding)
    steps = groups.cover("/".join("ab" * 50))
    assert next(steps, "over") == "over", "only those that begin as it does are looked at"
    for n in range(12):
        for m in range(2**n):
            groups.join(topics("/".join(["a" if m >> bit & 1 else "*" for bit in range(n)] + ["x"])), encoding)
    assert sum(1 for _ in groups.cover("/".join("a" * 20))) > 2
    assert groups.known("/".join("a" * 20)) is None


def test_a_batch_without_frames_has_no_payload() -> None:
    group = Groups().join(topics("t"), OffsetText())
    assert group.batch([], 7, 3) == Batch(None, 0, 7, 3)
    assert group.batch([b"5", b"7"], 7, 3) == Batch((5, 7), 2, 7, 3)


SEGMENTS = st.sampled_from(["a", "b"])
PATTERNS = st.builds(
    lambda segments, rest: "/".join([*segments, rest]),
    st.lists(SEGMENTS | st.just("*"), max_size=2),
    st.sampled_from(["**", "*", "a", "b"]),
)
FILTERS = st.lists(PATTERNS, max_size=3).map(lambda patterns: TopicFilter(tuple(patterns)))
TOPICS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


@given(st.lists(st.tuples(FILTERS, st.booleans(), TOPICS), max_size=12))
def test_matching_finds_what_asking_every_group_would_find(steps: list[tuple[TopicFilter, bool, str]]) -> None:
    groups, encoding = Groups(), OffsetText()
    for filter, stays, topic in steps:
        group = groups.join(filter, encoding)
        for name in (topic, "a", "a/b"):
            found = list(groups.matching(name))
            assert len(found) == len(set(found))
            assert set(found) == {one for one in groups if one.topics.matches(name)}
        if not stays:
            groups.leave(group)
    for topic in ("a", "a/b", "b/a/b"):
        assert set(groups.matching(topic)) == {one for one in groups if one.topics.matches(topic)}
