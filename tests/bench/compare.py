"""`make bench-compare REF=<commit>`: is this working tree slower than that commit? `verdict.py` says what slower is.

Before and after alternate within each round, group by group, and who is first changes from round to round. Each
measurement starts servers of its own, so that the luck of one process does not colour all rounds.
"""

import argparse
import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import jwt

from tests.bench.calibrate import calibrate, calibrated
from tests.bench.measure import Context, IncompleteError, Row
from tests.bench.native_tools import ToolError, build
from tests.bench.process import ROOT, ServerError
from tests.bench.report import machine, number
from tests.bench.run import GROUPS, RESULTS, USUAL
from tests.bench.scale import Scale, is_quick
from tests.bench.servers import nchan_module
from tests.bench.trees import commit_of, unpacked, working_tree
from tests.bench.verdict import LEAST_ROUNDS, Bounds, Compared, count

Side = Literal["before", "after"]
ROUNDS: Final = 9
QUICK_ROUNDS: Final = 3
BUSY: Final = 0.5
"""Load average before the first server starts, from which others are told to be at work."""

BEARER: Final = "BENCH_BEARER"
"""Where the native clients find their token."""

TRIES: Final = 2
"""Of a group in a round: a peer that loses messages now and then, or a port that someone took, is no verdict on us."""


@dataclass(slots=True)
class _Values:
    """The values of one row, as rounds bring them."""

    row: Row
    befores: list[float] = field(default_factory=list)
    afters: list[float] = field(default_factory=list)

    def add(self, side: Side, value: float) -> None:
        (self.befores if side == "before" else self.afters).append(value)


@dataclass(slots=True)
class Comparison:
    """Everything that was measured so far, by key of the row."""

    rounds: int
    bounds: Bounds
    values: dict[str, _Values] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def add(self, group: str, side: Side, rows: Sequence[Row], slowness: float) -> None:
        """One round of a group, and how slow the machine was in it."""
        self.groups.add(group)
        for row in rows:
            if row.value is not None:
                values = self.values.setdefault(row.key, _Values(row))
                values.add(side, calibrated(row.sense, row.value, slowness) if row.calibrated else row.value)

    def rows(self) -> list[Compared]:
        return [
            Compared(key, one.row.sense, self.bounds.of(key), self.rounds, one.befores, one.afters)
            for key, one in self.values.items()
        ]


def measure(comparison: Comparison, contexts: Mapping[Side, Context], groups: Sequence[str]) -> Iterator[None]:
    """Yields after each round."""
    started = time.monotonic()
    for number_of_round in range(comparison.rounds):
        sides: tuple[Side, ...] = ("before", "after") if number_of_round % 2 == 0 else ("after", "before")
        for group in groups:
            for side in sides:
                _measure_group(comparison, contexts[side], group, side)
        spent = time.monotonic() - started
        _note(f"round {number_of_round + 1} of {comparison.rounds} done after {spent:.0f} s")
        yield


def _try_out(context: Context) -> None:
    """One start. A tree that can't serve is told at once, with the end of its log (ServerError); and its modules are
    compiled then, which would show in the memory of a server that does it.
    """
    with context.twinwire().process:
        pass


def _measure_group(comparison: Comparison, context: Context, group: str, side: Side) -> None:
    """Whole, or not at all: of a group that fails, no row counts in this round."""
    for _ in range(TRIES):
        try:
            slowness = calibrate()
            with bearing(context.bearer):
                rows = list(GROUPS[group](context))
        except (IncompleteError, ServerError, ToolError, subprocess.SubprocessError, OSError) as error:
            comparison.failures.append(f"{group}, {side}: {error}")
            _note(f"FAILED: {group}, {side}: {str(error).strip().splitlines()[-1]}")
        else:
            comparison.add(group, side, rows, slowness)
            return


@contextmanager
def bearing(token: str | None) -> Iterator[None]:
    """Inside, the native load clients send this token."""
    if token is not None:
        os.environ[BEARER] = token
    try:
        yield
    finally:
        os.environ.pop(BEARER, None)


def with_tokens(context: Context) -> Context:
    """The same, of a service with a key, whose load clients bring a token. This process itself asks as anybody."""
    claims = {"sub": "bench", "subscribe": ["bench/**"], "publish": ["bench/**"]}
    key = secrets.token_bytes(32)
    text = jwt.encode({**claims, "iat": time.time(), "exp": time.time() + 80_000}, key, "HS256", {"kid": "bench"})
    ring = [{"kid": "bench", "alg": "HS256", "key": base64.urlsafe_b64encode(key).decode().rstrip("=")}]
    env = {
        "TWINWIRE_TOKEN_KEYS": json.dumps(ring),
        "TWINWIRE_ANONYMOUS_SUBSCRIBE": "**",
        "TWINWIRE_ANONYMOUS_PUBLISH": "**",
    }
    return replace(context, env=env, bearer=text)


