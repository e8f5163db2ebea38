"""Who may what, asked of the whole service on plain ASGI: docs/protocol.md, section 9."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.access.tickets import OF_ONE_MAX
from service.assembly import Assembly
from service.core.event import Draft
from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.bearers import KEYS, token
from tests.support.projects import BRIEF
from tests.support.wires import Answer, Exchange, Socket, call, http_scope, until

ADA: dict[str, Any] = {"subscribe": ["a/*", "projects/*"], "publish": ["a/1", "projects"]}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[TwinwireApp]:
    values = {"database": tmp_path / "test.db", "token_keys": KEYS, "allowed_origins": ("https://app.example",)}
    app = create_app(Settings.read(values))
    async with app.test_app():
        yield app


@pytest.fixture
def assembly(app: TwinwireApp) -> Assembly:
    assert app.assembly is not None
    return app.assembly


async def ask(app: TwinwireApp, method: str, path: str, text: str = "", body: Any = None, **headers: str) -> Answer:
    path, _, query = path.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if text:
        named["authorization"] = f"Bearer {text}"
    if body is not None:
        named["content-type"] = "application/json"
    return await call(app, method, path, query, named, b"" if body is None else json.dumps(body).encode())


def refused(answer: Answer, status: int) -> Any:
    """The field that a problem of this status names."""
    body = answer.json()
    assert (answer.status, body["status"], answer.headers["content-type"]) == (
        status,
        status,
        "application/problem+json",
    )
    return body.get("field")


ROOT = token("root", admin=True)


async def test_lists_show_what_may_be_read(app: TwinwireApp, assembly: Assembly) -> None:
    await assembly.bus.publish([Draft(topic, "x", "1") for topic in ("a/1", "a/2", "b")])
    mine = token("ada", **ADA)
    listed = await ask(app, "GET", "/api/topics", mine)
    assert [one["topic"] for one in listed.json()["topics"]] == ["a/1", "a/2"]
    wider = await ask(app, "GET", "/api/topics?topic=**", mine)
    assert [one["topic"] for one in wider.json()["topics"]] == ["a/1", "a/2"]
    assert len((await ask(app, "GET", "/api/topics", ROOT)).json()["topics"]) == 3
    refused(await ask(app, "GET", "/api/topics"), 401)
    refused(await ask(app, "GET", "/api/topics", token("bob", publish=["a"])), 403)


async def test_projects_take_the_rights_of_their_topics(app: TwinwireApp) -> None:
    mine, new = token("ada", **ADA), {"name": "one", "brief": BRIEF}
    made = await ask(app, "POST", "/api/projects", mine, new)
    assert made.status == 201
    first = made.json()["id"]
    second = (await ask(app, "POST", "/api/projects", ROOT, new)).json()["id"]
    few = token("bob", subscribe=[f"projects/{first}"], publish=[f"projects/{first}"])
    listed = await ask(app, "GET", "/api/projects?limit=1", few)
    assert [one["id"] for one in listed.json()["projects"]] == [first]
    assert listed.json()["more"] is False
    assert len((await ask(app, "GET", "/api/projects", mine)).json()["projects"]) == 2
    for path in ("", "/files", "/files/a.txt", "/archive"):
        assert refused(await ask(app, "GET", f"/api/projects/{second}{path}", few), 403) == "topic"
        assert (await ask(app, "GET", f"/api/projects/{first}{path}", few)).status in (200, 404)
        refused(await ask(app, "GET", f"/api/projects/{first}{path}"), 401)
    for method, path in (("POST", "/generate"), ("POST", "/cancel"), ("DELETE", "")):
        refused(await ask(app, method, f"/api/projects/{second}{path}", few), 403)
    refused(await ask(app, "POST", "/api/projects", few, new), 403)
    refused(await ask(app, "GET", "/api/projects/nothing", few), 403)
    assert (await ask(app, "DELETE", f"/api/projects/{first}", few)).status == 204


async def test_where_a_list_goes_on_does_not_tell_what_is_there(app: TwinwireApp) -> None:
    """Behind a project that one may not read comes what comes behind one that is not there."""
    new = {"name": "one", "brief": BRIEF}
    ids = [(await ask(app, "POST", "/api/projects", ROOT, new)).json()["id"] for _ in range(3)]
    few = token("bob", subscribe=[f"projects/{ids[0]}", f"projects/{ids[2]}"])

    async def behind(id: str) -> list[str]:
        listed = (await ask(app, "GET", f"/api/projects?before={id}", few)).json()
        return [one["id"] for one in listed["projects"]]

    assert await behind(ids[2]) == [ids[0]]
    assert await behind(ids[1]) == await behind("nothing") == []


QUERIES = (
    *("", "x=1", "after=bad", "named=5", "topic=a", "filter=later", "filter=x", "ticket=tk_bad"),
    *("auth=required", "auth=message", "auth=x"),
)


async def first_status(app: TwinwireApp, kind: str, path: str, query: str, headers: dict[str, str]) -> int:
    """What the first answer to a stream is: 200 if it is let in."""
    if kind == "ws":
        socket = Socket().open(app, query, headers, path=f"/api/ws/{path}")
        await until(lambda: bool(socket.sent))
        status = int(socket.sent[0].get("status", 200))
        socket.leave()
        await socket.ended()
        return status
    if kind == "eventsource":
        headers = {**headers, "accept": "text/event-stream"}
    body = b"{" if kind == "POST" else b""
    method = kind if kind in ("HEAD", "POST") else "GET"
    exchange = Exchange(app, http_scope(method, f"/api/sse/{path}", query, headers), body)
    await until(lambda: bool(exchange.messages))
    exchange.disconnect()
    await until(exchange.task.done)
    return int(exchange.messages[0]["status"])


@pytest.mark.parametrize("kind", ["sse", "eventsource", "HEAD", "POST", "ws"])
async def test_whether_a_project_is_there_is_told_to_its_readers(app: TwinwireApp, kind: str) -> None:
    """Whatever else is wrong with the request, and whoever asks: the answer is the same, or he may read it."""
    made = await ask(app, "POST", "/api/projects", ROOT, {"name": "one", "brief": BRIEF})
    there, nothing = f"projects/{made.json()['id']}", "projects/nothing"
    for text in ("", "bad", token("bob", subscribe=["a"])):
        headers = {"authorization": f"Bearer {text}"} if text else {}
        for query in QUERIES:
            found = await first_status(app, kind, there, query, headers)
            assert found == await first_status(app, kind, nothing, query, headers), (text, query)
            assert found != 404
            assert found != 200 or kind == "eventsource" or query == "auth=message"
    if kind != "POST":
        reader = {"authorization": f"Bearer {token('ada', **ADA)}"}
        assert await first_status(app, kind, there, "", reader) == 200
        assert await first_status(app, kind, nothing, "", reader) == 404


async def test_operating_takes_admin_and_metrics_a_right_of_their_own(app: TwinwireApp) -> None:
    mine, metrics = token("ada", **ADA), token("prom", metrics=True)
    trim = {"topic": "a", "keep": 0}
    for method, path, body in (
        ("POST", "/api/topics/trim", trim),
        ("GET", "/api/topics/trim/1", None),
        ("POST", "/api/clock/confirm", None),
        ("GET", "/api/auth/revoke", None),
        ("POST", "/api/auth/revoke", {"sub": "x"}),
        ("DELETE", "/api/auth/revoke", {"sub": "x"}),
    ):
        refused(await ask(app, method, path, mine, body), 403)
        refused(await ask(app, method, path, "", body), 401)
        assert (await ask(app, method, path, ROOT, body)).status in (200, 204, 404)
    assert (await ask(app, "GET", "/metrics", metrics)).status == 200
    assert (await ask(app, "GET", "/metrics", ROOT)).status == 200
    refused(await ask(app, "GET", "/metrics", mine), 403)
    refused(await ask(app, "GET", "/metrics"), 401)
    answer = await ask(app, "GET", "/metrics", "", cookie=f"twinwire={ROOT}")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")  # a cookie forbids no cache anything


@pytest.mark.parametrize("path", ["/api/health", "/api/ready", "/api/openapi.json", "/", "/client/index.js"])
async def test_what_anybody_may_have_is_not_refused_for_a_bad_token(app: TwinwireApp, path: str) -> None:
    assert (await ask(app, "GET", path, "bad")).status == 200
    assert (await ask(app, "GET", path, host="any.example")).status == 200  # nobody is anybody without a token


async def test_a_session_and_who_one_is(app: TwinwireApp, assembly: Assembly) -> None:
    mine = token("ada", **ADA)
    begun = await ask(app, "POST", "/api/session", mine)
    assert begun.json() == {
        "subject": "ada",
        "expires": begun.json()["expires"],
        "subscribe": ["a/*", "projects/*"],
        "publish": ["a/1", "projects"],
        "run": [],
        "admin": False,
        "keys": True,
    }
    assert begun.headers["set-cookie"].startswith(f"twinwire={mine}; HttpOnly; SameSite=Strict; Path=/; Max-Age=")
    who = await ask(app, "GET", "/api/session", cookie=f"twinwire={mine}")
    assert who.json() == begun.json()
    refused(await ask(app, "GET", "/api/session", cookie="twinwire=bad"), 401)
    assert (await ask(app, "DELETE", "/api/session", cookie="twinwire=bad")).status == 204
    refused(await ask(app, "POST", "/api/session"), 401)
    cookie = {"cookie": f"twinwire={mine}", "origin": "https://app.example"}
    assert refused(await ask(app, "POST", "/api/session", **cookie), 422) == "Authorization"
    large = token("ada", subscribe=[f"{'t' * 100}/{n}" for n in range(40)])
    refused(await ask(app, "POST", "/api/session", large), 413)
    login = (await ask(app, "POST", "/api/tickets", mine, {"login": True})).json()["ticket"]
    again = (await ask(app, "POST", "/api/session", "", {"ticket": login})).json()
    assert again.get("subject") == "ada", again
    refused(await ask(app, "POST", "/api/session", "", {"ticket": login}), 401)
    assert assembly.gate.authority.refused["ticket"] == 1


async def test_tickets_have_bounds(app: TwinwireApp) -> None:
    mine = token("ada", **ADA)
    for body, field in (({"ttl": 4}, "ttl"), ({"topics": ["a//b"]}, None), ({"login": True, "ttl": 9}, None)):
        problem = refused(await ask(app, "POST", "/api/tickets", mine, body), 422)
        assert problem == field or field is None
    for _ in range(OF_ONE_MAX):
        assert (await ask(app, "POST", "/api/tickets", mine, {"topics": ["a/1"]})).status == 201
    full = await ask(app, "POST", "/api/tickets", mine, {})
    refused(full, 429)
    assert int(full.headers["retry-after"]) > 0


async def test_who_signs_out_leaves_no_cookie_behind(app: TwinwireApp) -> None:
    """That of tickets would let a stream come back as who was signed in, until the token ends."""
    exchange = Exchange(app, http_scope("DELETE", "/api/session"))
    await exchange.answer()
    cookies = [value.decode() for name, value in exchange.messages[0]["headers"] if name.lower() == b"set-cookie"]
    assert [one.partition("=")[0] for one in cookies] == ["twinwire", "__Host-twinwire", "twinwire_stream"]
    assert cookies[2] == "twinwire_stream=; HttpOnly; SameSite=Strict; Path=/api/sse; Max-Age=0"


async def test_what_may_be_asked_and_revoked_is_checked(app: TwinwireApp) -> None:
    mine = token("ada", **ADA)
    asked = await ask(app, "POST", "/api/auth/check", mine, {"topics": ["a/1", "b"]})
    assert asked.json() == {"allowed": False, "missing": ["b"]}
    assert (await ask(app, "POST", "/api/auth/check", ROOT, {"topics": ["b"], "op": "publish"})).json()["allowed"]
    for op in ("subscribe", "publish"):
        own = {"topics": ["b", "twinwire/x", "twinwire/**"], "op": op}
        assert (await ask(app, "POST", "/api/auth/check", ROOT, own)).json()["missing"] == own["topics"][1:]
    refused(await ask(app, "POST", "/api/auth/check", mine, {"topics": ["a"], "op": "x"}), 422)
    for body in (
        {},
        {"jti": "a", "sub": "b"},
        {"all": False},
        {"sub": "a", "grace": 301},
        {"sub": "a", "issued_before": "yesterday"},
        {"sub": "a", "issued_before": "2999-01-01T00:00:00Z"},
        {"jti": "a", "issued_before": "2026-01-01T00:00:00Z"},
        {"connection": "a", "sub": "b"},
        {"sub": "a" * 257},
    ):
        refused(await ask(app, "POST", "/api/auth/revoke", ROOT, body), 422)
    then = {"sub": "ada", "issued_before": "2026-01-01T00:00:00Z"}
    assert (await ask(app, "POST", "/api/auth/revoke", ROOT, then)).json() == {"ended": 0}
    (one,) = (await ask(app, "GET", "/api/auth/revoke", ROOT)).json()["revocations"]
    assert (one["sub"], one["issued_before"]) == ("ada", "2026-01-01T00:00:00.000Z")
    assert (await ask(app, "GET", "/api/session", mine)).status == 200
    assert (await ask(app, "DELETE", "/api/auth/revoke", ROOT, {"sub": "ada"})).status == 204
    refused(await ask(app, "DELETE", "/api/auth/revoke", ROOT, {"sub": "ada"}), 404)
    assert (await ask(app, "POST", "/api/auth/revoke", ROOT, {"connection": "x"})).json() == {"ended": 0}
    assert (await ask(app, "POST", "/api/auth/revoke", ROOT, {"all": True})).status == 200
    refused(await ask(app, "GET", "/api/session", mine), 401)


async def test_revocations_are_listed_in_pages(app: TwinwireApp) -> None:
    for number in range(5):
        await ask(app, "POST", "/api/auth/revoke", ROOT, {"sub": f"user{number}"})
    first = (await ask(app, "GET", "/api/auth/revoke?limit=3", ROOT)).json()
    assert ([one["sub"] for one in first["revocations"]], first["more"]) == (["user0", "user1", "user2"], True)
    rest = (await ask(app, "GET", f"/api/auth/revoke?after={first['cursor']}", ROOT)).json()
    assert ([one["sub"] for one in rest["revocations"]], rest["more"]) == (["user3", "user4"], False)
    last = (await ask(app, "GET", f"/api/auth/revoke?after={rest['cursor']}", ROOT)).json()
    assert last == {"revocations": [], "more": False, "cursor": rest["cursor"]}
    for query, field in (("limit=0", "limit"), ("after=x", "after"), ("after=-1", "after"), ("page=2", "page")):
        assert refused(await ask(app, "GET", f"/api/auth/revoke?{query}", ROOT), 422) == field


async def test_without_keys_there_is_nobody_to_be(tmp_path: Path) -> None:
    app = create_app(Settings.read({"database": tmp_path / "open.db"}))
    async with app.test_app():
        who = (await ask(app, "GET", "/api/session", "anything")).json()
        assert (who["subject"], who["keys"], who["admin"]) == (None, False, True)
        for path, body in (("/api/auth", {"connection": "x"}), ("/api/tickets", {}), ("/api/session", None)):
            refused(await ask(app, "POST", path, "anything", body), 501)
        assert (await ask(app, "GET", "/metrics")).status == 200


# The wires


def stream(app: TwinwireApp, query: str, text: str = "", **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(
        app, http_scope("GET", "/api/sse", query, named | ({"authorization": f"Bearer {text}"} if text else {}))
    )


async def test_an_event_source_comes_back_with_its_ticket_and_cookie(app: TwinwireApp) -> None:
    mine = token("ada", **ADA)
    ticket = (await ask(app, "POST", "/api/tickets", mine, {"topics": ["a/1"]})).json()["ticket"]
    exchange = stream(app, f"topic=a/1&ticket={ticket}")
    assert b'"subject":"ada"' in await exchange.body_holds(b"caught_up")
    cookie = dict(exchange.messages[0]["headers"])[b"set-cookie"].decode().partition(";")[0]
    exchange.disconnect()
    again = stream(app, f"topic=a/1&ticket={ticket}", cookie=cookie)
    await again.body_holds(b"caught_up")
    again.disconnect()
    spent = await ask(app, "GET", f"/api/sse?topic=a/1&ticket={ticket}", accept="text/event-stream")
    assert (spent.status, b'"detail":"invalid"' in spent.body, b"retry: 30000" in spent.body) == (200, True, True)
    refused(await ask(app, "GET", f"/api/sse?topic=a/1&ticket={ticket}"), 401)
    assert (await ask(app, "HEAD", f"/api/sse?topic=a/1&ticket={ticket}")).status == 422
    for one in (exchange, again):
        await until(one.task.done)


async def test_a_token_too_large_for_a_cookie_has_a_stream_all_the_same(app: TwinwireApp) -> None:
    large = token("ada", subscribe=[f"{'t' * 100}/{n}" for n in range(40)])
    ticket = (await ask(app, "POST", "/api/tickets", large, {})).json()["ticket"]
    exchange = stream(app, f"ticket={ticket}")
    await exchange.body_holds(b"caught_up")
    assert b"set-cookie" not in dict(exchange.messages[0]["headers"])
    exchange.disconnect()
    await until(exchange.task.done)


async def test_a_socket_says_who_it_is_and_renews(app: TwinwireApp, assembly: Assembly) -> None:
    websocket = assembly.doors.find({"type": "websocket", "path": "/api/ws", "headers": []})
    assert websocket is not None
    socket = Socket().open(websocket, "auth=message&topic=a/1")
    socket.say({"op": "auth"})
    assert (await socket.next("problem"))[0]["status"] == 422
    socket.say({"op": "auth", "token": token("ada", **ADA)})
    (connection,) = await socket.next("connection")
    assert connection["subject"] == "ada"
    await socket.next("caught_up")
    for message, status in (
        ({"op": "auth"}, 422),
        ({"op": "auth", "token": "bad"}, 401),
        ({"op": "subscribe", "topics": ["b"]}, 403),
        ({"op": "publish", "topic": "a/2", "type": "x", "data": 1}, 403),
    ):
        socket.say(message)
        assert (await socket.next("problem"))[0]["status"] == status
    socket.say({"op": "auth", "token": token("ada", **ADA), "ref": 1})
    (reply,) = await socket.next("reply")
    assert (reply["ref"], reply["subject"]) == (1, "ada")
    socket.leave()
    await until(socket.task.done)


async def test_a_credential_is_looked_at_again_when_a_body_is_there(app: TwinwireApp, assembly: Assembly) -> None:
    """A body may take its time: what was revoked or has ended meanwhile neither writes nor reads."""
    event = json.dumps({"topic": "a/1", "type": "x", "data": 1}).encode()
    slow = []
    for path, body in (("/api/events", event), ("/api/events/read", b'{"topics":["a/1"]}')):
        headers = {"authorization": f"Bearer {token('ada', **ADA, jti=path)}", "content-type": "application/json"}
        slow.append(Exchange(app, http_scope("POST", path, "", headers), body[:4], is_whole=False))
    await until(lambda: assembly.gate.authority.verified[0] == len(slow))
    assert (await ask(app, "POST", "/api/auth/revoke", ROOT, {"sub": "ada"})).status == 200
    for exchange, rest in zip(slow, (event[4:], b'pics":["a/1"]}'), strict=True):
        exchange.bring(rest)
        assert (await exchange.answer()).status == 401
    assert assembly.gate.authority.refused["revoked"] == 2
    assert assembly.bus.published == 1  # the revocation


async def test_a_credential_is_looked_at_again_when_a_search_is_over(
    app: TwinwireApp, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a large log may take its time as well."""
    search = assembly.bus.reading.search

    async def revoked_meanwhile(*asked: Any) -> Any:
        found = await search(*asked)
        monkeypatch.undo()
        assert (await ask(app, "POST", "/api/auth/revoke", ROOT, {"sub": "ada"})).status == 200
        return found

    await assembly.bus.publish([Draft("a/1", "x", "1")])
    mine = token("ada", **ADA)
    assert len((await ask(app, "GET", "/api/events?after=earliest&topic=a/1", mine)).json()["events"]) == 1
    monkeypatch.setattr(assembly.bus.reading, "search", revoked_meanwhile)
    refused(await ask(app, "GET", "/api/events?after=earliest&topic=a/1&type=x", mine), 401)


