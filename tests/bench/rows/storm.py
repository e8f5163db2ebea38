"""A reconnect storm: all clients come back at once, each having missed 100 events."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Final

from tests.bench.measure import Context, IncompleteError, Row, Sample, check_complete, stream_options
from tests.bench.native_tools import Result, fan, publish
from tests.bench.process import HOST
from tests.bench.servers import TOPIC, Twinwire

MISSED: Final = 100
TARGET: Final = 1.5


def rows(context: Context) -> Iterator[Row]:
    clients = context.scale.storm_clients
    for mode in ("ws", "sse"):
        ours = context.twinwire()
        with ours.process:
            fill(context, ours)
            now = head(ours)
            start = f"{now.rpartition('-')[0]}-0"
            pairs = [
                (reconnected(context, ours, mode, start, MISSED), reconnected(context, ours, mode, now, 0))
                for _ in context.rounds(f"reconnect storm, {mode}")
            ]
        yield Row(
            f"storm-{mode}",
            f"{clients:,} {mode} clients reconnect at once, each having missed {MISSED} events",
            "time until all are live against as many connects with nothing missed",
            "s",
            "at most",
            TARGET,
            [Sample.ratio(max(a["ready_s"], a["last_s"]), b["ready_s"]) for a, b in pairs],
            {"rounds": [{"missed": a, "nothing": b} for a, b in pairs]},
        )


def fill(context: Context, ours: Twinwire) -> None:
    """What there is to miss."""
    options = {"conns": 1, "batch": MISSED, "total": MISSED}
    publish(context.tools, {"port": ours.process.port, "path": "/api/events", "topic": TOPIC, **options})


def reconnected(context: Context, ours: Twinwire, mode: str, cursor: str, missed: int) -> Result:
    """All clients at once, from this cursor."""
    ours.process.settle()
    clients = context.scale.storm_clients
    options = stream_options(ours, mode, clients)
    received = fan(
        context.tools,
        {
            **options,
            "path": f"{options['path']}&after={cursor}",
            "burst": clients,
            "end": "ready",
            "expect": missed,
        },
    )
    check_complete(ours.name, received)
    if received["ready"] != clients:
        raise IncompleteError(f"only {received['ready']} of {clients} became live")
    return received


def head(ours: Twinwire) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{ours.process.port}/api/topics") as answer:
        topics = json.load(answer)["topics"]
    return next(str(topic["head"]) for topic in topics if topic["topic"] == TOPIC)
