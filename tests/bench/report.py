"""The table: on the terminal, as JSON, and as Markdown for docs/performance.md."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from service.log.sqlite.drivers import driver
from tests.bench.measure import Row

_VERDICTS: Final = {True: "reached", False: "not reached", None: "not available"}
_PACKAGES: Final = ("quart", "hypercorn", "uvloop", "aiosqlite")
BEGIN: Final = "<!-- figures: written by python -m tests.bench --publish -->"
END: Final = "<!-- end of figures -->"
LARGE: Final = (
    "<!-- figures of large logs: written by python -m tests.bench size --publish -->",
    "<!-- end of figures of large logs -->",
)
_SIGNS: Final = {"at least": "≥", "at most": "≤"}


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "sqlite": driver.sqlite_version,
        **{name: version(name) for name in _PACKAGES},
    }


def number(value: float | None, unit: str = "") -> str:
    """Three significant digits, thousands separated."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}" if unit and unit != "1/s" else text


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        row.measure,
        number(row.ours, row.unit),
        number(row.reference, row.unit),
        number(row.value),
        f"{_SIGNS[row.sense]} {number(row.target)}",
        _VERDICTS[row.is_reached],
    )


_HEADINGS: Final = ("what", "measure", "ours", "reference", "value", "target", "")


def terminal_line(row: Row) -> str:
    what, measure, ours, reference, value, target, verdict = _cells(row)
    return f"{verdict:>13}  {value:>6} {target:<7} {what}: {measure} ({ours}; reference {reference})"


def markdown(rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, ("---",) * 2 + ("---:",) * 4 + ("---",), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def machine_line(runs: int) -> str:
    """One sentence for people: where and how the table came about."""
    found = machine()
    software = ", ".join(f"{name} {found[name]}" for name in _PACKAGES)
    return (
        f"{found['cores']} cores of {found['cpu']}, Linux {found['kernel']}, Python {found['python']},"
        f" SQLite {found['sqlite']}, {software}; medians of {runs} run{'s' if runs > 1 else ''}."
    )


def publish(page: Path, rows: Sequence[Row], runs: int, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put the table between two marks of a Markdown page. Raises ValueError without them."""
    first, last = marks
    before, begin, rest = page.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {first} and {last}")
    page.write_text(f"{before}{first}\n{machine_line(runs)}\n\n{markdown(rows)}{last}{after}")


def document(rows: Sequence[Row], sweeps: Mapping[str, Any], quick: bool, runs: int) -> dict[str, Any]:
    """Everything that was measured, for machines."""
    return {
        "machine": machine(),
        "quick": quick,
        "runs": runs,
        "rows": [{**asdict(row), "value": row.value, "reached": row.is_reached} for row in rows],
        "sweeps": sweeps,
    }


def write(folder: Path, name: str, rows: Sequence[Row], whole: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown(rows))
