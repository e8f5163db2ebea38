"""The registry of topics: matching and floors, remembered but never stale."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import RateLimitedError
from service.core.topics import TopicFilter
from service.log.base import TopicStats
from service.log.sqlite import topics
from service.log.sqlite.topics import Topic, TopicRegistry

WEIGHED = topics._COMPARISONS // TopicFilter(("t/*",)).weight
"""Topics that such a filter is held against in one step."""

NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
FILTERS = st.lists(st.sampled_from(["a", "b", "a/b", "*", "a/*", "*/b", "b/**", "**"]), max_size=3).map(
    lambda patterns: TopicFilter(tuple(patterns))
)


def registry_of(*names: str) -> TopicRegistry:
    registry = TopicRegistry()
    for name in names:
        registry.add(Topic(registry.next_id, name))
    return registry


def test_topics_are_found_by_name_and_id() -> None:
    registry = registry_of("a", "b")
    assert registry.get("b") is registry.by_id(2)
    assert registry.get("c") is None
    assert [topic.name for topic in registry] == ["a", "b"]
    assert (len(registry), registry.next_id) == (2, 3)
    assert registry.by_id(1).stats == TopicStats("a", 0, 0, 0)


def test_ids_have_no_hole() -> None:
    with pytest.raises(ValueError, match="expected 2"):
        registry_of("a").add(Topic(3, "c"))


@given(st.lists(st.tuples(NAMES, st.integers(1, 50)) | FILTERS, max_size=30))
def test_agrees_with_asking_every_topic(steps: list[tuple[str, int] | TopicFilter]) -> None:
    """Adding and trimming, with every filter asked again and again in between."""
    registry = TopicRegistry()
    floors: dict[str, int] = {}
    asked: set[TopicFilter] = set()
    for step in steps:
        if isinstance(step, TopicFilter):
            asked.add(step)
        else:
            name, floor = step
            topic = registry.get(name)
            if topic is None:
                topic = Topic(registry.next_id, name)
                registry.add(topic)
            registry.raise_floor(topic, floor)
            floors[name] = max(floors.get(name, 0), floor)
        for filter in asked:
            assert registry.floor(filter) == max((floors[name] for name in floors if filter.matches(name)), default=0)
            expected = {name for name in floors if filter.matches(name)}
            found, after = registry.page(filter, "", len(floors) + 1)
            assert ({topic.name for topic in found}, after) == (expected, None)
            with mock.patch.object(topics, "KNOWN_MAX", 3):
                known = registry.matching(filter)
            assert (known is None) == (len(expected) > 3)
            assert known is None or sorted(topic.name for topic in known) == sorted(expected)


def test_a_floor_never_falls_and_is_told() -> None:
    registry = registry_of("a")
    told: list[tuple[str, int]] = []
    registry.watch(lambda name, floor: told.append((name, floor)))
    registry.raise_floor(registry.by_id(1), 7)
    registry.raise_floor(registry.by_id(1), 3)
    assert registry.floor(TopicFilter(("a",))) == 7
    assert told == [("a", 7), ("a", 7)]


def test_a_floor_that_was_loaded_counts() -> None:
    registry = TopicRegistry()
    registry.add(Topic(1, "a", floor=4, head=9, count=5, bytes=50))
    assert registry.floor(TopicFilter.all()) == registry.floor(TopicFilter(("*",))) == 4
    assert registry.by_id(1).stats == TopicStats("a", 5, 9, 4)


def test_memory_for_filters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_MEMO_MAX", 4)
    registry = registry_of("a/1", "a/2")
    registry.raise_floor(registry.by_id(2), 5)
    for n in range(20):
        filter = TopicFilter((f"{n}/*", "a/*"))
        assert registry.matching(filter) == [registry.by_id(1), registry.by_id(2)]
        assert registry.floor(filter) == 5
    assert len(registry._memo) == 4
    assert len(registry._floor_memo) <= 4


def test_of_filters_that_match_many_only_so_many_topics_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "KNOWN_MAX", 1_000)
    monkeypatch.setattr(topics, "_KNOWN_MAX", 5_000)
    monkeypatch.setattr(topics, "_COMPARISONS", 1_000_000)
    registry = registry_of(*(f"a/{n}" for n in range(1_000)), "b")
    for n in range(20):
        assert len(registry.matching(TopicFilter(("a/*", f"{n}/*"))) or ()) == 1_000
        assert registry.matching(TopicFilter(("**", f"{n}/*"))) is None
    kept = [len(found or ()) for _, found in registry._memo.values()]
    assert sum(kept) == registry._known <= 5_000
    assert max(kept) == 1_000


def test_one_look_is_bounded_by_what_it_compares_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of(*(f"a/{n}" for n in range(10)), "b/1")
    found = [registry.by_id(11)]
    light, heavy = TopicFilter(("b/*",)), TopicFilter(("b/*/*/*", "b/*"))
    monkeypatch.setattr(topics, "_COMPARISONS", 4 * light.weight)
    assert [registry.matching(light) for _ in range(3)] == [None, None, found]
    monkeypatch.setattr(topics, "_COMPARISONS", heavy.weight)
    assert [registry.matching(heavy) for _ in range(11)] == [None] * 10 + [found]


def test_room_for_topics() -> None:
    registry = registry_of("a", "b")
    assert registry.room == float("inf")
    registry.max_topics = 2
    assert registry.room == 0
    registry.add(Topic(3, "read at start"))
    assert registry.room == -1
    registry.add(Topic(4, "twinwire/revocations"))
    assert registry.room == -1, "the service's own count for nobody"


def test_many_new_ones_are_added_as_one_by_one() -> None:
    registry, other = registry_of("a"), registry_of("a", "b", "twinwire/x", "c")
    assert registry.own == []
    registry.add_new([Topic(n, name) for n, name in enumerate(("b", "twinwire/x", "c"), 2)])
    registry.add_new([])
    assert [(one.id, one.name) for one in registry] == [(one.id, one.name) for one in other]
    assert len(registry.own) == 1
    assert [registry.by_id(n) for n in range(1, 5)] == [registry.get(one.name) for one in registry]
    assert registry.page(TopicFilter.all(), "", 9)[0] == [registry.get(name) for name in "abc"]
    with pytest.raises(ValueError, match="topic d has id 9, expected 5"):
        registry.add_new([Topic(9, "d")])


def test_many_floors_are_held_against_a_filter_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, filter = registry_of(*(f"a/{n}" for n in range(10))), TopicFilter(("a/*", "b/*"))
    monkeypatch.setattr(topics, "_COMPARISONS", 3 * filter.weight)
    for n in range(10):
        registry.raise_floor(registry.by_id(n + 1), n + 1)
    steps = registry.learning(filter)
    assert next(steps, "over") is None
    registry.raise_floor(registry.by_id(1), 50)
    assert len(list(steps)) == 2
    assert registry._floor_memo[filter] == (9, 9)
    assert registry.floor(filter) == 50
    assert list(registry.learning(filter)) == []
    assert list(registry.learning(TopicFilter(("a/1",)))) == list(registry.learning(TopicFilter.all())) == []


def test_what_was_raised_again_and_again_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of it begins anew, also under a filter that is learning."""
    monkeypatch.setattr(topics, "_RAISED_MAX", 10)
    registry, filter = registry_of("a/1", "a/2"), TopicFilter(("a/*",))
    monkeypatch.setattr(topics, "_COMPARISONS", filter.weight)
    for floor in range(1, 8):
        registry.raise_floor(registry.by_id(1), floor)
    steps = registry.learning(filter)
    next(steps)
    for floor in range(1, 100):
        registry.raise_floor(registry.by_id(2), floor)
        assert len(registry._raised) <= 14
    assert list(steps) != []
    assert registry.floor(filter) == 99


