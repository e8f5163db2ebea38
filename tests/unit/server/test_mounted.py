"""The service as a guest, below whatever path and on whatever server."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import ConfigError, UnsupportedError
from service.server.mounted import Mounted
from service.settings import Settings
from tests.support.wires import Exchange, Socket, call, http_scope


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({"database": tmp_path / "live.db", "grace": 5, "token_keys": ""})


@pytest.fixture
async def mounted(settings: Settings) -> AsyncIterator[Mounted]:
    mounted = Mounted(settings, is_open=True)
    await mounted.start()
    yield mounted
    await mounted.stop()


class Lifespan:
    """A server's."""

    def __init__(self, app: Mounted) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task = asyncio.create_task(app({"type": "lifespan"}, self.inbox.get, self.sent.put))

    async def say(self, what: str) -> dict[str, Any]:
        self.inbox.put_nowait({"type": f"lifespan.{what}"})
        return await asyncio.wait_for(self.sent.get(), 20)


def below(root: str, path: str) -> dict[str, Any]:
    """As Starlette hands it on."""
    return http_scope("GET", f"{root}{path}") | {"root_path": root}


def test_who_may_come_in_has_to_be_said(settings: Settings) -> None:
    with pytest.raises(ConfigError) as refusal:
        Mounted(settings)
    assert refusal.value.field == "keys"


async def test_served_by_itself_the_servers_lifespan_starts_and_stops_it(settings: Settings) -> None:
    mounted = Mounted(settings, is_open=True)
    lifespan = Lifespan(mounted)
    assert await lifespan.say("startup") == {"type": "lifespan.startup.complete"}
    assert (await call(mounted, "GET", "/api/health")).status == 200
    other = Lifespan(Mounted(settings, is_open=True))
    failed = await other.say("startup")
    assert (failed["type"], "another Twinwire holds" in failed["message"]) == ("lifespan.startup.failed", True)
    assert "one process serves a database" in failed["message"]
    await other.task
    assert await lifespan.say("shutdown") == {"type": "lifespan.shutdown.complete"}
    await lifespan.task
    assert not mounted.is_serving


async def test_who_starts_it_last_stops_it(settings: Settings) -> None:
    mounted = Mounted(settings, is_open=True)
    await asyncio.gather(mounted.start(), mounted.start())
    await mounted.stop()
    assert (await call(mounted, "GET", "/api/health")).status == 200
    await mounted.stop()
    (await call(mounted, "GET", "/api/health")).problem(503)


@pytest.mark.parametrize("root", ["", "/live", "/a/b"])
async def test_it_answers_below_its_root(mounted: Mounted, root: str) -> None:
    assert (await Exchange(mounted, below(root, "/api/topics")).answer()).json()["topics"] == []
    answer = await Exchange(mounted, below(root, "/api/ws")).answer()
    assert answer.problem(426)["sse"] == f"{root}/api/sse"
    assert (await Exchange(mounted, below(root, "/lab.html")).answer()).status == 200


async def test_without_a_slash_it_leads_to_its_folder(mounted: Mounted) -> None:
    scope = below("/live", "") | {"query_string": b"topic=a"}
    answer = await Exchange(mounted, scope).answer()
    assert (answer.status, answer.headers["location"]) == (308, "/live/?topic=a")
    cut = http_scope("GET", "/") | {"raw_path": b"//evil.example"}
    assert (await Exchange(mounted, cut).answer()).headers["location"] == "/evil.example/"


async def test_a_socket_is_refused_by_an_answer_or_by_a_close(mounted: Mounted) -> None:
    """As the server can (ASGI, "WebSocket Denial Response")."""
    denial = "websocket.http.response"
    for extensions, kind in (({denial: {}}, f"{denial}.start"), (None, "websocket.close")):
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        scope = below("/live", "/api/nothing") | {"type": "websocket", "extensions": extensions}
        await mounted(scope, receive, send)
        assert sent[0]["type"] == kind
        assert len(sent) == (2 if extensions else 1)
    await Mounted(mounted._settings, is_open=True)(scope, receive, send)
    assert sent[1] == {"type": "websocket.close", "code": 1013, "reason": ""}


