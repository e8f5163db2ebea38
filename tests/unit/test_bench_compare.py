"""When `make bench-compare` calls a row worse: held here, since a wrong verdict looks like any other."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from tests.bench.beside import GROUPS, Burst, Figures, Ratios, chosen, compare, interval
from tests.bench.calibrate import calibrated
from tests.bench.compare import Comparison, summary, table
from tests.bench.measure import Context, Row, Sample, Sense
from tests.bench.process import ROOT
from tests.bench.trees import dependencies
from tests.bench.verdict import Bounds, Compared, Verdict, count, spread

QUIET: Sequence[float] = (0.99, 1.0, 1.0, 1.0, 1.01)
"""A spread of nothing: quartiles leave out the ends."""
NOISY: Sequence[float] = (0.8, 0.9, 1.0, 1.1, 1.2)
"""A spread of 20 %."""


def times(values: Sequence[float], factor: float) -> list[float]:
    return [value * factor for value in values]


def compared(
    before: Sequence[float], after: Sequence[float], sense: Sense = "at least", bound: float = 5.0, rounds: int = 5
) -> Compared:
    return Compared("row", sense, bound, rounds, before, after)


def test_spread_is_the_distance_of_the_quartiles() -> None:
    assert spread([8.0, 9.0, 10.0, 11.0, 12.0]) == pytest.approx(20.0)
    assert spread([8.0, 9.0, 10.0, 11.0, 99.0]) == pytest.approx(20.0), "one round that was disturbed is no noise"
    assert spread([3.0, 3.0]) == 0.0


def test_change_is_of_the_medians() -> None:
    row = compared([1.0, 2.0, 90.0], [3.0, 0.1, 4.0], rounds=3)
    assert (row.before, row.after) == (2.0, 3.0)
    assert row.change == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("factor", "sense", "verdict"),
    [
        (1.0, "at least", "same"),
        (0.96, "at least", "same"),
        (0.94, "at least", "worse"),
        (1.06, "at least", "better"),
        (1.04, "at most", "same"),
        (1.06, "at most", "worse"),
        (0.94, "at most", "better"),
    ],
)
def test_beyond_the_bound_is_told(factor: float, sense: Sense, verdict: Verdict) -> None:
    assert compared(QUIET, times(QUIET, factor), sense).verdict == verdict


def test_the_bound_itself_is_let_pass() -> None:
    assert compared([100.0] * 5, [95.0] * 5).verdict == "same"
    assert compared([100.0] * 5, [94.9] * 5).verdict == "worse"


@pytest.mark.parametrize(("before", "after"), [(NOISY, QUIET), (QUIET, NOISY)], ids=["before", "after"])
def test_what_is_within_the_wider_spread_is_no_verdict(before: Sequence[float], after: Sequence[float]) -> None:
    assert compared(before, times(after, 0.82)).verdict == "unsure"
    assert compared(before, times(after, 0.78)).verdict == "worse"
    assert compared(before, times(after, 0.82)).is_good


def test_half_of_the_rounds_are_too_few() -> None:
    assert compared(QUIET[:3], QUIET[:3], rounds=5).verdict == "same"
    for before, after in ((QUIET[:2], QUIET), (QUIET, QUIET[:2]), (QUIET, []), ([], QUIET)):
        row = compared(before, after, rounds=5)
        assert row.verdict == "not measured"
        assert not row.is_good, "it was not shown to be no worse"


def test_nothing_before() -> None:
    assert compared([0.0] * 5, [0.0] * 5).verdict == "same"
    row = compared([0.0] * 5, [1.0] * 5, "at most")
    assert (row.change, row.verdict) == (math.inf, "worse")


def test_a_p99_has_a_bound_of_its_own() -> None:
    bounds = Bounds()
    assert (bounds.of("latency-ws-p50"), bounds.of("latency-ws-p99"), bounds.of("replay-ws")) == (5.0, 15.0, 5.0)
    assert Bounds(usual=20.0).of("latency-ws-p99") == 20.0


def test_no_subscriber_may_miss_an_event() -> None:
    row = compared([500.0] * 5, [499.0] * 5, bound=Bounds().of("stall-ws-complete"))
    assert row.verdict == "worse"


def test_a_figure_without_reference_is_that_of_the_usual_core() -> None:
    assert calibrated("at most", 4.0, 2.0) == 2.0
    assert calibrated("at least", 4.0, 2.0) == 8.0


# The comparison


def row_of(key: str, value: float, sense: Sense = "at least", is_calibrated: bool = False) -> Row:
    return Row(key, "what", "measure", "", sense, 0.0, [Sample.alone(value)], calibrated=is_calibrated)


def test_rounds_are_gathered_by_row_and_side() -> None:
    comparison = Comparison(rounds=3, bounds=Bounds())
    for number in range(3):
        comparison.add("group", "before", [row_of("a", 10.0 + number), row_of("b-p99", 4.0, "at most", True)], 2.0)
        comparison.add("group", "after", [row_of("a", 10.0 + number), row_of("b-p99", 4.0, "at most", True)], 1.0)
    same, worse = comparison.rows()
    assert (same.befores, same.afters, same.verdict) == ([10.0, 11.0, 12.0], [10.0, 11.0, 12.0], "same")
    assert (worse.before, worse.after, worse.bound, worse.verdict) == (2.0, 4.0, 15.0, "worse")
    assert count(comparison.rows()) == {"same": 1, "worse": 1}
    assert summary(comparison, "abc1234") == "against abc1234, 3 rounds: 1 same, 1 worse"


def test_the_table_says_what_it_knows() -> None:
    text = table([compared(QUIET, times(QUIET, 0.9)), compared(QUIET, [])])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert cells[0] == ["row", "before", "after", "change", "spread", "bound", "verdict"]
    assert cells[2] == ["row", "1", "0.9", "-10.0 %", "0.0 %", "5 %", "worse"]
    assert cells[3] == ["row", "1", "–", "–", "–", "5 %", "not measured"]
    assert len({len(line) for line in text.splitlines()}) == 1, "columns"


def test_what_a_tree_depends_on_is_in_order() -> None:
    found = dependencies(ROOT)
    assert found == sorted(found)
    assert any(line.startswith("quart") for line in found)


# Pairs side by side


def test_the_interval_of_a_median_leaves_out_what_tosses_of_a_coin_would() -> None:
    """Of 24: the 7th and the 18th (tables of the binomial: 6 heads or fewer have 1.1 %, 7 or fewer 3.2)."""
    assert interval([float(n) for n in range(24, 0, -1)]) == (7.0, 18.0)
    assert interval([1.0] * 5) == (-math.inf, math.inf), "five of the same side are no rarer than 3 %"
    assert interval([3.0, 1.0, 2.0, 4.0, 6.0, 5.0]) == (1.0, 6.0)


@pytest.mark.parametrize(
    ("ratios", "sense", "verdict"),
    [
        ([0.98, 0.99, 1.0, 1.01, 1.02, 1.0], "at least", "within"),
        ([1.2, 1.3, 1.4, 1.2, 1.3, 1.4], "at least", "within"),
        ([0.9, 0.91, 0.92, 0.93, 0.94, 0.95], "at least", "worse"),
        ([1.1, 1.09, 1.08, 1.07, 1.06, 1.05], "at most", "worse"),
        ([0.9, 0.91, 0.92, 0.93, 0.94, 0.95], "at most", "within"),
        ([0.9, 0.95, 1.0, 1.0, 1.05, 1.1], "at least", "unsure"),
        ([0.5, 0.5], "at least", "unsure"),
    ],
)
def test_a_row_is_worse_if_all_of_its_interval_is(ratios: list[float], sense: Sense, verdict: str) -> None:
    assert Ratios("row", sense, 3.0, ratios).verdict == verdict


def test_change_is_good_if_it_is_positive_whichever_way_is_good() -> None:
    assert Ratios("row", "at least", 3.0, [1.1] * 6).change == pytest.approx(10.0)
    assert Ratios("row", "at most", 3.0, [1.1] * 6).change == pytest.approx(-10.0)
    assert Ratios("row", "at most", 3.0, [1.1] * 6).interval == pytest.approx((-10.0, -10.0))


class Idle(nullcontext[None]):
    """A server of one side, and its process."""

    def __init__(self, side: str) -> None:
        super().__init__()
        self.side = side
        self.process = self
        self._spent = {"a": 0.5, "b": 1.0}[side]
        self._looks = 0

    def cpu_seconds(self) -> float:
        """Each burst, between two looks, takes as much."""
        self._looks += 1
        return self._looks * self._spent


class Side:
    """In place of a `Context`."""

    bearer = None

    def __init__(self, side: str) -> None:
        self._side = side

    def twinwire(self) -> Idle:
        return Idle(self._side)


def test_who_begins_changes_and_the_first_burst_of_each_does_not_count() -> None:
    bursts: list[str] = []

    def run(context: Context, server: Any) -> Figures:
        bursts.append(server.side)
        is_warm = bursts.count(server.side) % 3 != 1  # of a session's three
        return {"row": 2.0 if is_warm else 1.0 + len(bursts)}

    sides: Any = (Side("a"), Side("b"))
    row, cpu = compare(sides, Burst({"row": "at least"}, run), pairs=4, bound=3.0)
    sessions = ["".join(bursts[start : start + 6]) for start in (0, 6)]
    assert sessions == ["baabba", "abbaab"]
    assert row.values == [1.0, 1.0], "of warm ones alone"
    assert (cpu.key, cpu.sense, cpu.values) == ("row-cpu", "at most", [2.0, 2.0])


def test_rows_may_be_chosen_by_their_names_and_by_their_groups() -> None:
    assert [*chosen([])] == [burst for group in GROUPS.values() for burst in group]
    assert chosen(["storm"]) == [*GROUPS["storm"]]
    (burst,) = chosen(["fanout-8-ws-p50"])
    assert "fanout-8-ws" in burst.senses
