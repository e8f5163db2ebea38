"""Half a million topics: lists of them, a start after a kill, and publishing to random ones."""

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.bench.asking import Answer, Asker, from_clients_core
from tests.bench.largelog import LargeLogs, Shape
from tests.bench.measure import Context, Row, Sample
from tests.bench.native_tools import Options, publish
from tests.bench.process import HOST, START_DEADLINE, ServerError
from tests.bench.rows.size_reads import log_of
from tests.bench.servers import TOPIC, Twinwire

TOPICS: Final = 500_000
EACH: Final = 2
FILTERS: Final = (None, "*/x", "none/**")
"""What is listed: all, a few that lie anywhere in the order of names, and none."""

PAGE_TARGET_MS: Final = 20.0
ALL_TARGET_S: Final = 5.0
BYTES_TARGET_MIB: Final = 1.0
"""As an answer of history has."""

START_TARGET_S: Final = 3.0
UNSAVED: Final = 20_000
"""Events that a service has not counted on disk when it is killed; it counts once a minute."""

RANDOM_TARGET: Final = 0.5
BATCHES: Final = {"conns": 4, "batch": 100}
_POLL: Final = 0.005
"""Seconds between two tries whether it is ready."""


def rows(context: Context, logs: LargeLogs) -> Iterator[Row]:
    shape = Shape(round(TOPICS * context.scale.large), EACH)
    with logs.served(shape, is_last=True) as ours:
        yield from _lists(context, ours, shape)
        yield _random(context, ours, shape)
        yield _start(context, ours, shape)


def _lists(context: Context, ours: Twinwire, shape: Shape) -> Iterator[Row]:
    rounds = [
        from_clients_core(lambda: [_listed(Asker(ours.process.port), one) for one in FILTERS])
        for _ in context.rounds("lists of topics")
    ]
    what = f"GET /api/topics with {shape.topics:,} topics"
    yield Row(
        "size-topics-page",
        f"{what}, all, one in {shape.topics // shape.x_topics} or none of them",
        "longest page",
        "ms",
        "at most",
        PAGE_TARGET_MS,
        [Sample.alone(1_000 * max(page.seconds for pages in one for page in pages)) for one in rounds],
        {"longest_ms": [[1_000 * max(page.seconds for page in pages) for pages in one] for one in rounds]},
        calibrated=True,
    )
    yield Row(
        "size-topics-all",
        what,
        "all pages together",
        "s",
        "at most",
        ALL_TARGET_S,
        [Sample.alone(sum(page.seconds for page in everything)) for everything, *_ in rounds],
        calibrated=True,
    )
    yield Row(
        "size-topics-bytes",
        what,
        "largest page",
        "MiB",
        "at most",
        BYTES_TARGET_MIB,
        [Sample.alone(max(len(page.body) for pages in one for page in pages) / 2**20) for one in rounds],
    )


def _listed(asker: Asker, topics: str | None) -> list[Answer]:
    """All pages of a filter."""
    pages: list[Answer] = []
    query = {"topic": topics} if topics else {}
    while True:
        page = asker.get(f"/api/topics?{urlencode(query)}")
        pages.append(page)
        told = page.json
        if not told["more"]:
            return pages
        query["after"] = told["cursor"]


def _random(context: Context, ours: Twinwire, shape: Shape) -> Row:
    options: Options = {
        "port": ours.process.port,
        "path": ours.publish_path,
        "total": context.scale.random_topics,
        **BATCHES,
    }
    pairs = [
        (
            publish(context.tools, {**options, "topic": "t%d/y", "topics": shape.topics}),
            publish(context.tools, {**options, "topic": TOPIC}),
        )
        for _ in context.rounds("publishing to random topics")
    ]
    return Row(
        "size-random",
        f"publishing to random ones of {shape.topics:,} topics, NDJSON batches of 100, 4 in flight",
        "events/s against one topic",
        "1/s",
        "at least",
        RANDOM_TARGET,
        [Sample.ratio(a["per_s"], b["per_s"]) for a, b in pairs],
        {"rounds": [{"random": a, "one": b} for a, b in pairs]},
    )


def _start(context: Context, ours: Twinwire, shape: Shape) -> Row:
    pairs = []
    options: Options = {"port": ours.process.port, "path": ours.publish_path, "total": UNSAVED, **BATCHES}
    for _ in context.rounds("start after a kill"):
        publish(context.tools, {**options, "topic": "t%d/y", "topics": shape.topics})
        ours.process.kill()
        killed = _started(ours)
        ours.process.stop()
        pairs.append((killed, _started(ours)))
    return Row(
        "size-start",
        f"start after kill -9, {log_of(shape)}, and {UNSAVED:,} more that are not counted yet",
        "until it is ready (reference: after a clean stop)",
        "s",
        "at most",
        START_TARGET_S,
        [Sample(killed, stopped, killed) for killed, stopped in pairs],
        calibrated=True,
    )


def _started(ours: Twinwire) -> float:
    """Seconds until the service is ready."""
    began = time.perf_counter()
    ours.process.start()
    while not _is_ready(ours.process.port):
        if time.perf_counter() - began > START_DEADLINE:
            raise ServerError(f"{ours.name} is not ready after {START_DEADLINE:g} s")
        time.sleep(_POLL)
    return time.perf_counter() - began


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://{HOST}:{port}/api/ready") as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (HTTPError, URLError):
        return False
