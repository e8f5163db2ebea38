"""docs/protocol.md, sections 2, 4, 7 and 8: what clients see when the service goes down on purpose."""

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.support import api
from tests.support.clients import STREAMING, TRANSPORTS, RefusedStreamError, Transport, connect, open_stream
from tests.support.http import Connection, Response, request
from tests.support.websocket import RefusedError

IN_TIME = 15.0
"""Seconds from the signal to the end of the process: within the ten seconds that supervisors give, and
slack.
"""


@pytest.mark.parametrize("transport", STREAMING)
async def test_2_goodbye_precedes_the_end(serve: Serve, transport: Transport) -> None:
    """2, `goodbye`: reason, code, retry; 4, close codes: 1012. On SSE the body ends properly after it."""
    server = serve()
    async with open_stream(server.url, transport, "a") as stream:
        await stream.control("caught_up")
        server.signal(signal.SIGTERM)
        code = await stream.end()
        goodbye = stream.frames[-1]
    assert goodbye.type == "goodbye"
    assert (goodbye.value["reason"], goodbye.value["code"]) == ("restart", 1012)
    assert isinstance(goodbye.value["retry"], int)
    assert goodbye.value["retry"] >= 500
    assert code == (1012 if transport == "websocket" else None)
    assert await server.await_exit() == 0


async def test_2_goodbye_has_a_random_retry_per_client(serve: Serve) -> None:
    """2, `goodbye.retry`: random for each client, so that they do not all come back at once."""
    server = serve()
    async with AsyncExitStack() as stack:
        opening = [open_stream(server.url, STREAMING[n % 2], "a") for n in range(12)]
        streams = [await stack.enter_async_context(stream) for stream in opening]
        server.signal(signal.SIGTERM)
        await asyncio.gather(*(stream.end() for stream in streams))
    retries = {stream.frames[-1].value["retry"] for stream in streams}
    assert len(retries) > 6, retries
    assert await server.await_exit() == 0


async def test_7_waiting_polls_are_answered_at_once(serve: Serve) -> None:
    """7: while draining, waiting polls are answered at once with what there is."""
    server = serve()
    cursor = await api.publish(server.url, "a")
    connection = await Connection.open(server.url)
    await connection.send("GET", f"/api/events?topic=a&wait=60&after={cursor}")
    async with open_stream(server.url, "sse", "a") as stream:  # by now the poll before it is being served
        await stream.control("caught_up")
        await _until_a_poll_waits(server.url)
        server.signal(signal.SIGTERM)
        head = await connection.read_head()
        answer = json.loads(b"".join([piece async for piece in connection.pieces(head)]))
    assert head.status == 200
    assert (answer["events"], answer["cursor"]) == ([], cursor)
    await connection.close()
    assert await server.await_exit() == 0


async def _until_a_poll_waits(url: str) -> None:
    async with asyncio.timeout(20):
        waiting = 0
        while not waiting:
            (entry,) = (await request(url, "GET", "/api/topics")).json()["topics"]
            waiting = entry["subscribers"]["poll"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_8_a_signal_drains_and_exits_0_in_time(serve: Serve, number: signal.Signals) -> None:
    """8: SIGTERM and SIGINT drain and exit 0, with streams of every kind open and one that does not read."""
    server = serve()
    await api.publish_many(server.url, "a", ["x" * 4000] * 2000)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_stream(server.url, "sse", "a", after="earliest", receive_buffer=4096))
        opening = [open_stream(server.url, transport, "a") for transport in STREAMING for _ in range(5)]
        streams = [await stack.enter_async_context(stream) for stream in opening]
        started = time.monotonic()
        server.signal(number)
        await asyncio.gather(*(stream.end() for stream in streams))
        assert await server.await_exit() == 0
        assert time.monotonic() - started < IN_TIME


@pytest.mark.process
async def test_7_what_is_to_stop_is_not_ready_and_serves_as_before_for_the_delay(serve: Serve) -> None:
    """7: `TWINWIRE_DRAIN_DELAY`: 503 of readiness alone; a second signal ends it."""
    server = serve(drain_delay="300")
    async with AsyncExitStack() as stack:
        before = [await stack.enter_async_context(open_stream(server.url, kind, "a")) for kind in TRANSPORTS]
        server.signal(signal.SIGTERM)
        answer = await _unready(server.url)
        assert set(answer["checks"].items()) > {("log", "ok"), ("draining", "the service is restarting")}
        assert (await request(server.url, "GET", "/api/health")).status == 200
        late = [await stack.enter_async_context(open_stream(server.url, kind, "a")) for kind in TRANSPORTS]
        cursor = await api.publish(server.url, "a", "as before")
        for stream in (*before, *late):
            assert [event.id for event in await stream.events(1)] == [cursor]
        server.signal(signal.SIGTERM)
        for stream in (*before, *late):
            if stream.transport != "poll":
                await stream.end()
                assert stream.frames[-1].type == "goodbye"
    assert await server.await_exit() == 0


