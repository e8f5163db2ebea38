"""`make bench-beside REF=<commit>`: the same burst to that commit's service and to this tree's, both running, in turn.

`compare.py` holds each side against a reference that was measured beside it, and then the medians of the two ratios
against each other. That sees all rows there are, and its spread is that of four measurements minutes apart: a fifth,
where a machine's speed moves by a third. Here a *pair* is two bursts of a second or two, one right after the other, and
what counts is their ratio: whatever moves slower than that moves both. What is left is told as an interval. A burst is
told by what it took of the service's core, too (`-cpu`), which other work on the machine moves least.

Pairs go A B, B A, A B and so on, in sessions with servers of their own: the luck of a process, a tenth and more, is the
same for all of a session's pairs. So a session gives one ratio, the median of its pairs, and the interval is over
sessions. Who is first in a session changes from one to the next, and before its pairs each has a burst that does not
count: the first replay after a database was filled takes two thirds longer than the second, whoever has it. Whose
server is started first changes as well, every other time: of two that are the same the one that was started second took
a twentieth more of its core for a reconnect storm. `verdict` says what the ratios of a row mean.
"""

import argparse
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from tests.bench.compare import bearing, before_and_after, name_of
from tests.bench.measure import Context, IncompleteError, Sense, fan_out
from tests.bench.native_tools import ToolError, build, publish
from tests.bench.process import ServerError
from tests.bench.rows import fanout, publishing, replay, storm, topics
from tests.bench.run import RESULTS
from tests.bench.scale import Scale, is_quick
from tests.bench.servers import TOPIC, Twinwire
from tests.bench.trees import commit_of, unpacked, working_tree

Verdict = Literal["within", "worse", "unsure"]
Figures = Mapping[str, float]
"""What one burst gave, by row."""

PAIRS: Final = 24
QUICK_PAIRS: Final = 6
SESSIONS: Final = 12
"""Of each row, at most; each has its share of the pairs, PAIRS_LEAST at least."""
PAIRS_LEAST: Final = 2
"""So that each side is the first in one of them."""
BOUND: Final = 3.0
"""Per cent."""
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Burst:
    """`fill` is done once to each server of a session; `run` is measured. `senses`: the rows, and which way is good."""

    senses: Mapping[str, Sense]
    run: Callable[[Context, Twinwire], Figures]
    fill: Callable[[Context, Twinwire], None] = lambda context, server: None

    @property
    def cpu(self) -> str:
        """The row of what a burst takes of the service's core, in seconds: both sides have the same to do."""
        return f"{next(iter(self.senses))}-cpu"

    @property
    def rows(self) -> dict[str, Sense]:
        return {**self.senses, self.cpu: "at most"}


def _singles(mode: str, in_flight: int) -> Burst:
    key = f"fanout-{in_flight}-{mode}"

    def run(context: Context, server: Twinwire) -> Figures:
        events = context.scale.singles[in_flight]
        found = fan_out(context, server, mode, fanout.SUBSCRIBERS, events, {"conns": in_flight})
        return {key: found.per_s, f"{key}-p50": found.p50_ms}

    return Burst({key: "at least", f"{key}-p50": "at most"}, run)


def _batches(mode: str) -> Burst:
    def run(context: Context, server: Twinwire) -> Figures:
        options = {"conns": fanout.BATCH_CONNECTIONS, "batch": fanout.BATCH}
        found = fan_out(context, server, mode, fanout.SUBSCRIBERS, context.scale.batched, options)
        return {f"batches-{mode}": found.per_s}

    return Burst({f"batches-{mode}": "at least"}, run)


def _topics(key: str, manner: Mapping[str, int]) -> Burst:
    def run(context: Context, server: Twinwire) -> Figures:
        return {key: topics.random_topics(context, server, topics.events_of(context.scale, manner), manner).per_s}

    return Burst({key: "at least"}, run)


