"""Prometheus metrics. Numbers are read where they live, at the moment of a scrape.

Names and labels follow Prometheus's conventions: base units, `_total` for what only grows, and labels of closed sets of
words. A topic, a subject or an address is no label: clients name these. docs/deployment.md lists them all, in the words
that are here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from service.access.descriptors import Descriptors
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.bus.refusals import REASONS
from service.core.ephemeral import DROPS
from service.core.histogram import Histogram
from service.core.presence import CHANGES
from service.core.time import Clock
from service.core.words import TRANSPORTS
from service.log.base import EventLog, Health
from service.operations.lag import NO_LAG, QUANTILES, Lag, measure
from service.stream.hub import StreamHub
from service.stream.renewal import Renewal
from service.version import __version__


class Source(Protocol):
    """An issuer whose keys are fetched: see `service.access.jwks.Jwks`."""

    @property
    def fault(self) -> str | None: ...


class ServiceMetrics(Collector):
    """Twinwire's own metrics, named `twinwire_*`."""

    def __init__(
        self,
        bus: EventBus,
        hub: StreamHub,
        gate: Gate,
        renewal: Renewal,
        descriptors: Descriptors,
        log: EventLog,
        clock: Clock,
        *,
        delays: Histogram | None = None,
        sources: Sequence[Source] = (),
        problems: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """`delays` are those of the event loop, `sources` whoever keys are fetched from, `problems` how many were told,
        by status.
        """
        self._problems = problems
        self._delays = delays or Histogram()
        self._sources = sources
        self._lag = NO_LAG
        self._gate = gate
        self._renewal = renewal
        self._descriptors = descriptors
        self._bus = bus
        self._hub = hub
        self._log = log
        self._clock = clock
        self._started = clock.unix_ms() / 1000

    async def look(self) -> None:
        """At what takes more than one step: how far each stream is behind."""
        self._lag = await measure(self._hub.subscriptions(), lambda: self._bus.head)

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("twinwire_build_info", "1, with the version.", labels=["version"])
        yield _filled(build, {__version__: 1})
        yield GaugeMetricFamily("twinwire_start_time_seconds", "Unix time of the start.", self._started)
        yield from self._stored(self._log.health())
        yield from self._published()
        late = "Seconds by which a timer of the event loop goes off after its time."
        yield _histogram("twinwire_event_loop_delay_seconds", late, self._delays)
        ahead = "Seconds by which the clock is ahead of what is believed; 0 while it is trusted."
        yield GaugeMetricFamily("twinwire_clock_doubt_seconds", ahead, self._clock.doubt)
        told = "How often no descriptor was left."
        yield CounterMetricFamily("twinwire_descriptor_exhaustions", told, self._descriptors.exhaustions)
        yield GaugeMetricFamily("twinwire_places_max", "Places for streams and waiting polls.", self._gate.max_places)
        yield from self._streams()
        yield from self._behind(self._lag)
        yield from self._credentials()

    def _stored(self, health: Health) -> Iterator[Metric]:
        yield GaugeMetricFamily("twinwire_log_head", "Offset of the newest event.", self._bus.head)
        yield GaugeMetricFamily("twinwire_log_topics", "Topics that there are.", health.topics)
        yield GaugeMetricFamily(
            "twinwire_log_database_bytes", "Size of the database's file, in bytes.", health.database_bytes
        )
        yield GaugeMetricFamily(
            "twinwire_log_wal_bytes", "Size of the write-ahead log, in bytes.", health.journal_bytes
        )
        set_aside = (
            "Bytes set aside for removing events from a full disk; 0 while they are spent, or none could be made."
        )
        yield GaugeMetricFamily("twinwire_log_ballast_bytes", set_aside, health.ballast_bytes)
        yield CounterMetricFamily(
            "twinwire_log_ballast_spent", "How often the ballast was spent.", health.ballast_spent
        )
        yield GaugeMetricFamily("twinwire_disk_free_bytes", "Bytes of the disk that are free.", health.free_bytes)
        kept = "Bytes of the disk that publishing leaves free: below, it is 503."
        yield GaugeMetricFamily("twinwire_disk_reserve_bytes", kept, health.reserve_bytes)
        waiting = "Events that wait for their commit."
        yield GaugeMetricFamily("twinwire_log_queue_events", waiting, health.queued_events)
        yield GaugeMetricFamily("twinwire_commit_seconds", "Seconds that the last commit took.", health.commit_seconds)
        yield CounterMetricFamily("twinwire_commits", "Group commits.", health.commits)
        took = "Seconds that group commits took, with their sync to the disk."
        yield _histogram("twinwire_commit_duration_seconds", took, health.commit_durations)

    def _published(self) -> Iterator[Metric]:
        bus = self._bus
        yield CounterMetricFamily("twinwire_events_published", "Events committed.", bus.published)
        yield CounterMetricFamily("twinwire_events_delivered", "Events written by the fan-out.", bus.deliveries)
        yield CounterMetricFamily("twinwire_events_replayed", "Events read from a cursor.", bus.reading.replayed)
        told = "Publishes that the log did not take, by reason."
        refused = CounterMetricFamily("twinwire_publish_refused", told, labels=["reason"])
        yield _filled(refused, {**dict.fromkeys(REASONS, 0), **bus.refused})
        took = "Seconds from a commit until the last live subscriber was written to, by round of the fan-out."
        yield _histogram("twinwire_fanout_duration_seconds", took, bus.fan_outs)
        yield GaugeMetricFamily("twinwire_tail_events", "Events in memory.", len(bus.tail))
        yield GaugeMetricFamily("twinwire_tail_bytes", "Bytes that the events in memory take, about.", bus.tail.bytes)
        yield from self._ephemeral()
        yield from self._presence()

    def _ephemeral(self) -> Iterator[Metric]:
        found = self._bus.ephemeral
        yield CounterMetricFamily("twinwire_ephemeral_accepted", "Ephemeral events accepted.", found.accepted)
        yield CounterMetricFamily("twinwire_ephemeral_delivered", "Ephemeral events written.", found.deliveries)
        told = "Ephemeral events left out, by reason: at a sender, on their way, or at a reader."
        dropped = CounterMetricFamily("twinwire_ephemeral_dropped", told, labels=["reason"])
        yield _filled(dropped, {str(reason): found.dropped[reason] for reason in DROPS})
        hearers = "Streams and waiting polls that get ephemeral events."
        yield GaugeMetricFamily("twinwire_ephemeral_hearers", hearers, found.hearers)

    def _presence(self) -> Iterator[Metric]:
        state, telling = self._bus.presence.state, self._bus.presence.telling
        yield GaugeMetricFamily("twinwire_presence_members", "Members that are present.", state.count)
        yield GaugeMetricFamily("twinwire_presence_places", "Places at which somebody is.", state.occupied)
        yield GaugeMetricFamily("twinwire_presence_watchers", "Who watches places, by filters.", telling.watchers)
        yield CounterMetricFamily("twinwire_presence_frames", "Frames about presence written.", telling.frames)
        told = "Changes of members told, by kind: joined, updated, or why one left."
        changes = CounterMetricFamily("twinwire_presence_changes", told, labels=["kind"])
        yield _filled(changes, {str(kind): state.changes[kind] for kind in CHANGES})

    def _behind(self, lag: Lag) -> Iterator[Metric]:
        told = "Events between a stream's cursor and the head: of so many in a hundred streams, at most."
        events = GaugeMetricFamily("twinwire_subscriber_lag_events", told, labels=["percentile"])
        shares = {f"{100 * one:g}": found for one, found in zip(QUANTILES, lag.quantiles, strict=True)}
        yield _filled(events, shares)
        yield GaugeMetricFamily(
            "twinwire_subscribers_behind", "Streams that are not live: they read from a cursor.", lag.behind
        )

    def _streams(self) -> Iterator[Metric]:
        now = GaugeMetricFamily(
            "twinwire_subscriptions", "Subscriptions that are open, by transport.", labels=["transport"]
        )
        yield _filled(now, {**dict.fromkeys(TRANSPORTS, 0), **self._bus.subscriptions()})
        opened = CounterMetricFamily("twinwire_streams_opened", "Streams opened, by transport.", labels=["transport"])
        yield _filled(opened, self._hub.opened)
        yield from self._refusals()
        ended = CounterMetricFamily("twinwire_streams_ended", "Streams ended, by reason.", labels=["reason"])
        yield _filled(ended, self._hub.ended)

    def _credentials(self) -> Iterator[Metric]:
        told = "Credentials and rights refused, by reason."
        refused = CounterMetricFamily("twinwire_auth_refused", told, labels=["reason"])
        yield _filled(refused, self._gate.authority.refused)
        renewed = "Streams whose credential was renewed."
        yield CounterMetricFamily("twinwire_auth_refreshed", renewed, self._renewal.renewed)
        expired = "Streams that ended with their credential."
        yield CounterMetricFamily("twinwire_auth_expired_streams", expired, self._hub.expired)
        spent = "Seconds of the processor taken to verify tokens."
        yield SummaryMetricFamily("twinwire_auth_verify_seconds", spent, *self._gate.authority.verified)
        in_force = "Revocations in force."
        yield GaugeMetricFamily("twinwire_auth_revocations", in_force, len(self._gate.authority.revocations))
        waiting = "Tickets that wait for their use."
        yield GaugeMetricFamily("twinwire_auth_tickets", waiting, len(self._gate.authority.tickets))
        fetched = "Issuers whose keys are fetched."
        yield GaugeMetricFamily("twinwire_auth_key_sources", fetched, len(self._sources))
        failing = sum(one.fault is not None for one in self._sources)
        lost = "Issuers that could not be asked for their keys the last time."
        yield GaugeMetricFamily("twinwire_auth_key_sources_failing", lost, failing)

    def _refusals(self) -> Iterator[Metric]:
        """Streams that were not opened, as ever; and requests of every kind."""
        streams: Counter[str] = Counter()
        every = CounterMetricFamily(
            "twinwire_refused", "Requests refused, by act and reason.", labels=["act", "reason"]
        )
        for (act, reason), count in self._gate.refused.items():
            every.add_metric([act.value, reason], count)
            if act in (Act.STREAM, Act.SOCKET):
                streams[reason] += count
        refused = CounterMetricFamily("twinwire_streams_refused", "Streams refused, by reason.", labels=["reason"])
        yield _filled(refused, streams)
        yield every
        told = "Problems told, by status: in answers, and in frames that answer a message."
        problems = CounterMetricFamily("twinwire_problems", told, labels=["status"])
        yield _filled(problems, {str(status): count for status, count in self._problems.items()})
        yield GaugeMetricFamily("twinwire_places", "Streams and waiting polls that hold a place.", self._gate.places)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, counts: Mapping[str, int]) -> Metric:
    """`family`, with a figure for each value of its label."""
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _histogram(name: str, documentation: str, found: Histogram) -> Metric:
    buckets = [(str(bound), float(count)) for bound, count in found.cumulative()]
    return HistogramMetricFamily(name, documentation, [*buckets, ("+Inf", float(found.count))], found.sum)


class Metrics:
    """A registry of this service's own: two services in one process don't mix."""

    def __init__(self, collector: ServiceMetrics) -> None:
        self._collector = collector
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(collector)

    async def scrape(self) -> bytes:
        """As `render`, after a look at each stream in steps."""
        await self._collector.look()
        return self.render()

    def render(self) -> bytes:
        """Prometheus text exposition format, version 0.0.4, without waiting: what takes a while is as it was last."""
        return generate_latest(self._registry)
