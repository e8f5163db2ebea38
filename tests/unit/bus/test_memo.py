"""The memo is bounded by what it holds, and forgets what a change concerns and nothing else."""

import pytest

from service.bus.memo import CHANGES_MAX, ENTRIES_MAX, Memo


def kept(memo: Memo, topic: str, *found: str) -> None:
    memo.keep(topic, found, memo.moment)


@pytest.mark.parametrize("pattern", ["a/b", "a/*", "**", "*/b"])
def test_a_change_that_concerns_a_topic_makes_it_unknown(pattern: str) -> None:
    memo = Memo()
    kept(memo, "a/b", "group")
    assert memo.find("a/b") == ("group",)
    memo.changed(pattern)
    assert memo.find("a/b") is None
    assert memo.entries == 0


@pytest.mark.parametrize("pattern", ["a/c", "b/*", "a/b/**", "*"])
def test_any_other_change_leaves_it_as_it_was(pattern: str) -> None:
    memo = Memo()
    kept(memo, "a/b", "group")
    for _ in range(3 * CHANGES_MAX):
        memo.changed(pattern)
        assert memo.find("a/b") == ("group",)
    assert memo.entries == 2


def test_at_the_end_of_the_history_a_topic_is_known_and_past_it_it_is_not() -> None:
    memo = Memo()
    kept(memo, "a", "group")
    for n in range(CHANGES_MAX):
        memo.changed(f"b{n}/*")
    assert memo.find("a") == ("group",)
    for n in range(CHANGES_MAX + 1):
        memo.changed(f"b{n}/*")
    assert memo.find("a") is None


def test_what_changed_during_a_search_is_not_remembered() -> None:
    memo = Memo()
    for pattern in ("a", "b/*"):
        since = memo.moment
        memo.changed(pattern)
        memo.keep("a", (), since)
        assert memo.find("a") is None


def test_topics_and_groups_count_and_past_the_bound_it_starts_anew() -> None:
    memo = Memo()
    groups = tuple(map(str, range(99)))
    for n in range(ENTRIES_MAX // 100):
        kept(memo, f"t{n}", *groups)
    assert memo.entries == ENTRIES_MAX
    kept(memo, "t0", *groups)
    assert memo.entries == ENTRIES_MAX, "known again is not more"
    kept(memo, "one more")
    assert (memo.entries, memo.find("t0"), memo.find("one more")) == (1, None, ())


def test_a_match_beyond_the_bound_is_not_kept_at_all() -> None:
    memo = Memo()
    kept(memo, "t", *map(str, range(ENTRIES_MAX)))
    assert (memo.entries, memo.find("t")) == (0, None)
