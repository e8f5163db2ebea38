"""Durable publishing without subscribers: batches against plain SQLite, single requests against an empty handler."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.bench.measure import Context, Row, Sample
from tests.bench.native_tools import Result, publish
from tests.bench.process import ROOT, SERVER_CORE, Process, pin
from tests.bench.servers import TOPIC, quart_process

BATCH: Final = 100
BATCH_CONNECTIONS: Final = 4
IN_FLIGHT: Final = 32
BATCH_TARGET: Final = 0.5
SINGLE_TARGET: Final = 1.0


def rows(context: Context) -> Iterator[Row]:
    yield _batches(context)
    yield _singles(context)


def _batches(context: Context) -> Row:
    ours = context.twinwire()
    events = context.scale.durable
    options = {"conns": BATCH_CONNECTIONS, "batch": BATCH, "total": events}
    with ours.process:
        pairs = [
            (_publish(context, ours.process, options), plain_sqlite(context.folder, "insert", events, BATCH))
            for _ in context.rounds("durable publish, batches")
        ]
    return Row(
        "publish-batch",
        f"durable publish, NDJSON batches of {BATCH}, {BATCH_CONNECTIONS} connections",
        f"events/s against a plain sqlite3 loop, FULL, {BATCH} a commit",
        "1/s",
        "at least",
        BATCH_TARGET,
        [Sample.ratio(a["per_s"], b) for a, b in pairs],
        {"rounds": [{"ours": a, "sqlite3": b} for a, b in pairs]},
    )


def _singles(context: Context) -> Row:
    ours, empty = context.twinwire(), quart_process(context.folder)
    options = {"conns": IN_FLIGHT, "total": context.scale.requests}
    with ours.process, empty:
        pairs = [
            (_publish(context, ours.process, options), _publish(context, empty, options))
            for _ in context.rounds("durable publish, single POSTs")
        ]
    return Row(
        "publish-single",
        f"durable publish, single POST, {IN_FLIGHT} at a time",
        "requests/s against an empty Quart POST handler on the same server",
        "1/s",
        "at least",
        SINGLE_TARGET,
        [Sample.ratio(a["requests_per_s"], b["requests_per_s"]) for a, b in pairs],
        {"rounds": [{"ours": a, "empty": b} for a, b in pairs]},
    )


def _publish(context: Context, server: Process, options: dict[str, int]) -> Result:
    before = server.cpu_seconds()
    told = publish(context.tools, {"port": server.port, "path": "/api/events", "topic": TOPIC, **options})
    return {**told, "server_cpu": (server.cpu_seconds() - before) / told["seconds"]}


def plain_sqlite(folder: Path, *arguments: object, database: Path | None = None) -> float:
    """Events/s of the reference, on the servers' core; in a new database unless one is given."""
    path = database or Path(mkdtemp(prefix="plain-", dir=folder)) / "plain.db"
    verb, *numbers = map(str, arguments)
    command = [sys.executable, "-m", "tests.bench.reference.plain_sqlite", verb, str(path), *numbers]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=pin(SERVER_CORE))
    return float(done.stdout)
