"""The client with tokens in a real Chromium, against a server with keys: every transport, renewal, the end, and no
token where it could be read.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.browser.bearer import DEADLINE, Bearer, history, publish
from tests.proxies.http1 import Head, html
from tests.proxies.rig import Mode, Proxy
from tests.support.api import unique
from tests.support.bearers import KEYS, revoke, ticket, token
from tests.support.server import ROOT, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TRANSPORTS: Final = ("websocket", "sse", "poll", "eventsource")
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

SHORT: Final = 4.0
"""Seconds of a token that is to end while a test looks on."""

RENEWED: Final = 12.0
"""Seconds of a token that is to be renewed in time. A page asks at the latest 5 s before the end: on a busy machine
two seconds, as those of a shorter token, may be too few, and then a new connection is right.
"""

ENTRIES: Final = """(url) => {
    window.frames = [];
    window.source = new EventSource(url);
    window.source.onmessage = ({ data }) => window.frames.push(JSON.parse(data));
}"""
"""A page's own EventSource, without the client."""


@pytest.fixture(name="guarded", scope="session")
def _guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("guarded")
    with ServerProcess(directory, env={"TWINWIRE_TOKEN_KEYS": KEYS}) as process:
        yield process


@pytest_asyncio.fixture(name="bearer", loop_scope="session")
async def _bearer(context: BrowserContext, guarded: ServerProcess) -> AsyncIterator[Bearer]:
    opened = await Bearer.open(context, guarded)
    yield opened
    opened.assert_discreet()


@every_transport
async def test_a_token_goes_over_every_transport(bearer: Bearer, transport: str) -> None:
    await bearer.connect(transports=[transport], token=bearer.mint())
    await bearer.state("live")
    ids = [await bearer.publish() for _ in range(3)]
    await bearer.until("window.events.length === 3")
    own = await bearer.seen(f"window.stream.publish({{ topic: '{bearer.topic}', type: 'log' }})")
    await bearer.until("window.events.length === 4")
    assert await bearer.events() == [*ids, own["id"]]
    assert await bearer.seen("[window.stream.transport, window.stream.subject]") == [transport, bearer.sub]
    streams = [url for url in bearer.urls if "topic=" in url]
    assert streams
    assert all("auth=required" in url for url in streams), streams
    if transport == "eventsource":
        await bearer.seen("window.stream.drop()")
        await bearer.publish()
        await bearer.until("window.events.length === 5")
        tickets = {url.rpartition("ticket=")[2] for url in bearer.urls if "ticket=" in url}
        assert len(tickets) == 2, "a fresh one for each EventSource"


@every_transport
async def test_a_token_ends_and_the_stream_goes_on(bearer: Bearer, transport: str) -> None:
    """Events are published all the while, until the page has asked for its third token."""
    bearer.ttl = SHORT if transport == "poll" else RENEWED
    await bearer.connect(transports=[transport], asks=True)
    await bearer.state("live")
    while bearer.minted < 3:
        await bearer.publish()
    await bearer.publish()
    await bearer.assert_exact()
    assert "unauthorized" not in await bearer.seen("window.notices.map(({ state }) => state)")
    if transport != "poll":
        assert await bearer.attempts() == 1, "one connection, whose token was renewed in place"
        assert {state for state, _ in await bearer.auth()} == {"expiring", "renewed"}


@every_transport
async def test_who_is_revoked_is_told(bearer: Bearer, transport: str) -> None:
    await bearer.connect(transports=[transport], token=bearer.mint())
    await bearer.state("live")
    await revoke(bearer.server.url, sub=bearer.sub)
    await bearer.state("unauthorized")
    # A poll has 401, which does not say more.
    assert await bearer.auth() == [("refused", "invalid" if transport == "poll" else "revoked")]
    assert await bearer.seen("window.stream.ready().catch((error) => error.status)") == 401


