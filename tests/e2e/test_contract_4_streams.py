"""docs/protocol.md, section 4: the stream routes and their HTTP side. Poll, history and client messages have own
files.
"""

import asyncio

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.support import api
from tests.support.clients import RefusedStreamError, SSECollector, WebSocketCollector, open_sse, open_stream
from tests.support.frames import Frame
from tests.support.http import Connection, request, target
from tests.support.websocket import RefusedError, WebSocketClient

BRIEF = "tasks: title text, done bool"


async def create_project(url: str) -> str:
    response = await request(url, "POST", "/api/projects", json_body={"name": "Streams", "brief": BRIEF})
    assert response.status == 201, response.text
    return str(response.json()["id"])


async def test_4_websocket_is_101(url: str) -> None:
    """4, `GET /api/ws`: 101, no extension even if one is offered, text frames."""
    client = await WebSocketClient.open(url, query={"topic": ["a", "b"]}, extensions=[ClientPerMessageDeflateFactory()])
    assert client.handshake["Upgrade"].lower() == "websocket"
    assert "Sec-WebSocket-Extensions" not in client.handshake
    assert Frame.of((await client.receive())[0]).value["topics"] == ["a", "b"]
    await client.close()


async def test_4_a_plain_get_on_the_websocket_url_is_426(url: str) -> None:
    """4, `GET /api/ws` without Upgrade: 426, `Upgrade: websocket`, and a problem that names the SSE URL."""
    response = await request(url, "GET", "/api/ws?topic=a/b")
    assert (response.header("upgrade") or "").lower() == "websocket"
    assert "upgrade" in (response.header("connection") or "").lower()  # RFC 9110, 7.8
    problem = response.problem(426)
    assert "/api/sse" in str(problem)


@pytest.mark.projects
async def test_4_a_plain_get_on_a_projects_websocket_url_is_426(url: str) -> None:
    """4, `GET /api/ws/projects/{id}` without Upgrade: the same, with the project's SSE URL."""
    project = await create_project(url)
    problem = (await request(url, "GET", f"/api/ws/projects/{project}")).problem(426)
    assert f"/api/sse/projects/{project}" in str(problem)


@pytest.mark.projects
async def test_4_websocket_of_a_project(url: str) -> None:
    """4, `GET /api/ws/projects/{id}`: the same as `topic=projects/{id}`."""
    project = await create_project(url)
    client = await WebSocketClient.open(url, f"/api/ws/projects/{project}")
    stream = WebSocketCollector(client)
    assert (await stream.next()).value["topics"] == [f"projects/{project}"]
    cursor = await api.publish(url, f"projects/{project}", "free", type="note")
    assert [event.id for event in await stream.events(1)] == [cursor]
    await stream.close()


@pytest.mark.projects
async def test_4_websocket_of_no_project_is_404(url: str) -> None:
    """4, `GET /api/ws/projects/{id}`: 404 before the handshake if there is no such project."""
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(url, "/api/ws/projects/none-such")
    refused.value.response.problem(404)


@pytest.mark.projects
async def test_4_sse_of_a_project(url: str) -> None:
    """4, `GET /api/sse/projects/{id}`: the same as `topic=projects/{id}`."""
    project = await create_project(url)
    stream = await open_sse(url, f"/api/sse/projects/{project}")
    assert (await stream.next()).value["topics"] == [f"projects/{project}"]
    cursor = await api.publish(url, f"projects/{project}", "free", type="note")
    assert [event.id for event in await stream.events(1)] == [cursor]
    stream.reset()


@pytest.mark.projects
async def test_4_sse_of_no_project_is_404(url: str) -> None:
    """4, `GET /api/sse/projects/{id}`: what does not exist is 404, as anywhere in HTTP."""
    with pytest.raises(RefusedStreamError) as refused:
        await open_sse(url, "/api/sse/projects/none-such")
    refused.value.response.problem(404)


