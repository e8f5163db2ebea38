"""Traces of a running service, as a collector gets them (OTLP over HTTP)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.http import request
from tests.support.server import run_command

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DRAFT = {"topic": "t", "type": "log", "data": 1}


class Collector:
    """Takes spans over plain HTTP."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Collector"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            self._bodies.append(await reader.readexactly(int(fields[b"content-length"])))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Each with its service's name."""
        for body in self._bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield names[0], span


async def test_a_collector_gets_a_span_of_each_publish(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector().open() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        server = serve(traces="1")
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert (await request(server.url, "POST", "/api/events", json_body=DRAFT, headers=headers)).status == 201
        assert (await request(server.url, "POST", "/api/events", json_body=[DRAFT] * 2)).status == 201
        events = await api.history(server.url, ["t"])
        assert [event.get("traceparent") for event in events] == [headers["traceparent"], None, None]
        assert await asyncio.to_thread(server.stop) == 0, "what is left is sent then"
        found = list(collector.spans())
    assert [name for name, _ in found] == ["twinwire", "twinwire"]
    first, second = (span for _, span in found)
    assert (first.name, first.trace_id.hex(), first.parent_span_id.hex()) == ("publish", TRACE, PARENT)
    assert (second.name, second.parent_span_id) == ("publish", b"")
    assert second.trace_id.hex() != TRACE


async def test_a_collector_that_is_not_there_is_nobodys_loss(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector().open() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    server = serve(traces="1")
    assert (await request(server.url, "POST", "/api/events", json_body=DRAFT)).status == 201
    assert await asyncio.to_thread(server.stop) == 0


def test_check_says_that_there_are_traces() -> None:
    done = run_command("check", env={"TWINWIRE_TRACES": "1"})
    assert done.returncode == 0, done.stderr
    assert "traces: on" in done.stdout
