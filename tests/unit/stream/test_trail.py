"""What a connection went through is told by a few turns, and nothing is claimed that is not known any more."""

from service.bus.values import Gap
from service.core.topics import TopicFilter
from service.stream.trail import HELD_MAX, PATTERN, TURNS_MAX, Trail

A = TopicFilter(("a",))
B = TopicFilter(("b",))
BOTH = TopicFilter(("a", "b"))


def trail(began: int = 10) -> Trail:
    moments = iter(range(1_000_000))
    return Trail(began, lambda: next(moments))


def test_one_that_began_at_the_head_and_is_live_ever_since_has_none() -> None:
    one = trail()
    one.caught_up(10)
    assert (one.turns, one._turns, one.how(11)) == ((), None, "live")


def test_how_events_came_follows_from_where_it_caught_up_and_fell_behind() -> None:
    one = trail()
    assert one.how(11) == "replayed", "it has not caught up yet"
    one.caught_up(20)
    one.behind(30, is_full=True)
    assert [one.how(offset) for offset in (11, 20, 21, 30, 31)] == ["replayed", "replayed", "live", "live", "replayed"]
    one.caught_up(40)
    assert [one.how(offset) for offset in (40, 41)] == ["replayed", "live"]
    assert [(turn.kind, turn.offset, turn.is_full) for turn in one.turns] == [
        ("caught_up", 20, False),
        ("behind", 30, True),
        ("caught_up", 40, False),
    ]


def test_a_way_out_that_is_never_fed_has_caught_up_once() -> None:
    one = trail()
    for offset in (12, 13, 14):
        one.caught_up(offset)
    assert [turn.offset for turn in one.turns] == [12]


def test_each_event_has_the_filter_of_its_time() -> None:
    one = trail()
    one.caught_up(10)
    one.changed(20, A, is_reduced=False)
    one.behind(20, is_full=False)
    one.caught_up(20)
    one.changed(30, BOTH, is_reduced=True)
    assert [one.filter_at(offset, B) for offset in (11, 20, 21, 30, 31)] == [A, A, BOTH, BOTH, B]
    assert [turn.kind for turn in one.turns] == ["filter", "caught_up", "reduced"], "to read on is part of a change"
    assert [one.how(offset) for offset in (15, 21)] == ["live", "live"]
    lost = one.took_away(31, "a")
    assert lost is not None
    assert (lost.kind, lost.offset) == ("reduced", 30)
    assert one.took_away(30, "a") is None
    assert one.took_away(31, "c") is None


def test_a_gap_has_the_events_between_its_ends() -> None:
    one = trail()
    one.gap(Gap("memory-12", "trimmed", 20, 20))
    assert [one.gap_at(offset) is not None for offset in (12, 13, 20, 21)] == [False, True, True, False]
    other = trail(7)
    other.gap(Gap("nonsense", "malformed", 7, None))
    assert [other.gap_at(offset) is not None for offset in (1, 7, 8)] == [True, True, False]


def test_of_too_many_turns_the_oldest_go() -> None:
    one = trail()
    one.changed(11, A, is_reduced=False)
    for n in range(TURNS_MAX):
        one.caught_up(20 + 2 * n)
        one.behind(21 + 2 * n, is_full=True)
        assert len(one.turns) <= TURNS_MAX
    assert one.turns[0].kind == "filter", "what tells only how events came goes first"
    assert one.filter_at(11, B) is A
    assert one.forgotten == 0
    assert one.how(one.blurred) is None
    assert one.how(one.blurred + 1) is not None


def test_if_all_of_them_tell_more_the_oldest_goes() -> None:
    one = trail()
    for n in range(TURNS_MAX):
        one.changed(20 + n, A, is_reduced=False)
    assert (len(one.turns), one.forgotten, one.filter_at(11, B)) == (TURNS_MAX, 0, A)
    one.changed(90, A, is_reduced=False)
    assert (len(one.turns), one.forgotten) == (TURNS_MAX, 20)
    assert (one.filter_at(20, B), one.filter_at(21, B), one.how(20)) == (None, A, None)


def test_filters_that_are_long_are_not_kept() -> None:
    one = trail()
    each = HELD_MAX // 64
    whole = TopicFilter(tuple(f"{n:03}{'x' * (each - PATTERN - 3)}" for n in range(64)))
    one.changed(20, whole, is_reduced=False)
    assert (one.held, one.filter_at(20, B)) == (HELD_MAX, whole)
    one.changed(30, A, is_reduced=False)
    assert (one.held, one.forgotten) == (PATTERN + 1, 20), "the oldest gives way"
    one.changed(40, whole.plus(["y"]), is_reduced=False)
    assert (one.held, one.filter_at(40, B)) == (PATTERN + 1, None), "one past the bound"


def test_nothing_is_kept_where_that_is_switched_off() -> None:
    one = Trail(10)
    one.caught_up(20)
    one.behind(30, is_full=True)
    one.renewed(30)
    one.changed(31, A, is_reduced=False)
    assert (one.turns, one._turns) == ((), None)