async def test_a_socket_whose_client_has_left_is_no_fault(mounted: Mounted) -> None:
    async def send(message: object) -> None:
        raise OSError("of the server's own kind")

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await mounted(http_scope("GET", "/api/ws") | {"type": "websocket"}, receive, send)


class Exchanging:
    """As uvicorn has it, of a request (`response_complete`) or of a WebSocket (`close_sent`)."""

    def __init__(self, **state: bool) -> None:
        vars(self).update(state)
        self.transport = self
        self.is_aborted = False
        self.has_begun = False

    def abort(self) -> None:
        self.is_aborted = True

    async def receive(self) -> dict[str, Any]:
        before, self.has_begun = self.has_begun, True
        return {"type": "http.disconnect"} if before else {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        pass


@pytest.mark.parametrize("state", ["response_complete", "close_sent"])
@pytest.mark.parametrize("is_over", [True, False])
async def test_who_was_not_sent_the_end_has_none_to_take(mounted: Mounted, state: str, is_over: bool) -> None:
    """Uvicorn would wait without a limit, also when it stops."""
    exchange = Exchanging(**{state: is_over})
    await mounted(http_scope("GET", "/api/sse"), exchange.receive, exchange.send)
    assert exchange.is_aborted is not is_over


@pytest.fixture
def server() -> Iterator[None]:
    """That handles signals."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("server")
async def test_a_signal_sends_everybody_away_before_the_server_waits_for_them(settings: Settings) -> None:
    mounted = Mounted(settings, is_open=True)
    await mounted.start()
    socket = Socket().open(mounted, "topic=a")
    await socket.next("caught_up")
    signal.raise_signal(signal.SIGTERM)
    (goodbye,) = await socket.next("goodbye")
    assert goodbye["reason"] == "restart"
    await socket.ended()
    (await call(mounted, "POST", "/api/events", "", {"Content-Type": "application/json"}, b"{}")).problem(503)
    await mounted.stop()


async def test_its_end_sends_everybody_away(settings: Settings) -> None:
    mounted = Mounted(settings, is_open=True)
    await mounted.start()
    socket = Socket().open(mounted, "topic=a")
    await socket.next("caught_up")
    await mounted.stop()
    await socket.ended()
    assert (socket.frames[-1]["type"], socket.close_code) == ("goodbye", 1012)


async def test_whoever_watches_it_waits_for_nobodys_word(settings: Settings) -> None:
    asked: list[str] = []

    async def ask(scope: Any) -> None:
        asked.append(scope["path"])
        raise RuntimeError("the database of sessions is away")

    mounted = Mounted(settings, ask=ask)
    await mounted.start()
    try:
        for path in ("/api/health", "/api/ready", "/api/openapi.json"):
            assert (await call(mounted, "GET", path)).status == 200
        await call(mounted, "OPTIONS", "/api/events")
        assert asked == []
        (await call(mounted, "GET", "/api/events")).problem(503)
        assert asked == ["/api/events"]
    finally:
        await mounted.stop()


async def test_it_serves_one_loop_and_a_stop_too_many_does_nothing(settings: Settings) -> None:
    mounted = Mounted(settings, is_open=True)
    await mounted.stop()
    await mounted.start()

    def start_elsewhere() -> None:
        asyncio.run(mounted.start())

    with pytest.raises(UnsupportedError, match="another event loop"):
        await asyncio.to_thread(start_elsewhere)
    assert (await call(mounted, "GET", "/api/health")).status == 200
    await mounted.stop()
    await mounted.stop()
    assert not mounted.is_serving
    await mounted.start()
    assert mounted.is_serving
    await mounted.stop()
