"""Up to where single events went, by topic."""

import pytest

from service.core.topics import TopicFilter
from service.log.base import TopicStats
from service.log.sqlite.holes import Hole, Holes
from service.log.sqlite.raised import RaisedFloors


def one(name: str, floor: int = 0) -> TopicStats:
    return TopicStats(name, 1, 100, floor)


@pytest.fixture
def raised() -> RaisedFloors:
    return RaisedFloors()


@pytest.fixture
def holes(raised: RaisedFloors) -> Holes:
    holes = Holes(raised)
    holes.take_out(one("a/1"), Hole(compacted=20))
    holes.take_out(one("a/1", 5), Hole(thinned=10))
    holes.take_out(one("b"), Hole(compacted=30))
    holes.take_out(one("twinwire/x"), Hole(compacted=40))
    return holes


@pytest.mark.parametrize(
    ("patterns", "floor"),
    [(("a/1",), 20), (("a/*",), 20), (("a/1", "b"), 30), (("*",), 30), (("**",), 30), (("c",), 0)],
)
def test_of_a_filter_it_is_the_highest(holes: Holes, patterns: tuple[str, ...], floor: int) -> None:
    assert holes.floor(TopicFilter(patterns)) == floor


def test_each_kind_rises_by_itself_and_never_falls(holes: Holes) -> None:
    assert holes.of("a/1") == (10, 20)
    holes.take_out(one("a/1"), Hole(8, 12))
    assert holes.of("a/1") == (10, 20)
    holes.take_out(one("a/1"), Hole(compacted=21))
    assert holes.of("a/1") == (10, 21)
    assert holes.of("nowhere") == (0, 0)


def test_a_position_of_the_same_kind() -> None:
    assert (Hole(thinned=1).at(7), Hole(compacted=1).at(7)) == (Hole(7, 0), Hole(0, 7))


def test_what_nothing_replaces_counts_as_a_floor(holes: Holes, raised: RaisedFloors) -> None:
    assert raised.among(TopicFilter(("a/*",))) == 10
    holes.take_out(one("a/1", 50), Hole(thinned=12))
    assert raised.among(TopicFilter(("a/*",))) == 50, "no lower than the topic's own"
    assert raised.among(TopicFilter(("b",))) == 0


def test_readers_are_told_the_highest_of_all(holes: Holes) -> None:
    assert [holes.told(one("a/1", floor)).floor for floor in (0, 15, 25)] == [20, 20, 25]
    assert holes.told(one("c", 3)).floor == 3


def test_watchers_are_told_what_goes_now(holes: Holes) -> None:
    told: list[tuple[str, int, bool]] = []
    holes.watch(lambda *of: told.append(of))
    holes.take_out(one("a/1"), Hole(thinned=7), is_plain=True)
    holes.take_out(one("b"), Hole(compacted=31))
    assert told == [("a/1", 7, True), ("b", 31, False)]


def test_a_topic_that_was_forgotten_takes_no_memory(holes: Holes) -> None:
    holes.leave("a/1")
    holes.leave("nowhere")
    assert holes.of("a/1") == (0, 0)
    assert list(holes.learning(TopicFilter(("a/*",)))) == []
