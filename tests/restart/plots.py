"""The curve of a restart as an SVG file, beside the other plots of the documents."""

from pathlib import Path

from tests.bench.svg import Chart, Series
from tests.restart.verdict import Result


def write(folder: Path, result: Result) -> Path:
    """The plot into `folder`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "restart.svg"
    path.write_text(chart(result).draw())
    return path


def chart(result: Result) -> Chart:
    times = result.times()
    lines = [
        Series("connected", [(at, result.connected(at)) for at in times], 0),
        Series("back in the last second", [(at, result.arrived(at - 1, at)) for at in times], 1),
    ]
    title = f"A restart behind HAProxy with {len(result.clients):,} clients"
    return Chart(title, "seconds after the signal", "clients", lines, is_linear=True)
