"""OpenTelemetry traces: a span of each publish, from when it was let in until live subscribers have it.

Imported only where `TWINWIRE_TRACES` asks for it, since the libraries are an extra, `otel`. The variables of
OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`, ...) say where spans go, and
how many. Nobody who publishes waits for that: they go into a queue of 2,048, which a thread of the library sends on,
and what does not fit is dropped.
"""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from service.core.errors import ConfigError, TwinwireError
from service.core.event import Draft
from service.version import __version__

FLUSH: Final = 2.0
"""Seconds that a stop waits for spans to be sent; a collector that is gone must not hold it up."""


class PublishSpan:
    """Implements `service.core.trace.Span`."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, offsets: Sequence[int] = (), error: BaseException | None = None) -> None:
        span = self._span
        if offsets:
            span.set_attribute("twinwire.offset", offsets[0])
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, error.detail if isinstance(error, TwinwireError) else None))
        span.end()


class OpenTelemetrySpans:
    """Implements `service.core.trace.Spans`. The provider is this one's own: it shuts it down."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("twinwire", __version__)

    def begin(self, drafts: Sequence[Draft], traceparent: str | None) -> PublishSpan:
        """Named as OpenTelemetry's conventions for messaging have it; a topic is no part of the name, as there may be
        a million.
        """
        attributes: dict[str, AttributeValue] = {
            "messaging.system": "twinwire",
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
        }
        if len(drafts) == 1:
            attributes["messaging.destination.name"] = drafts[0].topic
        else:
            attributes["messaging.batch.message_count"] = len(drafts)
        return PublishSpan(self._tracer.start_span("publish", _below(traceparent), SpanKind.SERVER, attributes))

    async def close(self) -> None:
        """Send what is left, in a thread that may go on: the collector may not answer."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop did not wait, and is closed
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                await done.wait()


def _below(traceparent: str | None) -> Context:
    """A context in which a span begins: whatever the library holds for current is none of ours."""
    if traceparent is None:
        return Context()
    _, trace, parent, flags = traceparent.split("-")
    remote = SpanContext(int(trace, 16), int(parent, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def open_traces() -> OpenTelemetrySpans:
    """As the variables of OpenTelemetry have it. Raises ConfigError for one that can't be read."""
    try:
        own = Resource.create({"service.name": "twinwire", "service.version": __version__})
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise ConfigError(f"TWINWIRE_TRACES: a variable of OpenTelemetry: {error}", field="TWINWIRE_TRACES") from error
    return OpenTelemetrySpans(provider)
