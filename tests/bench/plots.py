"""The curves as SVG files that are readable on a light and on a dark page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.svg import Chart, Series

Curves = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]


def write(folder: Path, curves: Curves) -> list[Path]:
    """Both plots into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, chart in (("deliveries", _deliveries(curves)), ("latency", _latency(curves))):
        path = folder / f"{name}.svg"
        path.write_text(chart.draw())
        written.append(path)
    return written


def _series(points: Sequence[Mapping[str, float]], value: str, name: str, hue: int, dashed: bool = False) -> Series:
    return Series(name, [(point["x"], point[value]) for point in points], hue, dashed)


def _deliveries(curves: Curves) -> Chart:
    known = curves["subscribers"]
    wanted: list[tuple[str, str, int, bool]] = [
        ("twinwire 32", "Twinwire, 32 in flight", 0, False),
        ("twinwire 8", "Twinwire, 8 in flight", 0, True),
        ("nchan 32", "nchan, 32 in flight", 1, False),
        ("nchan 8", "nchan, 8 in flight", 1, True),
        ("floor", "C floor, one write each", 2, False),
    ]
    lines = [
        _series(known[key], "deliveries_per_s", name, hue, dashed) for key, name, hue, dashed in wanted if key in known
    ]
    return Chart("Deliveries a second by number of subscribers", "subscribers", "deliveries/s", lines)


def _latency(curves: Curves) -> Chart:
    lines: list[Any] = []
    for hue, (key, name) in enumerate((("twinwire", "Twinwire"), ("nchan", "nchan"))):
        points = curves["rate"].get(key)
        if points:
            lines.append(_series(points, "p50_ms", f"{name}, p50", hue))
            lines.append(_series(points, "p99_ms", f"{name}, p99", hue, dashed=True))
    return Chart("Latency by rate, 500 subscribers", "events/s", "ms, publish to receive", lines)
