"""docs/protocol.md, section 9: a credential while a stream runs: its end, another one, and none any more."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support import api
from tests.support.bearers import ADMIN, KEYS, ask, bearer, revoke, ticket, token
from tests.support.clients import STREAMING, StreamEndedError, Transport, WebSocketCollector, open_stream
from tests.support.http import request
from tests.support.server import ServerProcess
from tests.support.websocket import RefusedError, WebSocketClient

OWN = "http://localhost"
"""The origin under whose name these requests ask."""

SLACK = 2.0
"""Seconds that a busy machine takes beside what was promised."""

streaming = pytest.mark.parametrize("transport", STREAMING)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process
        assert process.stop() == 0
        assert process.faults() == []


@pytest.fixture
def url(guarded: ServerProcess) -> str:
    return guarded.url


@pytest.fixture
def topic() -> str:
    return api.unique("access")


async def publish(url: str, topic: str, data: object) -> str:
    answer = await request(
        url, "POST", "/api/events", headers=ADMIN, json_body={"topic": topic, "type": "x", "data": data}
    )
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


@streaming
async def test_9_connection_says_who_it_is_and_until_when(url: str, topic: str, transport: Transport) -> None:
    ends = int(time.time()) + 500
    async with open_stream(url, transport, topic, headers=bearer(token("ada", subscribe=[topic], exp=ends))) as stream:
        await stream.control("caught_up")
        said = stream.connection
        expires = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(ends))
        assert (said["subject"], said["expires"], said["topics"]) == ("ada", expires, [topic])


@streaming
async def test_9_without_a_topic_the_filter_is_what_is_granted(url: str, topic: str, transport: Transport) -> None:
    async with open_stream(url, transport, headers=bearer(token("ada", subscribe=[topic, "b/*"]))) as stream:
        await stream.control("caught_up")
        assert stream.connection["topics"] == sorted([topic, "b/*"])
        await publish(url, f"{topic}/below", 1)
        await publish(url, topic, 2)
        (event,) = await stream.events(1)
        assert event.value["data"] == 2


@streaming
async def test_9_the_end_is_exact_and_told(url: str, topic: str, transport: Transport) -> None:
    ends = time.time() + 4.2
    async with open_stream(url, transport, topic, headers=bearer(token("ada", subscribe=[topic], exp=ends))) as stream:
        await stream.control("caught_up")
        told = await stream.control("auth")
        assert (told.value["state"], told.value["subject"]) == ("expiring", "ada")
        assert 2 <= told.value["in"] <= 4
        goodbye = await stream.control("goodbye")
        assert time.time() >= ends
        assert (goodbye.value["reason"], goodbye.value["detail"], goodbye.value["code"]) == ("auth", "expired", 1008)
        assert goodbye.value["retry"] is None
        with pytest.raises(StreamEndedError) as ended:
            await stream.next()
        assert ended.value.code == (1008 if transport == "websocket" else None)
        if isinstance(stream, WebSocketCollector):
            assert stream.client.protocol.close_rcvd is not None
            assert stream.client.protocol.close_rcvd.reason == "auth:expired"


async def test_9_a_poll_that_waits_is_answered_at_the_end(url: str, topic: str) -> None:
    ends = time.time() + 3.0
    answer = await ask(url, "GET", f"/api/events?topic={topic}&wait=20", token("ada", subscribe=[topic], exp=ends))
    assert answer.status == 200
    assert answer.json()["events"] == []
    assert ends <= time.time() < ends + 10


async def test_9_another_token_keeps_the_place(url: str, topic: str) -> None:
    ends = time.time() + 4.0
    async with open_stream(
        url, "websocket", topic, headers=bearer(token("ada", subscribe=[topic], exp=ends))
    ) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        await publish(url, topic, 1)
        later = token("ada", subscribe=[topic, "more"], publish=["more"])
        reply = (await stream.ask({"op": "auth", "token": later, "ref": 7})).value
        assert (reply["type"], reply["ref"], reply["subject"]) == ("reply", 7, "ada")
        assert (reply["subscribe"], reply["publish"], reply["admin"]) == ([topic, "more"], ["more"], False)
        await asyncio.sleep(max(0.0, ends + 0.7 - time.time()))  # the old end has to have passed
        await publish(url, topic, 2)
        events = [frame for frame in stream.frames if frame.is_event] + await stream.events(1)
        assert [event.value["data"] for event in events] == [1, 2]
        assert [frame.value["state"] for frame in stream.frames if frame.type == "auth"][-1] == "renewed"


async def test_9_a_bad_token_leaves_the_old_one(url: str, topic: str) -> None:
    async with open_stream(url, "websocket", topic, headers=bearer(token("ada", subscribe=[topic]))) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        for text, status in (("x", 401), (token("bob", subscribe=[topic]), 403)):
            problem = (await stream.ask({"op": "auth", "token": text, "ref": "r"})).value
            assert (problem["type"], problem["status"], problem["ref"]) == ("problem", status, "r")
        problem = (await stream.ask({"op": "auth", "ref": "r"})).value
        assert (problem["status"], problem["field"]) == (422, "token")
        await publish(url, topic, 1)
        await stream.events(1)


@streaming
async def test_9_any_stream_by_http_and_only_its_owners(url: str, topic: str, transport: Transport) -> None:
    async with open_stream(
        url, transport, [topic, "b"], headers=bearer(token("ada", subscribe=[topic, "b"]))
    ) as stream:
        await stream.control("caught_up")
        body = {"connection": stream.connection["connection"]}
        bob = await ask(url, "POST", "/api/auth", token("bob", subscribe=[topic]), body)
        bob.problem(404)
        (await ask(url, "POST", "/api/auth", token("ada"), {"connection": "nobody"})).problem(404)
        (await ask(url, "POST", "/api/auth", None, body)).problem(401)
        renewed = await ask(url, "POST", "/api/auth", token("ada", subscribe=["b"]), body)
        assert (renewed.status, renewed.json()["subscribe"]) == (200, ["b"])
        reduced = await stream.control("auth")
        assert (reduced.value["state"], reduced.value["lost"]) == ("reduced", [topic])
        assert (await stream.control("auth")).value["state"] == "renewed"
        await publish(url, topic, 1)
        await publish(url, "b", 2)
        assert [event.value["data"] for event in await stream.events(1)] == [2]
        await ask(url, "POST", "/api/auth", token("ada", subscribe=["c"]), body)
        goodbye = await stream.control("goodbye")
        assert (goodbye.value["reason"], goodbye.value["detail"]) == ("auth", "forbidden")


async def test_9_ops_take_their_rights(url: str, topic: str) -> None:
    text = token("ada", subscribe=[topic], publish=[f"{topic}/out"])
    async with open_stream(url, "websocket", topic, headers=bearer(text)) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        draft = {"op": "publish", "type": "x", "data": 1}
        for message, status in (
            ({"op": "subscribe", "topics": ["b"]}, 403),
            ({"op": "subscribe", "topics": ["**"]}, 403),
            ({**draft, "topic": topic}, 403),
            ({"op": "subscribe", "topics": ["twinwire/revocations"]}, 403),
        ):
            problem = (await stream.ask({**message, "ref": 1})).value
            assert (problem["type"], problem["status"], problem["field"]) == ("problem", status, "topic"), message
        assert (await stream.ask({**draft, "topic": f"{topic}/out"})).value["type"] == "reply"


async def test_9_a_batch_is_all_or_nothing(url: str, topic: str) -> None:
    text = token("ada", subscribe=[topic], publish=[topic])
    drafts = [{"topic": name, "type": "x", "data": n} for n, name in enumerate((topic, topic, "other"))]
    answer = await ask(url, "POST", "/api/events", text, drafts)
    assert answer.problem(403)["field"] == "2.topic"
    lines = b"\n\n".join(json.dumps(draft).encode() for draft in drafts)
    headers = {**bearer(text), "Content-Type": "application/x-ndjson"}
    answer = await request(url, "POST", "/api/events", headers=headers, body=lines)
    assert (answer.problem(403)["field"], answer.json()["line"]) == ("topic", 5)
    assert (await ask(url, "GET", f"/api/events?topic={topic}&after=earliest", text)).json()["events"] == []


# Who says it later, and by the subprotocol


@asynccontextmanager
async def handshaken(url: str, **options: Any) -> AsyncIterator[WebSocketCollector]:
    """A WebSocket of which nothing was read yet."""
    stream = WebSocketCollector(await WebSocketClient.open(url, **options))
    try:
        yield stream
    finally:
        stream.reset()


async def test_9_by_subprotocol(url: str, topic: str) -> None:
    text = token("ada", subscribe=[topic])
    offered = ("twinwire.v1", f"twinwire.bearer.{text}")
    async with handshaken(url, query={"topic": topic}, subprotocols=offered) as stream:
        assert stream.client.handshake["Sec-WebSocket-Protocol"] == "twinwire.v1"
        assert (await stream.next()).value["subject"] == "ada"
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(url, subprotocols=(f"twinwire.bearer.{text}",))
    refused.value.response.problem(400)


async def test_9_auth_message_comes_before_everything(url: str, topic: str) -> None:
    async with handshaken(url, query={"topic": topic, "auth": "message"}) as stream:
        await stream.send({"op": "subscribe", "topics": [topic], "ref": 1})
        problem = (await stream.next()).value
        assert (problem["type"], problem["status"], problem["ref"]) == ("problem", 409, 1)
        await stream.send({"op": "auth", "token": token("ada", subscribe=[topic])})
        said = (await stream.next()).value
        assert (said["type"], said["subject"], said["topics"]) == ("connection", "ada", [topic])


@pytest.mark.parametrize(("text", "detail"), [("x", "invalid"), ("expired", "expired")])
async def test_9_a_first_token_that_is_refused_ends_it(url: str, topic: str, text: str, detail: str) -> None:
    bad = token("ada", subscribe=[topic], exp=1_700_000_000, iat=1_699_999_999) if text == "expired" else text
    async with handshaken(url, query={"topic": topic, "auth": "message"}) as stream:
        await stream.send({"op": "auth", "token": bad})
        problem, goodbye = (await stream.next()).value, (await stream.next()).value
        assert (problem["status"], goodbye["reason"], goodbye["detail"]) == (401, "auth", detail)
        assert await stream.end() == 1008


async def test_9_later_with_both(url: str, topic: str) -> None:
    async with handshaken(url, query={"filter": "later", "auth": "message"}) as stream:
        await stream.send({"op": "auth", "token": token("ada", subscribe=[topic])})
        await stream.send({"op": "subscribe", "topics": ["b"], "ref": 1})
        assert (await stream.next()).value["status"] == 403
        await stream.send({"op": "subscribe", "topics": [topic], "ref": 2})
        said = (await stream.next()).value
        assert (said["type"], said["subject"], said["topics"]) == ("connection", "ada", [topic])


# Tickets


async def test_9_a_ticket_opens_one_stream_and_its_cookie_brings_it_back(url: str, topic: str) -> None:
    text = await ticket(url, token("ada", subscribe=["access/**"]), topics=[topic])
    async with open_stream(url, "sse", topic, query={"ticket": text}) as stream:
        await stream.control("caught_up")
        assert stream.connection["subject"] == "ada"
        cookie = stream.head.header("set-cookie") or ""
        assert cookie.startswith("twinwire_stream=")
        for part in ("HttpOnly", "SameSite=Strict", "Path=/api/sse", "Max-Age="):
            assert part in cookie
    back = {"Cookie": cookie.partition(";")[0]}
    async with open_stream(url, "sse", topic, query={"ticket": text}, headers=back) as stream:
        await stream.control("caught_up")
        assert stream.connection["subject"] == "ada"
        assert stream.head.header("set-cookie") is None
    (await request(url, "GET", "/api/sse", query={"topic": "access/other", "ticket": text}, headers=back)).problem(403)
    (await request(url, "GET", "/api/events", query={"topic": topic, "ticket": text})).problem(401)


async def test_9_a_ticket_is_for_websockets_and_polls_too(url: str, topic: str) -> None:
    mine = token("ada", subscribe=[topic])
    async with open_stream(url, "websocket", topic, query={"ticket": await ticket(url, mine)}) as stream:
        await stream.control("caught_up")
        assert stream.connection["subject"] == "ada"
    answer = await request(url, "GET", "/api/events", query={"topic": topic, "ticket": await ticket(url, mine)})
    assert answer.status == 200
    text = await ticket(url, mine)
    (await request(url, "POST", f"/api/sse?ticket={text}", json_body={"topics": [topic]})).problem(422)


async def test_9_a_ticket_is_no_more_than_its_token(url: str, topic: str) -> None:
    mine = token("ada", subscribe=[topic])
    assert (await ask(url, "POST", "/api/tickets", mine, {"topics": ["other"]})).problem(403)["field"] == "topic"
    assert (await ask(url, "POST", "/api/tickets", mine, {"ttl": 61})).problem(422)["field"] == "ttl"
    (await ask(url, "POST", "/api/tickets", None, {})).problem(401)


# Sessions


async def test_9_a_session_is_a_cookie(url: str, topic: str) -> None:
    mine = token("ada", subscribe=[topic], publish=[topic])
    begun = await ask(url, "POST", "/api/session", mine)
    assert (begun.status, begun.json()["subject"]) == (200, "ada")
    cookie = (begun.header("set-cookie") or "").partition(";")[0]
    assert cookie == f"twinwire={mine}"
    who = await ask(url, "GET", "/api/session", Cookie=cookie)
    assert (who.json()["subject"], who.json()["keys"]) == ("ada", True)
    assert (await ask(url, "GET", f"/api/events?topic={topic}", Cookie=cookie)).status == 200
    draft = {"topic": topic, "type": "x", "data": 1}
    (await ask(url, "POST", "/api/events", None, draft, Cookie=cookie)).problem(403)
    assert (await ask(url, "POST", "/api/events", None, draft, Cookie=cookie, Origin=OWN)).status == 201
    with pytest.raises(RefusedError):
        await WebSocketClient.open(url, query={"topic": topic}, headers={"Cookie": cookie})
    ended = await ask(url, "DELETE", "/api/session", Cookie="twinwire=bad", Origin=OWN)
    assert (ended.status, "Max-Age=0" in (ended.header("set-cookie") or "")) == (204, True)
    nobody = await ask(url, "GET", "/api/session")
    assert (nobody.status, nobody.json()["subject"]) == (200, None)


async def test_9_a_cookie_of_https_is_another(url: str) -> None:
    begun = await ask(
        url, "POST", "/api/session", token("ada"), Origin=OWN.replace("http:", "https:"), Sec_Fetch_Site="same-origin"
    )
    assert (begun.header("set-cookie") or "").startswith("__Host-twinwire=")
    assert "; Secure;" in (begun.header("set-cookie") or "")


async def test_9_a_login_ticket_is_a_session(url: str) -> None:
    login = await ticket(url, token("ada", subscribe=["a"]), login=True)
    (await request(url, "GET", "/api/events", query={"topic": "a", "ticket": login})).problem(401)
    begun = await ask(url, "POST", "/api/session", None, {"ticket": login})
    assert (begun.status, begun.json()["subject"]) == (200, "ada")
    (await ask(url, "POST", "/api/session", None, {"ticket": login})).problem(401)


async def test_9_a_page_may_ask_before_it_shows_a_button(url: str) -> None:
    mine = token("ada", subscribe=["a/*"], publish=["a/1"])
    for body, missing in (
        ({"topics": ["a/1", "b"]}, ["b"]),
        ({"topics": ["a/1", "a/2"], "op": "publish"}, ["a/2"]),
        ({"topics": []}, []),
    ):
        answer = await ask(url, "POST", "/api/auth/check", mine, body)
        assert answer.json() == {"allowed": not missing, "missing": missing}
    (await ask(url, "POST", "/api/auth/check", mine, {"topics": ["a"], "op": "fly"})).problem(422)


# Revocation


@streaming
@pytest.mark.parametrize("by", ["sub", "jti", "connection", "all"])
async def test_9_what_is_revoked_ends_within_a_second(url: str, transport: Transport, by: str) -> None:
    topic, jti, sub = api.unique("access"), api.unique("jti"), api.unique("user")
    text = token(sub, subscribe=[topic], jti=jti)
    async with open_stream(url, transport, topic, headers=bearer(text)) as stream:
        await stream.control("caught_up")
        what = {"sub": sub, "jti": jti, "connection": stream.connection["connection"], "all": True}[by]
        if by == "all":  # but not the operator
            ADMIN.update(bearer(token("root", admin=True, iat=time.time() + 3)))
        begun = time.monotonic()
        assert await revoke(url, **{by: what}) == 1
        goodbye = await stream.control("goodbye")
        assert time.monotonic() - begun < 1.0 + SLACK
        assert (goodbye.value["reason"], goodbye.value["detail"]) == ("auth", "revoked")
    if by == "connection":
        assert (await ask(url, "GET", f"/api/events?topic={topic}", text)).status == 200
        return
    (await ask(url, "GET", f"/api/events?topic={topic}", text)).problem(401)
    lifted = await request(url, "DELETE", "/api/auth/revoke", headers=ADMIN, json_body={by: what})
    assert lifted.status == 204
    assert (await ask(url, "GET", f"/api/events?topic={topic}", text)).status == 200


async def test_9_a_poll_that_waits_is_answered_when_its_token_is_revoked(url: str, topic: str) -> None:
    sub = api.unique("user")
    poll = asyncio.create_task(ask(url, "GET", f"/api/events?topic={topic}&wait=60", token(sub, subscribe=[topic])))
    while (await request(url, "GET", "/metrics", headers=ADMIN)).text.find("twinwire_places 1.0") < 0:
        pass
    begun = time.monotonic()
    await revoke(url, sub=sub)
    assert (await poll).status == 200
    assert time.monotonic() - begun < 10


async def test_9_a_grace_lets_honest_clients_bring_another(url: str, topic: str) -> None:
    sub = api.unique("user")
    async with open_stream(url, "websocket", topic, headers=bearer(token(sub, subscribe=[topic]))) as stream:
        assert isinstance(stream, WebSocketCollector)
        await stream.control("caught_up")
        assert await revoke(url, sub=sub, grace=2.0) == 1
        assert (await stream.control("auth")).value["state"] == "expiring"
        assert (await stream.ask({"op": "auth", "token": token(sub, subscribe=[topic])})).value["type"] == "reply"
        await asyncio.sleep(2.3)  # the grace has to have passed
        await publish(url, topic, 1)
        await stream.events(1)


async def test_9_the_service_s_own_topic_is_nobodys(url: str) -> None:
    await revoke(url, sub=api.unique("user"))
    admin = ADMIN["Authorization"].partition(" ")[2]
    for path in ("/api/events?topic=twinwire/revocations", "/api/sse?topic=twinwire/**"):
        (await ask(url, "GET", path, admin)).problem(403)
    everything = await ask(url, "GET", "/api/events?after=earliest&limit=1000", admin)
    assert not [event for event in everything.json()["events"] if event["topic"].startswith("twinwire")]
    listed = await ask(url, "GET", "/api/topics", admin)
    assert not [one for one in listed.json()["topics"] if one["topic"].startswith("twinwire")]
    draft = {"topic": "twinwire/revocations", "type": "jti", "data": {"name": "x"}}
    (await ask(url, "POST", "/api/events", admin, draft)).problem(403)
    (await ask(url, "POST", "/api/topics/trim", admin, {"topic": "twinwire/revocations", "keep": 0})).problem(403)
    await ask(url, "POST", "/api/topics/trim", admin, {"topic": "**", "keep": 0})
    assert (await ask(url, "GET", "/api/auth/revoke", admin)).json()["revocations"]
