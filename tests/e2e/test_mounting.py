"""A Twinwire inside of applications of other frameworks, on real servers: docs/mounting.md."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import api
from tests.support.bearers import ADMIN, KEYS, bearer, ticket, token
from tests.support.clients import STREAMING, TRANSPORTS, Collector, StreamEndedError, Transport, open_sse, open_stream
from tests.support.http import Response, request
from tests.support.server import ServerProcess
from tests.support.websocket import RefusedError, WebSocketClient

MOUNTS: Final = {
    "fastapi-uvicorn": ("fastapi", "uvicorn"),
    "starlette-uvicorn": ("starlette", "uvicorn"),
    "quart-hypercorn": ("quart", "hypercorn"),
    "litestar-uvicorn": ("litestar", "uvicorn"),
}
"""Each framework, on one of the servers: docs/mounting.md names them."""

OWN: Final = {"Origin": "http://localhost"}
"""Under whose name requests ask here; sockets do under their address."""

ADA: Final = {"Cookie": "user=ada"}


def mounted(folder: Path, mount: str, **env: str) -> ServerProcess:
    """`caller="1"` is put into MOUNT_CALLER, `keys=...` into TWINWIRE_TOKEN_KEYS."""
    framework, server = MOUNTS[mount]
    named = {f"MOUNT_{name.upper()}": value for name, value in env.items() if name != "keys"}
    named |= {"MOUNT_FRAMEWORK": framework, "MOUNT_SERVER": server, "TWINWIRE_APPS": "none", "TWINWIRE_GRACE": "5"}
    return ServerProcess(
        folder, module="tests.support.mounts", env=named | {"TWINWIRE_TOKEN_KEYS": env.get("keys", "")}
    )


def serving(folder: Path, mount: str, **env: str) -> Iterator[ServerProcess]:
    with mounted(folder, mount, **env) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture(scope="module", params=MOUNTS)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An application that says who asks, and has keys besides."""
    yield from serving(tmp_path_factory.mktemp("mounted"), request.param, caller="1", keys=KEYS)


def own_page(url: str) -> dict[str, str]:
    """What a page of the application has with a WebSocket."""
    return {"Origin": url.removesuffix("/live")}


@pytest.fixture
def url(host: ServerProcess) -> str:
    """Of the service in it."""
    return f"{host.url}/live"


async def publish(url: str, topic: str, data: object, headers: dict[str, str] | None = None) -> Response:
    draft = {"topic": topic, "type": "x", "data": data}
    return await request(url, "POST", "/api/events", headers=ADMIN if headers is None else headers, json_body=draft)


# All of it below the path


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_wire_is_there(url: str, transport: Transport) -> None:
    topic = api.unique("orders")
    async with open_stream(url, transport, topic, headers=ADMIN) as stream:
        if transport != "poll":
            await stream.control("caught_up")
            published = await publish(url, topic, 1)
            assert published.status == 201
            (event,) = await stream.events(1)
            assert event.id == published.json()["id"]
    await publish(url, topic, 2)
    history = await request(url, "GET", "/api/events", query={"topic": topic, "after": "earliest"}, headers=ADMIN)
    assert [event["data"] for event in history.json()["events"]] == ([2] if transport == "poll" else [1, 2])
    waiting = {"topic": topic, "after": history.json()["events"][0]["prev"] or "earliest", "wait": 20}
    assert (await request(url, "GET", "/api/events", query=waiting, headers=ADMIN)).json()["events"]


async def test_the_application_publishes_without_http(host: ServerProcess, url: str) -> None:
    async with open_stream(url, "websocket", "orders/17", headers=ADMIN) as stream:
        await stream.control("caught_up")
        answer = await request(host.url, "GET", "/paid")
        (event,) = await stream.events(1)
        assert (event.id, event.value["data"]) == (answer.json()["id"], {"total": 12})