def _publishing(key: str, options: Callable[[Scale], dict[str, int]], figure: str) -> Burst:
    def run(context: Context, server: Twinwire) -> Figures:
        server.process.settle()
        where = {"port": server.process.port, "path": server.publish_path, "topic": TOPIC}
        return {key: float(publish(context.tools, {**where, **options(context.scale)})[figure])}

    return Burst({key: "at least"}, run)


def _replays(mode: str) -> Burst:
    def run(context: Context, server: Twinwire) -> Figures:
        events = context.scale.replay
        return {f"replay-{mode}": events / replay.replayed(context, server, mode, events)["last_s"]}

    return Burst({f"replay-{mode}": "at least"}, run, lambda context, server: replay.fill(context, server))


def _storms(mode: str) -> Burst:
    def run(context: Context, server: Twinwire) -> Figures:
        start = f"{storm.head(server).rpartition('-')[0]}-0"
        found = storm.reconnected(context, server, mode, start, storm.MISSED)
        return {f"storm-{mode}": max(found["ready_s"], found["last_s"])}

    return Burst({f"storm-{mode}": "at most"}, run, storm.fill)


MODES: Final = ("ws", "sse")
GROUPS: Final[Mapping[str, Sequence[Burst]]] = {
    "fanout": [*(_singles(mode, n) for mode in MODES for n in fanout.TARGETS), *map(_batches, MODES)],
    "topics": [
        _topics(f"topics-{kind}", manner)
        for kind, manner in zip(("single", "batch"), topics.PUBLISHING.values(), strict=True)
    ],
    "publishing": [
        _publishing(
            "publish-batch",
            lambda scale: {
                "conns": publishing.BATCH_CONNECTIONS,
                "batch": publishing.BATCH,
                "total": scale.durable,
            },
            "per_s",
        ),
        _publishing(
            "publish-single",
            lambda scale: {"conns": publishing.IN_FLIGHT, "total": scale.requests},
            "requests_per_s",
        ),
    ],
    "replay": [*map(_replays, MODES)],
    "storm": [*map(_storms, MODES)],
}


# What ratios mean


