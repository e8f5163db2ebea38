"""`twinwire top`: what a running service does, look after look, from its metrics and its list of topics.

On a terminal the lines are drawn anew at each look; else, and with `--json`, each look is a line of JSON. Names and
figures are the service's, which may be anybody's: nothing of them steers a terminal, and a figure is a number.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click
import msgspec

from service.clock import SystemClock
from service.command.client import Client, ClientError
from service.command.reaching import connect
from service.core.time import rfc3339
from service.core.words import TRANSPORTS
from twinwire.command.output import plain, redraw, write_json
from twinwire.command.reaching import reaching, tell

TIMEOUT: Final = 10.0
"""Seconds that an answer may take, before it is told that there is none."""

TOPICS_MAX: Final = 1_000
"""Looked at: the first by name."""

ANSWERS_MAX: Final = 500
"""Answers that are asked for one look: for each the service looks at 3,000 names, of a million that it has at most
unless its operator says otherwise."""

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^{}]*)\})? ([^ ]+)(?: [0-9-]+)?\Z")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

RATES: Final[Mapping[str, str]] = {
    "published": "twinwire_events_published_total",
    "delivered": "twinwire_events_delivered_total",
    "replayed": "twinwire_events_replayed_total",
    "commits": "twinwire_commits_total",
    "opened": "twinwire_streams_opened_total",
    "ended": "twinwire_streams_ended_total",
    "refused": "twinwire_refused_total",
}
"""What is told as a number a second, and the counter that it is of, over all of its labels."""

GAUGES: Final[Mapping[str, str]] = {
    "head": "twinwire_log_head",
    "places": "twinwire_places",
    "places_max": "twinwire_places_max",
    "commit_seconds": "twinwire_commit_seconds",
    "wal_bytes": "twinwire_log_wal_bytes",
    "tail_bytes": "twinwire_tail_bytes",
    "memory_bytes": "process_resident_memory_bytes",
    "cpu_seconds": "process_cpu_seconds_total",
}
"""What is told as it is."""

_STARTED: Final = "twinwire_start_time_seconds"
_STREAMS: Final = "twinwire_subscriptions"

Figures = Mapping[str, Mapping[str, float]]
"""Values of a metric by the text of its labels."""


class _Topic(msgspec.Struct):
    topic: str
    count: int
    head: str
    subscribers: dict[str, int]


class _Topics(msgspec.Struct):
    topics: list[_Topic]
    more: bool = False
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a moment: `at` in seconds of the clock, `time` in Unix ms."""

    at: float
    time: int
    figures: Figures
    topics: Sequence[_Topic]
    more: bool
    """There are topics beyond these."""

    def sum(self, metric: str) -> float | None:
        values = self.figures.get(metric)
        return sum(values.values()) if values else None


@click.command()
@click.argument("topics", nargs=-1)
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, help="Seconds.")
@click.option("--count", type=click.IntRange(min=1), help="Looks, after which it ends; without end by default.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each look, on a terminal too.")
@reaching
def top(
    topics: tuple[str, ...], interval: float, count: int | None, as_json: bool, url: str, token_file: Path | None
) -> None:
    """Show what the service does: streams, rates, and TOPICS (filters; all that the token may read by default).

    Takes a token with the right metrics, or admin.
    """
    client, clock = connect(url, token_file, TIMEOUT), SystemClock()
    is_drawn = not as_json and sys.stdout is not None and sys.stdout.isatty()
    before: Look | None = None
    number = 0
    while True:
        number += 1
        try:
            now = look(client, topics, clock)
        except ClientError as error:
            if not error.is_passing or number == count:
                raise
            tell(f"{error.detail}; trying again")
        else:
            told = tell_look(now, before)
            if is_drawn:
                redraw(list(lines(told, url)), first=before is None)
            else:
                write_json(msgspec.json.encode(told))
            before = now
        if number == count:
            return
        clock.pause(interval)


def look(client: Client, topics: Sequence[str], clock: SystemClock) -> Look:
    """Raises ClientError."""
    figures = parse(client.ask("GET", "/metrics", bytes).decode("utf-8", "replace"))
    query = "".join(f"&topic={quote(topic)}" for topic in topics)
    try:
        listed = _list(client, query)
    except ClientError as error:
        if topics or error.status != 403:  # whoever reads metrics need not be allowed to read any topic
            raise
        listed = _Topics([])
    return Look(clock.monotonic(), clock.unix_ms(), figures, listed.topics[:TOPICS_MAX], listed.more)


def _list(client: Client, query: str) -> _Topics:
    """The first that match, however few of them an answer brings. Raises ClientError."""
    found = _Topics([], more=True)
    for _ in range(ANSWERS_MAX):
        limit = TOPICS_MAX - len(found.topics)
        page = client.ask("GET", f"/api/topics?limit={limit}&after={quote(found.cursor)}{query}", _Topics)
        found = _Topics([*found.topics, *page.topics], page.more, page.cursor)
        if not found.more or len(found.topics) >= TOPICS_MAX:
            break
    return found


