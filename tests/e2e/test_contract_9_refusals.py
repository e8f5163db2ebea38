"""docs/protocol.md, section 9: what is refused, and how. Each row of its table, on every wire that it names."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import api
from tests.support.bearers import KEYS, ask, bearer, ticket, token
from tests.support.http import Query, Response, request
from tests.support.server import ServerProcess
from tests.support.tokens import entry, issuer, signed
from tests.support.websocket import RefusedError, WebSocketClient

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
TABLE = PAGE.read_text().partition("<!-- refusals -->")[2].partition("<!-- /refusals -->")[0]
ROWS = [tuple(cell.strip() for cell in line.strip("| \n").split("|")) for line in TABLE.splitlines() if line[:1] == "|"]
CASES = ROWS[2:]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a key, and an issuer whose keys can't be had."""
    with issuer() as source:
        source.status = 500
        fetched = {"iss": "away", "alg": ["RS256"], "jwks": source.url}
        keys = json.dumps([entry(), fetched])
        env = {"TWINWIRE_TOKEN_KEYS": keys, "TWINWIRE_TOKEN_AUDIENCE": "twinwire"}
        with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
            yield process
            assert process.stop() == 0
            assert process.faults() == []


@dataclass
class Credential:
    """What a request brings: headers, and parameters of its URL."""

    headers: dict[str, str]
    query: dict[str, str | int | float | list[str]]


def mine(**claims: Any) -> str:
    return token("ada", aud="twinwire", **{"subscribe": ["b"], "publish": ["b"], **claims})


async def credential(url: str, name: str) -> Credential:
    """The one that a row of the table names."""
    if name == "none":
        return Credential({}, {})
    if name == "`Authorization: Basic`":
        return Credential({"Authorization": "Basic YTpi"}, {})
    if name == "a spent ticket":
        text = await ticket(url, mine(subscribe=["a"]))
        assert (await request(url, "GET", "/api/events", query={"topic": "a", "ticket": text})).status == 200
        return Credential({}, {"ticket": text})
    if name == "a cookie without an origin":
        return Credential({"Cookie": f"twinwire={mine(publish=['a'])}"}, {})
    if name == "one that was revoked":
        jti = api.unique("jti")
        text = mine(subscribe=["a"], jti=jti)
        await revoke_as_admin(url, jti=jti)
        return Credential(bearer(text), {})
    tokens = {
        "no token of ours": mine()[:-4] + "AAAA",
        "one that has expired": mine(subscribe=["a"], exp=1_700_000_000, iat=1_699_999_000),
        "without the right": mine(),
        "too many streams of the subject": mine(subscribe=["a"], streams=0),
        "keys that can't be had": signed({"iss": "away", "sub": "ada", "exp": 2e9}, "rsa", "RS256", kid="later"),
    }
    return Credential(bearer(tokens[name]), {})


async def revoke_as_admin(url: str, **what: Any) -> None:
    admin = token("root", admin=True, aud="twinwire")
    assert (await ask(url, "POST", "/api/auth/revoke", admin, what)).status == 200


async def plain(url: str, request_name: str, found: Credential) -> Response:
    what, _, topic = request_name.rpartition(" ")
    name = topic.strip("`")
    if what == "read":
        path = "/api/sse" if "streams" in found.query else "/api/events"
        return await request(url, "GET", path, query={**found.query, "topic": name}, headers=found.headers)
    if what == "publish to":
        draft = {"topic": name, "type": "x", "data": 1}
        return await request(url, "POST", "/api/events", headers=found.headers, json_body=draft)
    assert what == "trim"
    body = {"topic": name, "keep": 0}
    return await request(url, "POST", "/api/topics/trim", headers=found.headers, json_body=body)


def test_9_the_table_has_a_row_for_each_kind() -> None:
    assert ROWS[0] == ("request", "credential", "status", "EventSource", "WebSocket", "retry")
    assert len(CASES) == 13
    assert {row[0].partition(" ")[0] for row in CASES} == {"read", "publish", "trim"}


