"""Reads of a large log: replays of few of its topics, and searches that find nothing, and how others do meanwhile."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final
from urllib.parse import urlencode

from tests.bench.asking import BROKEN_OFF, Asker, clients_core, from_clients_core
from tests.bench.largelog import EPOCH, HEAVY, LargeLogs, Shape
from tests.bench.meanwhile import Others, again_and_again, meanwhile, undisturbed
from tests.bench.measure import Context, IncompleteError, Row, Sample, check_complete, stream_options
from tests.bench.native_tools import Options, fan
from tests.bench.rows.publishing import plain_sqlite
from tests.bench.servers import Twinwire

TOPICS: Final = 5_000
EACH: Final = 1_200
EXACT: Final = 17
"""Topics by name: one more than the 16 up to which they were once merged through their index."""

FILTERS: Final = 100
EXACT_TARGET: Final = 2.0
MATCH_TARGET: Final = 3.0
OTHERS_TARGET_MS: Final = 5.0
HISTORY_TARGET_S: Final = 0.3
HISTORY_OTHERS_TARGET_MS: Final = 10.0
AT_ONCE: Final = 10
NEVER: Final = "never"
"""A type that no event has."""

DEADLINE: Final = 300
"""Seconds of a replay."""


_FIGURES: Final[Sequence[tuple[str, str, Callable[[Others], float]]]] = (
    ("live", "publish to receive of a live subscriber of another topic", lambda one: one.live_p99_ms),
    ("health", "answer to GET /api/health", lambda one: one.health_p99_ms),
)
"""Name, what it is, where it is found."""


def shape_of(context: Context) -> Shape:
    return Shape(TOPICS, round(EACH * context.scale.large), heavy=EXACT)


def rows(context: Context, logs: LargeLogs) -> Iterator[Row]:
    shape = shape_of(context)
    with logs.served(shape, is_last=True) as ours:
        yield from _exact(context, ours, shape)
        yield _matching(context, ours, shape, "wild", ["*/x"], 0, shape.x_topics)
        names = [shape.name(index) for index in range(shape.x_topics, shape.x_topics + FILTERS)]
        half = [name if index % 2 else f"{name.partition('/')[0]}/*" for index, name in enumerate(names)]
        yield _matching(context, ours, shape, "filters", half, shape.x_topics, FILTERS)
        yield from _histories(context, ours, shape)


def log_of(shape: Shape) -> str:
    return f"{shape.events:,} events on {shape.topics:,} topics"


def replayed(context: Context, ours: Twinwire, filters: Sequence[str], first: int, events: int) -> float:
    """Seconds from the connect to the last of so many events, whose numbers begin with `first`."""
    query = urlencode([*(("topic", one) for one in filters), ("after", "earliest")], safe="/*")
    wanted: Options = {"path": f"/api/ws?{query}", "expect": events, "first": first, "seconds": DEADLINE}
    received = fan(context.tools, {**stream_options(ours, "ws", 1), **wanted})
    check_complete(ours.name, received)
    return float(received["last_s"])


def exact_and_one(context: Context, ours: Twinwire, shape: Shape) -> tuple[float, float]:
    """Seconds of a replay of EXACT topics, and of one that has as many events."""
    first, events = shape.x_topics, EXACT * shape.each
    names = [shape.name(index) for index in range(first, first + EXACT)]
    several = replayed(context, ours, names, first * shape.each, events)
    return several, replayed(context, ours, [HEAVY], 0, events)


def disturbed_by_exact(context: Context, ours: Twinwire, shape: Shape) -> Others:
    """How others do while EXACT topics are replayed again and again."""
    _, others = meanwhile(
        context, ours, lambda: again_and_again(context.scale.large_seconds, lambda: exact_and_one(context, ours, shape))
    )
    return others


def others_rows(
    key: str, what: str, target: float, pairs: Sequence[tuple[Others, Others]], during: str
) -> Iterator[Row]:
    """How a live subscriber and who asks for health did, beside an undisturbed time."""
    for name, words, figure in _FIGURES:
        yield Row(
            f"{key}-{name}-p99",
            what,
            f"p99, {words}, {during} (reference: with nothing else)",
            "ms",
            "at most",
            target,
            [Sample(figure(a), figure(b), figure(a)) for a, b in pairs],
            {"rounds": [{"during": a.summary(), "undisturbed": b.summary()} for a, b in pairs]},
        )


def _exact(context: Context, ours: Twinwire, shape: Shape) -> Iterator[Row]:
    exact_and_one(context, ours, shape)  # the first after a start is slower
    pairs = [exact_and_one(context, ours, shape) for _ in context.rounds(f"replay of {EXACT} topics")]
    what = f"replay of {EXACT} topics with {EXACT * shape.each:,} of {log_of(shape)}, to one ws client"
    yield Row(
        "size-exact",
        what,
        "time until all are there against as many events of one topic",
        "s",
        "at most",
        EXACT_TARGET,
        [Sample.ratio(a, b) for a, b in pairs],
    )
    others = [
        (disturbed_by_exact(context, ours, shape), undisturbed(context, ours))
        for _ in context.rounds(f"others during the replay of {EXACT} topics")
    ]
    yield from others_rows("size-exact", what, OTHERS_TARGET_MS, others, "while it goes on again and again")


def _matching(
    context: Context, ours: Twinwire, shape: Shape, key: str, filters: Sequence[str], first: int, topics: int
) -> Row:
    events = topics * shape.each
    pairs = []
    for _ in context.rounds(f"replay of {key}"):
        seconds = replayed(context, ours, filters, first * shape.each, events)
        numbers = (first + 1, first + topics)  # a topic's number in the database is one more than its index
        pairs.append((seconds, events / plain_sqlite(context.folder, "fetch", *numbers, database=ours.database)))
    named = filters[0] if len(filters) == 1 else f"{len(filters)} filters, half of them with wildcards,"
    share = 100 * events / shape.events
    return Row(
        f"size-{key}",
        f"replay of {named} with {events:,} ({share:.1f} %) of {log_of(shape)}, to one ws client",
        "time until all are there against a sqlite3 fetch of the same rows by topic",
        "s",
        "at most",
        MATCH_TARGET,
        [Sample.ratio(a, b) for a, b in pairs],
    )


# History


def _histories(context: Context, ours: Twinwire, shape: Shape) -> Iterator[Row]:
    what = f"history with a type that never occurs, of {log_of(shape)}"
    for order, beginning in (("asc", f"{EPOCH}-0"), ("desc", f"{EPOCH}-{shape.events}")):
        found = [
            from_clients_core(lambda: _searched(Asker(ours.process.port), order, beginning))  # noqa: B023 - at once
            for _ in context.rounds(f"history, {order}")
        ]
        yield Row(
            f"size-history-{order}",
            f"{what}, order={order}",
            "longest answer until `more` is false (the cursor moved on with each)",
            "s",
            "at most",
            HISTORY_TARGET_S,
            [Sample.alone(max(one)) for one in found],
            {"rounds": [{"answers": len(one), "together_s": sum(one), "longest_s": max(one)} for one in found]},
        )
    others = [
        (_disturbed_by_history(context, ours), undisturbed(context, ours))
        for _ in context.rounds("others during histories")
    ]
    yield from others_rows(
        "size-histories", f"{AT_ONCE} at once: {what}", HISTORY_OTHERS_TARGET_MS, others, "while they go on"
    )


def _asked(order: str, cursor: str) -> str:
    bound = "after" if order == "asc" else "before"
    return f"/api/events?{urlencode({'type': NEVER, 'order': order, bound: cursor})}"


def _next(asker: Asker, order: str, cursor: str) -> tuple[float, dict[str, Any]]:
    """Seconds, and the answer. Raises IncompleteError for one after which nobody gets any further."""
    answer = asker.get(_asked(order, cursor))
    found = answer.json
    if found["events"]:
        raise IncompleteError(f"events of type {NEVER}")
    if found["more"] and found["cursor"] == cursor:
        raise IncompleteError(f"history, {order}: more is true, and the cursor has not moved")
    return answer.seconds, found


def _searched(asker: Asker, order: str, cursor: str) -> list[float]:
    """Seconds of each answer, from `cursor` to the end."""
    found: list[float] = []
    more = True
    while more:
        seconds, page = _next(asker, order, cursor)
        found.append(seconds)
        cursor, more = page["cursor"], page["more"]
    return found


def _disturbed_by_history(context: Context, ours: Twinwire) -> Others:
    """How others do while AT_ONCE go through all of history, again and again. What is under way then is broken off."""
    askers = [Asker(ours.process.port) for _ in range(AT_ONCE)]
    stopped = threading.Event()

    def search(asker: Asker) -> None:
        cursor, more = f"{EPOCH}-0", True
        while not stopped.is_set():
            if not more:
                cursor = f"{EPOCH}-0"
            try:
                _, page = _next(asker, "asc", cursor)
            except BROKEN_OFF:
                if stopped.is_set():
                    return
                raise
            cursor, more = page["cursor"], page["more"]

    def work() -> None:
        with clients_core(AT_ONCE) as pool:
            searches: list[Future[None]] = [pool.submit(search, asker) for asker in askers]
            stopped.wait(context.scale.large_seconds)
            stopped.set()
            for asker in askers:
                asker.hang_up()
            for one in searches:
                one.result()

    _, others = meanwhile(context, ours, work)
    return others
