"""Trim of a large log: how fast rows go, how others do meanwhile, how long the journal gets, and whether what is free
is used again.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.asking import Asker, clients_core, from_clients_core
from tests.bench.largelog import LargeLogs, Shape
from tests.bench.meanwhile import Others, meanwhile, undisturbed
from tests.bench.measure import Context, IncompleteError, Row, Sample
from tests.bench.native_tools import publish
from tests.bench.rows.size_reads import log_of, others_rows
from tests.bench.servers import Twinwire

TOPICS: Final = 1_000
EACH: Final = 3_000
KEPT: Final = 100
"""One event in so many stays."""

ALONE_TARGET: Final = 200_000
BESIDE_TARGET: Final = 100_000
OTHERS_TARGET_MS: Final = 10.0
WAL_TARGET_MIB: Final = 128.0
REUSE_TARGET: Final = 1.0
REFILLED: Final = 10
"""One event in so many is published again afterwards."""

FILTER: Final = "*/*"
"""All topics of the log, and not the others'."""

_POLL: Final = 0.01
"""Seconds between two looks at the job, and at the journal."""


@dataclass(frozen=True, slots=True)
class _Trimmed:
    """`wal` is the longest journal, `grown` the file's size after publishing again, in terms of the one before."""

    per_s: float
    wal_bytes: int
    grown: float


def rows(context: Context, logs: LargeLogs) -> Iterator[Row]:
    shape = Shape(TOPICS, round(EACH * context.scale.large))
    what = f"trim of {log_of(shape)}"
    rounds = context.rounds("trim")
    alone = [_alone(context, logs, shape) for _ in rounds]
    yield Row(
        "size-trim-alone",
        f"{what}, nobody else is served",
        "events/s",
        "1/s",
        "at least",
        ALONE_TARGET,
        [Sample.alone(one.per_s) for one in alone],
        calibrated=True,
    )
    yield Row(
        "size-trim-reuse",
        f"{what}, and {shape.events // REFILLED:,} published again",
        "size of the file against the one before the trim",
        "",
        "at most",
        REUSE_TARGET,
        [Sample.alone(one.grown) for one in alone],
    )
    context.note("trim, others meanwhile")
    found = [_beside(context, logs, shape) for _ in rounds]
    logs.drop(shape)
    yield Row(
        "size-trim-beside",
        f"{what}, beside others",
        "events/s",
        "1/s",
        "at least",
        BESIDE_TARGET,
        [Sample.alone(one.per_s) for one, _, _ in found],
        calibrated=True,
    )
    pairs = [(during, quiet) for _, during, quiet in found]
    yield from others_rows("size-trim", f"{what}, beside others", OTHERS_TARGET_MS, pairs, "while it goes on")
    yield Row(
        "size-trim-wal",
        what,
        "longest write-ahead log",
        "MiB",
        "at most",
        WAL_TARGET_MIB,
        [Sample.alone(max(a.wal_bytes, b.wal_bytes) / 2**20) for a, (b, _, _) in zip(alone, found, strict=True)],
    )


def _alone(context: Context, logs: LargeLogs, shape: Shape) -> _Trimmed:
    with logs.served(shape) as ours:
        before = ours.database.stat().st_size
        with _watched(ours) as longest:
            per_s = from_clients_core(lambda: _trim(ours, shape))
        ours.process.restart()  # a stop moves the journal into the file
        again = {"conns": 1, "batch": 1_000, "total": shape.events // REFILLED}
        publish(context.tools, {"port": ours.process.port, "path": ours.publish_path, **again})
        ours.process.stop()
        return _Trimmed(per_s, max(longest), ours.database.stat().st_size / before)


def _beside(context: Context, logs: LargeLogs, shape: Shape) -> tuple[_Trimmed, Others, Others]:
    with logs.served(shape) as ours:
        quiet = undisturbed(context, ours)
        with _watched(ours) as longest:
            per_s, others = meanwhile(context, ours, lambda: from_clients_core(lambda: _trim(ours, shape)))
        return _Trimmed(per_s, max(longest), 0.0), others, quiet


def _trim(ours: Twinwire, shape: Shape) -> float:
    """Events a second, from the request until the service says that all have gone."""
    keep = max(1, shape.each // KEPT)
    asker = Asker(ours.process.port)
    began = time.perf_counter()
    answer = asker.post("/api/topics/trim", {"topic": FILTER, "keep": keep})
    found, job = answer.json, answer.location
    while job is not None and found["state"] == "running":
        time.sleep(_POLL)
        found = asker.get(job).json
    seconds = time.perf_counter() - began
    if found["removed"] != shape.topics * (shape.each - keep):
        raise IncompleteError(f"{found} of {shape.topics * (shape.each - keep)}")
    return float(found["removed"] / seconds)


@contextmanager
def _watched(ours: Twinwire) -> Iterator[list[int]]:
    """Bytes of the journal, look for look."""
    sizes, stopped = [0], threading.Event()
    journal = Path(f"{ours.database}-wal")

    def watch() -> None:
        while not stopped.wait(_POLL):
            sizes.append(journal.stat().st_size)

    with clients_core() as pool:
        watching: Future[None] = pool.submit(watch)
        try:
            yield sizes
        finally:
            stopped.set()
        watching.result()
