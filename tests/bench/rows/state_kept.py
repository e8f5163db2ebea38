"""A topic whose state is kept: what it takes on disk and in memory does not grow with what happens to its subjects."""

import time
from collections.abc import Iterator
from typing import Any, Final

from tests.bench.asking import Asker
from tests.bench.measure import Context, IncompleteError, Row, Sample
from tests.bench.native_tools import publish
from tests.bench.servers import Twinwire

SUBJECTS: Final = 10_000
EVENTS: Final = 10_000_000
PARTS: Final = 10
TOPIC: Final = "bench/kept"
RETENTION: Final = '[{"topics":"bench/kept","keep":"state"}]'
TARGET: Final = 1.15
"""Of the end against the end of the second part: by then a pass of compaction has met a whole part."""

DEADLINE: Final = 300.0
_POLL: Final = 0.2


def rows(context: Context) -> Iterator[Row]:
    total = max(PARTS * SUBJECTS, round(EVENTS * context.scale.large))
    ours = context.twinwire({"TWINWIRE_RETENTION": RETENTION, "TWINWIRE_RETENTION_INTERVAL": "1"})
    context.note("a topic whose state is kept")
    with ours.process:
        found = [part(context, ours, total // PARTS) for _ in range(PARTS)]
    what = f"{SUBJECTS:,} subjects and {total:,} events of a topic whose state is kept"
    for key, measure in (("disk", "the database and its journal"), ("memory", "resident memory")):
        ratio = Sample.ratio(found[-1][key] / 2**20, found[1][key] / 2**20)
        yield Row(
            f"state-kept-{key}",
            what,
            f"{measure}, at the end against a fifth of it",
            "MiB",
            "at most",
            TARGET,
            [ratio],
            {"parts": found},
        )


def part(context: Context, ours: Twinwire, events: int) -> dict[str, Any]:
    """Publish so many, wait until nothing is left but the state, and say what that takes."""
    options = {"port": ours.process.port, "path": ours.publish_path, "topic": TOPIC, "conns": 1, "batch": 500}
    published = publish(context.tools, {**options, "total": events, "subjects": SUBJECTS})
    asker, until = Asker(ours.process.port), time.monotonic() + DEADLINE
    began = time.monotonic()
    while (count := asker.get(f"/api/topics?topic={TOPIC}").json["topics"][0]["count"]) > SUBJECTS:
        if time.monotonic() > until:
            raise IncompleteError(f"{count} events are left of {SUBJECTS} subjects")
        time.sleep(_POLL)
    asker.hang_up()
    ours.process.settle()
    files = [ours.database.with_name(ours.database.name + suffix) for suffix in ("", "-wal")]
    return {
        "publishes_per_s": published["requests_per_s"],
        "compacted_after_s": time.monotonic() - began,
        "disk": sum(path.stat().st_size for path in files if path.exists()),
        "memory": ours.process.memory(),
    }
