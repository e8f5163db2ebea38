"""Which way a page is found: by what it costs for the events that match."""

import pytest

from service.log.sqlite.plan import MERGE_TOPICS, Merge, Scan, Seek, choose
from service.log.sqlite.topics import Topic

HEAD = 1_000_000


def topics(number: int, count: int, floor: int = 0, head: int = HEAD) -> list[Topic]:
    return [Topic(n + 1, f"t{n}", floor=floor, head=head, count=count) for n in range(number)]


def test_few_topics_are_merged() -> None:
    some = topics(MERGE_TOPICS, 10)
    assert choose(some, 0, HEAD + 1, 500) == Merge(some)


def test_more_that_lie_far_apart_are_asked_for_in_windows_that_hold_a_page() -> None:
    some = topics(100, 100)
    plan = choose(some, 0, HEAD + 1, 500)
    assert isinstance(plan, Seek)
    assert plan.topics == some
    assert plan.window == pytest.approx(1.25 * 500 * HEAD / (100 * 100), rel=0.01)


def test_where_most_of_the_log_matches_it_is_scanned() -> None:
    assert choose(topics(100, HEAD // 125), 0, HEAD + 1, 500) == Scan(), "eight of ten"
    assert isinstance(choose(topics(100, HEAD // 1_000), 0, HEAD + 1, 500), Seek), "one of ten"


def test_asking_for_many_topics_for_a_few_events_each_is_dearer_than_a_scan() -> None:
    many = topics(4_000, 50)  # a fifth of the log
    assert choose(many, 0, HEAD + 1, 500) == Scan()
    assert isinstance(choose(many[:400], 0, HEAD + 1, 500), Seek)


def test_topics_that_are_not_known_are_scanned_for() -> None:
    assert choose(None, 0, HEAD + 1, 500) == Scan()


def test_only_topics_with_something_in_the_range_count() -> None:
    """Who is nearly up to date reads the few that were written to since."""
    old, new = topics(100, 10, head=500), topics(3, 10)
    assert choose([*old, *new], 500, HEAD + 1, 500) == Merge(new)
    assert choose(old, 500, HEAD + 1, 500) is None
    trimmed = topics(100, 10, floor=900)
    assert choose(trimmed, 0, 901, 500) is None, "all that is kept lies behind"
    assert choose(topics(2, 0, floor=700, head=700), 0, HEAD + 1, 500) is None, "nothing is kept"


def test_a_range_that_is_shorter_than_a_look_at_all_topics_is_scanned() -> None:
    """As for the many who are a few events behind."""
    many = topics(3_000, 10, head=HEAD - 500)
    assert choose(many, HEAD - 100, HEAD + 1, 500) == Scan()
    assert choose(many, HEAD - 400, HEAD + 1, 500) is None
