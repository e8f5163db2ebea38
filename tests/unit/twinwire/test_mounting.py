"""The service in an application: what it is made with, and what its application does with it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import twinwire
from service.core import limits
from tests.support.bearers import ADMIN, KEYS, bearer, token
from tests.support.tokens import entry
from tests.support.wires import call
from twinwire import Caller, ClosedError, Draft, InvalidError, Live, RawJson, RefusedError, TwinwireError


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TWINWIRE_TOKEN_KEYS", "TWINWIRE_DATABASE", "TWINWIRE_APPS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "live.db"


@pytest.fixture
def live(database: Path) -> Live:
    return twinwire.asgi(database, open=True, grace=0)


@contextmanager
def refused(status: int, field: str | None = None) -> Iterator[None]:
    with pytest.raises(TwinwireError) as refusal:
        yield
    assert (refusal.value.status, refusal.value.field) == (status, field), refusal.value


# What it is made with


def test_nothing_is_open_by_oversight(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_OPEN", "1")
    for keys in (None, "", " "):
        with pytest.raises(InvalidError) as refusal:
            twinwire.asgi(database, keys=keys)
        for way in ("keys=", "caller=", "TWINWIRE_TOKEN_KEYS", "open=True"):
            assert way in refusal.value.detail
    with pytest.raises(InvalidError, match="0 entries"):
        twinwire.asgi(database, keys=[])
    assert not database.exists()


async def test_keys_come_in_every_form(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys.json").write_text(KEYS)
    for keys in ([entry()], KEYS, tmp_path / "keys.json", str(tmp_path / "keys.json")):
        async with twinwire.asgi(database, keys=keys) as live:
            assert (await call(live, "GET", "/api/topics", "", ADMIN)).status == 200
            (await call(live, "GET", "/api/topics")).problem(401, "topic")
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", KEYS)
    async with twinwire.asgi(database) as live:
        assert (await call(live, "GET", "/api/topics", "", bearer(token("ada", subscribe=["a"])))).status == 200


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"port": 80}, "port"),
        ({"host": "0.0.0.0"}, "host"),
        ({"heartbeat": 0}, "TWINWIRE_HEARTBEAT"),
        ({"heart_beat": 1}, "there is no setting 'heart_beat'"),
        ({"keys": "{}"}, "TWINWIRE_TOKEN_KEYS"),
        ({"database": ":memory:"}, "TWINWIRE_DATABASE"),
    ],
)
def test_what_makes_no_sense_is_named(database: Path, given: Any, field: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        twinwire.asgi(**{"database": database, "open": True, **given})
    assert refusal.value.field == field


async def test_the_example_rides_along_only_if_it_is_handed_in(live: Live) -> None:
    async with live:
        (await call(live, "GET", "/api/projects")).problem(404)


# Its life


async def test_it_serves_between_its_start_and_its_end(live: Live, database: Path) -> None:
    why = (await call(live, "GET", "/api/health")).problem(503)["detail"]
    assert "lifespan=live.lifespan" in why
    with pytest.raises(ClosedError, match="has not been started"):
        await live.publish("a", "x")
    for n in (1, 2):  # also again
        async with live.lifespan(object()):
            assert (await call(live, "GET", "/api/health")).status == 200
            assert (await live.publish("a", "x")).endswith(f"-{n}")
        assert "was stopped" in (await call(live, "GET", "/api/health")).problem(503)["detail"]
    with pytest.raises(ClosedError, match="was stopped"):
        await live.publish("a", "x")


async def test_another_process_on_the_same_file_is_told_what_to_do(live: Live, database: Path) -> None:
    second = twinwire.asgi(database, open=True)
    async with live:
        with pytest.raises(TwinwireError, match=r"another Twinwire holds .*: one process serves a database") as refusal:
            await second.__aenter__()
        assert "--workers 1" in refusal.value.detail
        assert "could not be started" in (await call(second, "GET", "/")).problem(503)["detail"]
        assert str(database) not in (await call(second, "GET", "/")).body.decode()
    async with second:
        assert (await call(second, "GET", "/api/health")).status == 200


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TwinwireError, match="folder"):
        await twinwire.asgi(tmp_path / "nowhere" / "live.db", open=True).__aenter__()


# Publishing


async def test_it_publishes_as_a_client_does(live: Live) -> None:
    async with live:
        first = await live.publish("orders/17", "paid", {"total": 12}, key="k", subject="s")
        assert await live.publish("orders/17", "paid", {"total": 13}, key="k", subject="s") == first
        ids = await live.publish_many([Draft("orders/17", "note", RawJson("1.0")), Draft("orders/18", "note", "ä")])
        assert await live.publish_many([]) == []
        answer = (await call(live, "GET", "/api/events", "after=earliest")).json()
        assert [event["id"] for event in answer["events"]] == [first, *ids]
        assert [event["data"] for event in answer["events"]] == [{"total": 12}, 1.0, "ä"]
        assert answer["events"][0]["subject"] == "s"


async def test_the_same_is_refused_and_told_alike(live: Live) -> None:
    async with live:
        with refused(422, "topic"):
            await live.publish("orders//17", "paid")
        with refused(413, "data"):
            await live.publish("a", "x", "a" * 70_000)
        with refused(422, "key"):
            await live.publish("a", "x", key="")
        with pytest.raises(RefusedError) as refusal:
            await live.publish("twinwire/revocations", "all")
        assert (refusal.value.status, refusal.value.field, refusal.value.reason) == (403, "topic", "forbidden")
        with pytest.raises(InvalidError, match="can't be sent as JSON"):
            await live.publish("a", "x", object())
        with pytest.raises(TwinwireError) as refusal_of_one:
            await live.publish_many([Draft("a", "x"), Draft("a", "x", subject="s", final=True), Draft("", "x")])
        assert (refusal_of_one.value.field, refusal_of_one.value.line) == ("topic", 3)
        assert (await call(live, "GET", "/api/events", "after=earliest")).json()["events"] == [], "all or none"
        await live.publish("a", "x", subject="s", final=True)
        with refused(409, "append"):
            await live.publish("a", "x", "b", subject="s", append=True)


async def test_a_batch_is_no_larger_than_a_requests(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_MAX", 600)
    taken = 0

    def drafts() -> Iterator[Draft]:
        nonlocal taken
        while True:
            taken += 1
            yield Draft("a", "x")

    async with live:
        assert len(await live.publish_many([Draft("a", "x")] * 600)) == 600
        with pytest.raises(InvalidError, match="at most 600 events"):
            await live.publish_many(drafts())
        assert taken == 601, "it need not have an end"
        with pytest.raises(InvalidError, match="bytes"):
            await live.publish_many([Draft("a", "x", "a" * 60_000)] * 200)


async def test_on_another_loop_it_says_so(live: Live) -> None:
    async with live:
        with pytest.raises(TwinwireError, match="event loop"):
            await asyncio.to_thread(lambda: asyncio.run(live.publish("a", "x")))


# Who asks


async def test_a_function_says_who_asks(database: Path) -> None:
    scopes: list[dict[str, Any]] = []

    def who(scope: Any) -> Caller | None:
        scopes.append(scope)
        return Caller("ada", subscribe=["a"]) if (b"cookie", b"user=ada") in scope["headers"] else None

    async with twinwire.asgi(database, caller=who) as live:
        headers = {"Cookie": "user=ada", "Host": "shop.example"}
        assert (await call(live, "GET", "/api/events", "topic=a", headers)).status == 200
        assert scopes[-1]["path"] == "/api/events"
        (await call(live, "GET", "/api/events", "topic=b", headers)).problem(403, "topic")
        (await call(live, "GET", "/api/events", "topic=a")).problem(401, "topic")
        asked = len(scopes)
        assert (await call(live, "GET", "/client/index.js", "", headers)).status == 200
        assert len(scopes) == asked, "what anybody may have is nobody's"


async def test_an_asynchronous_one_does_too_and_what_is_no_caller_is_told(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def who(scope: Any) -> Any:
        return "ada" if scope["query_string"] else Caller("ada", subscribe=["**"])

    async with twinwire.asgi(database, caller=who) as live:
        assert (await call(live, "GET", "/api/events")).status == 200
        (await call(live, "GET", "/api/events", "limit=1")).problem(503)
    assert "twinwire.Caller or None, and not str" in capsys.readouterr().out


def test_starlettes_own_client_finds_it(database: Path) -> None:
    """As people test their applications with: under a name, and on a loop in another thread."""
    live = twinwire.asgi(database, open=True, hosts=["testserver"], grace=0)
    app = FastAPI(lifespan=live.lifespan)
    app.mount("/live", live)
    with TestClient(app) as client:
        draft = {"topic": "a", "type": "x", "data": 1}
        assert client.post("/live/api/events", json=draft).status_code == 201
        with client.websocket_connect("/live/api/ws?topic=a&after=earliest") as socket:
            assert [json.loads(socket.receive_text())["type"] for _ in range(2)] == ["connection", "x"]
    assert TestClient(app).get("/live/api/health").status_code == 503


# Where nothing mounts


@pytest.mark.parametrize("path", ["live", "/live/", "/", ""])
def test_a_path_to_mount_at_is_one(live: Live, path: str) -> None:
    with pytest.raises(InvalidError, match="no path to mount at"):
        live.within(live, path)


@pytest.mark.parametrize("root", ["", "/proxy"])
async def test_what_is_not_below_the_path_is_the_others(live: Live, root: str) -> None:
    asked: list[str] = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope.get("path", scope["type"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps("other").encode()})

    app = live.within(other, "/live")

    async def rooted(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": root}, receive, send)

    async with live:
        assert (await call(rooted, "GET", f"{root}/live/api/health")).json() == {"status": "ok"}
        assert (await call(rooted, "GET", f"{root}/live")).headers["location"] == f"{root}/live/"
        for path in ("/", "/livestock", "/api/health"):
            assert (await call(rooted, "GET", f"{root}{path}")).json() == "other"
    assert asked == [f"{root}/", f"{root}/livestock", f"{root}/api/health"]
