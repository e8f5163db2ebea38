"""A span of each publish, below its publisher's, whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from service.bus.bus import EventBus
from service.core.errors import ConfigError, StorageFullError
from service.core.event import Draft
from service.log.base import Receipt, Statement
from service.operations import traces
from service.operations.traces import OpenTelemetrySpans, open_traces
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog
from tests.support.wires import drafts, until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Log(MemoryEventLog):
    """Fails, or waits, if it is told to."""

    error: Exception | None = None
    gate: asyncio.Event | None = None

    async def append(self, drafts: Sequence[Draft], *rest: Any) -> Receipt:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().append(drafts, *rest)


class Traced:
    """A bus whose spans are kept."""

    def __init__(self) -> None:
        clock = ManualClock()
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.log = Log(clock)
        self.spans = OpenTelemetrySpans(provider)
        self.bus = EventBus(self.log, clock, tail_events=10, tail_bytes=1 << 20, spans=self.spans)

    @property
    def found(self) -> Sequence[ReadableSpan]:
        return self._kept.get_finished_spans()


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    traced = Traced()
    yield traced
    await traced.spans.close()


async def test_one_span_a_publish_below_that_of_its_request(traced: Traced) -> None:
    await traced.bus.publish(drafts(1), traceparent=f"00-{TRACE}-{PARENT}-01")
    await traced.bus.publish(drafts(3, "u"))
    first, second = traced.found
    assert (first.name, first.kind) == ("publish", SpanKind.SERVER)
    assert f"{first.context.trace_id:032x}" == TRACE
    assert first.parent is not None
    assert (f"{first.parent.span_id:016x}", first.parent.is_remote) == (PARENT, True)
    assert first.attributes is not None
    assert first.attributes["messaging.destination.name"] == "t"
    assert first.attributes["twinwire.offset"] == 1
    assert (second.parent, second.status.status_code) == (None, StatusCode.UNSET)
    assert second.attributes is not None
    assert (second.attributes["messaging.batch.message_count"], second.attributes["twinwire.offset"]) == (3, 2)


async def test_what_its_publisher_does_not_sample_is_not_sampled(traced: Traced) -> None:
    await traced.bus.publish(drafts(1), traceparent=f"00-{TRACE}-{PARENT}-00")
    assert traced.found == ()


async def test_events_carry_what_came_and_not_the_span(traced: Traced) -> None:
    heard: list[str | None] = []
    traced.log.follow(lambda events: heard.extend(one.traceparent for one in events), lambda topic, floor: None)
    await traced.bus.publish(drafts(1), traceparent=f"00-{TRACE}-{PARENT}-01")
    await traced.bus.publish(drafts(1))
    assert heard == [f"00-{TRACE}-{PARENT}-01", None]


async def test_a_publish_that_fails_says_why(traced: Traced) -> None:
    traced.log.error = StorageFullError("no space left")
    with pytest.raises(StorageFullError):
        await traced.bus.publish(drafts(1))
    (span,) = traced.found
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no space left")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "StorageFullError"


async def test_a_publisher_who_leaves_ends_his_span(traced: Traced) -> None:
    traced.log.gate = asyncio.Event()
    task = asyncio.create_task(traced.bus.publish(drafts(1)))
    await asyncio.sleep(0)
    task.cancel()
    await until(task.done)
    (span,) = traced.found
    assert span.attributes is not None
    assert span.attributes["error.type"] == "CancelledError"


async def test_statements_without_an_event_are_no_publish(traced: Traced) -> None:
    await traced.bus.publish([], [Statement("put", {"key": "k", "value": 1})])
    assert traced.found == ()


async def test_a_collector_that_does_not_answer_holds_up_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "FLUSH", 0.0)
    answered = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Provider(TracerProvider):
        def shutdown(self) -> None:
            asyncio.run_coroutine_threadsafe(answered.wait(), loop).result()

    await OpenTelemetrySpans(Provider(shutdown_on_exit=False)).close()
    answered.set()


async def test_its_variables_are_those_of_open_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = open_traces()
    assert spans._provider.resource.attributes["service.name"] == "twinwire"
    await spans.close()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "live")
    spans = open_traces()
    assert spans._provider.resource.attributes["service.name"] == "live"
    await spans.close()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(ConfigError, match="OpenTelemetry"):
        open_traces()