@dataclass(slots=True)
class Ratios:
    """Of one row: after divided by before, of each session."""

    key: str
    sense: Sense
    bound: float
    values: list[float] = field(default_factory=list)

    @property
    def change(self) -> float:
        """Per cent; for the better if it is positive, whichever way is good."""
        return self._goodness(statistics.median(self.values))

    @property
    def interval(self) -> tuple[float, float]:
        """Per cent: where the median of ever more sessions lies, with CONFIDENCE; infinite of too few."""
        low, high = sorted(map(self._goodness, interval(self.values)))
        return low, high

    @property
    def verdict(self) -> Verdict:
        """`worse`: the whole interval is beyond the bound. `within`: no more of it than the bound allows is worse."""
        low, high = self.interval
        if low >= -self.bound:
            return "within"
        return "worse" if high < -self.bound else "unsure"

    def _goodness(self, ratio: float) -> float:
        return 100 * (ratio - 1) if self.sense == "at least" else 100 * (1 - ratio)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the median, by order statistics: of n values, as many lie below it as of n tosses of a coin are heads."""
    ordered, count = sorted(values), len(values)
    tail, left = 0.0, 0
    while left < count // 2 and tail + math.comb(count, left) / 2**count <= (1 - CONFIDENCE) / 2:
        tail += math.comb(count, left) / 2**count
        left += 1
    return (ordered[left - 1], ordered[count - left]) if left else (-math.inf, math.inf)


def table(rows: Sequence[Ratios]) -> str:
    lines = ["| row | sessions | change | 95 % of it | bound | verdict |", "|---|---:|---:|---:|---:|---|"]
    for row in rows:
        low, high = row.interval
        cells = (f"{row.change:+.1f} %", f"{low:+.1f} to {high:+.1f} %", f"{row.bound:g} %", row.verdict)
        lines.append(f"| {row.key} | {len(row.values)} | {' | '.join(cells)} |")
    return "\n".join(lines)


# The command


def measure(
    contexts: Sequence[Context], burst: Burst, pairs: int, *, first: int, started: int
) -> Iterator[tuple[Figures, Figures]]:
    """`pairs` of one session: before and after. Whose burst is the `first` one, and whose server is `started` first: 0
    or 1."""
    with ExitStack() as stack:
        servers = [context.twinwire() for context in contexts]
        for side in (started, 1 - started):
            stack.enter_context(servers[side].process)
            with bearing(contexts[side].bearer):
                burst.fill(contexts[side], servers[side])
        for number in range(-1, pairs):
            found: dict[int, Figures] = {}
            for side in (0, 1) if number % 2 == first else (1, 0):
                with bearing(contexts[side].bearer):
                    before = servers[side].process.cpu_seconds()
                    figures = burst.run(contexts[side], servers[side])
                    spent = servers[side].process.cpu_seconds() - before
                found[side] = {**figures, burst.cpu: spent}
            if number >= 0:
                yield found[0], found[1]


def compare(contexts: Sequence[Context], burst: Burst, pairs: int, bound: float) -> list[Ratios]:
    """A session that fails is told, and does not count."""
    rows = {key: Ratios(key, sense, bound) for key, sense in burst.rows.items()}
    sessions = max(1, min(SESSIONS, pairs // PAIRS_LEAST))
    for number in range(sessions):
        try:
            each = max(PAIRS_LEAST, -(-pairs // sessions))
            found = list(measure(contexts, burst, each, first=number % 2, started=number // 2 % 2))
            for key, row in rows.items():
                row.values.append(statistics.median(after[key] / before[key] for before, after in found))
        except (IncompleteError, ServerError, ToolError, subprocess.SubprocessError, OSError) as error:
            _note(f"FAILED: {', '.join(rows)}, session {number + 1}: {str(error).strip().splitlines()[-1]}")
    return [row for row in rows.values() if row.values]


def _note(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beside", description=__doc__)
    parser.add_argument("ref", help="the commit that was before; `tokens`, `timeline`: this tree without, and with")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"a row, or a group of them: {', '.join(GROUPS)}; default: all"
    )
    parser.add_argument("--to", metavar="COMMIT", help="what is held against it; default: this working tree")
    parser.add_argument("--pairs", type=int, default=QUICK_PAIRS if is_quick() else PAIRS, help="of each row")
    parser.add_argument("--bound", type=float, default=BOUND, help="per cent; default: %(default)g")
    found = parser.parse_intermixed_args()
    known = {*GROUPS, *(key for group in GROUPS.values() for burst in group for key in burst.rows)}
    if unknown := set(found.names) - known:
        parser.error(f"no such row or group: {', '.join(sorted(unknown))}")
    return found


def chosen(names: Sequence[str]) -> list[Burst]:
    """Those that bring a row of these names, or of a group of one."""
    return [
        burst
        for group, bursts in GROUPS.items()
        for burst in bursts
        if not names or group in names or not burst.rows.keys().isdisjoint(names)
    ]


def main() -> int:
    """1 if a row is worse, or could not be measured."""
    arguments = _arguments()
    commit = name_of(arguments.ref)
    bursts = chosen(arguments.names)
    found: list[Ratios] = []
    with TemporaryDirectory(prefix="twinwire-bench-") as text:
        folder = Path(text)
        scale = Scale.of_one_round(is_quick())
        tree = unpacked(commit_of(arguments.to), folder / "to") if arguments.to else working_tree()
        ours = Context(scale, tree, build(folder), folder, False, lambda text: None, compares=True)
        before, after = before_and_after(arguments.ref, ours)
        for burst in bursts:
            found += compare((before, after), burst, arguments.pairs, arguments.bound)
            _note(f"{', '.join(burst.senses)} done")
            RESULTS.mkdir(parents=True, exist_ok=True)
            (RESULTS / f"beside-{commit.replace(' ', '-')}.md").write_text(table(found) + "\n")
    print(table(found))
    missing = len([key for burst in bursts for key in burst.rows]) - len(found)
    return int(bool(missing) or any(row.verdict == "worse" for row in found))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ToolError, ServerError, ValueError) as error:
        sys.exit(f"bench: {error}")
