"""What a stream is owed: as long as it watches it, however that is found out, or asked for it by itself."""

from collections.abc import Iterable

from service.bus.presence import COMPARISONS
from service.core.topics import TopicFilter
from service.stream.owed import Owed, Why

ALL = TopicFilter.all()
HEAVY = TopicFilter(tuple(f"a/*/*/{n}" for n in range(50)))


def owed(*topics: str, why: Why = Why.WATCHED) -> Owed:
    found = Owed()
    for topic in topics:
        found.add(topic, why)
    return found


def test_the_first_is_owed_first_and_each_once() -> None:
    one = owed("b", "a", "b")
    assert (list(one), list(one.first(1, [ALL])), "a" in one, "c" in one) == (["b", "a"], ["b"], True, False)
    one.remove("b")
    assert list(one.first(9, [ALL])) == ["a"]
    one.clear()
    assert len(one) == 0


def test_what_is_watched_no_more_is_owed_no_more() -> None:
    one = owed("a", "b", "c/d")
    one.keep([TopicFilter(("a",)), TopicFilter(("c/*",))])
    assert list(one) == ["a", "c/d"]
    one.keep([])
    assert list(one) == []


def test_of_many_that_are_hard_to_find_out_it_is_found_out_of_each_in_its_turn() -> None:
    one = owed(*(f"a/b/{n}/{n % 100}" for n in range(4_000)))
    one.keep([HEAVY])
    assert len(one) == 4_000, "nothing was held against it yet"
    steps, told = 0, list[str]()
    while len(one):
        before = len(one)
        for topic in one.first(500, [HEAVY]):
            one.remove(topic)
            told.append(topic)
        assert 0 < before - len(one) <= COMPARISONS // HEAVY.weight + 1
        steps += 1
    assert told == [f"a/b/{n}/{n % 100}" for n in range(4_000) if n % 100 < 50]
    assert steps >= 4_000 * HEAVY.weight // COMPARISONS


def test_one_of_which_that_was_not_known_may_be_owed_again() -> None:
    one = owed(*(f"b/{n}" for n in range(100)))
    one.keep([HEAVY])
    one.add("b/7", Why.WATCHED)
    assert list(one.first(100, [HEAVY])) == ["b/7"]


def test_what_was_asked_for_by_itself_is_owed_whatever_is_watched_until_it_may_not_be_read() -> None:
    one = owed("a", "b", why=Why.ASKED)
    one.add("b", Why.WATCHED)
    one.add("c", Why.WATCHED)
    one.keep([])
    assert list(one.first(9, [])) == ["a", "b"]

    def unread(topics: Iterable[str]) -> list[str]:
        return [topic for topic in topics if topic == "a"]

    one.reduce(unread)
    assert list(one) == ["b"]
