from prometheus_client.parser import text_string_to_metric_families

from service.access.descriptors import Descriptors
from service.access.gate import Act
from service.bus.start import Start
from service.core.errors import ForbiddenError
from service.core.topics import TopicFilter
from service.core.words import TRANSPORTS
from service.log.base import Health
from service.operations.metrics import Metrics, ServiceMetrics
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.stream_fixtures import House
from tests.support.wires import OffsetText, drafts, memory_bus


class Log(MemoryEventLog):
    """Says that it has been busy."""

    def health(self) -> Health:
        return Health(None, 7, 0.25, 4096)


def scraped(metrics: Metrics) -> dict[str, float]:
    """Each sample by its name and its labels' values: `twinwire_streams_opened_total sse`."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name.startswith("twinwire_")
    }


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
    await bus.publish(drafts(3))
    after = scraped(metrics)
    assert after["twinwire_events_published_total"] == after["twinwire_tail_events"] == after["twinwire_log_head"] == 3
    assert after["twinwire_tail_bytes"] == bus.tail.bytes > 0


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
