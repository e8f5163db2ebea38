"""A walk through everything that is served, as four strangers.

One comes without a credential, one with a bad one, one lacks the right, and one has it and nothing else.

The table says what each is answered. What is served is asked of the code and of the OpenAPI document: a route that is
not in the table fails, and so does a row that is no route.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from service.settings import Settings
from service.web.app import create_app
from tests.support.bearers import KEYS, ask, bearer, token
from tests.support.creating import new_project
from tests.support.http import Connection, request
from tests.support.projects import BRIEF
from tests.support.server import ServerProcess
from tests.support.websocket import RefusedError, WebSocketClient

Who = tuple[int, int, int, int]
"""Statuses: without a credential, with a bad one, with one that lacks the right, with one that has it."""

LACKING: Final = {"subscribe": ["elsewhere/*"], "publish": ["elsewhere/*"]}
"""What the third may."""

ANYBODY: Final = (200, 200, 200, 200)
TRIM: Final = {"topic": "walk/a", "keep": 1_000}
EVENT: Final = {"topic": "walk/a", "type": "x", "data": 1}


@dataclass(frozen=True, slots=True)
class Row:
    """`right` is what the fourth may; `id` in it, and in the path, is a new project's. `sent` is the body."""

    route: str
    answers: Who
    right: Any = None
    query: str = ""
    sent: Any = None


def reads(route: str, **more: Any) -> Row:
    return Row(route, (401, 401, 403, 200), {"subscribe": ["walk/a"]}, **more)


def reads_project(route: str, query: str = "", status: int = 200) -> Row:
    return Row(route, (401, 401, 403, status), {"subscribe": ["projects/{id}"]}, query)


def writes_project(route: str, status: int, sent: Any = None) -> Row:
    return Row(route, (401, 401, 403, status), {"publish": ["projects/{id}"]}, sent=sent)


def runs_project(route: str, status: int) -> Row:
    return Row(route, (401, 401, 403, status), {"run": ["projects/{id}"]})


def operates(route: str, sent: Any = None, status: int = 200) -> Row:
    return Row(route, (401, 401, 403, status), {"admin": True}, sent=sent)


