"""Prometheus metrics. Numbers are read where they live, at the moment of a scrape."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from service.access.descriptors import Descriptors
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.core.time import Clock
from service.core.words import TRANSPORTS
from service.log.base import EventLog
from service.stream.hub import StreamHub
from service.stream.renewal import Renewal


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
    ) -> None:
        self._gate = gate
        self._renewal = renewal
        self._descriptors = descriptors
        self._bus = bus
        self._hub = hub
        self._log = log
        self._clock = clock
        self._started = clock.unix_ms() / 1000

    def collect(self) -> Iterator[Metric]:
        bus, health = self._bus, self._log.health()
        yield GaugeMetricFamily("twinwire_start_time_seconds", "Unix time of the start.", self._started)
        yield GaugeMetricFamily("twinwire_log_head", "Offset of the newest event.", bus.head)
        yield GaugeMetricFamily("twinwire_log_wal_bytes", "Size of the write-ahead log.", health.journal_bytes)
        set_aside = "Set aside for removing events from a full disk; 0 while it is spent, or none could be made."
        yield GaugeMetricFamily("twinwire_log_ballast_bytes", set_aside, health.ballast_bytes)
        yield CounterMetricFamily("twinwire_log_ballast_spent", "How often that was needed.", health.ballast_spent)
        yield GaugeMetricFamily("twinwire_disk_free_bytes", "Bytes of the disk that are free.", health.free_bytes)
        kept = "Of those, what publishing leaves: below, it is 503."
        yield GaugeMetricFamily("twinwire_disk_reserve_bytes", kept, health.reserve_bytes)
        yield GaugeMetricFamily("twinwire_commit_seconds", "Duration of the last commit.", health.commit_seconds)
        yield CounterMetricFamily("twinwire_commits", "Group commits.", health.commits)
        yield CounterMetricFamily("twinwire_events_published", "Events committed.", bus.published)
        yield CounterMetricFamily("twinwire_events_delivered", "Events written by the fan-out.", bus.deliveries)
        yield CounterMetricFamily("twinwire_events_replayed", "Events read from a cursor.", bus.reading.replayed)
        yield GaugeMetricFamily("twinwire_tail_events", "Events in memory.", len(bus.tail))
        yield GaugeMetricFamily("twinwire_tail_bytes", "Bytes that they take, about.", bus.tail.bytes)
        ahead = "Seconds by which the clock is ahead of what is believed; 0 while it is trusted."
        yield GaugeMetricFamily("twinwire_clock_doubt_seconds", ahead, self._clock.doubt)
        told = "How often no descriptor was left."
        yield CounterMetricFamily("twinwire_descriptor_exhaustions", told, self._descriptors.exhaustions)
        yield GaugeMetricFamily("twinwire_places_max", "Places for streams and waiting polls.", self._gate.max_places)
        yield from self._streams()

    def _streams(self) -> Iterator[Metric]:
        now = GaugeMetricFamily("twinwire_subscriptions", "Open now, by transport.", labels=["transport"])
        yield _filled(now, {**dict.fromkeys(TRANSPORTS, 0), **self._bus.subscriptions()})
        opened = CounterMetricFamily("twinwire_streams_opened", "Streams opened.", labels=["transport"])
        yield _filled(opened, self._hub.opened)
        yield from self._refusals()
        ended = CounterMetricFamily("twinwire_streams_ended", "Streams ended, by reason.", labels=["reason"])
        yield _filled(ended, self._hub.ended)
        yield from self._credentials()

    def _credentials(self) -> Iterator[Metric]:
        told = "Credentials and rights refused, by reason."
        refused = CounterMetricFamily("twinwire_auth_refused", told, labels=["reason"])
        yield _filled(refused, self._gate.authority.refused)
        renewed = "Streams whose credential was renewed."
        yield CounterMetricFamily("twinwire_auth_refreshed", renewed, self._renewal.renewed)
        expired = "Streams that ended with their credential."
        yield CounterMetricFamily("twinwire_auth_expired_streams", expired, self._hub.expired)
        spent = "Time taken to verify tokens."
        yield SummaryMetricFamily("twinwire_auth_verify_seconds", spent, *self._gate.authority.verified)
        in_force = "Revocations in force."
        yield GaugeMetricFamily("twinwire_auth_revocations", in_force, len(self._gate.authority.revocations))

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
        yield GaugeMetricFamily("twinwire_places", "Streams and waiting polls that hold a place.", self._gate.places)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, counts: Mapping[str, int]) -> Metric:
    """`family`, with a figure for each value of its label."""
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


class Metrics:
    """A registry of this service's own: two services in one process don't mix."""

    def __init__(self, collector: Collector) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(collector)

    def render(self) -> bytes:
        """Prometheus text exposition format, version 0.0.4."""
        return generate_latest(self._registry)
