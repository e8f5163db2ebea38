"""Replay from disk to one client, against a fetch of the same rows with sqlite3."""

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, Row, Sample, check_complete, stream_options
from tests.bench.native_tools import Result, fan, publish
from tests.bench.rows.publishing import plain_sqlite
from tests.bench.servers import TOPIC, Twinwire

TARGET: Final = 0.6
BATCH: Final = 1_000


def rows(context: Context) -> Iterator[Row]:
    events = context.scale.replay
    ours = context.twinwire()
    with ours.process:
        fill(context, ours)
        for mode in ("ws", "sse"):
            pairs = [
                (replayed(context, ours, mode, events), plain_sqlite(context.folder, "fetch", database=ours.database))
                for _ in context.rounds(f"replay, {mode}")
            ]
            yield Row(
                f"replay-{mode}",
                f"replay of {events:,} events from disk to one {mode} client",
                "events/s against a sqlite3 fetch of the same rows",
                "1/s",
                "at least",
                TARGET,
                [Sample.ratio(events / a["last_s"], b) for a, b in pairs],
                {"rounds": [{"ours": a, "sqlite3": b} for a, b in pairs]},
            )


def fill(context: Context, ours: Twinwire) -> None:
    """Events that are all in the file: the tail in memory begins empty."""
    options = {"conns": 1, "batch": BATCH, "total": context.scale.replay}
    publish(context.tools, {"port": ours.process.port, "path": "/api/events", "topic": TOPIC, **options})
    ours.process.restart()


def replayed(context: Context, ours: Twinwire, mode: str, events: int) -> Result:
    """One client that reads all of them from the beginning."""
    options = stream_options(ours, mode, 1)
    received = fan(context.tools, {**options, "path": f"{options['path']}&after=earliest", "expect": events})
    check_complete(ours.name, received)
    return received
