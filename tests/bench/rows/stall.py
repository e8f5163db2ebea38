"""50 of 500 subscribers stop reading for a while: nobody else may notice, and in the end all have everything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.bench.measure import Context, FanOut, Row, Sample, stream_options, watch_fan_out

SUBSCRIBERS: Final = 500
STALLED: Final = 50
BATCH: Final = 10
LATENCY_TARGET: Final = 1.5
GROWTH_TARGET_MIB: Final = 32.0
RECEIVE_BUFFER: Final = 64 * 1024
"""Bytes of each client's socket: the rest of what it does not read is the server's business."""

READ: Final = 16 * 1024
"""Bytes that a client takes from one socket before the next has its turn: who catches up must not make the load
client itself late for the others."""

DEADLINE: Final = 300
"""Seconds after which whoever is not complete will not be."""


@dataclass(frozen=True, slots=True)
class _Round:
    fan_out: FanOut
    growth_mib: float

    @property
    def complete(self) -> int:
        """Subscribers that got each event exactly once; none count if there was any duplicate."""
        received = self.fan_out.received
        return 0 if received["duplicates"] or received["foreign"] else int(received["complete"])


def rows(context: Context) -> Iterator[Row]:
    scale = context.scale
    for mode in ("ws", "sse"):
        pairs = [(_round(context, mode, True), _round(context, mode, False)) for _ in context.rounds(f"stall, {mode}")]
        what = (
            f"{STALLED} of {SUBSCRIBERS} {mode} subscribers stop reading for {scale.stall_seconds:g} s"
            f" during {scale.stall_events:,} events"
        )
        yield Row(
            f"stall-{mode}-p99",
            what,
            "p99 latency of the others against the run without",
            "ms",
            "at most",
            LATENCY_TARGET,
            [Sample.ratio(a.fan_out.p99_ms, b.fan_out.p99_ms) for a, b in pairs],
            {"rounds": [{"stalled": a.fan_out.summary(), "without": b.fan_out.summary()} for a, b in pairs]},
        )
        yield Row(
            f"stall-{mode}-memory",
            what,
            "growth of memory from the first event on, the tail included (reference: the run without)",
            "MiB",
            "at most",
            GROWTH_TARGET_MIB,
            [Sample(a.growth_mib, b.growth_mib, a.growth_mib) for a, b in pairs],
        )
        yield Row(
            f"stall-{mode}-complete",
            what,
            f"subscribers that are complete at the end, of {SUBSCRIBERS}",
            "",
            "at least",
            SUBSCRIBERS,
            [Sample.alone(a.complete) for a, _ in pairs],
        )


def _round(context: Context, mode: str, with_stall: bool) -> _Round:
    """Events come evenly over the stall and a quarter of its length more, around it."""
    scale = context.scale
    ours = context.twinwire()
    rate = scale.stall_events / (1.25 * scale.stall_seconds)
    listening = {
        **stream_options(ours, mode, SUBSCRIBERS),
        "expect": scale.stall_events,
        "rcvbuf": RECEIVE_BUFFER,
        "read": READ,
        "seconds": DEADLINE,
        "stall": STALLED,
        "stall_after": rate * scale.stall_seconds * SUBSCRIBERS / 10,
        "stall_seconds": scale.stall_seconds if with_stall else 0,
    }
    with ours.process as process:
        publishing = {"conns": 8, "batch": BATCH, "rate": rate, "total": scale.stall_events}
        before: list[int] = []
        fan_out = watch_fan_out(
            context, ours, listening, publishing, lambda: before.append(process.reset_peak_memory())
        )
        growth = process.peak_memory() - before[0]
    return _Round(fan_out, growth / 2**20)
