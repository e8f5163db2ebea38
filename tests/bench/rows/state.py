"""States: a herd that is told one, texts that grow while others read, and who comes late to a text.

The log has a hundred events for each subject, of which one counts. What is appended travels as any event does, so it
is held against events that are about nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.bench.measure import (
    Context,
    FanOut,
    IncompleteError,
    Row,
    Sample,
    check_complete,
    run_fan_out,
    stream_options,
)
from tests.bench.native_tools import Result, fan, publish
from tests.bench.servers import Twinwire

SUBJECTS: Final = 10_000
OF_EACH: Final = 100
CLIENTS: Final = 500
STREAMS: Final = 100
READERS: Final = 20
EVERY: Final = 0.05
"""Seconds between two tokens of a stream."""
TOKENS: Final = 2_000
STATE: Final = "bench/state"
PLAIN: Final = "bench/plain"
TEXT: Final = "bench/text"
KEPT_TEXT: Final = "bench/kept"
"""Whose state alone is kept, so that it is joined."""


def rows(context: Context) -> Iterator[Row]:
    ours = context.twinwire({"TWINWIRE_RETENTION": f'[{{"topics":"{KEPT_TEXT}","keep":"state"}}]'})
    with ours.process:
        first = fill(context, ours)
        for mode in ("ws", "sse"):
            pairs = [
                (told(context, ours, mode, first), told(context, ours, mode, None))
                for _ in context.rounds(f"a state to {CLIENTS} {mode} clients")
            ]
            yield Row(
                f"state-herd-{mode}",
                f"{CLIENTS} {mode} clients come at once and are told a state of {SUBJECTS:,} subjects",
                "time until all are live against a replay of as many events",
                "s",
                "at most",
                1.5,
                [Sample.ratio(a["ready_s"], b["ready_s"]) for a, b in pairs],
                {"events": first + SUBJECTS, "rounds": [{"state": a, "replay": b} for a, b in pairs]},
            )
        pairs_of_streams = [
            (tokens(context, ours, {"subjects": 1, "append": 1}), tokens(context, ours, {}))
            for _ in context.rounds(f"{STREAMS} texts that grow")
        ]
        yield Row(
            "state-tokens-p99",
            f"{STREAMS} texts that grow every {EVERY * 1_000:.0f} ms, with {READERS} ws readers each",
            "p99 latency, publish to receive, against events about nothing",
            "ms",
            "at most",
            1.2,
            [Sample.ratio(a.p99_ms, b.p99_ms) for a, b in pairs_of_streams],
            {"rounds": [{"texts": a.summary(), "events": b.summary()} for a, b in pairs_of_streams]},
        )
        for key, topic, what in (("", TEXT, ""), ("-kept", KEPT_TEXT, ", of a topic whose state is kept")):
            late = [late_comer(context, ours, topic) for _ in context.rounds(f"who comes late to a text{what}")]
            yield Row(
                f"state-late{key}",
                f"a ws client comes late to a text of {TOKENS:,} tokens{what}",
                "from the connect until it is live",
                "ms",
                "at most",
                20.0,
                [Sample.alone(one["ready_s"] * 1_000) for one in late],
                {"rounds": late},
                calibrated=True,
            )


def fill(context: Context, ours: Twinwire) -> int:
    """Subjects with all that became of them, as many events about nothing, and a text. Returns the number of the first
    event that counts.
    """
    total = SUBJECTS * max(1, round(OF_EACH * context.scale.large))
    batch = {"conns": 1, "batch": 1_000}
    port = {"port": ours.process.port, "path": "/api/events"}
    publish(context.tools, {**port, **batch, "topic": STATE, "total": total, "subjects": SUBJECTS})
    publish(context.tools, {**port, **batch, "topic": PLAIN, "total": SUBJECTS})
    for topic in (TEXT, KEPT_TEXT):
        text = {"topic": topic, "total": TOKENS, "subjects": 1, "append": 1, "pad": 5}
        publish(context.tools, {**port, **batch, **text})
    ours.process.settle()
    return total - SUBJECTS


def told(context: Context, ours: Twinwire, mode: str, first: int | None) -> Result:
    """All clients at once: the state, whose first event has this number, or a replay of plain events."""
    ours.process.settle()
    topic, start = (PLAIN, "&after=earliest") if first is None else (STATE, "&state=1")
    options = stream_options(ours, mode, CLIENTS, topic)
    wanted = {"burst": CLIENTS, "end": "ready", "live": 1, "expect": SUBJECTS, "first": first or 0}
    received = fan(context.tools, {**options, **wanted, "path": f"{options['path']}{start}"})
    check_complete(ours.name, received)
    if received["ready"] != CLIENTS:
        raise IncompleteError(f"only {received['ready']} of {CLIENTS} became live")
    return received


def tokens(context: Context, ours: Twinwire, about: Mapping[str, int]) -> FanOut:
    """Workers whose tokens go to the readers of their stream."""
    events = round(STREAMS / EVERY * context.scale.latency_seconds)
    name = "bench/texts/%d" if about else "bench/events/%d"
    listening = {
        **stream_options(ours, "ws", STREAMS * READERS, name),
        "topics": STREAMS,
        "total": events * READERS,
    }
    publishing = {"conns": STREAMS, "rate": STREAMS / EVERY, "total": events, "topic": name, "topics": STREAMS}
    return run_fan_out(context, ours, listening, {**publishing, **about, "pad": 5})


def late_comer(context: Context, ours: Twinwire, topic: str) -> Result:
    """It is told the whole text as one event."""
    ours.process.settle()
    options = stream_options(ours, "ws", 1, topic)
    wanted = {"live": 1, "end": "ready", "expect": TOKENS, "path": f"{options['path']}&state=1&join=text"}
    received = fan(context.tools, {**options, **wanted})
    check_complete(ours.name, received)
    return received
