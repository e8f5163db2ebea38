"""How much is measured: a full run for figures, a quick one to see that everything works, short rounds to compare."""

import os
from dataclasses import dataclass, replace
from typing import Final

LEAST_LARGE: Final = 0.01
"""Of the large logs: less would leave some topics without events."""


@dataclass(frozen=True, slots=True)
class Scale:
    """`runs` are rounds of each comparison, whose median counts. Sizes are events unless they say otherwise."""

    quick: bool
    runs: int
    singles: dict[int, int]  # by publishes in flight
    batched: int
    floor: int
    latency_seconds: float
    random_topics: int
    durable: int
    requests: int
    replay: int
    storm_clients: int
    idle_clients: int
    idle_settle: float  # seconds after the last connect, so that what belongs to connecting is over
    heartbeat_seconds: float
    heartbeat: float | None  # seconds between two; None: as the service has it
    stall_events: int
    stall_seconds: float
    large: float  # of the large logs' events: 1 for as many as docs/performance.md says
    large_seconds: float  # of looking how others do beside them

    @classmethod
    def from_environment(cls) -> "Scale":
        """BENCH_QUICK=1 for the quick one; BENCH_RUNS for another number of rounds, BENCH_LARGE for another share of
        the large logs' events.
        """
        quick = is_quick()
        runs = int(os.environ.get("BENCH_RUNS", "1" if quick else "5"))
        if runs < 1:
            raise ValueError("BENCH_RUNS is at least 1")
        scale = _quick(runs) if quick else _full(runs)
        large = float(os.environ.get("BENCH_LARGE", scale.large))
        if not LEAST_LARGE <= large <= 1:
            raise ValueError(f"BENCH_LARGE is {LEAST_LARGE:g} to 1")
        return replace(scale, large=large)

    @classmethod
    def of_one_round(cls, quick: bool) -> "Scale":
        """For comparisons, whose rounds are many. The stall keeps the rate of a full run, so that buffers fill up;
        heartbeats come often, so that a few seconds of them are many ticks of the processor's clock."""
        return _short_quick() if quick else _short()


def is_quick() -> bool:
    """BENCH_QUICK=1."""
    return os.environ.get("BENCH_QUICK", "") not in ("", "0")


def _full(runs: int) -> Scale:
    return Scale(
        quick=False,
        runs=runs,
        singles={1: 800, 8: 3_000, 32: 5_000},
        batched=50_000,
        floor=2_000,
        latency_seconds=10.0,
        random_topics=40_000,
        durable=100_000,
        requests=20_000,
        replay=100_000,
        storm_clients=2_000,
        idle_clients=5_000,
        idle_settle=3.0,
        heartbeat_seconds=120.0,
        heartbeat=None,
        stall_events=20_000,
        stall_seconds=10.0,
        large=1.0,
        large_seconds=10.0,
    )


def _quick(runs: int) -> Scale:
    return Scale(
        quick=True,
        runs=runs,
        singles={1: 200, 8: 800, 32: 1_500},
        batched=20_000,
        floor=600,
        latency_seconds=3.0,
        random_topics=10_000,
        durable=30_000,
        requests=4_000,
        replay=30_000,
        storm_clients=1_000,
        idle_clients=1_000,
        idle_settle=3.0,
        heartbeat_seconds=25.0,
        heartbeat=None,
        stall_events=5_000,
        stall_seconds=2.0,
        large=0.02,
        large_seconds=2.0,
    )


def _short() -> Scale:
    return Scale(
        quick=False,
        runs=1,
        singles={1: 300, 8: 1_000, 32: 2_000},
        batched=30_000,
        floor=800,
        latency_seconds=4.0,
        random_topics=20_000,
        durable=60_000,
        requests=6_000,
        replay=100_000,
        storm_clients=2_000,
        idle_clients=5_000,  # fewer, and what a process needs once would show as memory of each
        idle_settle=2.0,
        heartbeat_seconds=4.0,
        heartbeat=1.0,
        stall_events=4_000,
        stall_seconds=2.0,
        large=0.1,
        large_seconds=4.0,
    )


def _short_quick() -> Scale:
    return Scale(
        quick=True,
        runs=1,
        singles={1: 150, 8: 400, 32: 800},
        batched=15_000,
        floor=400,
        latency_seconds=1.5,
        random_topics=8_000,
        durable=30_000,
        requests=2_500,
        replay=30_000,
        storm_clients=1_000,
        idle_clients=1_000,
        idle_settle=1.0,
        heartbeat_seconds=3.0,
        heartbeat=0.5,
        stall_events=2_000,
        stall_seconds=1.0,
        large=0.02,
        large_seconds=2.0,
    )