@every_transport
async def test_who_is_revoked_and_has_a_fresh_token_goes_on(bearer: Bearer, transport: str) -> None:
    await bearer.connect(transports=[transport], asks=True)
    await bearer.state("live")
    for _ in range(3):
        await bearer.publish()
    await revoke(bearer.server.url, sub=bearer.sub)
    for _ in range(3):
        await bearer.publish()
    await bearer.assert_exact()
    assert bearer.minted == 2


@pytest.mark.parametrize("transports", [[one] for one in TRANSPORTS] + [None])
async def test_a_token_that_is_no_good_ends_in_unauthorized(bearer: Bearer, transports: list[str] | None) -> None:
    """Also over a WebSocket alone, whose page is not told why a handshake fails."""
    wrong = bearer.mint(exp=1)
    await bearer.connect(token=wrong, **({} if transports is None else {"transports": transports}))
    await bearer.state("unauthorized")
    assert wrong not in json.dumps(await bearer.seen("window.notices"))


@every_transport
async def test_what_may_not_be_read_is_told(bearer: Bearer, transport: str) -> None:
    await bearer.connect(transports=[transport], topics="b", asks=True)
    await bearer.state("unauthorized")
    assert await bearer.auth() == [("refused", "forbidden")]
    assert await bearer.seen("window.stream.ready().catch((error) => error.status)") == 403
    assert bearer.minted == 1


async def test_a_token_too_long_for_a_subprotocol_is_the_first_message(bearer: Bearer) -> None:
    long = bearer.mint(subscribe=["a/**", *(f"another/topic/with/a/long/name/{n}" for n in range(99))])
    assert len(long) > 4_000
    await bearer.connect(transports=["websocket"], token=long)
    await bearer.state("live")
    await bearer.publish()
    await bearer.assert_exact()
    assert [url for url in bearer.urls if "/api/ws" in url and "auth=message" in url]


async def test_rights_that_are_lost_leave_the_topics(bearer: Bearer) -> None:
    bearer.ttl = RENEWED
    await bearer.connect(topics=[bearer.topic, "a/more"], asks=True)
    await bearer.state("live")
    bearer.claims["subscribe"] = [bearer.topic]
    await bearer.until("window.stream.topics.length === 1")
    lost = await bearer.seen("window.notices.filter(({ state }) => state === 'reduced').map(({ lost }) => lost)")
    assert lost == [["a/more"]]
    await bearer.seen("window.stream.drop()")
    await bearer.publish()
    await bearer.assert_exact()


async def test_a_browsers_own_reconnect_with_a_spent_ticket(bearer: Bearer) -> None:
    """The cookie that came with the ticket's first use lets it in again, after a kill -9 too: no user code."""
    spent = await ticket(bearer.server.url, bearer.mint(), topics=[bearer.topic])
    await bearer.seen(f"({ENTRIES})('/api/sse?topic={bearer.topic}&named=0&ticket={spent}')")
    await bearer.until("window.frames.some(({ type }) => type === 'caught_up')")
    first = await bearer.publish()
    await bearer.until("window.frames.some(({ id, topic }) => topic && id === arg)", first)
    await bearer.server.akill9()
    await bearer.server.astart()
    second = await bearer.publish()
    await bearer.until("window.frames.some(({ id, topic }) => topic && id === arg)", second)
    assert await bearer.seen("window.frames.filter(({ topic }) => topic).map(({ id }) => id)") == [first, second]
    assert await bearer.seen("window.frames.filter(({ type }) => type === 'goodbye')") == []
    tickets = [url for url in bearer.urls if "ticket=" in url]
    assert len(set(tickets)) == 1


SESSION: Final = """async (token) => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await fetch("/api/session", { method: "POST", headers })).status;
}"""


async def test_a_cookie_that_ends_is_told_to_an_event_source(bearer: Bearer) -> None:
    """Never 200 and silence: the browser comes back without the cookie, as nobody, who is not let in."""
    assert await bearer.page.evaluate(SESSION, bearer.mint(ttl=SHORT)) == 200
    await bearer.seen(f"({ENTRIES})('/api/sse?topic={bearer.topic}&named=0&auth=required')")
    await bearer.until("window.frames.some(({ type }) => type === 'caught_up')")
    await bearer.until("window.frames.filter(({ type }) => type === 'goodbye').length === 2")
    told = await bearer.seen("window.frames.filter(({ type }) => ['connection', 'goodbye'].includes(type))")
    assert [(one["type"], one.get("detail")) for one in told] == [
        ("connection", None),
        ("goodbye", "expired"),
        ("goodbye", "invalid"),
    ]


