"""Forgetting: a quarter of a million topics that are empty are due at once, and how others do while they go."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from service.log.sqlite.database import connect_alone
from tests.bench.asking import Asker, from_clients_core
from tests.bench.largelog import EPOCH, LOG, LargeLogs
from tests.bench.meanwhile import Others, meanwhile, undisturbed
from tests.bench.measure import Context, IncompleteError, Row, Sample
from tests.bench.native_tools import Options, publish
from tests.bench.rows.size_reads import HISTORY_OTHERS_TARGET_MS, others_rows
from tests.bench.servers import Twinwire

TOPICS: Final = 250_000
"""In less than a minute, after which the service closes connections of the load clients that had nothing to do."""

DAY: Final = 86_400
"""Seconds after which a topic is forgotten, as the service's own default is."""

DUE: Final = 140
"""Seconds after the file was written at which all are due: by then a service that was started has begun to forget."""

LEAD: Final = 1
"""Seconds for which others are looked at before that."""

INTERVAL: Final = 2
"""Seconds between two passes."""

MEMORY_TARGET: Final = 1.2
"""As many new topics take the room of those that went."""

RATE_TARGET: Final = 5_000
"""A bound on topics is reached in minutes, not in seconds; nobody waits for it otherwise."""

BATCHES: Final = {"conns": 4, "batch": 500}
_POLL: Final = 0.1
_EMPTY: Final = """
INSERT INTO topics (id, name, floor, head, emptied)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :topics)
SELECT i, 'gone/' || i, i, i, :emptied FROM n
"""


@dataclass(frozen=True, slots=True)
class _Forgotten:
    seconds: float
    others: Others
    undisturbed: Others
    with_them: int
    """Bytes of memory with all of them, after they went, and with as many new ones."""
    after: int
    with_others: int


def rows(context: Context, logs: LargeLogs) -> Iterator[Row]:
    topics = round(TOPICS * context.scale.large)
    rounds = [_round(context, logs, topics) for _ in context.rounds("topics are forgotten")]
    what = f"{topics:,} empty topics are forgotten"
    yield Row(
        "size-forget",
        what,
        "topics/s, beside others",
        "1/s",
        "at least",
        RATE_TARGET,
        [Sample.alone(topics / one.seconds) for one in rounds],
        calibrated=True,
    )
    pairs = [(one.others, one.undisturbed) for one in rounds]
    yield from others_rows("size-forget", what, HISTORY_OTHERS_TARGET_MS, pairs, "while they are")
    yield Row(
        "size-forget-memory",
        what,
        "memory with as many new ones against that with them",
        "MiB",
        "at most",
        MEMORY_TARGET,
        [Sample.ratio(one.with_others / 2**20, one.with_them / 2**20) for one in rounds],
        {"after_mib": [one.after / 2**20 for one in rounds]},
    )


def _round(context: Context, logs: LargeLogs, topics: int) -> _Forgotten:
    env = {"TWINWIRE_FORGET_AFTER": str(DAY), "TWINWIRE_RETENTION_INTERVAL": str(INTERVAL)}
    ours = context.twinwire(env)
    logs.migrate(ours.database)
    due = _fill(ours, topics)
    with ours.process:
        quiet = undisturbed(context, ours)
        with_them = ours.process.memory()
        left = due - LEAD - time.time()
        if left < 0:
            raise IncompleteError(f"{topics:,} topics were due before anybody looked")
        time.sleep(left)
        seconds, others = meanwhile(context, ours, lambda: from_clients_core(lambda: _watch(ours, due)))
        ours.process.settle()
        after = ours.process.memory()
        new: Options = {"port": ours.process.port, "path": ours.publish_path, "total": topics, "topics": topics}
        publish(context.tools, {**new, **BATCHES, "topic": "new/t%d"})
        ours.process.settle()
        return _Forgotten(seconds, others, quiet, with_them, after, ours.process.memory())


def _fill(ours: Twinwire, topics: int) -> float:
    """A log of which only these topics are left. When they are due, in Unix seconds."""
    due = time.time() + DUE
    connection: Any = connect_alone(ours.database)
    try:
        connection.execute("BEGIN")
        connection.execute(LOG, (EPOCH, topics))
        connection.execute(_EMPTY, {"topics": topics, "emptied": int((due - DAY) * 1_000)})
        connection.execute("COMMIT")
    finally:
        connection.close()
    return due


def _watch(ours: Twinwire, due: float) -> float:
    """Seconds from when they were due until the last of them is gone."""
    asker = Asker(ours.process.port)
    time.sleep(max(0.0, due - time.time()))
    while asker.get(f"/api/topics?{urlencode({'topic': 'gone/*', 'limit': 1})}").json["topics"]:
        time.sleep(_POLL)
    return time.time() - due