TABLE: Final = [
    # Streams and reads
    reads("GET /api/events", query="?topic=walk/a"),
    reads("POST /api/events/read", sent={"topics": ["walk/a"]}),
    reads("GET /api/state", query="?topic=walk/a"),
    reads("GET /api/sse", query="?topic=walk/a"),
    reads("POST /api/sse", sent={"topics": ["walk/a"]}),
    reads_project("GET /api/sse/projects/{id}"),
    Row("GET /api/ws", (426, 426, 426, 426), {"subscribe": ["walk/a"]}, "?topic=walk/a"),
    Row("WEBSOCKET /api/ws", (401, 401, 403, 101), {"subscribe": ["walk/a"]}, "?topic=walk/a"),
    Row("WEBSOCKET /api/ws/projects/{id}", (401, 401, 403, 101), {"subscribe": ["projects/{id}"]}),
    Row("GET /api/ws/projects/{id}", (426, 426, 426, 426), {"subscribe": ["projects/{id}"]}),
    # Publishing
    Row("POST /api/events", (401, 401, 403, 201), {"publish": ["walk/a"]}, sent=EVENT),
    Row("POST /api/ephemeral", (401, 401, 403, 202), {"ephemeral": ["walk/a"]}, sent=EVENT),
    # Presence
    Row("PUT /api/presence/{place}/{member}", (401, 401, 403, 404), {"presence": ["walk/a"]}, sent={"connection": "-"}),
    Row("DELETE /api/presence/{place}/{member}", (401, 401, 403, 404), {"presence": ["walk/a"]}),
    Row("POST /api/presence/leave", (204, 204, 204, 204), sent={"connection": "x", "members": []}),
    reads("GET /api/presence", query="?place=walk/a"),
    Row("GET /api/presence/stats", (401, 401, 403, 200), {"metrics": True}),
    # Projects: a list shows what may be read, and to who may read nothing of it, nothing
    Row("GET /api/projects", (401, 401, 200, 200), {"subscribe": ["projects/{id}"]}),
    Row("POST /api/projects", (401, 401, 403, 201), {"publish": ["projects"]}, sent={"name": "n", "brief": BRIEF}),
    Row("GET /api/projects/brief", (401, 401, 403, 200), {"publish": ["projects"]}),
    Row("POST /api/projects/brief", (401, 401, 403, 501), {"publish": ["projects"]}, sent={"text": "Tools."}),
    reads_project("GET /api/projects/{id}"),
    writes_project("DELETE /api/projects/{id}", 204),
    writes_project("POST /api/projects/{id}/generate", 202),
    runs_project("POST /api/projects/{id}/app", 501),  # nothing is run here
    runs_project("GET /api/projects/{id}/app", 200),
    runs_project("DELETE /api/projects/{id}/app", 204),
    writes_project("POST /api/projects/{id}/cancel", 409),  # nothing is running: it was carried out
    reads_project("GET /api/projects/{id}/files"),
    reads_project("GET /api/projects/{id}/files/{path}", status=404),  # it has none yet
    reads_project("GET /api/projects/{id}/archive", status=404),
    reads_project("GET /api/projects/{id}/runs"),
    writes_project("POST /api/projects/{id}/runs", 201, {"key": "k", "command": "make"}),
    # of runs that it has not: whoever may, is told so
    reads_project("GET /api/projects/{id}/runs/{number}", status=404),
    reads_project("GET /api/projects/{id}/runs/{number}/log", status=404),
    reads_project("GET /api/projects/{id}/runs/{number}/lines", status=404),
    reads_project("GET /api/projects/{id}/runs/{number}/files", status=404),
    reads_project("GET /api/projects/{id}/runs/{number}/files/{path}", status=404),
    writes_project("POST /api/projects/{id}/runs/{number}/reports", 404, {"from": 1, "items": [{"alive": True}]}),
    writes_project("POST /api/projects/{id}/runs/{number}/cancel", 404),
    writes_project("POST /api/projects/{id}/runs/{number}/retry", 404, {"stage": 1}),
    reads_project("GET /api/projects/{id}/questions"),
    writes_project("POST /api/projects/{id}/questions", 201, {"key": "k", "question": "?", "timeout": 1}),
    reads_project("GET /api/projects/{id}/questions/{question}", status=404),
    writes_project("DELETE /api/projects/{id}/questions/{question}", 404),
    writes_project("POST /api/projects/{id}/questions/{question}/answer", 404, {"answer": "yes"}),
    # Credentials: what is for everybody who is somebody, and what helps who is nobody
    Row("GET /api/session", (200, 401, 200, 200)),
    Row("POST /api/session", (401, 401, 200, 200)),
    Row("DELETE /api/session", (204, 204, 204, 204)),
    Row("POST /api/auth", (401, 401, 404, 200), {"subscribe": ["walk/a"]}, sent={"connection": "{connection}"}),
    Row("POST /api/auth/check", (200, 401, 200, 200), sent={"topics": ["walk/a"]}),
    Row("POST /api/tickets", (401, 401, 403, 201), {"subscribe": ["walk/a"]}, sent={"topics": ["walk/a"]}),
    # What operators do
    operates("POST /api/auth/revoke", {"sub": "nobody"}),
    operates("GET /api/auth/revoke"),
    operates("DELETE /api/auth/revoke", {"sub": "never revoked"}, 404),
    operates("POST /api/clock/confirm"),
    operates("POST /api/topics/trim", TRIM),
    operates("GET /api/topics/trim/{id}", status=404),
    operates("GET /api/connections"),
    operates("DELETE /api/connections/{id}", status=404),
    operates("GET /api/connections/{id}/timeline", status=404),
    operates("GET /api/events/{id}/trace", status=422),
    Row("GET /api/figures", (401, 401, 403, 200), {"metrics": True}),
    Row("GET /metrics", (401, 401, 403, 200), {"metrics": True}),
    Row("GET /api/topics", (401, 401, 200, 200), {"subscribe": ["walk/a"]}, "?topic=walk/a"),  # as that of projects
    # What anybody may have
    Row("GET /api/health", ANYBODY),
    Row("GET /api/ready", ANYBODY),
    Row("GET /api/openapi.json", ANYBODY),
    Row("GET /", ANYBODY),
    Row("GET /{name}", ANYBODY),
    Row("GET /app/{path}", ANYBODY),
    Row("GET /client/{path}", ANYBODY),
    Row("GET /v/{version}/{path}", ANYBODY),
]

PATHS: Final = {
    "/{name}": "/lab.html",
    "/app/{path}": "/app/css/tokens.css",
    "/client/{path}": "/client/index.js",
    "/v/{version}/{path}": "/v/0/client/index.js",
}