@pytest.mark.process
async def test_7_the_delay_ends_by_itself(serve: Serve) -> None:
    server = serve(drain_delay="0.5")
    async with open_stream(server.url, "sse", "a") as stream:
        await stream.control("caught_up")
        server.signal(signal.SIGTERM)
        await stream.end()
        assert stream.frames[-1].type == "goodbye"
    assert await server.await_exit() == 0


async def _unready(url: str) -> dict[str, Any]:
    """What readiness says once it is 503."""
    async with asyncio.timeout(20):
        while (answer := await request(url, "GET", "/api/ready")).status == 200:
            pass
    found: dict[str, Any] = answer.json()
    assert (answer.status, found["ready"]) == (503, False)
    return found


async def test_5_a_publish_in_the_drain_is_503_or_done(serve: Serve) -> None:
    """5, errors: 503 with Retry-After while draining; a request that was under way ends one way or the
    other.
    """
    server = serve()
    body = b'{"topic":"a","type":"log","data":1}'
    connection = await Connection.open(server.url)
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    await connection.send("POST", "/api/events", headers=fields, body=b"")
    connection.writer.write(body[:10])
    async with open_stream(server.url, "websocket", "a") as stream:
        server.signal(signal.SIGTERM)
        await stream.control("goodbye")
        connection.writer.write(body[10:])
        head = await connection.read_head()
    assert head.status in {201, 503}
    assert head.status == 201 or int(head.header("retry-after") or "0") > 0
    await connection.close()
    assert await server.await_exit() == 0
    server.start()
    assert len(await api.history(server.url, ["a"])) == (1 if head.status == 201 else 0)


async def test_7_what_was_open_is_complete_after_the_restart(serve: Serve) -> None:
    """2 and 3: a client that heard goodbye resumes from its cursor; the drain lost nothing and repeats
    nothing.
    """
    server = serve()
    publishing = asyncio.create_task(_publish_until_refused(server.url))
    async with AsyncExitStack() as stack:
        opening = [open_stream(server.url, transport, "a", after="earliest") for transport in STREAMING]
        streams = [await stack.enter_async_context(stream) for stream in opening]
        await asyncio.gather(*(stream.events(100) for stream in streams))
        server.signal(signal.SIGTERM)
        await asyncio.gather(*(stream.end() for stream in streams))
    acknowledged = await publishing
    assert await server.await_exit() == 0
    server.start()
    kept = [event["id"] for event in await api.history(server.url, ["a"])]
    assert [cursor for cursor in acknowledged if cursor not in kept] == []
    for n, stream in enumerate(streams):
        seen = [frame.id for frame in stream.frames if frame.is_event]
        assert seen == kept[: len(seen)]
        if seen != kept:
            again = TRANSPORTS[n + 1]
            async with open_stream(server.url, again, "a", after=stream.cursor) as resumed:
                assert seen + [event.id for event in await resumed.events_until(kept[-1])] == kept


async def _publish_until_refused(url: str) -> list[str]:
    """Publish one by one until the service refuses; what it acknowledged."""
    ids: list[str] = []
    connection = await Connection.open(url)
    fields = {"Content-Type": "application/json"}
    try:
        while True:
            body = b'{"topic":"a","type":"log","data":%d}' % len(ids)
            response = await connection.request("POST", "/api/events", headers=fields, body=body)
            if response.status != 201:
                assert response.status == 503
                assert int(response.header("retry-after") or "0") > 0
                return ids
            ids.append(response.json()["id"])
    except ConnectionError:
        return ids
    finally:
        await connection.close()


async def test_8_nobody_gets_in_after_the_end(serve: Serve) -> None:
    """8: a server that has said goodbye takes no new streams: refused, or 503 with Retry-After."""
    server = serve()
    async with open_stream(server.url, "sse", "a") as stream:
        server.signal(signal.SIGTERM)
        await stream.control("goodbye")
        for transport in STREAMING:
            refusal = await _refusal(server.url, transport)
            assert refusal is None or refusal.status == 503
            assert refusal is None or int(refusal.header("retry-after") or "0") > 0
    assert await server.await_exit() == 0


async def _refusal(url: str, transport: Transport) -> Response | None:
    """How the service refuses a stream; None if it does not even take the connection."""
    try:
        late = await connect(url, transport, "a")
    except (RefusedError, RefusedStreamError) as refused:
        return refused.response
    except OSError:
        return None
    raise AssertionError(f"{late.connection} came in while draining")
