"""Durable fan-out to 500 subscribers: single POSTs against nchan, batches against the C floor."""

import http.client
from collections.abc import Iterator
from typing import Final

from tests.bench.measure import (
    Context,
    Pair,
    Row,
    Sample,
    beside_nchan,
    check_complete,
    fan_out,
    ratios,
    stream_options,
    summaries,
)
from tests.bench.native_tools import Fan, Result
from tests.bench.process import HOST
from tests.bench.servers import Floor

SUBSCRIBERS: Final = 500
BATCH: Final = 100
BATCH_CONNECTIONS: Final = 4
TARGETS: Final = {1: 0.5, 8: 1.1, 32: 2.2}
"""Of nchan's deliveries/s, by publishes in flight."""

LATENCY_TARGET: Final = 0.5
"""Of nchan's median latency with 32 in flight."""

BATCH_TARGET: Final = 10.0
"""Of the floor's deliveries/s."""


def rows(context: Context) -> Iterator[Row]:
    for mode in ("ws", "sse"):
        yield from _singles(context, mode)
        yield _batches(context, mode)


def _singles(context: Context, mode: str) -> Iterator[Row]:
    if not context.has_nchan and not context.compares:
        for in_flight in TARGETS:
            yield from _single_rows(context, mode, in_flight, [])
        return
    with beside_nchan(context) as pair:
        for in_flight, events in context.scale.singles.items():
            pairs = [
                pair(mode, SUBSCRIBERS, events, {"conns": in_flight})
                for _ in context.rounds(f"fan-out, {mode}, {in_flight} in flight")
            ]
            yield from _single_rows(context, mode, in_flight, pairs)


def _single_rows(context: Context, mode: str, in_flight: int, pairs: list[Pair]) -> Iterator[Row]:
    what = f"durable fan-out, {SUBSCRIBERS} {mode} subscribers, single POSTs, {in_flight} in flight"
    yield Row(
        f"fanout-{in_flight}-{mode}",
        what,
        "deliveries/s against nchan",
        "1/s",
        "at least",
        TARGETS[in_flight],
        ratios(pairs, lambda one: one.per_s),
        summaries(pairs),
        calibrated=not context.has_nchan,
    )
    if in_flight == max(TARGETS):
        yield Row(
            f"fanout-{in_flight}-{mode}-p50",
            what,
            "p50 latency against nchan",
            "ms",
            "at most",
            LATENCY_TARGET,
            ratios(pairs, lambda one: one.p50_ms),
            calibrated=not context.has_nchan,
        )


def _batches(context: Context, mode: str) -> Row:
    ours, floor = context.twinwire(), Floor(context.folder, context.tools)
    publishing = {"conns": BATCH_CONNECTIONS, "batch": BATCH}
    with ours.process, floor.process:
        pairs = [
            (
                fan_out(context, ours, mode, SUBSCRIBERS, context.scale.batched, publishing),
                floor_fan_out(context, floor, mode, SUBSCRIBERS, context.scale.floor),
            )
            for _ in context.rounds(f"fan-out, {mode}, batches")
        ]
    return Row(
        f"batches-{mode}",
        f"NDJSON batches of {BATCH}, {SUBSCRIBERS} {mode} subscribers, {BATCH_CONNECTIONS} in flight",
        "deliveries/s against the one-write C floor",
        "1/s",
        "at least",
        BATCH_TARGET,
        [Sample.ratio(a.per_s, b["per_s"]) for a, b in pairs],
        {"rounds": [{"ours": a.summary(), "floor": b} for a, b in pairs]},
    )


def floor_fan_out(context: Context, floor: Floor, mode: str, subscribers: int, events: int) -> Result:
    """What the C loop reaches, with nothing to parse and nothing to store."""
    with Fan(context.tools, {**stream_options(floor, mode, subscribers), "expect": events}) as fan:
        fan.wait_ready()
        connection = http.client.HTTPConnection(HOST, floor.process.port)
        connection.request("GET", f"/pub?n={events}")
        connection.getresponse().read()
        connection.close()
        received = fan.result()
    check_complete(floor.name, received)
    return received