def test_new_names_are_put_in_order_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them were sorted anew for one: a tenth of a second with 900,000."""
    monkeypatch.setattr(topics, "_NAMES_STEP", 10)
    registry = TopicRegistry()
    for n in range(25):
        registry.add(Topic(registry.next_id, f"t{24 - n:02}"))
    steps = 0
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page, after = registry.page(TopicFilter.all(), after, 7)
        assert len(registry._names) <= 10 * (steps := steps + 1)
        found += [topic.name for topic in page]
    assert found == [f"t{n:02}" for n in range(25)]
    registry.add(Topic(registry.next_id, "t07a"))
    assert [topic.name for topic in registry.page(TopicFilter.all(), "t07", 2)[0]] == ["t07a", "t08"]


def raised(count: int) -> TopicRegistry:
    """A registry of so many topics, all of which have a floor."""
    registry = registry_of(*(f"t/{n}" for n in range(count)))
    for topic in registry:
        registry.raise_floor(topic, topic.id)
    return registry


def test_a_filter_is_held_against_so_many_floors_at_a_time_and_goes_on_the_next_time() -> None:
    filter, registry = TopicFilter(("t/*",)), raised(5_000)
    registry.max_scan = 2_000
    for _ in range(2):
        with pytest.raises(RateLimitedError, match="2,000 topics") as refused:
            list(registry.learning(filter))
        assert (refused.value.field, bool(refused.value.retry_after)) == ("topic", True)
    list(registry.learning(filter))
    assert registry.floor(filter) == 5_000
    list(registry.learning(TopicFilter(tuple(f"t/{n}" for n in range(100)))))
    list(registry.learning(TopicFilter.all()))


@pytest.mark.parametrize(("count", "fits"), [(2_000, True), (2_000 + WEIGHED + 1, False)])
def test_the_bound_of_that_is_exact(count: int, fits: bool) -> None:
    """What is left when it ends is as little as `floor` may do at once."""
    filter, registry = TopicFilter(("t/*",)), raised(count)
    registry.max_scan = 2_000
    if fits:
        list(registry.learning(filter))
        assert registry.floor(filter) == count
        return
    with pytest.raises(RateLimitedError):
        list(registry.learning(filter))
