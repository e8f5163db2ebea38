"""The front door: what goes to a wire, what to Quart, and what is refused on the way."""

import pytest

from service.access.gate import Act
from service.assembly import Assembly
from service.core.limits import REQUEST_MAX
from service.web.app import TwinwireApp
from service.wire.front import QUERY_FREE
from tests.support.access import Known, caller_of
from tests.support.wires import Exchange, Socket, call, drafts, http_scope


@pytest.mark.parametrize(
    ("path", "sse"),
    [("/api/ws", "/api/sse"), ("/api/ws/projects/p1", "/api/sse/projects/p1"), ("/api/ws/", "/api/sse/")],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_http_on_the_websocket_url_is_426_with_the_way_that_works(
    app: TwinwireApp, assembly: Assembly, path: str, sse: str, method: str
) -> None:
    answer = await call(app, method, path, "topic=a%2Fb&after=x-1")
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"
    if method != "HEAD":
        assert answer.problem(426)["sse"] == f"{sse}?topic=a%2Fb&after=x-1"
    assert assembly.gate.refused[Act.SOCKET, "no_upgrade"] == 1
    assert b'twinwire_streams_refused_total{reason="no_upgrade"} 1.0' in assembly.metrics.render()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_a_405_on_events_names_what_works(app: TwinwireApp, method: str) -> None:
    answer = await call(app, method, "/api/events")
    answer.problem(405, "method")
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("path", ["/api/sse", "/api/ws"])
async def test_a_405_on_a_stream_names_what_works(app: TwinwireApp, path: str) -> None:
    answer = await call(app, "PUT", path)
    answer.problem(405, "method")
    assert answer.headers["allow"] == f"GET, HEAD, {'POST, ' if path == '/api/sse' else ''}OPTIONS"


@pytest.mark.parametrize("path", ["/api/sse/projects/none", "/api/sse/projects/", "/api/sse/other", "/api/sse/"])
async def test_a_stream_of_nothing_is_404(app: TwinwireApp, path: str) -> None:
    (await call(app, "GET", path)).problem(404)
    head = await call(app, "HEAD", path)
    assert (head.status, head.body) == (404, b"")


@pytest.mark.parametrize("id", ["none", "", "a/b", "*", "**", "..", "a%00"])
async def test_a_websocket_of_no_project_is_404_before_the_handshake(app: TwinwireApp, id: str) -> None:
    socket = Socket()
    scope = http_scope("GET", f"/api/ws/projects/{id}") | {"type": "websocket"}

    async def front(_: object, receive: object, send: object) -> None:
        await app.front(scope, receive, send)  # type: ignore[arg-type]

    socket.open(front)
    await socket.ended()
    assert socket.sent[0]["type"] == "websocket.http.response.start"
    assert socket.sent[0]["status"] == 404


@pytest.mark.parametrize("path", ["/api/events", "/api/sse"])
async def test_a_preflight_is_answered_for_allowed_origins_only(app: TwinwireApp, path: str) -> None:
    allowed = await call(app, "OPTIONS", path, headers={"Origin": "https://app.example"})
    assert (allowed.status, allowed.body) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    for name in ("last-event-id", "authorization", "x-twinwire-fetch", "traceparent"):
        assert name in allowed.headers["access-control-allow-headers"]
    assert allowed.headers["access-control-allow-methods"] == allowed.headers["allow"]
    assert "POST" in allowed.headers["allow"]
    foreign = await call(app, "OPTIONS", path, headers={"Origin": "https://evil.example"})
    assert foreign.status == 204
    assert not any(name.startswith("access-control") for name in foreign.headers)


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "/api/events", "limit=many", 422),
        ("POST", "/api/events", "", 422),
        ("DELETE", "/api/events", "", 405),
        ("GET", "/api/sse", "topic=a//b", 422),
        ("GET", "/api/sse/projects/nobody", "", 404),
        ("GET", "/api/ws", "", 426),
    ],
)
async def test_a_page_of_an_allowed_origin_may_read_what_is_wrong(
    app: TwinwireApp, method: str, path: str, query: str, status: int
) -> None:
    """Else all that its author sees is "blocked by CORS policy"."""
    headers = {"Origin": "https://app.example", "Content-Type": "application/json"}
    answer = await call(app, method, path, query, headers, b"[]")
    assert (answer.status, answer.json()["status"]) == (status, status)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    headers["Origin"] = "https://evil.example"
    answer = await call(app, method, path, query, headers, b"[]")
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_an_event_stream_has_its_headers_and_its_first_frames(app: TwinwireApp, assembly: Assembly) -> None:
    exchange = Exchange(app, http_scope("GET", "/api/sse", "topic=t", {"Origin": "https://app.example"}))
    body = await exchange.body_holds(b"caught_up")
    await assembly.bus.publish(drafts(1))
    await exchange.body_holds(b"\nevent: x\n")
    exchange.disconnect()
    answer = await exchange.answer()
    assert answer.headers == {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-store, no-transform",
        "x-accel-buffering": "no",
        "access-control-allow-origin": "https://app.example",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "retry-after, location, www-authenticate",
        "vary": "Origin",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }
    assert body.startswith(b": ")
    assert body.index(b"event: connection") < body.index(b"retry: ") < body.index(b"event: caught_up")
    assert assembly.bus.subscriptions()["sse"] == 0


async def test_head_on_a_stream_ends_and_opens_nothing(app: TwinwireApp, assembly: Assembly) -> None:
    answer = await call(app, "HEAD", "/api/sse", "topic=t")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "text/event-stream")
    assert assembly.hub.opened.total() == 0


