"""Real nginx in front: with `proxy_pass` and nothing else, and with the configuration of docs/deployment.md."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser

from tests.browser.witness import Outcome, Witness, assert_exact, tap
from tests.proxies.nginx import DEFAULT, Nginx
from tests.support.bearers import KEYS, bearer, token
from tests.support.carriers import check_carriers
from tests.support.creating import new_project
from tests.support.http import Connection, request
from tests.support.server import HOST, ROOT, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def documented(document: str = "docs/deployment.md") -> str:
    """The block of a document, as people copy it."""
    blocks = re.findall(r"```nginx\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.fixture(params=["default", "documented"])
def front(request: pytest.FixtureRequest, server: ServerProcess, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The configuration's name, and the root URL of the service behind it."""
    block = DEFAULT if request.param == "default" else documented()
    with Nginx(block, server, tmp_path) as running:
        yield request.param, running.url


async def watch(browser: Browser, root: str, server: ServerProcess, transports: list[str] | None) -> Outcome:
    """A run on a page that may use these transports; None: all."""
    context = await browser.new_context(reduced_motion="reduce")
    try:
        await tap(context, transports)
        project = await new_project(server.url, f"Behind nginx over {transports or 'what works'}")
        witness = await Witness.open(context, root, server.url, project)
        await witness.live()
        await witness.generate()
        await witness.shown()
        return await witness.outcome(f"{root} {transports}")
    finally:
        await context.close()


async def test_every_transport_watches_a_run_through_nginx(
    front: tuple[str, str], browser: Browser, server: ServerProcess
) -> None:
    """With the defaults a WebSocket becomes a plain GET; everything else works with them as well."""
    name, root = front
    best = "websocket" if name == "documented" else "sse"
    roots = [root, f"{root}/live"] if name == "documented" else [root]
    asked: list[tuple[str, list[str] | None, str]] = [(at, None, best) for at in roots]
    asked += [(root, [only], only) for only in ("websocket", "sse", "poll") if (name, only) != ("default", "websocket")]
    outcomes = await asyncio.gather(*(watch(browser, at, server, transports) for at, transports, _ in asked))
    for outcome, (_, _, transport) in zip(outcomes, asked, strict=True):
        assert_exact(outcome)
        assert outcome.transport == transport, "\n".join(outcome.way)


async def test_only_the_documented_configuration_carries_upgrade_and_host(front: tuple[str, str]) -> None:
    name, root = front
    works = name == "documented"
    headers = {
        "Host": root.removeprefix("http://"),
        "Origin": root,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    connection = await Connection.open(root)
    await connection.send("GET", "/api/ws", headers=headers)
    head = await connection.read_head()
    await connection.close()
    assert head.status == (101 if works else 426)
    draft = {"topic": "nginx/publish", "type": "log", "data": 1}
    sent = {name: headers[name] for name in ("Host", "Origin")}
    answer = await request(root, "POST", "/api/events", headers=sent, json_body=draft)
    assert answer.status == (201 if works else 403)


FORBIDDING: Final = "location = /metrics { return 403; } location / {"
"""What operators put before the rest, so that a path can't be reached from outside."""


@pytest.mark.parametrize("document", ["README.md", "docs/deployment.md"])
@pytest.mark.parametrize("upgrade", ["h2c", "HTTP/2.0", "websocket, h2c", "tls/1.2"])
async def test_no_upgrade_but_a_websockets_makes_a_tunnel_past_nginx(
    tmp_path: Path, server: ServerProcess, document: str, upgrade: str
) -> None:
    """In a tunnel nginx sees bytes alone, and a path that it forbids would be reached."""
    with Nginx(documented(document).replace("location / {", FORBIDDING, 1), server, tmp_path) as front:
        assert (await request(front.url, "GET", "/metrics")).status == 403
        connection = await Connection.open(front.url)
        headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        await connection.send("GET", "/api/health", headers=headers)
        head = await connection.read_head()
        await connection.close()
        assert head.status == 200, "answered in HTTP/1.1, as if nothing had been asked for"


@pytest.mark.parametrize("prefix", ["", "/live"])
async def test_credentials_pass_nginx(tmp_path: Path, prefix: str) -> None:
    """In a header, as a subprotocol, as a ticket whose cookie is sent back below the prefix; no other scheme does."""
    mine = token("ada", subscribe=["a"])
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none", "TWINWIRE_TRUSTED_HOPS": HOST}
    with ServerProcess(tmp_path / "guarded", env=env) as guarded, Nginx(documented(), guarded, tmp_path) as front:
        await check_carriers(front.url, guarded.url, prefix)
        forwarded = {**bearer(mine), "X-Forwarded-Proto": "https"}
        session = await request(front.url, "POST", f"{prefix}/api/session", headers=forwarded)
        assert (session.header("set-cookie") or "").startswith("twinwire="), "what the client says of https is gone"


async def streaming(url: str, source: str, **headers: str) -> tuple[int, Connection]:
    """Ask for a stream from an address of this machine; the answer's status."""
    host, port = url.removeprefix("http://").split(":")
    connection = Connection(*await asyncio.open_connection(host, int(port), local_addr=(source, 0)))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await connection.send("GET", "/api/sse?topic=a", headers=named)
    return (await connection.read_head()).status, connection


async def test_the_clients_address_passes_nginx_and_nobody_elses_word(tmp_path: Path) -> None:
    env = {"TWINWIRE_APPS": "none", "TWINWIRE_TRUSTED_HOPS": HOST, "TWINWIRE_ADDRESS_STREAMS": "1"}
    with ServerProcess(tmp_path / "counted", env=env) as counted, Nginx(documented(), counted, tmp_path) as front:
        opened: list[Connection] = []
        for source, headers, status in (
            ("127.0.0.2", {}, 200),
            ("127.0.0.2", {}, 429),
            ("127.0.0.2", {"X_Forwarded_For": "192.0.2.1"}, 429),
            ("127.0.0.2", {"Forwarded": "for=192.0.2.1"}, 429),
            ("127.0.0.3", {}, 200),
        ):
            found, connection = await streaming(front.url, source, **headers)
            opened.append(connection)
            assert found == status, (source, headers)
        for connection in opened:
            connection.reset()
