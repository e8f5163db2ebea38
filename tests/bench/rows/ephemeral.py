"""Ephemeral events to 500 subscribers at a steady rate, against nchan, which keeps its messages in memory.

Who sends them is answered before anybody has them, so that what a sender reaches says nothing of what is delivered: the
rate is given, and the server's time for it is compared.
"""

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, Pair, Row, beside_nchan, ratios, summaries
from tests.bench.rows.fanout import SUBSCRIBERS
from tests.bench.servers import Ephemeral

RATE: Final = 100
"""Events a second, each to all of them."""

IN_FLIGHT: Final = 8

CPU_TARGET: Final = 1.0
"""Of nchan's processor time for the same."""

LATENCY_TARGET: Final = 1.0
"""Of nchan's median."""


def rows(context: Context) -> Iterator[Row]:
    for mode in ("ws", "sse"):
        pairs = list(_pairs(context, mode)) if context.has_nchan or context.compares else []
        what = f"ephemeral events, {SUBSCRIBERS} {mode} subscribers, {RATE} a second"
        yield Row(
            f"ephemeral-{mode}-cpu",
            what,
            "the server's share of a core against nchan",
            "",
            "at most",
            CPU_TARGET,
            ratios(pairs, lambda one: one.server_cpu),
            summaries(pairs),
            calibrated=not context.has_nchan,
        )
        yield Row(
            f"ephemeral-{mode}-p50",
            what,
            "p50 latency against nchan",
            "ms",
            "at most",
            LATENCY_TARGET,
            ratios(pairs, lambda one: one.p50_ms),
            calibrated=not context.has_nchan,
        )


def _pairs(context: Context, mode: str) -> Iterator[Pair]:
    events = round(RATE * context.scale.latency_seconds)
    with beside_nchan(context, Ephemeral) as pair:
        for _ in context.rounds(f"ephemeral, {mode}"):
            yield pair(mode, SUBSCRIBERS, events, {"conns": IN_FLIGHT, "rate": RATE, "keyed": 1})