# What is served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[set[str]]:
    """Every route, of the framework and of the doors before it, as `METHOD /path/{name}`."""
    app = create_app(Settings.read({"database": tmp_path_factory.mktemp("routes") / "a.db", "token_keys": KEYS}))
    async with app.test_app():
        assert app.assembly is not None
        found = {
            f"{'WEBSOCKET' if kind == 'websocket' else method} {path.rstrip('/')}"
            for kind, method, path in app.assembly.doors._routes
        }
        for rule in app.url_map.iter_rules():
            assert rule.methods is not None
            found |= {f"{method} {path}" for method, path in product(rule.methods, _paths(rule.rule))}
        yield found


def _paths(rule: str) -> list[str]:
    """Of one of the framework's rules: `<any(a,b):part>` stands for one of several."""
    several = re.search(r"<any\(([^)]*)\):\w+>", rule)
    rules = [rule.replace(several[0], one) for one in several[1].split(",")] if several else [rule]
    rules = [re.sub(r"<path:(?!place)\w+>", "{path}", one) for one in rules]
    return [re.sub(r"<(?:int:|path:)?(\w+)>", r"{\1}", one) for one in rules]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_route_is_in_the_table(served: set[str], guarded: ServerProcess) -> None:
    routes = [row.route for row in TABLE]
    assert len(set(routes)) == len(routes)
    document = (await request(guarded.url, "GET", "/api/openapi.json")).json()
    told = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert {"GET /api/events", "WEBSOCKET /api/ws", "DELETE /api/projects/{id}", "GET /client/{path}"} <= served
    asked = {route for route in served | told if not route.startswith(("HEAD ", "OPTIONS "))}
    assert asked - set(routes) == set(), "not in the table"
    below = {"GET /api/sse/projects/{id}", "GET /api/ws/projects/{id}"}  # found by the application's `alias`
    alias = {"WEBSOCKET /api/ws/projects/{id}"}
    assert set(routes) - asked == alias, "no route"
    assert below <= told


# The walk


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env={"TWINWIRE_TOKEN_KEYS": KEYS}) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture
def url(guarded: ServerProcess) -> str:
    return guarded.url


def filled(value: Any, **names: str) -> Any:
    """With the names in it replaced, however deep they stand."""
    text = json.dumps(value)
    for name, given in names.items():
        text = text.replace(f"{{{name}}}", given)
    return json.loads(text)


async def status_of(url: str, method: str, path: str, headers: dict[str, str], sent: Any) -> int:
    """Of an answer whose end may never come."""
    if method == "WEBSOCKET":
        try:
            client = await WebSocketClient.open(url, path, headers=headers)
        except RefusedError as refused:
            return refused.response.status
        client.reset()
        return 101
    body = b"" if sent is None else json.dumps(sent).encode()
    connection = await Connection.open(url)
    try:
        if body:
            headers = {**headers, "Content-Type": "application/json"}
        await connection.send(method, path, headers=headers, body=body)
        return (await connection.read_head()).status
    finally:
        connection.reset()


def strangers(right: Any) -> list[dict[str, str]]:
    having = token("ada", **(right or LACKING))
    return [{}, bearer(having[:-6] + "AAAAAA"), bearer(token("bob", **LACKING)), bearer(having)]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.route)
async def test_each_is_answered_as_the_table_says(url: str, row: Row) -> None:
    method, _, template = row.route.partition(" ")
    project = await new_project(url, "walk", token=token("root", admin=True))
    names = {"path": "a.txt", "number": "9", "id": project, "connection": "none", "place": "walk/a", "member": "t"}
    stream = None
    if "{connection}" in json.dumps(row.sent):
        stream = await WebSocketClient.open(url, query={"topic": "walk/a"}, headers=strangers(row.right)[3])
        names["connection"] = json.loads((await stream.receive())[0])["connection"]
    path = PATHS.get(template, filled(template, **names)) + row.query
    answers = [
        await status_of(url, method, path, who, filled(row.sent, **names))
        for who in strangers(filled(row.right, **names))
    ]
    assert tuple(answers) == row.answers
    if stream is not None:
        stream.reset()
    if method == "GET":
        heads = [await status_of(url, "HEAD", path, who, None) for who in strangers(filled(row.right, **names))]
        assert tuple(heads) == row.answers, "HEAD"
    if method != "WEBSOCKET":
        options = {await status_of(url, "OPTIONS", path, who, None) for who in strangers(None)}
        assert len(options) == 1, "OPTIONS is for anybody, and says nothing of who asks"
        assert options <= {200, 204, 404}


async def test_what_is_not_there_is_not_there_for_anybody(url: str) -> None:
    """But a credential that is no good is told so wherever something might be."""
    answers = [await status_of(url, "GET", "/api/nothing", who, None) for who in strangers(None)]
    assert answers == [404, 401, 404, 404]


# The messages of a WebSocket

