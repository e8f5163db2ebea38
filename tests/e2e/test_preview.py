"""Applications under host names of their own: what reaches one, what of it gets out, and who is let in."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bearers import KEYS, ask, revoke, token
from tests.support.http import Connection, request
from tests.support.needs import need
from tests.support.opening import MODULE, UNCONFINED, Guest, again, completed, entered, host_of, opened
from tests.support.server import ServerProcess
from tests.support.websocket import RefusedError, WebSocketClient


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Without keys."""
    with ServerProcess(tmp_path_factory.mktemp("apps"), env=UNCONFINED, module=MODULE) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {**UNCONFINED, "TWINWIRE_TOKEN_KEYS": KEYS}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env, module=MODULE) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


OWNER = token("owner", publish=["projects", "projects/*"], run=["projects/*"], subscribe=["projects", "projects/*"])


async def test_it_is_opened_and_answers_under_its_own_name_alone(server: ServerProcess) -> None:
    id = await completed(server.url)
    before = (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()
    assert before["state"] == "stopped"
    view = await opened(server, id)
    assert view["state"] in ("starting", "running")
    assert view["ticket"] is None  # nobody has to say who he is here
    assert view["url"] == f"http://{host_of(server, id)}/"

    guest = Guest(server, id)
    answer = await guest.get()
    assert (answer.status, answer.text.partition("\n")[2]) == (200, "<h1>Naughty</h1>")
    after = (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()
    assert after["state"] == "running"
    for path in ("/api/projects", "/api/health", "/api/ready", "/metrics", "/client/index.js", "/api/sse?topic=**"):
        assert "Naughty" in (await guest.get(path)).text, path
    assert (await ask(server.url, "DELETE", f"/api/projects/{id}/app")).status == 204
    assert (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()["state"] == "stopped"
    assert "Naughty" in (await guest.get()).text  # started on demand


async def test_hosts_that_look_alike(server: ServerProcess) -> None:
    id = await completed(server.url)
    name = f"app-{id}.localhost"
    own = (name.upper(), f"{name}.", f"{name}:1", f"{name}.:{server.port}")
    for host in own:
        assert "Naughty" in (await request(server.url, "GET", "/api/health", headers={"Host": host})).text, host
    for host in ("app-nothing.localhost", f"x.{name}", "app-.localhost", "app-a_b.localhost", f"app-{id}-.localhost"):
        answer = await request(server.url, "GET", "/api/health", headers={"Host": host})
        assert answer.status == 404, (host, answer.body)
        assert answer.header("content-type") == "text/plain; charset=utf-8"
    for host in (f"{name}.evil", f"{name}.evil.example", f"{name}@evil", f"evil/{name}"):
        answer = await request(server.url, "GET", "/api/projects", headers={"Host": host})
        assert answer.status in (400, 421), (host, answer.body)
    for path in ("//x", "//api/health"):
        answer = await request(server.url, "GET", path, headers={"Host": name})
        assert b"{" not in answer.body  # whatever it is, it is not the service's
    connection = await Connection.open(server.url)
    whole = await connection.request("GET", f"http://{name}/api/health", headers={"Host": "localhost"})
    assert "Naughty" in whole.text  # RFC 9112, 3.2.2: the target's host counts
    back = await connection.request("GET", "http://localhost/api/health", headers={"Host": name})
    assert back.json()["status"] == "ok"
    await connection.close()


async def test_what_says_who_one_is_stays_here(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    head = await guest.get(
        "/echo?a=%2F..&b",
        Authorization="Bearer x",
        Cookie="twinwire=secret",
        X_Forwarded_For="192.0.2.1",
        Forwarded="for=192.0.2.1",
        X_Twinwire_Fetch="1",
        Proxy_Authorization="Basic x",
        Connection="X-Named, keep-alive",
        X_Named="1",
        X_Own="kept",
    )
    lines = head.text.lower().splitlines()
    assert lines[0] == "get /echo?a=%2f..&b http/1.1"
    names = [line.partition(":")[0] for line in lines[1:] if line]
    assert sorted(names) == ["connection", "host", "x-own"]
    assert f"host: {guest.host}" in lines


async def test_what_reaches_beyond_an_application_is_taken_off(server: ServerProcess) -> None:
    id = await completed(server.url)
    await opened(server, id)
    answer = await Guest(server, id).get("/headers")
    fields = {name: value for name, value in answer.head.fields if name not in ("date", "server")}
    assert fields == {
        "content-security-policy": f"frame-ancestors {server.url}",
        "cache-control": "no-store",
        "referrer-policy": "same-origin",
        "x-own": "1",
        "content-length": "2",
    }
    policies = [value for name, value in answer.head.fields if name == "content-security-policy"]
    assert policies == ["default-src 'self'", f"frame-ancestors {server.url}"]


@pytest.mark.parametrize("path", ["/clte", "/lengths", "/junk", "/status", "/switch", "/nul"])
async def test_what_is_no_answer_is_none(server: ServerProcess, path: str) -> None:
    guest = Guest(server, await completed(server.url))
    answer = await guest.get(path)
    assert answer.status == 502, answer.body
    assert answer.text.startswith(("What the application answers", "The answer", "The application has hung up", "999"))


async def test_an_answer_ends_where_it_says(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    connection = await Connection.open(server.url)
    for _ in range(2):  # what comes behind the first is nobody's
        assert (await connection.request("GET", "/more", headers=guest.fields())).text == "hello"
    assert (await connection.request("GET", "/early", headers=guest.fields())).text == "ok"
    with pytest.raises(ConnectionError):
        await connection.request("GET", "/less", headers=guest.fields())
    await connection.close()


async def test_one_that_dies_is_told_with_what_it_said(server: ServerProcess) -> None:
    id = await completed(server.url)
    guest = Guest(server, id)
    await guest.get()
    answer = await guest.get("/die")
    assert answer.status == 502
    assert answer.text.startswith("The application does not run: it has ended by itself with exit code 3.")
    assert "about to die" in answer.text
    view = (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()
    assert (view["state"], view["message"]) == ("failed", "it has ended by itself with exit code 3")
    assert "about to die" in view["tail"]
    assert "exit code 3" in (await guest.get()).text  # it is not started by every picture of a page
    assert (await opened(server, id))["state"] == "starting"
    assert "Naughty" in (await guest.get()).text


async def test_a_newer_run_takes_its_place(server: ServerProcess) -> None:
    id = await completed(server.url)
    guest = Guest(server, id)
    first = (await guest.get()).text
    run = await again(server.url, id)
    async with asyncio.timeout(30):
        while (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()["run"] != run:
            await asyncio.sleep(0.05)
    assert (await guest.get()).text != first
    assert (await ask(server.url, "DELETE", f"/api/projects/{id}")).status == 204
    async with asyncio.timeout(30):
        while (await guest.get()).status == 200:
            await asyncio.sleep(0.05)


async def test_bodies_are_streamed_and_bounded(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    size = 3 << 20
    assert (await guest.get("/count", "POST", b"x" * size)).text == str(size)
    before = server.memory()
    assert (await guest.get("/count", "POST", b"x" * (17 << 20))).status == 413
    connection = await Connection.open(server.url, receive_buffer=4_096)
    await connection.send("GET", "/huge", headers=guest.fields())
    assert (await connection.read_head()).status == 200
    fast = await Connection.open(server.url, receive_buffer=4_096)
    await fast.send("GET", "/events?fast", headers=guest.fields())
    assert (await fast.read_head()).status == 200
    for _ in range(50):
        assert "Naughty" in (await guest.get()).text  # others are served meanwhile
    assert server.memory() - before < 24 << 20
    connection.reset()
    fast.reset()


async def test_events_come_as_they_are_sent(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    connection = await Connection.open(server.url)
    await connection.send("GET", "/events", headers=guest.fields())
    head = await connection.read_head()
    assert head.header("content-type") == "text/event-stream"
    seen = b""
    async with asyncio.timeout(30):
        async for piece in connection.pieces(head):
            seen += piece
            if b"data: 3\n" in seen:
                break
    connection.reset()


async def test_a_websocket_passes_both_ways(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    before = server.memory()
    origin = {"Origin": f"http://{guest.host}"}
    client = await WebSocketClient.open(server.url, "/ws", headers=guest.fields({**origin, "Authorization": "x"}))
    for text in ("hello", "h\u00e9llo", "x" * 60_000):
        await client.send_text(text)
        assert await client.receive() == [text]
    await client.send_text("head")
    fields = json.loads((await client.receive())[0].replace("'", '"'))
    assert "authorization" not in fields
    assert "sec-websocket-extensions" not in fields
    await client.send_text("close")
    assert await client.wait_closed() == 4001
    await client.close()

    flooded = await WebSocketClient.open(server.url, "/ws", headers=guest.fields(origin), receive_buffer=4_096)
    await flooded.send_text("flood")
    for _ in range(50):
        assert "Naughty" in (await guest.get()).text
    assert server.memory() - before < 24 << 20
    flooded.reset()
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(server.url, "/none", headers=guest.fields(origin))
    assert refused.value.response.status == 502
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(server.url, "/ws", headers=guest.fields({"Origin": server.url}))
    assert refused.value.response.status == 403


async def test_pages_of_other_origins_do_not_reach_it(server: ServerProcess) -> None:
    guest = Guest(server, await completed(server.url))
    own = f"http://{guest.host}"
    assert (await guest.get(Origin=own)).status == 200
    assert (await guest.get("/count", "POST", Origin=own, Sec_Fetch_Site="same-origin")).status == 200
    assert (await guest.get(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")).status == 200
    for fields in (
        {"Origin": server.url},
        {"Origin": "null"},
        {"Origin": f"https://{guest.host}.evil.example"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    ):
        assert (await guest.get(**fields)).status == 403, fields
    assert (await guest.get("/count", "POST", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")).status == 403
    assert (await guest.get("/sw.js", Service_Worker="script")).status == 403
    assert (await guest.get("/", "TRACE")).status == 405


async def test_its_origin_is_never_the_services_own(server: ServerProcess) -> None:
    id = await completed(server.url)
    fields = {"Origin": f"http://{host_of(server, id)}", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
    draft = {"topic": "from/app", "type": "x", "data": 1}
    assert (await request(server.url, "POST", "/api/events", headers=fields, json_body=draft)).status == 403
    for path in ("/api/projects", "/api/events?topic=**", "/api/sse?topic=**", "/api/state?topic=**"):
        answer = await request(server.url, "GET", path, headers=fields)
        assert answer.status == 403, path
        assert answer.header("access-control-allow-origin") is None
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(server.url, query={"topic": "**"}, headers=fields)
    assert refused.value.response.status == 403


async def test_where_somebody_has_to_say_who_he_is(guarded: ServerProcess) -> None:
    id, other = await completed(guarded.url, OWNER), await completed(guarded.url, OWNER)
    stranger = Guest(guarded, id)
    unknown = Guest(guarded, "nothing")
    for guest in (stranger, unknown):
        refused = await guest.get()
        assert (refused.status, refused.text) == (403, (await stranger.get()).text)
    assert (await ask(guarded.url, "POST", f"/api/projects/{id}/app")).status == 401
    reader = token("reader", publish=["projects/*"], subscribe=["projects/*"])
    assert (await ask(guarded.url, "POST", f"/api/projects/{id}/app", reader)).status == 403

    view = await opened(guarded, id, OWNER)
    path = view["url"].removeprefix(f"http://{host_of(guarded, id)}")
    assert (await Guest(guarded, other).get(path)).status == 403  # another's, and spent by that
    assert (await stranger.get(path)).status == 403
    path = (await opened(guarded, id, OWNER))["url"].removeprefix(f"http://{host_of(guarded, id)}")
    entry = await stranger.get(path)
    assert (entry.status, entry.header("location")) == (303, "/")
    cookies = [value for name, value in entry.head.fields if name == "set-cookie"]
    assert all("HttpOnly" in one and "Path=/" in one and "Domain" not in one for one in cookies)
    assert "SameSite=None; Partitioned" in cookies[0]
    assert "Secure" in cookies[0]
    assert (await stranger.get(path)).status == 403  # a second time

    for one in cookies:
        cookie = one.partition(";")[0]
        assert "Naughty" in (await Guest(guarded, id, cookie).get()).text
        assert "cookie" not in (await Guest(guarded, id, cookie).get("/echo")).text.lower()
        assert (await Guest(guarded, other, cookie).get()).status == 403
        assert (await request(guarded.url, "GET", "/api/session", headers={"Cookie": cookie})).json()["subject"] is None
    planted = Guest(guarded, id, "twinwire-app=mine; " + cookies[0].partition(";")[0])
    assert (await planted.get()).status == 200
    with pytest.raises(RefusedError) as refusal:
        await WebSocketClient.open(guarded.url, "/ws", headers=stranger.fields())
    assert refusal.value.response.status == 403


async def test_who_is_revoked_is_out_at_once(guarded: ServerProcess) -> None:
    id = await completed(guarded.url, OWNER)
    text = token("leaver", jti="leaves", run=["projects/*"])
    guest = await entered(guarded, id, text)
    client = await WebSocketClient.open(guarded.url, "/ws", headers=guest.fields())
    await revoke(guarded.url, jti="leaves")
    assert (await guest.get()).status == 403
    assert await client.wait_closed() == 1012
    await client.close()


async def test_nobody_looks_and_it_is_stopped(tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {**UNCONFINED, "TWINWIRE_PREVIEW_IDLE": "5", "TWINWIRE_PREVIEW_APPS": "2"}
    with ServerProcess(tmp_path_factory.mktemp("idle"), env=env, module=MODULE) as server:
        id, other = await completed(server.url), await completed(server.url)
        guest = Guest(server, id)
        await guest.get()
        held = await Connection.open(server.url)
        await held.send("GET", "/events", headers=guest.fields())
        await held.read_head()
        refused = await Guest(server, other).get()  # one of two is the most of one caller
        assert refused.status == 429
        held.reset()
        async with asyncio.timeout(30):
            while "preview_stopped" not in server.log.read_text():
                await asyncio.sleep(0.1)
        assert "Naughty" in (await Guest(server, other).get()).text
        # An event stream that is open when the service stops does not hold it up.
        held = await Connection.open(server.url)
        await held.send("GET", "/events", headers=Guest(server, other).fields())
        await held.read_head()
        assert server.stop() == 0
        assert server.faults() == []
        await held.close()


async def test_what_agents_wrote_is_opened_shut_in_where_the_kernel_can(tmp_path: Path) -> None:
    """All twelve of them, and the real sandbox."""
    with ServerProcess(tmp_path, env={"TWINWIRE_RUN_APPS": "1"}) as server:
        id = await completed(server.url)
        view = (await ask(server.url, "GET", f"/api/projects/{id}/app")).json()
        need(None if view["state"] == "off" else "", view["message"])
        await opened(server, id)
        guest = Guest(server, id)
        page = await guest.get()
        assert (page.status, "<h1>Overview</h1>" in page.text) == (200, True)
        fields = {"Content_Type": "application/x-www-form-urlencoded", "Origin": f"http://{guest.host}"}
        made = await guest.get("/people/new", "POST", b"name=Ada&email=ada%40example.org&age=36", **fields)
        assert made.status == 303, made.body
        assert "Ada" in (await guest.get("/people")).text
        assert (await guest.get("/", "HEAD")).header("content-length") is not None
        assert server.stop() == 0
        assert server.faults() == []
