"""What a measurement is: a row of the table, with every sample that it rests on."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from tests.bench.native_tools import Fan, Options, Result, Tools, publish
from tests.bench.scale import Scale
from tests.bench.servers import TOPIC, Nchan, StreamServer, Twinwire
from tests.bench.trees import Tree

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
    def against(cls, ours: float, reference: float | None) -> Self:
        """A ratio where there is a reference."""
        return cls.alone(ours) if reference is None else cls.ratio(ours, reference)

    @classmethod
    def alone(cls, ours: float) -> Self:
        return cls(ours, None, ours)


@dataclass(frozen=True, slots=True)
class Row:
    """`target` is in terms of `value`; `samples` is empty where the reference is not available.

    `calibrated`: a speed or a time without a reference, which a comparison therefore sees in terms of a fixed loop's.
    """

    key: str
    what: str
    measure: str
    unit: str
    sense: Sense
    target: float
    samples: Sequence[Sample]
    details: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool = False

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
    """What every measurement needs. `tree` holds the service that is measured, `note` shows progress."""

    scale: Scale
    tree: Tree
    tools: Tools
    folder: Path
    has_nchan: bool
    note: Callable[[str], None]
    env: Mapping[str, str] = field(default_factory=dict)
    """Of every service that is started."""
    bearer: str | None = None
    """The token that the load clients send."""
    compares: bool = False
    """Two trees are compared: without nchan, its rows are measured all the same, alone. They have no target then."""

    def rounds(self, name: str) -> range:
        self.note(name)
        return range(self.scale.runs)

    def twinwire(self, env: Mapping[str, str] | None = None, kind: type[Twinwire] = Twinwire) -> Twinwire:
        return kind(self.folder, self.tree, {**self.env, **(env or {})})


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


Pair = tuple[FanOut, FanOut | None]


@contextmanager
def beside_nchan(
    context: Context, kind: type[Twinwire] = Twinwire
) -> Iterator[Callable[[str, int, int, Options], Pair]]:
    """`fan_out` of ours and of nchan in turn, both running; of ours alone where there is no nchan."""
    ours, peer = context.twinwire(kind=kind), Nchan(context.folder) if context.has_nchan else None
    with ours.process, peer.process if peer else nullcontext():

        def pair(mode: str, subscribers: int, events: int, publishing: Options) -> Pair:
            first = fan_out(context, ours, mode, subscribers, events, publishing)
            return first, fan_out(context, peer, mode, subscribers, events, publishing) if peer else None

        yield pair


def ratios(pairs: Sequence[Pair], figure: Callable[[FanOut], float]) -> list[Sample]:
    """One figure of each pair."""
    return [Sample.against(figure(a), figure(b) if b else None) for a, b in pairs]


def summaries(pairs: Sequence[Pair]) -> dict[str, Any]:
    """For the details of a row."""
    return {"rounds": [{"ours": a.summary(), "nchan": b.summary() if b else None} for a, b in pairs]}


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
