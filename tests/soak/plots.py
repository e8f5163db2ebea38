"""The samples as SVG files, beside the other plots of the documents."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.bench.svg import Chart, Series
from tests.soak.verdict import MIB, Sample

POINTS_MAX: Final = 240
"""Points of a line: the largest of each slice of the samples, so that no peak is left out."""


def write(folder: Path, samples: Sequence[Sample]) -> list[Path]:
    """All plots into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, chart in charts(samples):
        path = folder / f"soak-{name}.svg"
        path.write_text(chart.draw())
        written.append(path)
    return written


def charts(samples: Sequence[Sample]) -> Iterator[tuple[str, Chart]]:
    lines = [_series(samples, "memory", "resident memory", 0, 1 / MIB)]
    yield "memory", Chart("Memory", "minutes", "MiB", lines, is_linear=True)
    lines = [
        _series(samples, "descriptors", "descriptors", 0),
        _series(samples, "tasks", "tasks of the loop", 1),
    ]
    yield "counts", Chart("Descriptors and tasks", "minutes", "open now", lines, is_linear=True)
    lines = [
        _series(samples, "database", "database", 0, 1 / MIB),
        _series(samples, "wal", "write-ahead log", 1, 1 / MIB),
    ]
    yield "files", Chart("Files", "minutes", "MiB", lines, is_linear=True)
    lines = [
        _series(samples, "step", "longest step", 0, 1000),
        _series(samples, "turn", "longest turn", 1, 1000),
    ]
    yield "loop", Chart("Event loop, the longest of each second", "minutes", "ms of CPU", lines, is_linear=True)


def _series(samples: Sequence[Sample], name: str, label: str, hue: int, factor: float = 1.0) -> Series:
    size = -(-len(samples) // POINTS_MAX)
    slices = [samples[start : start + size] for start in range(0, len(samples), size)]
    points = [(part[-1].seconds / 60, factor * max(getattr(one, name) for one in part)) for part in slices]
    return Series(label, points, hue)
