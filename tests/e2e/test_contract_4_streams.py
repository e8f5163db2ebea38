"""docs/protocol.md, section 4: the stream routes and their HTTP side. Poll, history and client messages have own
files.
"""

import asyncio
import json
from urllib.parse import unquote

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.support import api
from tests.support.clients import RefusedStreamError, SSECollector, WebSocketCollector, open_sse, open_stream
from tests.support.frames import Frame
from tests.support.http import Connection, Response, request, target
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
    """4, `GET /api/sse`: a comment line and `retry: <random ms>` in the block of `connection`."""
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


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_4_other_methods_are_405(url: str, method: str) -> None:
    """4, `GET /api/sse`: knows GET, HEAD and POST only; 405 says which (RFC 9110, 15.5.6)."""
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


# Unknown parameters

READS = ("/api/events", "/api/sse", "/api/ws", "/api/topics", "/api/projects")
MISSPELT = ("topics", "Topic", "topic[]", "topic%5B%5D", "topic[0]", "limits", "Limit", "befor", "x", "token")


async def refused(url: str, path: str) -> Response:
    """The answer to a read, a stream or a handshake that is not let in."""
    if not path.startswith("/api/ws"):
        return await request(url, "GET", path)
    with pytest.raises(RefusedError) as caught:
        await WebSocketClient.open(url, path)
    return caught.value.response


@pytest.mark.projects
@pytest.mark.parametrize("name", MISSPELT)
@pytest.mark.parametrize("path", READS)
async def test_4_a_parameter_that_is_not_known_is_422(url: str, path: str, name: str) -> None:
    """4: a misspelt restriction is none, and all topics of everybody would come."""
    problem = (await refused(url, f"{path}?{name}=a")).problem(422)
    assert problem["field"] == unquote(name)
    if "topic" in name.lower() and path != "/api/projects":
        assert "'topic' is" in problem["detail"]


@pytest.mark.parametrize("path", ["/api/events", "/api/sse", "/api/topics"])
async def test_4_what_caches_polyfills_and_mails_add_is_left_unread(url: str, path: str) -> None:
    """4: `_`, `r`, `evs_preamble`, `utm_*`, `x-*`."""
    extra = "_=1&r=2&evs_preamble=2056&utm_source=mail&utm_x=&x-a=1"
    connection = await Connection.open(url)
    await connection.send("GET", f"{path}?topic=a&{extra}")
    assert (await connection.read_head()).status == 200
    connection.reset()


@pytest.mark.projects
@pytest.mark.parametrize("wire", ["sse", "ws"])
async def test_4_a_path_with_its_own_topics_takes_no_filter(url: str, wire: str) -> None:
    """4: `/api/sse/projects/{id}` is one topic; another would be ignored."""
    project = await create_project(url)
    problem = (await refused(url, f"/api/{wire}/projects/{project}?topic=a")).problem(422)
    assert problem["field"] == "topic"


# Lists of topics that outgrow a URL


def many(count: int) -> list[str]:
    """So many, as long as a topic may be."""
    return [f"{api.unique('many')}/".ljust(190, "x") + f"{n:05}" for n in range(count)]


async def test_4_topics_in_a_body_are_those_of_a_url(url: str) -> None:
    """4, `POST /api/events/read`: members are named as parameters; those of the URL count too."""
    topics = many(100)
    ids = [await api.publish(url, topics[n]) for n in (0, 50, 99)]
    asked = {"topics": topics, "after": "earliest", "limit": 2, "wait": 0}
    page = (await request(url, "POST", "/api/events/read", json_body=asked)).json()
    assert ([event["id"] for event in page["events"]], page["more"]) == (ids[:2], True)
    rest = await request(url, "POST", f"/api/events/read?after={ids[1]}", json_body={"topics": topics})
    assert [event["id"] for event in rest.json()["events"]] == ids[2:]


async def test_4_a_poll_may_bring_its_topics_in_its_body(url: str) -> None:
    topics = many(100)
    waiting = asyncio.create_task(request(url, "POST", "/api/events/read", json_body={"topics": topics, "wait": 20}))
    await asyncio.sleep(0.2)
    id = await api.publish(url, topics[99])
    assert [event["id"] for event in (await waiting).json()["events"]] == [id]


async def test_4_a_stream_may_bring_its_topics_in_its_body(url: str) -> None:
    """4, `POST /api/sse`: replay, and live events, as for a GET."""
    topics = many(100)
    first = await api.publish(url, topics[99])
    body = json.dumps({"topics": topics, "after": "earliest", "named": False}).encode()
    connection = await Connection.open(url)
    await connection.send("POST", "/api/sse", headers={"Content-Type": "application/json"}, body=body)
    head = await connection.read_head()
    assert head.status == 200
    assert head.header("content-type") == "text/event-stream"
    text, live = b"", ""
    async for piece in connection.pieces(head):
        text += piece
        if not live and b"caught_up" in text:
            live = await api.publish(url, topics[0])
        if live and live.encode() in text:
            break
    connection.reset()
    assert b"event:" not in text
    assert text.index(first.encode()) < text.index(live.encode())


@pytest.mark.parametrize("path", ["/api/sse", "/api/events/read"])
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, None),
        (b"[" * 50_000, 400, None),
        (b"[]", 422, None),
        (b'{"topics":"a"}', 422, "topics"),
        (b'{"topics":[1]}', 422, "topics"),
        (b'{"topics":["a//b"]}', 422, "topic"),
        (b'{"topic":"a"}', 422, "topic"),
        (b'{"topcs":["a"]}', 422, "topcs"),
        (b'{"after":{}}', 422, "after"),
        (b'{"topics":["%b"]}' % b'","'.join(b"a%d" % n for n in range(101)), 422, "topic"),
        (b" " * 70_000, 413, None),
    ],
)
async def test_4_a_body_that_asks_wrongly_is_told_what_is_wrong(
    url: str, path: str, body: bytes, status: int, field: str | None
) -> None:
    answer = await request(url, "POST", path, body=body, headers={"Content-Type": "application/json"})
    assert answer.problem(status).get("field") == field
    odd = await request(url, "POST", path, body=b"{}", headers={"Content-Type": "text/plain"})
    assert odd.problem(415)["field"] == "Content-Type"
