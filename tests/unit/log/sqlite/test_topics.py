"""The registry of topics: matching and floors, remembered but never stale."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.topics import TopicFilter
from service.log.base import TopicStats
from service.log.sqlite import raised, topics
from service.log.sqlite.topics import Topic, TopicRegistry

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


def test_ids_rise_and_may_have_holes() -> None:
    registry = registry_of("a")
    registry.add(Topic(3, "c"))
    assert (registry.next_id, len(registry), registry.by_id(3)) == (4, 2, registry.get("c"))
    with pytest.raises(ValueError, match="has id 3, expected 4 at least"):
        registry.add(Topic(3, "d"))
    for id in (2, 4):
        with pytest.raises(KeyError):
            registry.by_id(id)


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
            found, next, looked = registry.page(filter, "", len(floors) + 1)
            assert ({topic.name for topic in found}, next) == (expected, None)
            assert len(expected) <= looked <= len(floors)
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
    for n in range(20):
        filter = TopicFilter((f"{n}/*", "a/*"))
        assert registry.matching(filter) == [registry.by_id(1), registry.by_id(2)]
    assert len(registry._memo) == 4


def test_of_filters_that_match_many_only_so_many_topics_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "KNOWN_MAX", 1_000)
    monkeypatch.setattr(topics, "_KNOWN_MAX", 5_000)
    monkeypatch.setattr(topics, "COMPARISONS", 1_000_000)
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
    monkeypatch.setattr(topics, "COMPARISONS", 4 * light.weight)
    assert [registry.matching(light) for _ in range(3)] == [None, None, found]
    monkeypatch.setattr(topics, "COMPARISONS", heavy.weight)
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
    assert registry.page(TopicFilter.all(), "", 9).found == [registry.get(name) for name in "abc"]
    with pytest.raises(ValueError, match="topic d has id 9, expected 5"):
        registry.add_new([Topic(9, "d")])


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
        page, after, _ = registry.page(TopicFilter.all(), after, 7)
        assert len(registry._names) <= 10 * (steps := steps + 1)
        found += [topic.name for topic in page]
    assert found == [f"t{n:02}" for n in range(25)]
    registry.add(Topic(registry.next_id, "t07a"))
    assert [topic.name for topic in registry.page(TopicFilter.all(), "t07", 2).found] == ["t07a", "t08"]


# What is forgotten


def known(registry: TopicRegistry, filter: TopicFilter) -> dict[int, str] | None:
    """The topics that match, without those that are remembered and were forgotten."""
    found = registry.matching(filter)
    return found and {topic.id: topic.name for topic in found if registry.get(topic.name) is topic}


def forget(registry: TopicRegistry, *names: str) -> None:
    """As `Forgetter` does, in one step."""
    gone = [topic for name in names if (topic := registry.get(name)) is not None]
    registry.fold(max(max(topic.floor, topic.head) for topic in gone))
    registry.drop(gone)
    registry.leave(gone)


def test_what_is_forgotten_is_found_no_more_and_its_number_is_given_to_nobody() -> None:
    registry = registry_of("a/1", "a/2", "a/3")
    filter = TopicFilter(("a/*",))
    assert registry.page(filter, "", 9).found == list(registry)
    assert known(registry, filter) == {1: "a/1", 2: "a/2", 3: "a/3"}
    forget(registry, "a/1", "a/3")
    assert (len(registry), registry.next_id, registry.get("a/3")) == (1, 4, None)
    assert known(registry, filter) == {2: "a/2"}
    assert known(registry, TopicFilter(("a/1", "a/2"))) == {2: "a/2"}
    registry.add_new([Topic(4, "a/3"), Topic(5, "a/4")])
    assert known(registry, filter) == {2: "a/2", 4: "a/3", 5: "a/4"}
    assert [topic.id for topic in registry.page(filter, "", 9).found] == [2, 4, 5]


def test_what_was_forgotten_before_its_name_was_in_order_is_in_no_list() -> None:
    registry = registry_of("a")
    assert registry.page(TopicFilter.all(), "", 9) == ([registry.by_id(1)], None, 1)
    registry.add(Topic(2, "b"))
    forget(registry, "b")
    registry.add(Topic(3, "b"))
    assert [topic.id for topic in registry.page(TopicFilter.all(), "", 9).found] == [1, 3]


def test_the_floor_of_what_is_not_known_is_that_of_all_that_were_forgotten() -> None:
    registry = registry_of("a", "b", "c", "twinwire/x")
    assert [registry.first_prev(name) for name in ("new", "twinwire/y")] == [0, 0]
    for n, name in enumerate("abc", 1):
        registry.raise_floor(registry.by_id(n), 10 * n)
        assert registry.get(name) is not None
    forget(registry, "b")
    floors = {
        ("a",): 10,
        ("b",): 20,
        ("a", "b"): 20,
        ("a", "c"): 30,
        ("never",): 20,
        ("a/*",): 20,
        ("*",): 30,
        ("**",): 30,
        ("twinwire/y",): 0,
        ("twinwire/**",): 0,
        ("mercure/*", "twinwire/x"): 0,
        ("twinwire/**", "never"): 20,
        (): 0,
    }
    assert {patterns: registry.floor(TopicFilter(patterns)) for patterns in floors} == floors
    assert [registry.first_prev(name) for name in ("b", "new", "twinwire/y", "streams/1")] == [20, 20, 0, 0]


def test_a_reserved_topic_and_one_that_has_events_are_not_to_be_forgotten() -> None:
    registry = registry_of("a", "twinwire/x", "mercure/1", "streams/1", "mercure")
    for topic in registry:
        registry.emptied(topic, 5)
    assert registry.empty == {registry.by_id(1): 5}


@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_what_was_forgotten_takes_no_memory_soon(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """The list and the dictionaries of those that are left are made in steps, and others come in between."""
    monkeypatch.setattr(topics, "_GONE_MIN", 4)
    monkeypatch.setattr(topics, "_TIDY_STEP", step)
    monkeypatch.setattr(raised, "TIDY_STEP", step)
    registry = registry_of(*(f"t/{n}" for n in range(20)))
    for topic in registry:
        registry.raise_floor(topic, topic.id)
    filters = [TopicFilter(("t/*", f"x/{n}")) for n in range(3)]
    for one in filters:
        registry.matching(one)
    monkeypatch.setattr(topics, "KNOWN_MAX", 19)
    assert registry.matching(too_many := TopicFilter(("*/*",))) is None
    registry.page(TopicFilter.all(), "", 9)
    forget(registry, *(f"t/{n}" for n in range(4)))
    assert list(registry.tidying()) == [], "they are few"
    forget(registry, *(f"t/{n}" for n in range(4, 18)))
    for n, _ in enumerate(registry.tidying()):
        if n < 3:
            registry.add_new([Topic(registry.next_id, f"new/{n}")])
            registry.raise_floor(registry.by_id(registry.last_id), 50 + n)
    names = [topic.name for topic in registry]
    assert names[:2] == ["t/18", "t/19"]
    assert names[2:] == [f"new/{n}" for n in range(len(names) - 2)]
    assert all(registry.get(topic.name) is topic is registry.by_id(topic.id) for topic in registry)
    assert len(registry) == len(registry.raised) == len(registry.raised._raised) == len(names)
    assert [topic.name for topic in registry.page(TopicFilter.all(), "", 99).found] == sorted(names)
    for one in filters:
        assert [topic.name for topic in registry.matching(one) or ()] == ["t/18", "t/19"]
    assert len(registry.matching(too_many) or ()) == len(names), "they were too many, and are not any more"
    assert registry._known == sum(len(found or ()) for _, found in registry._memo.values())
    assert registry.floor(TopicFilter(("new/*", "t/*"))) == max(20, *(topic.floor for topic in registry))
    assert list(registry.tidying()) == []


@given(st.lists(st.tuples(st.sampled_from(["add", "forget", "tidy", "list"]), NAMES), max_size=40))
def test_forgetting_agrees_with_a_plain_dictionary(steps: list[tuple[str, str]]) -> None:
    registry, kept = TopicRegistry(), dict[str, int]()
    folded = 0
    asked = [TopicFilter(("a/*", "b")), TopicFilter(("*/b",)), TopicFilter(("a", "b"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topics, "_GONE_MIN", 0)
        patch.setattr(topics, "_TIDY_STEP", 2)
        for what, name in steps:
            if what == "add" and name not in kept:
                kept[name] = registry.next_id
                floor = registry.first_prev(name)
                registry.add_new([Topic(registry.next_id, name, floor, floor)])
            elif what == "forget" and name in kept:
                topic = registry.by_id(kept.pop(name))
                registry.raise_floor(topic, topic.id)
                folded = max(folded, topic.floor)
                forget(registry, name)
            elif what == "tidy":
                list(registry.tidying())
            for filter in asked:
                expected = {id: name for name, id in kept.items() if filter.matches(name)}
                assert (known(registry, filter) or {}) == expected
            if what == "list":
                found = registry.page(TopicFilter.all(), "", 99).found
                assert [topic.name for topic in found] == sorted(kept)
            assert registry.floor(TopicFilter(("never",))) == registry.folded == folded
