"""The command: measure the rows that are asked for, print the table, write it to tests/bench/results/."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.bench import plots, report, sweeps
from tests.bench.measure import Context, IncompleteError, Row
from tests.bench.native_tools import ToolError, build
from tests.bench.process import ROOT, ServerError
from tests.bench.rows import fanout, idle, latency, paint, publishing, replay, stall, storm, topics
from tests.bench.scale import Scale
from tests.bench.servers import nchan_module
from tests.bench.trees import working_tree

RESULTS: Final = Path(__file__).parent / "results"
DOCS: Final = ROOT / "docs"
GROUPS: Final[Mapping[str, Callable[[Context], Iterable[Row]]]] = {
    "fanout": fanout.rows,
    "latency": latency.rows,
    "topics": topics.rows,
    "publishing": publishing.rows,
    "replay": replay.rows,
    "storm": storm.rows,
    "stall": stall.rows,
    "idle": idle.rows,
    "paint": paint.rows,
}
SWEEPS: Final = "sweeps"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join([*GROUPS, SWEEPS])}; default: all")
    parser.add_argument("--publish", action="store_true", help="put the table and the plots into docs/ too")
    parser.add_argument("--folder", type=Path, default=None, help="folder for databases; default: the system's")
    found = parser.parse_args()
    unknown = set(found.groups) - set(GROUPS) - {SWEEPS}
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


def main() -> None:
    arguments = _arguments()
    wanted = set(arguments.groups) or {*GROUPS, SWEEPS}
    scale = Scale.from_environment()
    has_nchan = nchan_module() is not None
    if not has_nchan:
        _note("nginx has no nchan here (Debian: nginx-light, libnginx-mod-nchan): its rows are left out")
    with TemporaryDirectory(prefix="twinwire-bench-", dir=arguments.folder) as text:
        folder = Path(text)
        context = Context(scale, working_tree(), build(folder), folder, has_nchan, _note)
        rows, failures = _measure(context, wanted)
        curves: dict[str, Any] = sweeps.measure(context) if SWEEPS in wanted else {}
    name = "-".join(["quick" if scale.quick else "full", *arguments.groups])
    report.write(RESULTS, name, rows, report.document(rows, curves, scale.quick, scale.runs))
    if arguments.publish:
        report.publish(DOCS / "performance.md", rows, scale.runs)
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