async def test_4_sse_headers(url: str) -> None:
    """4, `GET /api/sse`: the headers that keep proxies from buffering, caching and compressing."""
    stream = await open_sse(url, "/api/sse", headers={"Accept-Encoding": "gzip, br, zstd"})
    assert stream.head.status == 200
    assert (stream.head.header("content-type") or "").partition(";")[0] == "text/event-stream"
    directives = (stream.head.header("cache-control") or "").replace(" ", "").split(",")
    assert directives == ["no-cache", "no-store", "no-transform"]
    assert stream.head.header("x-accel-buffering") == "no"
    assert stream.head.header("content-encoding") is None
    assert stream.head.header("content-length") is None
    stream.reset()


async def test_4_sse_starts_with_a_comment_and_a_random_retry(url: str) -> None:
    """4, `GET /api/sse`: a comment line, then `retry: <random ms>`, then `connection`."""
    retries = set()
    for _ in range(8):
        async with open_stream(url, "sse", "a") as stream:
            assert isinstance(stream, SSECollector)
            opening = stream.blocks
            assert stream.frames[0].type == "connection"
        comments = [comment for block in opening for comment in block.comments]
        assert comments
        assert opening[0].comments
        (retry,) = [block.retry for block in opening if block.retry is not None]
        assert 500 <= retry <= 2_147_483_647
        retries.add(retry)
    assert len(retries) > 1, "the only jitter that a plain EventSource ever has"


@pytest.mark.parametrize("path", ["/api/sse", "/api/sse?topic=a/b&after=earliest", "/api/events?wait=60"])
async def test_4_head_on_a_stream_ends_at_once(url: str, path: str) -> None:
    """4: HEAD has the headers of the GET and no body, and does not wait; the connection can be used again."""
    connection = await Connection.open(url)
    response = await connection.request("HEAD", path)
    assert response.status == 200
    if "sse" in path:
        assert (response.header("content-type") or "").startswith("text/event-stream")
    if response.header("connection") != "close":
        assert (await connection.request("GET", "/api/health")).status == 200
    await connection.close()


async def test_4_sse_over_http_1_0(url: str) -> None:
    """4, `GET /api/sse` from an HTTP/1.0 proxy: no chunks (RFC 9112, 6.1), the stream ends with the
    connection.
    """
    topic = api.unique("http10")
    cursor = await api.publish(url, topic)
    stream = await open_sse(url, target("/api/sse", {"topic": topic, "after": "earliest"}), version="1.0")
    assert stream.head.header("transfer-encoding") is None
    assert [event.id for event in await stream.events(1)] == [cursor]
    live = await api.publish(url, topic)
    assert [event.id for event in await stream.events(1)] == [live]
    stream.reset()


async def test_4_sse_after_a_half_close(url: str) -> None:
    """4, `GET /api/sse`: bytes of the client after its request do not disturb its stream."""
    topic = api.unique("pipelined")
    stream = await open_sse(url, target("/api/sse", {"topic": topic}))
    stream.http.writer.write(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await stream.http.writer.drain()
    assert (await stream.next()).type == "connection"
    cursor = await api.publish(url, topic)
    assert [event.id for event in await stream.events(1)] == [cursor]
    stream.reset()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_4_other_methods_are_405(url: str, method: str) -> None:
    """4, `GET /api/sse`: knows GET and HEAD only; 405 says which (RFC 9110, 15.5.6)."""
    response = await request(url, method, "/api/sse")
    response.problem(405)
    assert "GET" in (response.header("allow") or "")


async def test_4_normal_close_is_1000(url: str) -> None:
    """4, close codes: a client's 1000 is answered by 1000."""
    client = await WebSocketClient.open(url)
    await client.receive()
    await client.close(1000)
    assert client.close_code == 1000


async def test_4_two_streams_do_not_share_a_position(url: str) -> None:
    """4: streams on one topic are independent of each other."""
    topic = api.unique("pair")
    ids = await api.publish_many(url, topic, range(5))
    async with (
        open_stream(url, "sse", topic, after=ids[2]) as late,
        open_stream(url, "websocket", topic, after="earliest") as early,
    ):
        late_events, early_events = await asyncio.gather(late.events(2), early.events(5))
    assert [event.id for event in late_events] == ids[3:]
    assert [event.id for event in early_events] == ids