@every_transport
async def test_a_cookie_that_ends_is_told_to_the_client(bearer: Bearer, transport: str) -> None:
    await bearer.seen("import('/client/index.js').then(() => 0)")  # which takes a part of the cookie's life
    assert await bearer.page.evaluate(SESSION, bearer.mint(ttl=SHORT)) == 200
    await bearer.connect(transports=[transport], auth="required")
    await bearer.state("live")
    await bearer.state("unauthorized")
    refused = [reason for state, reason in await bearer.auth() if state == "refused"]
    assert refused == ["invalid" if transport == "poll" else "expired"]


async def test_tabs_share_among_one_subject_alone(context: BrowserContext, guarded: ServerProcess) -> None:
    """Three tabs of a group that its page named wrongly: two of ada, one of bob. One of ada's asks for the tokens."""
    options: dict[str, Any] = {"tabs": {"group": "everybody"}, "asks": True}
    names, common = (unique("ada"), unique("bob")), unique("a")
    ada, bob, again = [await Bearer.open(context, guarded, name, 2 * SHORT) for name in (names[0], names[1], names[0])]
    own = {name: f"a/{name}" for name in names}
    for tab in (ada, bob, again):
        tab.claims["subscribe"] = [common, own[tab.sub]]
        await tab.connect(topics=[common, own[tab.sub]], **options)
        await tab.state("live")
    roles = [await tab.seen("window.stream.role") for tab in (ada, bob, again)]
    assert roles == ["leader", None, "follower"]
    asked = ada.minted, again.minted
    while ada.minted < asked[0] + 2:
        for topic in (common, *own.values()):
            await publish(guarded.url, topic)
    assert again.minted == asked[1], "the tab that leads asks for both"
    last = await publish(guarded.url, common)
    for tab in (ada, bob, again):
        await tab.until("window.events.includes(arg)", last)
        assert await tab.seen("window.stream.subject") == tab.sub
        kept = {*await history(guarded.url, common), *await history(guarded.url, own[tab.sub])}
        received = await tab.events()
        assert (len(received), set(received)) == (len(kept), kept)
        tab.assert_discreet()


class Login(Mode):
    """Serves a page, and a token for who is logged in, beside the service: as a site's own web server does."""

    def __init__(self, text: str, subscribe: str) -> None:
        self._text = text
        self._subscribe = subscribe

    async def refuse(self, request: Head) -> bytes | None:
        if request.target == "/login/token":
            return html("200 OK", token("ada", subscribe=[self._subscribe]))
        return html("200 OK", self._text) if request.target == "/page.html" else None


async def test_the_page_of_the_document(context: BrowserContext, guarded: ServerProcess) -> None:
    """docs/client.md: it has its events, and is told when it may read them no more."""
    (example,) = re.findall(
        r"<!-- tokens -->\n```html\n(.*?)```\n<!-- /tokens -->", (ROOT / "docs" / "client.md").read_text(), re.DOTALL
    )
    page = await context.new_page()
    async with Proxy(guarded.port, Login(example, "news")) as proxy:
        await page.goto(f"{proxy.url}/page.html")
        said = asyncio.Queue[str]()
        page.on("console", lambda message: said.put_nowait(message.text))

        async def heard(pattern: str) -> None:
            while not re.fullmatch(pattern, await said.get()):
                pass

        async with asyncio.timeout(DEADLINE / 1_000):
            event = asyncio.create_task(heard(r"\w+-\d+ log"))
            while not event.done():  # a stream of now: what comes before it is open is not its own
                await publish(guarded.url, "news")
            await proxy.switch(Login(example, "other"))
            await revoke(guarded.url, sub="ada")
            await heard("auth refused forbidden")
            await heard("log in, then .*")
