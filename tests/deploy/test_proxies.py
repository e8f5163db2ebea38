"""The proxies' files in deploy/, as they stand: each is parsed, and run in front of a real server.

nginx is also run with the document's block and a real browser, in tests/proxies/test_nginx.py.
"""

import asyncio
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from service.core.limits import REQUEST_MAX, WAIT_MAX
from service.settings import Settings
from tests.deploy.echo import echo, received
from tests.deploy.fronts import DEPLOY, FRONTS, Front, HAProxy, caddy, haproxy, text
from tests.proxies.nginx import nginx
from tests.support import api
from tests.support.bearers import KEYS, bearer, token
from tests.support.carriers import check_carriers
from tests.support.clients import (
    STREAMING,
    TRANSPORTS,
    Collector,
    Transport,
    WebSocketCollector,
    connect,
    open_sse,
    open_stream,
)
from tests.support.http import request, target
from tests.support.server import HOST, ROOT, ServerProcess
from tests.support.websocket import WebSocketClient

BLOCKS: Final = {"nginx": "nginx.conf", "caddyfile": "Caddyfile", "haproxy": "haproxy.cfg"}
"""By the language of the block in docs/deployment.md that shows it."""
PREFIXES: Final = ("", "/live")
ASKING: Final = {
    "HTTP2-Settings": "AAMAAABkAAQAAP",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""What stands beside an `Upgrade`."""

every_front = pytest.mark.parametrize("name", FRONTS)
every_prefix = pytest.mark.parametrize("prefix", PREFIXES)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A service with a key, and its example application."""
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_TRUSTED_HOPS": HOST}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as server:
        yield server


@pytest.fixture(scope="module", params=FRONTS)
def front(
    request: pytest.FixtureRequest, guarded: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Each proxy in turn, for all tests that leave the service alone."""
    with FRONTS[request.param](guarded, tmp_path_factory.mktemp(request.param)) as running:
        yield running


# The files


@pytest.mark.parametrize("language", BLOCKS)
def test_the_document_shows_the_file(language: str) -> None:
    document = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    assert block == text(BLOCKS[language])


def checked(command: Sequence[str]) -> str:
    """What the program says of the file, which it takes."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr + done.stdout


def test_haproxy_takes_its_file_without_a_warning() -> None:
    assert "WARNING" not in checked([haproxy(), "-c", "-f", str(DEPLOY / "haproxy.cfg")])


def test_caddy_takes_its_file_as_it_would_format_it(tmp_path: Path) -> None:
    said = checked([caddy(), "validate", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"])
    assert "Valid configuration" in said
    copy = tmp_path / "Caddyfile"
    copy.write_text(text("Caddyfile"))
    checked([caddy(), "fmt", "--overwrite", str(copy)])
    assert copy.read_text() == text("Caddyfile")


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    folders = "".join(
        f"{one}_temp_path {tmp_path / one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path / 'pid'};\nerror_log {tmp_path / 'error.log'};\nevents {{}}\n"
        f"http {{\naccess_log off;\n{folders}\n{text('nginx.conf')}}}\n"
    )
    assert "warn" not in checked([nginx(), "-t", "-c", str(config)])


def test_silence_may_last_longer_than_heartbeats_and_polls_are_apart() -> None:
    quiet = max(Settings.read().stream.heartbeat, WAIT_MAX)
    seconds = [
        *re.findall(r"proxy_read_timeout (\d+)s;", text("nginx.conf")),
        *re.findall(r"timeout (?:client|server) (\d+)s\n", text("haproxy.cfg")),
    ]
    assert len(seconds) == 4
    assert min(map(int, seconds)) > quiet


# What passes


async def opened(front: Front, prefix: str, transport: Transport, topic: str, bears: str) -> Collector:
    """A stream below the prefix, past its first frame."""
    query, headers = {"topic": topic}, bearer(bears)
    stream: Collector
    if transport == "websocket":
        stream = WebSocketCollector(
            await WebSocketClient.open(front.url, f"{prefix}/api/ws", query=query, headers=headers)
        )
    else:
        stream = await open_sse(front.url, target(f"{prefix}/api/sse", query), headers=headers)
    assert (await stream.next()).type == "connection"
    return stream


@every_prefix
@pytest.mark.parametrize("transport", STREAMING)
async def test_a_stream_gets_what_is_published_through_the_same_door(
    front: Front, prefix: str, transport: Transport
) -> None:
    topic = api.unique("front")
    mine = token("ada", subscribe=[topic], publish=[topic])
    stream = await opened(front, prefix, transport, topic, mine)
    draft = {"topic": topic, "type": "log", "data": 1}
    answer = await request(front.url, "POST", f"{prefix}/api/events", headers=bearer(mine), json_body=draft)
    assert answer.status == 201
    assert [event.id for event in await stream.events(1)] == [answer.json()["id"]]
    stream.reset()


@every_prefix
async def test_a_poll_waits_through_it(front: Front, prefix: str) -> None:
    topic = api.unique("front")
    mine = bearer(token("ada", subscribe=[topic], publish=[topic]))
    path = f"{prefix}/api/events"
    first = (await request(front.url, "GET", path, query={"topic": topic}, headers=mine)).json()["cursor"]
    query = {"topic": topic, "after": first, "wait": 20}
    waiting = asyncio.create_task(request(front.url, "GET", path, query=query, headers=mine))
    draft = {"topic": topic, "type": "log", "data": 1}
    await request(front.url, "POST", path, headers=mine, json_body=draft)
    assert [event["data"] for event in (await waiting).json()["events"]] == [1]


async def test_the_largest_request_passes(front: Front) -> None:
    topic = api.unique("front")
    mine = bearer(token("ada", publish=[topic]))
    line = b'{"topic":"%b","type":"log","data":"%b"}\n' % (topic.encode(), b"x" * 60_000)
    body = line * (REQUEST_MAX // len(line))
    fields = {**mine, "Content-Type": api.NDJSON}
    answer = await request(front.url, "POST", "/api/events", headers=fields, body=body)
    assert (answer.status, len(body) > REQUEST_MAX - 100_000) == (201, True)


@every_prefix
async def test_credentials_pass_and_a_tickets_cookie_is_sent_back_there(
    front: Front, guarded: ServerProcess, prefix: str
) -> None:
    await check_carriers(front.url, guarded.url, prefix)


@every_prefix
async def test_where_something_was_made_is_told_below_the_prefix(front: Front, prefix: str) -> None:
    mine = bearer(token("ada", publish=["projects"], subscribe=["projects/**"]))
    draft = {"name": "Tracker", "brief": "tasks: title text"}
    made = await request(front.url, "POST", f"{prefix}/api/projects", headers=mine, json_body=draft)
    assert made.status == 201
    location = urlsplit(made.header("location") or "").path  # nginx makes it absolute
    assert location.startswith(f"{prefix}/api/projects/")
    assert (await request(front.url, "GET", location, headers=mine)).status == 200


async def test_https_is_what_the_proxy_says_and_nobody_else(front: Front) -> None:
    fields = {**bearer(token("ada")), "X-Forwarded-Proto": "https"}
    session = await request(front.url, "POST", "/api/session", headers=fields)
    assert (session.header("set-cookie") or "").startswith("twinwire="), "no __Host-, no Secure"


# What reaches the service


@every_front
@every_prefix
async def test_no_upgrade_but_a_websockets_goes_on(tmp_path: Path, name: str, prefix: str) -> None:
    """In a tunnel a proxy sees bytes alone, and a path that it forbids would be reached."""
    async with echo() as server:
        with FRONTS[name](server, tmp_path) as front:
            for upgrade in ("h2c", "HTTP/2.0", "websocket, h2c", "tls/1.2"):
                fields = {**ASKING, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade}
                answer = received(await request(front.url, "GET", f"{prefix}/api/health", headers=fields))
                assert (answer.target, answer.get("upgrade")) == ("/api/health", ""), upgrade
            both = {**ASKING, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "websocket", "upgrade": "h2c"}
            answer = received(await request(front.url, "GET", f"{prefix}/api/health", headers=both))
            assert answer.get("upgrade") in ("", "websocket"), "in two lines"


@every_front
async def test_a_websocket_goes_on_with_all_that_it_needs(tmp_path: Path, name: str) -> None:
    sent = {
        **ASKING,
        "Host": "live.example.org:8443",
        "Connection": "Upgrade",
        "Upgrade": "WebSocket",
        "Sec-WebSocket-Protocol": "twinwire.v1, twinwire.bearer.x",
        "Authorization": "Bearer x",
        "Cookie": "twinwire=x",
        "Origin": "http://live.example.org:8443",
    }
    async with echo() as server:
        with FRONTS[name](server, tmp_path) as front:
            invented = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
            head = received(await request(front.url, "GET", "/api/ws", headers={**sent, **invented}))
    for field, value in sent.items():
        assert head.get(field.lower()) == value.lower()
    assert head.get("x-forwarded-for").endswith(HOST), "the last hop's word comes last"
    assert head.get("forwarded") == "", "nobody wrote it but the client"


# A restart


@every_front
async def test_who_comes_while_nobody_is_there_waits_if_the_proxy_can(tmp_path: Path, name: str) -> None:
    """nginx has no patience: it answers 502, and clients come back by themselves."""
    with ServerProcess(tmp_path / "server") as server, FRONTS[name](server, tmp_path) as front:
        assert await asyncio.to_thread(server.stop) == 0
        coming = asyncio.create_task(request(front.url, "GET", "/api/health"))
        if name == "nginx":
            assert (await coming).status == 502
            return
        await server.astart()
        assert (await coming).status == 200
        async with open_stream(front.url, "sse", "a") as stream:
            await stream.control("caught_up")


async def test_haproxy_notices_the_announcement_and_lets_clients_in_all_the_same(tmp_path: Path) -> None:
    """The file's second server is the same process: what is not ready still serves."""
    env = {"TWINWIRE_DRAIN_DELAY": "300"}
    with ServerProcess(tmp_path / "server", env=env) as server, HAProxy(server, tmp_path) as front:
        async with asyncio.timeout(60):
            assert (await request(front.url, "GET", "/api/ready")).status == 200
            while not (await asyncio.to_thread(front.state, "one")).startswith("UP"):
                await request(server.url, "GET", "/api/ready")
            server.signal(signal.SIGTERM)
            while not (await asyncio.to_thread(front.state, "one")).startswith("DOWN"):
                await request(server.url, "GET", "/api/ready")
        for transport in TRANSPORTS:
            stream = await connect(front.url, transport, "a")
            cursor = await api.publish(front.url, "a")
            assert [event.id for event in await stream.events(1)] == [cursor]
            stream.reset()
        server.signal(signal.SIGTERM)
        assert await server.await_exit() == 0