def parse(text: str) -> Figures:
    """The finite numbers of a scrape in Prometheus' text format; lines that are none are passed over."""
    found: dict[str, dict[str, float]] = {}
    for line in text.split("\n"):
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        try:
            value = float(sample[3])
        except ValueError:
            continue
        if math.isfinite(value):
            found.setdefault(sample[1], {})[sample[2] or ""] = value
    return found


def tell_look(now: Look, before: Look | None) -> dict[str, Any]:
    """One look as it is told: figures that are not known are null, such as rates at the first one."""
    if before is not None and before.sum(_STARTED) != now.sum(_STARTED):
        before = None  # the service was started anew, and counts from 0
    seconds = None if before is None else now.at - before.at
    kept = {} if before is None else {one.topic: one for one in before.topics}
    streams = dict.fromkeys(TRANSPORTS, 0.0) | {
        label[2]: value
        for labels, value in now.figures.get(_STREAMS, {}).items()
        for label in _LABEL.finditer(labels)
        if label[1] == "transport"
    }
    return {
        "time": rfc3339(now.time),
        "seconds": None if seconds is None else round(seconds, 3),
        "streams": {name: round(value) for name, value in streams.items()},
        **{name: _whole(now.sum(metric)) for name, metric in GAUGES.items()},
        "rates": {name: _rate(now, before, metric) for name, metric in RATES.items()},
        "topics": [
            {
                "topic": one.topic,
                "count": one.count,
                "subscribers": sum(one.subscribers.values()),
                "rate": _grown(one, kept.get(one.topic), seconds),
            }
            for one in now.topics
        ],
        "more": now.more,
    }


def _whole(value: float | None) -> float | None:
    """Without a point, if it has none to make."""
    return int(value) if value is not None and value.is_integer() and abs(value) < 1 << 53 else value


def _rate(now: Look, before: Look | None, metric: str) -> float | None:
    after, earlier = now.sum(metric), before.sum(metric) if before is not None else None
    if before is None or after is None or now.at <= before.at:
        return None
    return round(max(after - (earlier or 0.0), 0.0) / (now.at - before.at), 1)  # a label's first count comes late


def _grown(one: _Topic, before: _Topic | None, seconds: float | None) -> float | None:
    """Events a second; None if something was trimmed meanwhile, so that it can't be told."""
    if not seconds or (before is None and not one.count):
        return None if not seconds else 0.0
    if before is not None and before.head == one.head:
        return 0.0
    grown = one.count - (before.count if before is not None else 0)
    return round(grown / seconds, 1) if grown > 0 else None


def lines(told: Mapping[str, Any], url: str) -> Iterator[str]:
    """The same for people."""
    rates, streams = told["rates"], told["streams"]
    every = f"every {told['seconds']:.1f} s" if told["seconds"] else "rates come with the next look"
    yield plain(f"{url}  {told['time'][11:19]} UTC  {every}")
    yield ""
    of = "  ".join(f"{name} {value:,}" for name, value in streams.items())
    places = f"places {_number(told['places'])} of {_number(told['places_max'])}"
    yield plain(f"streams  {of}  {places}")
    yield f"         opened {_per_second(rates['opened'])}  ended {_per_second(rates['ended'])}"
    flow = "  ".join(f"{name} {_per_second(rates[name])}" for name in ("published", "delivered", "replayed", "refused"))
    yield f"events   {flow}"
    commit = told["commit_seconds"]
    took = "?" if commit is None else f"{1000 * commit:.1f} ms"
    yield f"log      head {_number(told['head'])}  commits {_per_second(rates['commits'])}, the last {took}"
    sizes = "  ".join(
        f"{name} {_mebibytes(told[key])}"
        for name, key in (("memory", "memory_bytes"), ("tail", "tail_bytes"), ("journal", "wal_bytes"))
    )
    yield f"process  {sizes}"
    yield ""
    of_how_many = f"the first {len(told['topics']):,} by name; there may be others" if told["more"] else ""
    yield f"{'EVENTS/S':>9} {'KEPT':>11} {'SUBSCRIBERS':>11}  TOPIC  {of_how_many}".rstrip()
    busiest = sorted(
        told["topics"], key=lambda one: (-(one["rate"] or 0.0), -one["subscribers"], -one["count"], one["topic"])
    )
    for one in busiest:
        rate = "?" if one["rate"] is None else f"{one['rate']:,.1f}"
        yield plain(f"{rate:>9} {one['count']:>11,} {one['subscribers']:>11,}  {one['topic']}")


def _per_second(rate: float | None) -> str:
    return "?" if rate is None else f"{rate:,.1f}/s"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _mebibytes(value: float | None) -> str:
    return "?" if value is None else f"{value / (1 << 20):,.1f} MiB"
