"""The curves as SVG files that are readable on a light and on a dark page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.svg import Chart, Series

Curves = Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]


def write(folder: Path, curves: Curves) -> list[Path]:
    """The plots of those curves that were measured into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: Sequence[tuple[str, str, Callable[[Curves], Chart]]] = (
        ("subscribers", "deliveries", _deliveries),
        ("rate", "latency", _latency),
        ("size", "size-latency", _by_size),
        ("memory", "size-memory", _memory),
    )
    written = []
    for curve, name, chart in drawn:
        if curve in curves:
            path = folder / f"{name}.svg"
            path.write_text(chart(curves).draw())
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


def _by_size(curves: Curves) -> Chart:
    points = curves["size"]["reads"]
    lines = [
        _series(points, "exact_ms", "replay of 17 topics", 0),
        _series(points, "one_ms", "of one, as many events", 0, dashed=True),
        _series(points, "live_p50_ms", "others, live, p50", 1),
        _series(points, "live_p99_ms", "others, live, p99", 1, dashed=True),
        _series(points, "health_p99_ms", "others, health, p99", 2, dashed=True),
    ]
    return Chart("The same replay of larger logs, and others meanwhile", "events in the log", "ms", lines)


def _memory(curves: Curves) -> Chart:
    lines = [_series(curves["memory"]["topics"], "mib", "resident memory", 0)]
    return Chart("Memory by number of topics, after a start", "topics", "MiB", lines)