async def test_what_a_body_asks_of_a_credential_counts(tmp_path: Path) -> None:
    values = {"database": tmp_path / "test.db", "token_keys": KEYS, "anonymous_subscribe": "a"}
    app = create_app(Settings.read(values))
    async with app.test_app():
        path = "/api/events/read"
        assert (await ask(app, "POST", path, "", {"topics": ["a"]})).status == 200
        refused(await ask(app, "POST", path, "", {"topics": ["a"], "auth": "required"}), 401)
        assert refused(await ask(app, "POST", path, "", {"topics": ["a"], "ticket": "tk_bad"}), 422) == "ticket"


async def test_a_query_without_end_beside_a_bad_token_is_refused_for_the_token(app: TwinwireApp) -> None:
    many = "&".join(["x=1"] * 600)
    answer = await ask(app, "POST", f"/api/sse?{many}", "bad", {"topics": ["a"]}, accept="text/event-stream")
    refused(answer, 401)


@pytest.mark.parametrize("path", ["/api/ready", "/api/session", "/", "/api/nothing", "/api/events"])
async def test_what_is_no_host_is_refused_also_where_any_name_will_do(app: TwinwireApp, path: str) -> None:
    """The framework raises where nobody catches it: no answer, and a traceback each."""
    for host in ("a..localhost", f"{'a' * 64}.example", "a" * 5_000, "\xff"):
        assert refused(await ask(app, "GET", path, host=host), 421) == "Host"
