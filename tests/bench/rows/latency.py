"""Latency under a light load: 1,000 subscribers, 20 events/s, against nchan."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.bench.measure import Context, FanOut, Pair, Row, beside_nchan, ratios, summaries

SUBSCRIBERS: Final = 1_000
RATE: Final = 20
_FIGURES: Final[Sequence[tuple[str, float, Callable[[FanOut], float]]]] = (
    ("p50", 1.0, lambda one: one.p50_ms),
    ("p99", 1.2, lambda one: one.p99_ms),
)
"""Name, target as a multiple of nchan's, where it is found."""


def rows(context: Context) -> Iterator[Row]:
    for mode in ("ws", "sse"):
        pairs = _measure(context, mode) if context.has_nchan or context.compares else []
        what = f"{SUBSCRIBERS} {mode} subscribers, {RATE} events/s"
        for name, target, figure in _FIGURES:
            yield Row(
                f"latency-{mode}-{name}",
                what,
                f"{name} latency, publish to receive, against nchan",
                "ms",
                "at most",
                target,
                ratios(pairs, figure),
                summaries(pairs) if name == "p50" else {},
                calibrated=not context.has_nchan,
            )


def _measure(context: Context, mode: str) -> list[Pair]:
    events = int(RATE * context.scale.latency_seconds)
    with beside_nchan(context) as pair:
        return [pair(mode, SUBSCRIBERS, events, {"conns": 4, "rate": RATE}) for _ in context.rounds(f"latency, {mode}")]