async def test_resources_pages_and_the_browser_client_are_there(url: str) -> None:
    assert (await request(url, "GET", "/api/health")).json() == {"status": "ok"}
    assert (await request(url, "GET", "/api/ready")).status == 200
    assert (await request(url, "GET", "/client/index.js")).header("content-type") == "text/javascript; charset=utf-8"
    assert b"<html" in (await request(url, "GET", "/", headers={"Accept": "text/html"})).body
    (await request(url, "GET", "/api/nothing")).problem(404)
    (await request(url, "GET", "/metrics")).problem(401)
    assert b"twinwire_" in (await request(url, "GET", "/metrics", headers=ADMIN)).body
    assert (await request(url, "GET", "/api/projects", headers=ADMIN)).status == 404, "the example is not on"


async def test_the_path_without_a_slash_leads_to_it(host: ServerProcess) -> None:
    """A page's own links are relative to its folder."""
    answer = await request(host.url, "GET", "/live?topic=a")
    assert answer.status in {307, 308}
    assert (answer.header("location") or "").removeprefix("http://localhost") == "/live/?topic=a"


async def test_what_is_told_to_browsers_has_the_path(url: str) -> None:
    hint = (await request(url, "GET", "/api/ws", query={"topic": "a"}, headers=ADMIN)).problem(426)["sse"]
    assert hint == "/live/api/sse?topic=a"
    spent = await ticket(url, token("ada", subscribe=["a"]))
    stream = await open_sse(url, f"/api/sse?topic=a&ticket={spent}")
    stream.reset()
    assert "Path=/live/api/sse" in (stream.head.header("set-cookie") or "")
    document = (await request(url, "GET", "/api/openapi.json")).json()
    assert document["servers"][0]["url"] == "..", "relative to the document"


async def test_a_client_that_leaves_is_noticed(url: str) -> None:
    topic = api.unique("orders")
    for transport in STREAMING:
        async with open_stream(url, transport, topic, headers=ADMIN) as stream:
            await stream.control("caught_up")
    async with open_stream(url, "sse", topic, headers=ADMIN) as stream:
        await stream.control("caught_up")
        for _ in range(50):  # each is an answer of its own, and what they left in the loop is done by then
            found = await request(url, "GET", "/api/connections", query={"topic": topic}, headers=ADMIN)
            if len(found.json()["connections"]) == 1:
                break
        assert len(found.json()["connections"]) == 1


# Who asks


async def test_the_applications_session_counts(url: str) -> None:
    topic = api.unique("orders")
    assert (await publish(url, topic, 1, ADA | OWN)).status == 201
    for transport in TRANSPORTS:
        async with open_stream(url, transport, topic, after="earliest", headers=ADA | own_page(url)) as stream:
            assert [event.value["data"] for event in await stream.events(1)] == [1]
            if transport != "poll":
                assert stream.connection["subject"] == "ada"
    (await publish(url, "secrets", 1, ADA | OWN)).problem(403)
    (await request(url, "GET", "/api/events", query={"topic": "users/bob"}, headers=ADA)).problem(403)
    assert (await request(url, "GET", "/api/events", query={"topic": "users/ada"}, headers=ADA)).status == 200
    (await request(url, "GET", "/metrics", headers=ADA)).problem(403)
    who = (await request(url, "GET", "/api/session", headers=ADA)).json()
    assert (who["subject"], who["admin"]) == ("ada", False)


async def test_who_is_nobody_may_nothing(url: str) -> None:
    (await publish(url, "orders/1", 1, {})).problem(401)
    (await request(url, "GET", "/api/events", query={"topic": "orders/1"})).problem(401)
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(url, query={"topic": "orders/1"})
    refused.value.response.problem(401)


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}], ids=["none", "foreign"])
async def test_a_session_counts_for_writes_and_sockets_of_our_own_pages_alone(url: str, origin: dict[str, str]) -> None:
    (await publish(url, "orders/1", 1, ADA | origin)).problem(403)
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(url, query={"topic": "orders/1"}, headers=ADA | origin)
    assert refused.value.response.problem(403)["field"] == "Origin"
    assert (await request(url, "GET", "/api/events", query={"topic": "orders/1"}, headers=ADA)).status == 200


async def test_a_token_goes_before_the_session(url: str) -> None:
    topic = api.unique("other")
    (await publish(url, topic, 1, ADA | OWN)).problem(403)
    bob = token("bob", publish=[topic])
    assert (await publish(url, topic, 1, ADA | bearer(bob))).status == 201


