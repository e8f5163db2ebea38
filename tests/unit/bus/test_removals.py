"""What went since a moment, by topic."""

import pytest

from service.bus import removals as module
from service.bus.removals import Removals
from service.core.topics import TopicFilter

A = TopicFilter(("a",))
BELOW = TopicFilter(("b/**",))


def test_what_went_since_concerns_those_whose_topic_it_was() -> None:
    removals = Removals()
    begun = removals.moment
    assert not removals.may_have_taken(TopicFilter.all(), begun)
    removals.add("a")
    after_a = removals.moment
    removals.add("b/1")
    assert removals.may_have_taken(A, begun)
    assert not removals.may_have_taken(A, after_a)
    assert removals.may_have_taken(BELOW, begun)
    assert removals.may_have_taken(BELOW, after_a)
    assert not removals.may_have_taken(TopicFilter(("c",)), begun)
    assert not removals.may_have_taken(TopicFilter.all(), removals.moment)
    removals.add("a")
    assert removals.may_have_taken(A, after_a), "its last one counts"


def test_a_moment_of_another_run_is_known() -> None:
    removals, others = Removals(), Removals()
    assert removals.moment != others.moment
    assert removals.may_have_taken(A, others.moment)


def test_of_what_went_long_ago_it_is_not_known_whose_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOPICS_MAX", 10)
    removals = Removals()
    begun = removals.moment
    for n in range(10):
        removals.add(f"c/{n}")
    assert not removals.may_have_taken(A, begun)
    removals.add("c/10")
    assert removals.may_have_taken(A, begun)
    assert not removals.may_have_taken(A, begun + 1)
    assert len(removals._last) == 10


def test_a_filter_that_takes_long_to_match_is_told_that_something_may_have_gone() -> None:
    removals = Removals()
    begun = removals.moment
    for n in range(module.TOPICS_MAX):
        removals.add(f"c/{n}")
    assert not removals.may_have_taken(A, begun)
    heavy = TopicFilter(tuple(f"*/*/{n}" for n in range(100)))
    assert removals.may_have_taken(heavy, begun)
    assert not removals.may_have_taken(heavy, removals.moment - 5)


def test_a_moment_of_another_run_is_known_for_one() -> None:
    removals = Removals()
    begun = removals.moment
    for n in range(2 * module.TOPICS_MAX):
        removals.add(f"t/{n}")
    assert not removals.knows(begun)
    assert removals.is_of_this_run(begun)
    assert removals.is_of_this_run(removals.moment)
    assert not removals.is_of_this_run(begun - 1)
    assert not removals.is_of_this_run(removals.moment + 1)
