"""The command: measure the rows that are asked for, print the table, write it to tests/bench/results/.

What is large has to be asked for by name: it takes some GiB of disk, and minutes to fill them.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.bench import growth, plots, report, sweeps
from tests.bench.measure import Context, IncompleteError, Row
from tests.bench.native_tools import ToolError, build
from tests.bench.process import ROOT, ServerError
from tests.bench.rows import (
    ephemeral,
    fanout,
    idle,
    latency,
    paint,
    presence,
    publishing,
    python,
    replay,
    size,
    stall,
    state,
    state_kept,
    storm,
    topics,
)
from tests.bench.scale import Scale
from tests.bench.servers import nchan_module
from tests.bench.trees import working_tree

RESULTS: Final = Path(__file__).parent / "results"
DOCS: Final = ROOT / "docs"
GROUPS: Final[Mapping[str, Callable[[Context], Iterable[Row]]]] = {
    "fanout": fanout.rows,
    "ephemeral": ephemeral.rows,
    "presence": presence.rows,
    "latency": latency.rows,
    "topics": topics.rows,
    "publishing": publishing.rows,
    "replay": replay.rows,
    "storm": storm.rows,
    "stall": stall.rows,
    "idle": idle.rows,
    "paint": paint.rows,
    "size": size.rows,
    "state": state.rows,
    "state-kept": state_kept.rows,
    "python": python.rows,
}
SIZE: Final = "size"
STATE: Final = "state"
KEPT: Final = "state-kept"
PYTHON: Final = "python"
EPHEMERAL: Final = "ephemeral"
PRESENCE: Final = "presence"
USUAL: Final = tuple(name for name in GROUPS if name not in (SIZE, STATE, KEPT, PYTHON, EPHEMERAL, PRESENCE))
"""The groups that are measured if none is named."""

CURVES: Final[Mapping[str, Callable[[Context], Mapping[str, Any]]]] = {
    "sweeps": sweeps.measure,
    "size-curves": growth.measure,
}
USUAL_CURVES: Final = ("sweeps",)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [*GROUPS, *CURVES]
    large = ", ".join(name for name in names if name not in (*USUAL, *USUAL_CURVES))
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(names)}; default: all but {large}")
    parser.add_argument("--publish", action="store_true", help="put the table and the plots into docs/ too")
    parser.add_argument("--folder", type=Path, default=None, help="folder for databases; default: the system's")
    found = parser.parse_args()
    unknown = set(found.groups) - set(names)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    return found


def _note(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _measure(context: Context, wanted: set[str]) -> tuple[list[Row], list[str]]:
    """The rows, and what went wrong: a server that loses an event has no speed, but the other groups go on."""
    found: list[Row] = []
    failures: list[str] = []
    for name, rows in GROUPS.items():
        if name not in wanted:
            continue
        try:
            for row in rows(context):
                found.append(row)
                print(report.terminal_line(row), flush=True)
        except (IncompleteError, ServerError, ToolError) as error:
            failures.append(f"{name}: {error}")
            print(f"{'FAILED':>13}  {failures[-1]}", flush=True)
    return found, failures


def _measure_curves(context: Context, wanted: set[str], failures: list[str]) -> dict[str, Any]:
    """As `_measure`, which had its turn before: what it found is not lost with them."""
    curves: dict[str, Any] = {}
    for name, measure in CURVES.items():
        if name in wanted:
            try:
                curves.update(measure(context))
            except (IncompleteError, ServerError, ToolError) as error:
                failures.append(f"{name}: {error}")
    return curves


def _publish(rows: Sequence[Row], runs: int) -> None:
    """Large logs have a table of their own."""
    page = DOCS / "performance.md"
    large = [row for row in rows if row.key.startswith(f"{SIZE}-")]
    usual = [row for row in rows if row not in large]
    if usual:
        report.publish(page, usual, runs)
    if large:
        report.publish(page, large, runs, report.LARGE)


def main() -> None:
    arguments = _arguments()
    wanted = set(arguments.groups) or {*USUAL, *USUAL_CURVES}
    scale = Scale.from_environment()
    has_nchan = nchan_module() is not None
    if not has_nchan:
        _note("nginx has no nchan here (Debian: nginx-light, libnginx-mod-nchan): its rows are left out")
    with TemporaryDirectory(prefix="twinwire-bench-", dir=arguments.folder) as text:
        folder = Path(text)
        context = Context(scale, working_tree(), build(folder), folder, has_nchan, _note)
        rows, failures = _measure(context, wanted)
        curves = _measure_curves(context, wanted, failures)
    name = "-".join(["quick" if scale.quick else "full", *arguments.groups])
    report.write(RESULTS, name, rows, report.document(rows, curves, scale.quick, scale.runs))
    if arguments.publish:
        _publish(rows, scale.runs)
    if curves:
        plots.write(DOCS if arguments.publish else RESULTS, curves)
    reached = sum(row.is_reached is True for row in rows)
    print(f"{reached} of {len(rows)} reached; {RESULTS.relative_to(ROOT)}/{name}.json and .md")
    if failures:
        sys.exit(f"bench: {len(failures)} failed: {'; '.join(failures)}")


def command() -> None:
    """`main`, with an error of a tool as one line."""
    try:
        main()
    except (ToolError, ValueError) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    command()
