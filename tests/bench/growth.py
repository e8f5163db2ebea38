"""Curves over size: what the same read takes of larger and larger logs, and how much memory topics take. By name only.

What is asked for is the same at each size: as many events of as many topics. A larger log has more other topics.
"""

from statistics import median
from typing import Any, Final

from tests.bench.largelog import LargeLogs, Shape
from tests.bench.measure import Context
from tests.bench.rows.size_reads import EACH, EXACT, disturbed_by_exact, exact_and_one

EVENTS: Final = (1_000_000, 10_000_000, 30_000_000)
TOPICS: Final = (1_000, 10_000, 100_000, 200_000, 500_000, 1_000_000)
PAD: Final = 1
"""Bytes of filling in an event: 30 million of them take 3 GiB with it, and 6 with that of the rows."""

Points = list[dict[str, float]]


def measure(context: Context) -> dict[str, Any]:
    """By curve, by series: a list of points, `x` and what was measured there."""
    logs = LargeLogs(context)
    return {"size": {"reads": _reads(context, logs)}, "memory": {"topics": _memory(context, logs)}}


def _reads(context: Context, logs: LargeLogs) -> Points:
    """Milliseconds, of replays and of others' latency while they go on."""
    found: Points = []
    for events in EVENTS:
        shape = Shape(events // EACH, round(EACH * context.scale.large), heavy=EXACT, pad=PAD)
        with logs.served(shape, is_last=True) as ours:
            exact_and_one(context, ours, shape)
            pairs = [exact_and_one(context, ours, shape) for _ in context.rounds(f"replays, {shape.events:,} events")]
            others = disturbed_by_exact(context, ours, shape)
        found.append(
            {
                "x": shape.events,
                "exact_ms": 1_000 * median(exact for exact, _ in pairs),
                "one_ms": 1_000 * median(one for _, one in pairs),
                "live_p50_ms": float(others.live["p50_ms"]),
                "live_p99_ms": others.live_p99_ms,
                "health_p99_ms": others.health_p99_ms,
            }
        )
    return found


def _memory(context: Context, logs: LargeLogs) -> Points:
    """MiB of a service that has just started, with one event a topic."""
    found: Points = []
    for topics in TOPICS:
        shape = Shape(max(1, round(topics * context.scale.large)), 1, pad=PAD)
        with logs.served(shape, is_last=True) as ours:
            found.append({"x": shape.topics, "mib": ours.process.memory() / 2**20})
    return found
