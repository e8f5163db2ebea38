import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from service.access.descriptors import Descriptors
from service.access.gate import Act
from service.bus.bus import EventBus
from service.bus.refusals import REASONS, reason_of
from service.bus.start import Start
from service.core.ephemeral import DROPS, EphemeralDraft
from service.core.errors import ForbiddenError, StorageFullError
from service.core.histogram import Histogram
from service.core.topics import TopicFilter
from service.core.words import TRANSPORTS
from service.log.base import Health
from service.operations.metrics import Metrics, ServiceMetrics
from service.version import __version__
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import OffsetText, drafts, memory_bus


class Log(MemoryEventLog):
    """Says that it has been busy."""

    def health(self) -> Health:
        took = Histogram((0.1, 1.0))
        for seconds in (0.1, 0.25, 0.5, 2.0):
            took.observe(seconds)
        return Health(None, 7, 0.25, 4096, topics=3, free_bytes=1 << 40, commit_durations=took)


def families(metrics: Metrics) -> list[Metric]:
    return list(text_string_to_metric_families(metrics.render().decode()))


def scraped(metrics: Metrics) -> dict[str, float]:
    """Each sample by its name and its labels' values: `twinwire_streams_opened_total sse`."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in families(metrics)
        for sample in family.samples
        if sample.name.startswith("twinwire_")
    }


def metrics_of(bus: EventBus, clock: ManualClock, **more: Any) -> Metrics:
    house = House.of(bus, clock)
    return Metrics(ServiceMetrics(bus, house.hub, house.gate, house.renewal, Descriptors(), Log(clock), clock, **more))


async def test_numbers_are_read_at_the_moment_of_a_scrape() -> None:
    bus, clock = memory_bus(), ManualClock()
    house = House.of(bus, clock)
    metrics = Metrics(ServiceMetrics(bus, house.hub, house.gate, house.renewal, Descriptors(), Log(clock), clock))
    before = scraped(metrics)
    assert before["twinwire_start_time_seconds"] == clock.unix_ms() / 1000
    assert before["twinwire_events_published_total"] == 0
    assert before["twinwire_log_wal_bytes"] == 4096
    assert before["twinwire_commits_total"] == 7
    assert before["twinwire_commit_seconds"] == 0.25
    assert before["twinwire_log_topics"] == 3
    assert before["twinwire_disk_free_bytes"] == 1 << 40
    assert before[f"twinwire_build_info {__version__}"] == 1
    await bus.publish(drafts(3))
    after = scraped(metrics)
    assert after["twinwire_events_published_total"] == after["twinwire_tail_events"] == after["twinwire_log_head"] == 3
    assert after["twinwire_tail_bytes"] == bus.tail.bytes > 0


async def test_ephemeral_events_are_counted_also_those_that_were_left_out() -> None:
    bus, clock = memory_bus(), ManualClock()
    metrics = metrics_of(bus, clock)
    assert {name: scraped(metrics)[f"twinwire_ephemeral_dropped_total {name}"] for name in DROPS} == dict.fromkeys(
        DROPS, 0
    )
    bus.ephemeral.send([EphemeralDraft("t", "x", "1", "k", 5.0) for _ in range(3)], sender="ada")
    found = scraped(metrics)
    assert found["twinwire_ephemeral_accepted_total"] == 3
    assert found["twinwire_ephemeral_dropped_total replaced"] == 1
    assert found["twinwire_ephemeral_delivered_total"] == found["twinwire_ephemeral_hearers"] == 0


async def test_every_wire_has_a_figure_and_another_joins() -> None:
    bus, clock = memory_bus(), ManualClock()
    house = House.of(bus, clock)
    metrics = Metrics(ServiceMetrics(bus, house.hub, house.gate, house.renewal, Descriptors(), Log(clock), clock))
    assert {name: scraped(metrics)[f"twinwire_subscriptions {name}"] for name in TRANSPORTS} == dict.fromkeys(
        TRANSPORTS, 0
    )
    subscription, _ = await bus.subscribe(TopicFilter(("a",)), Start.now(), OffsetText("ndjson"))
    assert scraped(metrics)["twinwire_subscriptions ndjson"] == 1
    subscription.close()
    assert scraped(metrics).get("twinwire_subscriptions ndjson", 0) == 0


async def test_refusals_are_told_by_act_and_those_of_streams_apart() -> None:
    bus, clock = memory_bus(), ManualClock()
    house = House.of(bus, clock)
    for act, times in ((Act.SOCKET, 2), (Act.STREAM, 1), (Act.CHANGE, 4)):
        for _ in range(times):
            house.gate.refuse(act, "origin", ForbiddenError("no", field="Origin"))
    told = scraped(Metrics(ServiceMetrics(bus, house.hub, house.gate, house.renewal, Descriptors(), Log(clock), clock)))
    assert told["twinwire_streams_refused_total origin"] == 3
    assert told["twinwire_refused_total change origin"] == 4
    assert told["twinwire_refused_total socket origin"] == 2
    assert told["twinwire_places"] == 0


async def test_two_services_in_one_process_do_not_mix() -> None:
    one, two = memory_bus(), memory_bus()
    clock = ManualClock()
    first, second = (
        Metrics(
            ServiceMetrics(
                bus,
                House.of(bus, clock).hub,
                House.of(bus, clock).gate,
                House.of(bus, clock).renewal,
                Descriptors(),
                Log(clock),
                clock,
            )
        )
        for bus in (one, two)
    )
    await one.publish(drafts(2))
    assert scraped(first)["twinwire_events_published_total"] == 2
    assert scraped(second)["twinwire_events_published_total"] == 0


# Histograms, lag, refusals, keys


async def test_a_histogram_is_cumulative_and_ends_with_all() -> None:
    bus, clock = memory_bus(), ManualClock()
    told = scraped(metrics_of(bus, clock))
    buckets = {name: value for name, value in told.items() if name.startswith("twinwire_commit_duration_seconds_b")}
    assert [(name.partition(" ")[2], value) for name, value in buckets.items()] == [("0.1", 1), ("1.0", 3), ("+Inf", 4)]
    assert told["twinwire_commit_duration_seconds_count"] == 4
    assert told["twinwire_commit_duration_seconds_sum"] == 2.85


async def test_the_fan_out_and_the_loop_have_theirs() -> None:
    bus, clock, delays = memory_bus(), ManualClock(), Histogram()
    metrics = metrics_of(bus, clock, delays=delays)
    delays.observe(0.3)
    await bus.publish(drafts(1))
    await bus.publish(drafts(1))
    told = scraped(metrics)
    assert told["twinwire_fanout_duration_seconds_count"] == 2
    assert told["twinwire_event_loop_delay_seconds_bucket 0.25"] == 0
    assert told["twinwire_event_loop_delay_seconds_bucket 0.5"] == 1


async def test_how_far_streams_are_behind_is_looked_at_for_a_scrape() -> None:
    bus, clock = memory_bus(), ManualClock()
    house = House.of(bus, clock)
    metrics = Metrics(ServiceMetrics(bus, house.hub, house.gate, house.renewal, Descriptors(), Log(clock), clock))
    await bus.publish(drafts(10))
    subscription = bus.attach(TopicFilter(("t",)), 4, OffsetText())
    house.hub._streams["one"] = SimpleNamespace(subscription=subscription)
    await metrics.scrape()
    told = scraped(metrics)
    shares = {name: value for name, value in told.items() if name.startswith("twinwire_subscriber_lag_events")}
    assert shares == {f"twinwire_subscriber_lag_events {share}": 6 for share in ("50", "90", "99", "100")}
    assert told["twinwire_subscribers_behind"] == 1
    subscription.close()
    house.hub._streams.clear()
    await metrics.scrape()
    assert scraped(metrics)["twinwire_subscribers_behind"] == 0


async def test_refused_publishes_have_a_figure_for_each_reason_from_the_start() -> None:
    bus, clock = memory_bus(), ManualClock()
    metrics = metrics_of(bus, clock)
    reasons = [name for name in scraped(metrics) if name.startswith("twinwire_publish_refused_total ")]
    assert sorted(reasons) == [f"twinwire_publish_refused_total {reason}" for reason in sorted(REASONS)]
    bus.refused[reason_of(StorageFullError("full"))] += 2
    assert scraped(metrics)["twinwire_publish_refused_total full"] == 2


@dataclass
class Issuer:
    fault: str | None


async def test_issuers_that_can_not_be_asked_are_counted() -> None:
    issuers = [Issuer(None), Issuer("down")]
    metrics = metrics_of(memory_bus(), ManualClock(), sources=issuers)
    told = scraped(metrics)
    assert (told["twinwire_auth_key_sources"], told["twinwire_auth_key_sources_failing"]) == (2, 1)
    issuers[1].fault = None
    assert scraped(metrics)["twinwire_auth_key_sources_failing"] == 0


async def test_names_and_labels_are_as_prometheus_wants_them() -> None:
    """Base units at the end of a name, `_total` for counters alone; no label that clients could fill."""
    for family in families(metrics_of(memory_bus(), ManualClock(), problems={422: 0})):
        if not family.name.startswith("twinwire_"):
            continue
        assert re.fullmatch(r"twinwire(_[a-z0-9]+)+", family.name)
        assert not re.search(r"_(ms|milliseconds|kb|kib|mb|mib|minutes|percent)(_|$)", family.name)
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith(("_count", "_sum", "_bucket"))
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert set(sample.labels) <= {"act", "kind", "le", "percentile", "reason", "status", "transport", "version"}


async def test_problems_are_told_by_status() -> None:
    problems = {422: 3}
    told = scraped(metrics_of(memory_bus(), ManualClock(), problems=problems))
    assert told["twinwire_problems_total 422"] == 3