def without_timeline(context: Context) -> Context:
    """The same, of a service that does not remember what became of events."""
    return replace(context, env={"TWINWIRE_TIMELINE": "0"})


WITH: Final[Mapping[str, Callable[[Context], tuple[Context, Context]]]] = {
    "tokens": lambda context: (context, with_tokens(context)),
    "timeline": lambda context: (without_timeline(context), context),
}
"""In place of a commit: this tree without these, which is `before`, and with them."""


def name_of(ref: str) -> str:
    """What was before. Raises ValueError for a ref that is no commit."""
    return f"no {ref}" if ref in WITH else commit_of(ref)


def before_and_after(ref: str, context: Context) -> tuple[Context, Context]:
    """`context` is this tree's."""
    if ref in WITH:
        return WITH[ref](context)
    return replace(context, tree=unpacked(commit_of(ref), context.folder / "before")), context


# What is told


_HEADINGS: Final = ("row", "before", "after", "change", "spread", "bound", "verdict")


def _cells(row: Compared) -> tuple[str, ...]:
    return (
        row.key,
        number(row.before),
        number(row.after),
        "–" if row.change is None else f"{row.change:+.1f} %",
        "–" if row.spread is None else f"{row.spread:.1f} %",
        f"{row.bound:g} %",
        row.verdict,
    )


def table(rows: Sequence[Compared]) -> str:
    """As Markdown, in columns for the terminal too."""
    lines = [_HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = ("<", *">>>>>", "<")
    rule = [f"{'-' * (width - 1)}{'-' if side == '<' else ':'}" for side, width in zip(sides, widths, strict=True)]
    return "".join(
        f"| {' | '.join(f'{cell:{side}{width}}' for cell, side, width in zip(line, sides, widths, strict=True))} |\n"
        for line in (lines[0], rule, *lines[1:])
    )


def summary(comparison: Comparison, commit: str) -> str:
    counts = ", ".join(f"{number} {verdict}" for verdict, number in count(comparison.rows()).items())
    failures = f"; {len(comparison.failures)} measurements failed" if comparison.failures else ""
    return f"against {commit}, {comparison.rounds} rounds: {counts or 'nothing measured'}{failures}"


def _document(comparison: Comparison, commit: str) -> dict[str, Any]:
    rows = [
        {**asdict(row), "change": row.change, "spread": row.spread, "verdict": row.verdict} for row in comparison.rows()
    ]
    return {"machine": machine(), "before": commit, "rows": rows, "failures": comparison.failures}


def _write(comparison: Comparison, commit: str, name: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(_document(comparison, commit), indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(f"{summary(comparison, commit)}\n\n{table(comparison.rows())}")


def _note(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


# The command


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("ref", help="the commit that was before; `tokens`, `timeline`: this tree without, and with")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; default: all but size")
    parser.add_argument("--rounds", type=int, default=QUICK_ROUNDS if is_quick() else ROUNDS)
    parser.add_argument("--bound", type=float, default=Bounds().usual, help="per cent; default: %(default)g")
    parser.add_argument("--p99-bound", type=float, default=Bounds().p99, help="per cent; default: %(default)g")
    parser.add_argument("--folder", type=Path, default=None, help="folder for databases; default: the system's")
    found = parser.parse_intermixed_args()
    unknown = set(found.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    if found.rounds < LEAST_ROUNDS:
        parser.error(f"at least {LEAST_ROUNDS} rounds")
    return found


def main() -> int:
    """1 if a row is worse, or could not be measured."""
    arguments = _arguments()
    commit = name_of(arguments.ref)
    groups = [group for group in GROUPS if group in (arguments.groups or USUAL)]
    name = "-".join(["compare", commit.replace(" ", "-"), *arguments.groups])
    has_nchan = nchan_module() is not None
    if not has_nchan:
        _note("nginx has no nchan here (Debian: nginx-light, libnginx-mod-nchan): its rows are calibrated instead")
    if (load := os.getloadavg()[0]) > BUSY:
        _note(f"the machine is at other work (load {load:.1f}): spreads will be wide, and small changes not be seen")
    comparison = Comparison(arguments.rounds, Bounds(arguments.bound, arguments.p99_bound))
    with TemporaryDirectory(prefix="twinwire-bench-", dir=arguments.folder) as text:
        folder = Path(text)
        scale = Scale.of_one_round(is_quick())
        ours = Context(scale, working_tree(), build(folder), folder, has_nchan, lambda text: None, compares=True)
        before, after = before_and_after(arguments.ref, ours)
        for context in (before, after):
            _try_out(context)
        for _ in measure(comparison, {"before": before, "after": after}, groups):
            _write(comparison, commit, name)  # a run that is broken off has told what it knew
    print(table(comparison.rows()))
    print(f"{summary(comparison, commit)}; {RESULTS.relative_to(ROOT)}/{name}.json and .md")
    return int(not comparison.groups.issuperset(groups) or not all(row.is_good for row in comparison.rows()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ToolError, ServerError, ValueError) as error:
        sys.exit(f"bench: {error}")