async def test_unnamed_frames_have_no_event_line(app: TwinwireApp) -> None:
    exchange = Exchange(app, http_scope("GET", "/api/sse", "topic=t&named=0"))
    body = await exchange.body_holds(b"caught_up")
    exchange.disconnect()
    await exchange.answer()
    assert b"event:" not in body


@pytest.mark.parametrize(
    ("query", "field"), [("topic=a//b", "topic"), ("named=maybe", "named"), ("&".join(["topic=a"] * 501), None)]
)
async def test_a_wrong_stream_request_is_422(app: TwinwireApp, query: str, field: str | None) -> None:
    (await call(app, "GET", "/api/sse", query)).problem(422, field)


async def test_a_restart_says_goodbye_with_a_retry_and_ends_the_body(app: TwinwireApp, assembly: Assembly) -> None:
    exchange = Exchange(app, http_scope("GET", "/api/sse", "topic=t"))
    await exchange.body_holds(b"caught_up")
    await assembly.drain()
    answer = await exchange.answer()
    goodbye = answer.body[answer.body.index(b"event: goodbye") :]
    assert b"\nretry: " in goodbye
    assert exchange.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    refused = await call(app, "GET", "/api/sse", "topic=t")
    refused.problem(503)
    assert int(refused.headers["retry-after"]) >= 1


async def test_before_the_lifespan_nothing_is_served_and_nothing_breaks() -> None:
    from service.web.app import create_app

    answer = await call(create_app(), "GET", "/api/sse", "topic=t")
    answer.problem(404)


async def test_what_quart_is_sent_is_read_before_it_and_bounded(app: TwinwireApp) -> None:
    for path in ("/api/topics/trim", "/nothing"):
        answer = await Exchange(app, http_scope("POST", path), b"a" * (REQUEST_MAX + 1)).answer()
        answer.problem(413)
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "target", ["", "?a", "*", "localhost:80", "//api/health", "a", "http:///x", "http://a@b/", "http://a//x"]
)
async def test_a_target_that_is_no_path_is_400(app: TwinwireApp, target: str) -> None:
    """RFC 9112, 3.2: no form of it is a fault of ours."""
    scope = {**http_scope("GET", "/"), "path": target}
    answer = await Exchange(app.front, scope).answer()
    assert answer.problem(400, "target")


async def test_a_whole_url_is_taken_for_its_path_and_its_host_counts(app: TwinwireApp) -> None:
    for target, status in (
        ("http://localhost/api/health", 200),
        ("HTTP://localhost:8000/api/topics", 200),
        ("http://localhost", 200),
        ("http://evil.example/api/topics", 421),
        ("https://evil.example", 421),
    ):
        scope = {**http_scope("GET", "/", "", {"Host": "localhost"}), "path": target}
        assert (await Exchange(app.front, scope).answer()).status == status, target
    scope = {**http_scope("GET", "/", "", {"Host": "evil.example"}), "path": "http://localhost/api/topics"}
    assert (await Exchange(app.front, scope).answer()).status == 200, "the field is of no account then"


@pytest.mark.parametrize("path", ["/api/sse", "/api/events/read"])
async def test_what_a_stranger_asks_in_a_body_is_not_read(app: TwinwireApp, path: str) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Content-Type": "application/json"}
    (await call(app, "POST", path, "", foreign, b"{")).problem(403, "Sec-Fetch-Site")


@pytest.fixture
def taken(assembly: Assembly) -> list[str]:
    """A word for each turn that was waited for at the doors."""
    taken, doors, before = list[str](), assembly.doors, assembly.doors._turn

    async def turn() -> None:
        taken.append("turn")
        await before()

    doors._turn = turn
    return taken


async def test_a_long_query_waits_for_its_turn(app: TwinwireApp, taken: list[str]) -> None:
    """To read one takes a millisecond, and two hundred of them were read in one turn of the loop."""
    short = "&".join(f"topic=t{n}" for n in range(10))
    assert len(short) <= QUERY_FREE < 20 * len(short)
    assert (await call(app, "GET", "/api/events", short)).status == 200
    assert taken == []
    long = "&".join(f"topic={'t' * 100}{n}" for n in range(20))
    assert (await call(app, "GET", "/api/events", long)).status == 200
    assert taken == ["turn"]


async def test_so_does_one_below_a_streams_path(app: TwinwireApp, taken: list[str]) -> None:
    long = "&".join(f"x-{n}={'t' * 100}" for n in range(20))
    assert (await call(app, "GET", "/api/sse/projects/none", long)).status == 404
    assert taken == ["turn"]


async def test_a_new_token_waits_while_such_take_long(
    app: TwinwireApp, assembly: Assembly, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = assembly.gate.authority
    monkeypatch.setattr(authority, "_verifier", Known(good=caller_of("ada", "a")))
    new, known = {"Authorization": "Bearer new"}, {"Authorization": "Bearer good"}
    for headers, status in ((new, 401), (known, 200)):
        assert (await call(app, "GET", "/api/events", "topic=a", headers)).status == status
    assert taken == []
    monkeypatch.setattr(authority, "_long_until", float("inf"))
    assert (await call(app, "GET", "/api/events", "topic=a", known)).status == 200
    assert taken == [], "one that was read before takes no work"
    assert (await call(app, "GET", "/api/events", "topic=a", new)).status == 401
    assert taken == ["turn"]