async def test_every_host_is_answered_where_strangers_may_nothing(url: str) -> None:
    anywhere = {"Host": "shop.example"}
    assert (await request(url, "GET", "/api/events", query={"topic": "orders/1"}, headers=ADA | anywhere)).status == 200
    (await publish(url, "orders/1", 1, ADA | anywhere | OWN)).problem(403)
    assert (await publish(url, "orders/1", 1, ADA | anywhere | {"Origin": "http://shop.example"})).status == 201


@pytest.fixture(scope="module", params=MOUNTS)
def brief(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """An application whose word is good for two seconds."""
    yield from serving(tmp_path_factory.mktemp("brief"), request.param, caller="1", seconds="2")


async def test_at_the_end_of_its_word_the_application_is_asked_again(brief: ServerProcess) -> None:
    url, topic, refused = f"{brief.url}/live", api.unique("orders"), brief.directory / "refused"
    refused.unlink(missing_ok=True)
    streams: list[Collector] = []
    for transport in STREAMING:
        async with open_stream(url, transport, topic, headers=ADA | own_page(url)) as stream:
            streams.append(stream)
            await stream.control("caught_up")
            first = stream.connection["expires"]
            while time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 0.5)) <= first:
                assert (await publish(url, topic, 1, ADA | OWN)).status == 201
                await stream.events(1)  # also behind the first end
            refused.touch()
            goodbye = await stream.control("goodbye")
            assert (goodbye.value["reason"], goodbye.value["detail"]) == ("auth", "expired")
            assert goodbye.value["retry"] is None
            with pytest.raises(StreamEndedError):
                await stream.next()
            assert [frame for frame in stream.frames if frame.type == "auth"] == []
            (await request(url, "GET", "/api/events", query={"topic": topic}, headers=ADA)).problem(401)
            refused.unlink()


# Its start, and its end


@pytest.mark.parametrize("mount", MOUNTS)
async def test_before_it_is_started_everything_is_503_and_says_why(mount: str, tmp_path: Path) -> None:
    with mounted(tmp_path, mount, started="0") as process:
        url = f"{process.url}/live"
        for method, path in (
            ("GET", "/api/events"),
            ("POST", "/api/events"),
            ("GET", "/api/sse"),
            ("GET", "/api/health"),
            ("GET", "/"),
            ("GET", "/client/index.js"),
        ):
            answer = await request(url, method, path, body=b"{}" if method == "POST" else b"")
            assert "lifespan=live.lifespan" in answer.problem(503)["detail"]
        with pytest.raises(RefusedError) as refused:
            await WebSocketClient.open(url)
        assert "lifespan" in refused.value.response.problem(503)["detail"]
        assert (await request(process.url, "GET", "/paid")).status == 500


@pytest.mark.parametrize("mount", MOUNTS)
async def test_at_its_end_everybody_is_told(mount: str, tmp_path: Path) -> None:
    with mounted(tmp_path, mount) as process:
        url = f"{process.url}/live"
        async with (
            open_stream(url, "websocket", "orders/1") as socket,
            open_stream(url, "sse", "orders/1") as sse,
        ):
            for stream in (socket, sse):
                await stream.control("caught_up")
            process.signal()
            for stream in (socket, sse):
                goodbye = await stream.control("goodbye")
                assert (goodbye.value["reason"], goodbye.value["code"]) == ("restart", 1012)
                assert goodbye.value["retry"] > 0
        assert await process.await_exit() == 0
        assert process.faults() == []
        assert "service_closed" in process.log.read_text()


@pytest.mark.parametrize("mount", ["fastapi-uvicorn", "quart-hypercorn"])
def test_a_second_worker_is_refused_with_a_word(mount: str, tmp_path: Path) -> None:
    with mounted(tmp_path, mount) as first:
        second = mounted(tmp_path, mount)
        second.log = tmp_path / "second.log"
        second.launch()
        assert second.wait() != 0
        assert "another Twinwire holds" in second.log.read_text()
        assert "start one worker" in second.log.read_text()
        assert first.returncode is None
