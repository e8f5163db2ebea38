"""What a measurement is: a row of the table, with every sample that it rests on."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from tests.bench.native_tools import Fan, Options, Result, Tools, publish
from tests.bench.scale import Scale
from tests.bench.servers import TOPIC, StreamServer

Sense = Literal["at least", "at most"]


class IncompleteError(Exception):
    """A server did not deliver every event exactly once: its speed is of no interest then."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: our figure and the reference's, in the row's unit, and the value that is held against the target."""

    ours: float
    reference: float | None
    value: float

    @classmethod
    def ratio(cls, ours: float, reference: float) -> Self:
        return cls(ours, reference, ours / reference)

    @classmethod
    def alone(cls, ours: float) -> Self:
        return cls(ours, None, ours)


@dataclass(frozen=True, slots=True)
class Row:
    """`target` is in terms of `value`; `samples` is empty where the reference is not available."""

    key: str
    what: str
    measure: str
    unit: str
    sense: Sense
    target: float
    samples: Sequence[Sample]
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        return statistics.median(sample.value for sample in self.samples) if self.samples else None

    @property
    def ours(self) -> float | None:
        return statistics.median(sample.ours for sample in self.samples) if self.samples else None

    @property
    def reference(self) -> float | None:
        known = [sample.reference for sample in self.samples if sample.reference is not None]
        return statistics.median(known) if known else None

    @property
    def is_reached(self) -> bool | None:
        """None if it could not be measured."""
        if self.value is None:
            return None
        return self.value >= self.target if self.sense == "at least" else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Context:
    """What every measurement needs. `note` shows progress."""

    scale: Scale
    tools: Tools
    folder: Path
    has_nchan: bool
    note: Callable[[str], None]

    def rounds(self, name: str) -> range:
        self.note(name)
        return range(self.scale.runs)


@dataclass(frozen=True, slots=True)
class FanOut:
    """One fan-out: what the subscribers saw, what the publisher saw, and the server's share of its core."""

    received: Result
    published: Result
    server_cpu: float

    @property
    def per_s(self) -> float:
        return float(self.received["per_s"])

    @property
    def p50_ms(self) -> float:
        return float(self.received["p50_ms"])

    @property
    def p99_ms(self) -> float:
        return float(self.received["p99_ms"])

    def summary(self) -> dict[str, float]:
        return {
            "deliveries_per_s": self.per_s,
            "publishes_per_s": self.published["requests_per_s"],
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "server_cpu": self.server_cpu,
            "client_cpu": self.received["client_cpu"],
        }


def stream_options(server: StreamServer, mode: str, conns: int, topic: str = TOPIC) -> dict[str, str | int | float]:
    return {
        "mode": mode,
        "port": server.process.port,
        "path": server.stream_path(mode, topic),
        "conns": conns,
        "live": int(server.tells_live),
    }


def fan_out(
    context: Context, server: StreamServer, mode: str, subscribers: int, events: int, publishing: Options
) -> FanOut:
    """`events` to so many subscribers of one topic. Raises IncompleteError unless each got each exactly once."""
    listening = {**stream_options(server, mode, subscribers), "expect": events}
    return run_fan_out(context, server, listening, {**publishing, "total": events})


def run_fan_out(context: Context, server: StreamServer, listening: Options, publishing: Options) -> FanOut:
    """As `fan_out`, with everything told."""
    found = watch_fan_out(context, server, listening, publishing, lambda: None)
    check_complete(server.name, found.received)
    return found


def watch_fan_out(
    context: Context, server: StreamServer, listening: Options, publishing: Options, when_ready: Callable[[], object]
) -> FanOut:
    """Calls `when_ready` between the last connect and the first event. Completeness is the caller's to judge."""
    server.process.settle()
    with Fan(context.tools, listening) as fan:
        fan.wait_ready()
        when_ready()
        before = server.process.cpu_seconds()
        published = publish(
            context.tools, {"port": server.process.port, "path": server.publish_path, "topic": TOPIC, **publishing}
        )
        received = fan.result()
        spent = server.process.cpu_seconds() - before
    return FanOut(received, published, spent / max(received["span_s"], published["seconds"]))


def check_complete(name: str, received: Result) -> None:
    wrong = {key: received[key] for key in ("missing", "duplicates", "foreign", "lost", "failed") if received[key]}
    if wrong:
        raise IncompleteError(f"{name}: {wrong}")
