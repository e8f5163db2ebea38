"""Topics and filters: the grammar, the wildcards, and a naive matcher to compare with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import ForbiddenError, InvalidError
from service.core.limits import FILTER_TOPICS_MAX, TOPIC_MAX
from service.core.topics import (
    Matching,
    TopicFilter,
    check_count,
    check_open,
    check_pattern,
    check_readable,
    check_topic,
    is_topic,
)
from tests.support.cpu import own_cpu

SEGMENTS = st.text("ab.-~_", min_size=1, max_size=2)
TOPICS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
PATTERNS = st.builds(
    lambda segments, rest: "/".join([*segments, *rest]),
    st.lists(SEGMENTS | st.just("*"), max_size=3),
    st.sampled_from([["**"], ["*"], ["a"], ["b"]]),
)


def naive_match(pattern: list[str], topic: list[str]) -> bool:
    """docs/protocol.md, section 1, word by word."""
    if not pattern:
        return not topic
    if pattern == ["**"]:
        return len(topic) >= 1
    if not topic or pattern[0] not in ("*", topic[0]):
        return False
    return naive_match(pattern[1:], topic[1:])


@pytest.mark.parametrize("text", ["a", "projects/42", "A/b.C/~x_-9", "..", "a" * TOPIC_MAX, "a/" * 99 + "ab"])
def test_topics(text: str) -> None:
    assert is_topic(text)
    assert check_topic(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *["", "/", "a/", "/a", "a//b", "a b", "a\n", "a/b\n", "é", "a:b", "a%20b", "*", "a/*", "**", "a?b", "٣", "a\0"],
        "a" * (TOPIC_MAX + 1),
    ],
)
def test_what_is_no_topic(text: str) -> None:
    assert not is_topic(text)
    with pytest.raises(InvalidError) as caught:
        check_topic(text, "3.topic")
    assert caught.value.field == "3.topic"
    assert len(caught.value.detail) < 6 * TOPIC_MAX


@pytest.mark.parametrize(
    "text", ["a**", "**/a", "a/**/b", "***", "a*", "*a", "a/*b", "", "/", "*/", "/*", "a//*", "*\n", "é/*"]
)
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        TopicFilter((text,))
    assert caught.value.field == "topic"


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a", ["a"], ["b", "a/b", "aa"]),
        ("*", ["a", "b"], ["a/b"]),
        ("**", ["a", "a/b", "a/b/c"], []),
        ("a/*", ["a/b"], ["a", "a/b/c", "b/a"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab/c", "b/a/b"]),
        ("*/b", ["a/b", "b/b"], ["b", "a/b/b", "a/c"]),
        ("*/**", ["a/b", "a/b/c"], ["a"]),
        ("a.b/*", ["a.b/c"], ["axb/c"]),
        ("a-b/*/c", ["a-b/x/c"], ["a-b/c", "a-b/x/y/c"]),
    ],
)
def test_wildcards(pattern: str, matching: list[str], other: list[str]) -> None:
    filter = TopicFilter((pattern,))
    assert [topic for topic in matching + other if filter.matches(topic)] == matching


@given(st.lists(PATTERNS | TOPICS, max_size=4), TOPICS)
def test_matching_agrees_with_the_naive_matcher(patterns: list[str], topic: str) -> None:
    expected = any(naive_match(pattern.split("/"), topic.split("/")) for pattern in patterns)
    assert TopicFilter(tuple(patterns)).matches(topic) == expected


@given(st.lists(PATTERNS | TOPICS, max_size=4), TOPICS)
def test_exact_names_the_topics_of_a_filter_without_wildcards(patterns: list[str], topic: str) -> None:
    filter = TopicFilter(tuple(patterns))
    if filter.exact is None:
        assert any("*" in pattern for pattern in filter.patterns)
    else:
        assert filter.matches(topic) == (topic in filter.exact)


@given(st.lists(PATTERNS | TOPICS, max_size=5), st.randoms())
def test_equal_sets_are_equal_filters(patterns: list[str], random: object) -> None:
    shuffled = [*patterns, *patterns[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert TopicFilter(tuple(shuffled)) == TopicFilter(tuple(patterns))
    assert hash(TopicFilter(tuple(shuffled))) == hash(TopicFilter(tuple(patterns)))


@given(st.lists(PATTERNS | TOPICS, max_size=4), st.lists(PATTERNS | TOPICS, max_size=4), TOPICS)
def test_plus_is_the_union(some: list[str], more: list[str], topic: str) -> None:
    union = TopicFilter(tuple(some)).plus(more)
    assert union.matches(topic) == (TopicFilter(tuple(some)).matches(topic) or TopicFilter(tuple(more)).matches(topic))


def test_minus_takes_patterns_away_by_their_text() -> None:
    filter = TopicFilter(("a", "b", "c/*"))
    assert filter.minus(["b", "c/*", "unknown"]) == TopicFilter(("a",))
    assert filter.minus(["c/d"]) == filter
    assert filter.minus(filter.patterns) == TopicFilter(())


def test_everything_and_nothing() -> None:
    everything = TopicFilter(("a", "**", "b/*"))
    assert everything == TopicFilter.all()
    assert everything.covers_all
    assert everything.exact is None
    nothing = TopicFilter(())
    assert nothing.exact == ()
    assert not nothing.covers_all
    assert not nothing.matches("a")


def test_bounds_of_a_filter() -> None:
    full = [f"t{n}" for n in range(FILTER_TOPICS_MAX)]
    assert len(TopicFilter((*full, *full)).patterns) == FILTER_TOPICS_MAX, "repeats do not count"
    with pytest.raises(InvalidError, match=str(FILTER_TOPICS_MAX)):
        TopicFilter((*full, "one-more"))
    assert TopicFilter(("*/" * 99 + "**",)).patterns == ("*/" * 99 + "**",)
    with pytest.raises(InvalidError):
        TopicFilter(("*/" * 99 + "a**",))
    with pytest.raises(InvalidError):
        TopicFilter(("a" * (TOPIC_MAX + 1),))


def test_too_many_patterns_are_refused_before_any_is_looked_at() -> None:
    with pytest.raises(InvalidError, match="at most 100"):
        TopicFilter(tuple(f"not a pattern {n}" for n in range(FILTER_TOPICS_MAX + 1)))
    with pytest.raises(InvalidError, match="at most 100") as refused:
        check_count([f"t{n}" for n in range(FILTER_TOPICS_MAX + 1)], "topics")
    assert refused.value.field == "topics"
    assert list(check_count(["t", "u"] * 1_000)) == ["t", "u"], "repeats do not count, and are not looked at"


def test_a_filter_tells_what_it_takes_to_match() -> None:
    assert TopicFilter(("a/b", "c/d")).weight == 1
    assert TopicFilter(("a/*", "b/*/c/**")).weight == 1 + 40 + 42, "also where there is nothing to compare"
    assert TopicFilter(()).weight == 1
    assert TopicFilter(tuple(f"t{n}" for n in range(FILTER_TOPICS_MAX))).weight == 11


def test_the_heaviest_filter_costs_a_steady_step() -> None:
    """A hundred patterns of a hundred segments, each of which differs in its last one only."""
    heavy = TopicFilter(tuple("*/" * 97 + f"{n:02}" for n in range(FILTER_TOPICS_MAX)))
    topic = "a/" * 97 + "xx"
    with own_cpu() as cpu:
        began = cpu()
        assert not heavy.matches(topic)
        assert heavy.matches("a/" * 97 + "42")
        assert cpu() - began < 0.02


def test_a_filter_is_immutable() -> None:
    with pytest.raises(AttributeError):
        TopicFilter(("a",)).patterns = ("b",)  # type: ignore[misc]


@given(PATTERNS)
def test_a_pattern_that_passes_makes_a_filter(text: str) -> None:
    assert TopicFilter((check_pattern(text),)).patterns == (text,)


def test_a_wrong_pattern_names_the_field() -> None:
    with pytest.raises(InvalidError) as refused:
        check_pattern("**/a", "topics.2")
    assert refused.value.field == "topics.2"


@pytest.mark.parametrize("topic", ["twinwire/a", "twinwire/a/b", "mercure", "mercure/a", "streams/a", "streams/a/b"])
def test_reserved_topics_are_not_published_to(topic: str) -> None:
    with pytest.raises(ForbiddenError) as refusal:
        check_open(topic)
    assert refusal.value.field == "topic"


@pytest.mark.parametrize(
    "topic", ["twinwire", "twinwires/a", "a/twinwire/b", "mercury", "mercure1/a", "streams", "a/streams"]
)
def test_what_only_looks_reserved_is_free(topic: str) -> None:
    assert check_open(topic) == topic


def test_no_reader_asks_for_the_services_own() -> None:
    check_readable(("**", "*/a", "twinwire", "mercure/**", "streams/a"))
    for pattern in ("twinwire/**", "twinwire/*", "twinwire/revocations"):
        with pytest.raises(ForbiddenError):
            check_readable(("a", pattern))


@pytest.mark.parametrize("pattern", ["**", "*/a", "*/*", "*/**", "a"])
def test_no_wildcard_reaches_the_services_own_from_outside(pattern: str) -> None:
    found = TopicFilter((pattern,))
    assert not found.matches("twinwire/a")
    assert found.matches("twinwire") is (pattern == "**")


@pytest.mark.parametrize("pattern", ["twinwire/a", "twinwire/*", "twinwire/**"])
def test_the_service_reads_its_own_by_name_or_from_its_beginning(pattern: str) -> None:
    assert TopicFilter((pattern, "b")).matches("twinwire/a")


def test_what_was_matched_is_remembered() -> None:
    matching = Matching(TopicFilter(("a/*", "b")))
    for _ in range(2):
        assert [matching[topic] for topic in ("a/x", "b", "c", "a/x")] == [True, True, False, True]
    assert len(matching) == 3