SUBJECT: Final = {"subscribe": ["walk/a", "walk/b"], "publish": ["walk/a"]}
OPS: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "subscribe": ({"topics": ["walk/b"]}, "problem 403", "reply"),
    "unsubscribe": ({"topics": ["walk/b"]}, "reply", "reply"),
    "publish": ({"topic": "walk/a", "type": "x", "data": 1}, "problem 403", "reply"),
    "enter": ({"place": "walk/a"}, "problem 403", "reply"),
    "update": ({"place": "walk/a", "member": "-", "data": {}}, "problem 403", "problem 404"),
    "leave": ({"place": "walk/a", "member": "-"}, "problem 403", "problem 404"),
    "presence": ({"place": "walk/b"}, "problem 403", "reply"),
    "watch": ({"places": ["walk/b"]}, "problem 403", "reply"),
    "unwatch": ({"places": ["walk/b"]}, "reply", "reply"),
    "ping": ({}, "pong", "pong"),
    "auth": ({"token": token("ada", **SUBJECT)}, "problem 403", "reply"),  # a stream never changes its owner
}
"""By `op`: what is sent; what who lacks the right gets, and who has it."""


async def opened(url: str, who: str | None = None, **query: str) -> "Talk":
    headers = {} if who is None else bearer(who)
    return Talk(await WebSocketClient.open(url, query={"topic": "walk/a", **query}, headers=headers))


class Talk:
    """A WebSocket whose frames are looked at one by one."""

    def __init__(self, client: WebSocketClient) -> None:
        self.client = client
        self._frames: list[dict[str, Any]] = []

    async def say(self, **message: Any) -> None:
        await self.client.send_json(message)

    async def next(self, *wanted: str) -> dict[str, Any]:
        """The next frame of one of these types; those before it are passed over."""
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame["type"] in wanted:
                    return frame
            texts = await self.client.receive()
            assert texts, f"closed with {self.client.close_code}"
            self._frames += map(json.loads, texts)


def short(frame: dict[str, Any]) -> str:
    return f"{frame['type']} {frame['status']}" if frame["type"] == "problem" else str(frame["type"])


async def test_every_op_is_in_the_table(url: str) -> None:
    talk = await opened(url, token("ada", **SUBJECT))
    await talk.say(op="nothing")
    told = (await talk.next("problem"))["detail"]
    assert set(told.removeprefix("op is one of ").split(", ")) == set(OPS)
    talk.client.reset()


@pytest.mark.parametrize("op", OPS)
async def test_each_op_is_answered_as_the_table_says(url: str, op: str) -> None:
    message, lacking, having = OPS[op]
    told = []
    for who in (token("bob", subscribe=["walk/a"], publish=["elsewhere"]), token("ada", **SUBJECT)):
        talk = await opened(url, who)
        await talk.say(op=op, ref=1, **message)
        told.append(short(await talk.next("problem", "reply", "pong")))
        talk.client.reset()
    assert told == [lacking, having]


@pytest.mark.parametrize("op", OPS)
async def test_no_op_is_carried_out_for_who_has_yet_to_say_who_he_is(url: str, op: str) -> None:
    """Without a credential no handshake succeeds but one that waits for it; a bad one ends it."""
    talk = await opened(url, auth="message")
    if op != "auth":
        await talk.say(op=op, ref=1, **OPS[op][0])
        assert short(await talk.next("problem", "reply", "pong")) == "problem 409"
    await talk.say(op="auth", token=strangers(None)[1]["Authorization"].removeprefix("Bearer "))
    assert short(await talk.next("problem", "connection")) == "problem 401"
    assert (await talk.next("goodbye", "connection")).get("detail") == "invalid"
    assert await talk.client.wait_closed() == 1008
    talk.client.reset()


async def test_a_bad_token_on_an_open_socket_leaves_it_as_it_was(url: str) -> None:
    talk = await opened(url, token("ada", **SUBJECT))
    await talk.say(op="auth", token="bad")
    assert short(await talk.next("problem", "reply")) == "problem 401"
    await talk.say(op="subscribe", topics=["walk/b"])
    assert short(await talk.next("problem", "reply")) == "reply"
    talk.client.reset()


async def test_nothing_that_was_brought_is_in_the_log(guarded: ServerProcess) -> None:
    """Run after the others of this file."""
    assert (await ask(guarded.url, "GET", "/api/events?topic=walk/a")).status == 401
    log = Path(guarded.log).read_text()
    assert "auth_refused" in log
    assert not re.search(r"eyJ|tk_[A-Za-z0-9_-]{20}", log)
