"""Many topics: 2,000 with 5 subscribers each, events on random ones, against one topic with 5 subscribers.

The same publisher drives both, so the difference is what the topics cost: finding the subscribers of each event,
and one write an event, where events of one topic that were committed together share a write.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.bench.measure import Context, FanOut, Row, Sample, fan_out, run_fan_out, stream_options
from tests.bench.scale import Scale
from tests.bench.servers import Twinwire

TOPICS: Final = 2_000
SUBSCRIBERS: Final = 5
TARGET: Final = 0.5
PUBLISHING: Final[Mapping[str, Mapping[str, int]]] = {
    "single POSTs, 32 in flight": {"conns": 32},
    "NDJSON batches of 100, 4 in flight": {"conns": 4, "batch": 100},
}


def rows(context: Context) -> Iterator[Row]:
    ours = context.twinwire()
    with ours.process:
        for number, (manner, publishing) in enumerate(PUBLISHING.items()):
            events = events_of(context.scale, publishing)
            pairs = [
                (
                    random_topics(context, ours, events, publishing),
                    fan_out(context, ours, "ws", SUBSCRIBERS, events, publishing),
                )
                for _ in context.rounds(f"random topics, {manner}")
            ]
            yield Row(
                f"topics-{('single', 'batch')[number]}",
                f"{TOPICS} topics with {SUBSCRIBERS} ws subscribers each, random topics, {manner}",
                "deliveries/s against one topic with as many subscribers",
                "1/s",
                "at least",
                TARGET,
                [Sample.ratio(a.per_s, b.per_s) for a, b in pairs],
                {"rounds": [{"random": a.summary(), "one": b.summary()} for a, b in pairs]},
            )


def events_of(scale: Scale, publishing: Mapping[str, int]) -> int:
    """In all, if they are published so."""
    return scale.random_topics if "batch" in publishing else scale.requests


def random_topics(context: Context, ours: Twinwire, events: int, publishing: Mapping[str, int]) -> FanOut:
    """The burst: every topic has its subscribers, and each event is of one that is drawn."""
    listening = {
        **stream_options(ours, "ws", TOPICS * SUBSCRIBERS, "bench/%d"),
        "topics": TOPICS,
        "total": events * SUBSCRIBERS,
    }
    return run_fan_out(context, ours, listening, {**publishing, "total": events, "topic": "bench/%d", "topics": TOPICS})