@pytest.mark.parametrize("row", CASES, ids=lambda row: " ".join(row[:2]).replace("`", ""))
async def test_9_what_is_refused_and_how(guarded: ServerProcess, row: tuple[str, ...]) -> None:
    url = guarded.url
    name, kind, status, source, socket, retry = row
    number, _, error = status.replace("`", "").partition(" ")
    if kind != "too many streams of the subject":  # a read takes no place
        answer = await plain(url, name, await credential(url, kind))
        body = answer.problem(int(number))
        challenge = answer.header("www-authenticate")
        if error:
            assert challenge == f'Bearer realm="twinwire", error="{error}"'
        else:
            assert challenge == ('Bearer realm="twinwire"' if number == "401" else None)
        assert (answer.header("retry-after") is not None) == (retry == "later")
        if error == "insufficient_scope" and "trim" not in name:
            assert body["field"] == "topic"
            assert "'a'" in body["detail"]
        if error == "invalid_token" and kind != "a spent ticket":
            assert body["detail"] == "the token is not valid"
    if source != "-":
        await check_event_source(url, await credential(url, kind), source, int(number))
    if socket != "-":
        await check_websocket(url, await credential(url, kind), socket)


async def check_event_source(url: str, found: Credential, promised: str, status: int) -> None:
    """As a browser's, whose URL has a ticket or `auth`; then as a fetch, which can read statuses."""
    query: Query = {"topic": "a", **({} if "ticket" in found.query else {"auth": "required"}), **found.query}
    headers = {**found.headers, "Accept": "text/event-stream"}
    answer = await request(url, "GET", "/api/sse", query=query, headers=headers)
    if not promised.startswith("`goodbye`"):
        assert answer.status == int(promised)
        return
    assert (answer.status, answer.header("content-type")) == (200, "text/event-stream")
    said = json.loads(re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)[0])
    reason, _, detail = promised.removeprefix("`goodbye` ").partition(" ")
    assert (said["type"], said["reason"], said.get("detail", "")) == ("goodbye", reason, detail)
    assert "event: goodbye\n" in answer.text
    retry = int(re.findall(r"^retry: (\d+)", answer.text, re.MULTILINE)[0])
    assert retry == 30_000 if reason == "auth" else 0 < retry <= 30_000
    assert (said["retry"] is None) == (reason == "auth")
    if "ticket" not in found.query:  # which is spent
        unnamed = await request(url, "GET", "/api/sse", query={**query, "named": "0"}, headers=headers)
        assert (unnamed.status, "event:" in unnamed.text, '"goodbye"' in unnamed.text) == (200, False, True)
    for fetch in ({**headers, "X-Twinwire-Fetch": "1"}, found.headers):
        again = await request(url, "GET", "/api/sse", query=query, headers=fetch)
        again.problem(status)


async def check_websocket(url: str, found: Credential, promised: str) -> None:
    query: Query = {"topic": "a", **found.query}
    if not promised.startswith("`goodbye`"):
        with pytest.raises(RefusedError) as refused:
            await WebSocketClient.open(url, query=query, headers=found.headers)
        refused.value.response.problem(int(promised))
        return
    client = await WebSocketClient.open(url, query=query, headers=found.headers)
    (text,) = await client.receive()
    assert (json.loads(text)["reason"], json.loads(text)["code"]) == ("limit", 1013)
    assert await client.wait_closed() == 1013
    client.reset()


@pytest.mark.parametrize("path", ["/api/events", "/api/sse"])
async def test_9_there_is_no_token_in_a_url(guarded: ServerProcess, path: str) -> None:
    """Refused as any unknown parameter is, and not told back."""
    text = mine(subscribe=["a"])
    answer = await request(guarded.url, "GET", path, query={"topic": "a", "access_token": text})
    body = answer.problem(422)
    assert body["field"] == "access_token"
    assert text not in answer.text
    with pytest.raises(RefusedError) as refused:
        await WebSocketClient.open(guarded.url, query={"topic": "a", "access_token": text})
    refused.value.response.problem(422)


async def test_9_a_topic_is_refused_the_same_whether_it_is_there_or_not(guarded: ServerProcess) -> None:
    admin, reader = token("root", admin=True, aud="twinwire"), mine()
    await ask(guarded.url, "POST", "/api/events", admin, {"topic": "there", "type": "x", "data": 1})
    told = [await ask(guarded.url, "GET", f"/api/events?topic={name}", reader) for name in ("there", "nowhere")]
    texts = [answer.text.replace("nowhere", "there") for answer in told]
    assert texts[0] == texts[1]


def test_9_the_log_has_why_and_never_what(guarded: ServerProcess) -> None:
    """Run after the others of this file: whatever they brought, none of it stands there."""
    log = guarded.log.read_text()
    assert "auth_refused" in log
    assert not re.search(r"eyJ|tk_[A-Za-z0-9_-]{20}|YTpi", log)
    assert KEYS.partition('"key": "')[2][:20] not in log
