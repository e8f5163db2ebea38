"""Latency under a light load: 1,000 subscribers, 20 events/s, against nchan."""

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, FanOut, Row, Sample, fan_out
from tests.bench.servers import Nchan, Twinwire

SUBSCRIBERS: Final = 1_000
RATE: Final = 20
P50_TARGET: Final = 1.0
P99_TARGET: Final = 1.2


def rows(context: Context) -> Iterator[Row]:
    for mode in ("ws", "sse"):
        pairs = _measure(context, mode) if context.has_nchan else []
        what = f"{SUBSCRIBERS} {mode} subscribers, {RATE} events/s"
        details = {"rounds": [{"ours": a.summary(), "nchan": b.summary()} for a, b in pairs]}
        p50 = [Sample.ratio(a.p50_ms, b.p50_ms) for a, b in pairs]
        p99 = [Sample.ratio(a.p99_ms, b.p99_ms) for a, b in pairs]
        measure = "{} latency, publish to receive, against nchan"
        yield Row(f"latency-{mode}-p50", what, measure.format("p50"), "ms", "at most", P50_TARGET, p50, details)
        yield Row(f"latency-{mode}-p99", what, measure.format("p99"), "ms", "at most", P99_TARGET, p99)


def _measure(context: Context, mode: str) -> list[tuple[FanOut, FanOut]]:
    events = int(RATE * context.scale.latency_seconds)
    publishing = {"conns": 4, "rate": RATE}
    ours, peer = Twinwire(context.folder), Nchan(context.folder)
    with ours.process, peer.process:
        return [
            (
                fan_out(context, ours, mode, SUBSCRIBERS, events, publishing),
                fan_out(context, peer, mode, SUBSCRIBERS, events, publishing),
            )
            for _ in context.rounds(f"latency, {mode}")
        ]
