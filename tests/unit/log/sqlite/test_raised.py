"""Floors that were raised: of a filter the highest, found without asking all of them again."""

import pytest

from service.core.errors import RateLimitedError
from service.core.topics import TopicFilter
from service.log.sqlite import raised as module
from service.log.sqlite.raised import RaisedFloors

WEIGHED = module.COMPARISONS // TopicFilter(("t/*",)).weight
"""Topics that such a filter is held against in one step."""


def raised(count: int) -> RaisedFloors:
    """Of so many topics."""
    floors = RaisedFloors()
    for n in range(count):
        floors.add(f"t/{n}", n + 1)
    return floors


def test_memory_for_filters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMO_MAX", 4)
    floors = raised(5)
    for n in range(20):
        assert floors.among(TopicFilter((f"{n}/*", "t/*"))) == 5
    assert len(floors._memo) == 4


def test_many_floors_are_held_against_a_filter_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    floors, filter = raised(10), TopicFilter(("t/*", "b/*"))
    monkeypatch.setattr(module, "COMPARISONS", 3 * filter.weight)
    steps = floors.learning(filter)
    assert next(steps, "over") is None
    floors.add("t/1", 50)
    assert len(list(steps)) == 2
    assert floors._memo[filter] == (9, 9)
    assert floors.among(filter) == 50
    assert list(floors.learning(filter)) == []
    assert list(floors.learning(TopicFilter(("t/1",)))) == list(floors.learning(TopicFilter.all())) == []


def test_what_was_raised_again_and_again_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of it is tidied, also under a filter that is learning."""
    monkeypatch.setattr(module, "RAISED_MAX", 10)
    monkeypatch.setattr(module, "TIDY_STEP", 4)
    floors, filter = RaisedFloors(), TopicFilter(("a/*",))
    monkeypatch.setattr(module, "COMPARISONS", filter.weight)
    for floor in range(1, 8):
        floors.add("a/1", floor)
    steps = floors.learning(filter)
    next(steps)
    for floor in range(8, 100):
        floors.add("a/2", floor)
        floors.add("a/2", floor)
        assert len(floors._raised) <= 24
    assert list(steps) != []
    assert floors.among(filter) == 99


def test_all_floors_are_tidied_in_steps_that_keep_ahead_of_what_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 400,000 topics it took 79 ms of the loop at once."""
    monkeypatch.setattr(module, "RAISED_MAX", 100)
    monkeypatch.setattr(module, "TIDY_STEP", 50)
    floors, filter = raised(1_000), TopicFilter(("t/*",))
    steps, most, tidying = 0, 0, floors._tidying
    for round in range(1, 20):
        for n in range(1_000):
            floors.add(f"t/{n}", 1_000 * round + n + 1)
            most = max(most, len(floors._raised))
            steps += floors._untidied == 0 and floors._tidying is not tidying
        if round == 10:
            assert floors.among(filter) == floors.highest == 11_000
    assert most <= 1.2 * (100 + 2 * 1_000)
    assert steps >= 18 * 1_000 // 50  # none looks at more than that
    assert floors._floors == {f"t/{n}": 19_000 + n + 1 for n in range(1_000)}
    assert floors.among(filter) == 20_000


def test_what_was_forgotten_takes_no_memory_and_what_is_raised_meanwhile_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TIDY_STEP", 3)
    floors, filter = raised(20), TopicFilter(("t/*",))
    assert floors.among(filter) == 20
    for n in range(18):
        floors.leave(f"t/{n}")
    for n, _ in enumerate(floors.tidying()):
        if n < 3:
            floors.add(f"t/{19 + n}", 30 + n)
    assert sorted(floors._floors.items()) == [("t/18", 19), ("t/19", 30), ("t/20", 31), ("t/21", 32)]
    assert dict(floors._raised) == floors._floors
    assert floors.among(filter) == floors.highest == 32


def test_a_list_that_another_has_tidied_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIDY_STEP", 3)
    floors = raised(20)
    steps = floors.tidying()
    next(steps)
    for n in range(15):
        floors.leave(f"t/{n}")
    assert list(floors.tidying()) != []
    tidied = floors._raised
    floors.add("t/0", 99)
    assert list(steps) == []
    assert floors._raised is tidied
    assert len(tidied) == 6
    assert floors.among(TopicFilter(("t/*",))) == 99


def test_a_filter_is_held_against_so_many_floors_at_a_time_and_goes_on_the_next_time() -> None:
    filter, floors = TopicFilter(("t/*",)), raised(5_000)
    floors.max_scan = 2_000
    for _ in range(2):
        with pytest.raises(RateLimitedError, match="2,000 topics") as refused:
            list(floors.learning(filter))
        assert (refused.value.field, bool(refused.value.retry_after)) == ("topic", True)
    list(floors.learning(filter))
    assert floors.among(filter) == 5_000
    list(floors.learning(TopicFilter(tuple(f"t/{n}" for n in range(100)))))
    list(floors.learning(TopicFilter.all()))


@pytest.mark.parametrize(("count", "fits"), [(2_000, True), (2_000 + WEIGHED + 1, False)])
def test_the_bound_of_that_is_exact(count: int, fits: bool) -> None:
    """What is left when it ends is as little as `floor` may do at once."""
    filter, floors = TopicFilter(("t/*",)), raised(count)
    floors.max_scan = 2_000
    if fits:
        list(floors.learning(filter))
        assert floors.among(filter) == count
        return
    with pytest.raises(RateLimitedError):
        list(floors.learning(filter))


def test_a_filter_is_not_held_against_all_of_them_again_after_tidying(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one step it would take long; what it was told of topics that were forgotten stays so."""
    monkeypatch.setattr("service.log.sqlite.raised.TIDY_STEP", 4)
    floors, filter = RaisedFloors(), TopicFilter(("a/*",))
    for n in range(1, 41):
        floors.add(f"a/{n}", n)
    assert floors.among(filter) == 40
    for n in range(3, 41):
        floors.leave(f"a/{n}")
    for step, _ in enumerate(floors.tidying()):
        if step < 3:
            floors.add(f"a/{step}", 50 + step)
    assert len(floors) == len(floors._raised) - 2 == 3  # a/1 and a/2 twice, and a/0
    asked: list[str] = []
    monkeypatch.setattr(TopicFilter, "matches", lambda _, name: bool(asked.append(name)) or True)
    assert floors.among(filter) == 52
    assert len(asked) <= 3 + 4
