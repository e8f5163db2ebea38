"""The verdict and its plots, and a few seconds of the real thing: a series that grows is called so."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.bench.svg import LINEAR_TICKS, LinearAxis
from tests.soak.plots import POINTS_MAX, charts, write
from tests.soak.run import run
from tests.soak.sample import Probe
from tests.soak.verdict import (
    COUNT_RISE,
    DATABASE_RISE,
    MEMORY_RISE,
    MIB,
    STEP_MAX,
    TURN_MAX,
    WAL_MAX,
    WARM,
    Sample,
    findings,
    rise,
    slope,
    warm,
)

SECONDS: Final = 1200
FLAT: Final = [Sample(float(at), 80 * MIB, 60, 50, 2 * MIB, 20 * MIB, 0.003, 0.009) for at in range(1, SECONDS + 1)]
SPAN: Final = (1 - WARM) * SECONDS
"""Seconds that are judged."""


def bad(samples: list[Sample]) -> set[str]:
    return {one.name for one in findings(samples) if not one.is_good}


def with_value(one: Sample, name: str, value: Any) -> Sample:
    return replace(one, **{name: value})


def growing(name: str, by: float) -> list[Sample]:
    """`name` rises by so much in the time that is judged, on a straight line."""
    return [with_value(one, name, getattr(one, name) + one.seconds * by / SPAN) for one in FLAT]


def test_what_is_flat_is_called_so() -> None:
    assert bad(FLAT) == set()


@pytest.mark.parametrize(
    ("name", "told", "bound"),
    [
        ("memory", "memory", MEMORY_RISE),
        ("descriptors", "descriptors", COUNT_RISE),
        ("tasks", "tasks", COUNT_RISE),
        ("database", "database", DATABASE_RISE * 20 * MIB * (1 + WARM / (1 - WARM) * DATABASE_RISE)),
    ],
)
def test_what_grows_is_called_so(name: str, told: str, bound: float) -> None:
    """Just below the bound, and beyond it."""
    assert bad(growing(name, 0.95 * bound)) == set()
    assert bad(growing(name, 1.1 * bound)) == {told}


def test_what_grows_in_the_beginning_only_is_flat() -> None:
    """Caches fill up to their bounds."""
    filled = [replace(one, memory=int(min(one.seconds / (WARM * SECONDS), 1.0) * 200 * MIB)) for one in FLAT]
    assert bad(filled) == set()


def test_what_goes_up_and_down_is_flat() -> None:
    wave = [replace(one, memory=(80 + 20 * (int(one.seconds) // 30 % 2)) * MIB) for one in FLAT]
    assert bad(wave) == set()


def test_what_falls_is_flat() -> None:
    assert bad(growing("memory", -20 * MIB)) == set()


@pytest.mark.parametrize(
    ("name", "told", "bound"),
    [
        ("wal", "write-ahead log", WAL_MAX),
        ("step", "longest step of the loop", STEP_MAX),
        ("turn", "longest turn of the loop", TURN_MAX),
    ],
)
def test_one_peak_is_enough(name: str, told: str, bound: float) -> None:
    """At the bound, and one past it, in the beginning too."""
    assert bad([with_value(FLAT[0], name, bound), *FLAT[1:]]) == set()
    assert bad([with_value(FLAT[0], name, 1.01 * bound), *FLAT[1:]]) == {told}


def test_slope_is_that_of_the_line() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]) == pytest.approx(0.0)
    assert slope([]) == slope([(1.0, 1.0)]) == 0.0
    assert rise(warm(growing("tasks", 9.0)), "tasks") == pytest.approx(9.0)


# The probe


def test_probe_is_read_as_far_as_its_lines_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "probe"

    def line(kind: str, value: float, what: str = "") -> str:
        return json.dumps({"at": 0, "kind": kind, "value": value, "what": what}) + "\n"

    path.write_text(
        line("step", 0.004, "short") + line("tasks", 7) + line("turn", 0.009) + line("step", 0.01, "long")[:9]
    )
    probe = Probe(path)
    assert probe.read() == (0.004, 0.009)
    assert probe.tasks == 7
    path.write_text(path.read_text() + line("step", 0.01, "long")[9:])
    assert probe.read() == (0.01, 0.0)
    assert probe.longest == ["10.0 ms, long", "4.0 ms, short"]
    assert probe.read() == (0.0, 0.0)
    path.write_text(path.read_text() + line("step", 0.02, "start"))
    probe.forget()
    assert (probe.read(), probe.longest) == ((0.0, 0.0), [])


# The plots


def test_plots_have_every_measure_and_no_peak_is_left_out(tmp_path: Path) -> None:
    peaked = [replace(one, step=0.5 if one.seconds == 601 else one.step) for one in FLAT]
    assert {path.name for path in write(tmp_path / "new", peaked)} == {
        "soak-memory.svg",
        "soak-counts.svg",
        "soak-files.svg",
        "soak-loop.svg",
    }
    series = {one.name: one.points for _, chart in charts(peaked) for one in chart.series}
    assert len(series) == 7
    assert all(len(points) <= POINTS_MAX for points in series.values())
    assert max(y for _, y in series["longest step"]) == 500
    text = (tmp_path / "new" / "soak-loop.svg").read_text()
    assert len(re.findall("<polyline", text)) == 2
    assert "<circle" not in text


@pytest.mark.parametrize("high", [0.0, 0.3, 1.0, 19.99, 20.0, 83.0, 1234.5])
def test_linear_axis_begins_at_zero_and_holds_all(high: float) -> None:
    axis = LinearAxis.over([high, high / 2], 100.0, 0.0)
    assert axis.ticks[0] == 0
    assert len(axis.ticks) <= LINEAR_TICKS + 1
    assert axis.ticks[-1] >= high * 0.999
    assert axis.at(0) == 100.0
    assert axis.at(axis.ticks[-1]) == pytest.approx(0.0)


# The real thing


@pytest.mark.timeout(120)
async def test_a_few_seconds_of_all_of_it() -> None:
    """Too short to tell a slope: but everybody is at work, nothing is lost, and all is given back."""
    said: list[str] = []
    result = await run(6.0, "ci", said.append)
    by_name = {one.name: one for one in result.findings}
    for name in ("given back", "events", "stop", "integrity of the file", "write-ahead log"):
        assert by_name[name].is_good, by_name[name]
    assert len(result.samples) >= 3
    for name in ("projects", "replays", "pages of history", "looks", "events acknowledged"):
        assert result.done[name] > 0, result.done
    assert all(one.memory > 10 * MIB and one.tasks > 10 and one.descriptors > 30 for one in result.samples[1:])
