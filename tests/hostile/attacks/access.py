"""The doors behind which it matters who comes: credentials that are no good, and those who have one and mean harm."""

import asyncio
import json
from functools import cache
from typing import Any, Final

from tests.hostile.attack import Attacker, attack, handshake, head, message
from tests.hostile.ours import OURS
from tests.support.bearers import KEYS, bearer, token
from tests.support.tokens import SECRET, b64, entry, pem, raw

GUARDED: Final = {"TWINWIRE_TOKEN_KEYS": KEYS}
JSON: Final = {"Content-Type": "application/json"}
PUBLIC: Final = {
    "TWINWIRE_TOKEN_KEYS": json.dumps(
        [entry(), *({"alg": "ES384", "public": pem("p384", number)} for number in range(4))]
    )
}
"""Beside the secret four keys without an id, each of which takes 0.8 ms to say no."""

AWAY: Final = {
    "TWINWIRE_TOKEN_AUDIENCE": "twinwire",
    "TWINWIRE_TOKEN_KEYS": json.dumps(
        [
            entry(),
            {"iss": "away", "alg": ["RS256"], "jwks": "http://127.0.0.1:9/jwks.json"},
        ]
    ),
}
SOME: Final = 200
"""Tokens of one attacker, each of which is read anew in every round."""


def forged(attacker: Attacker, number: int, **claims: Any) -> str:
    """A token that is as it should be, but for its signature; another one each time."""
    return f"{token(f'u{attacker.number}-{number}', subscribe=['**'], **claims)[:-8]}AAAAAAAA"


def _bad_tokens(texts: list[str]) -> list[tuple[str, str, dict[str, str], bytes]]:
    """A request for each of several doors, each with another token."""
    event = b'{"topic":"a","type":"log","data":1}'
    return [
        ("GET", "/api/events?topic=a", bearer(texts[0]), b""),
        ("POST", "/api/events", {**bearer(texts[1]), **JSON}, event),
        ("GET", "/api/session", bearer(texts[2]), b""),
        ("GET", "/api/sse?topic=a", {"Cookie": f"twinwire={texts[3]}"}, b""),
        ("GET", f"/api/events?topic=a&ticket=tk_{texts[4][-43:]}", {}, b""),
        ("GET", "/api/sse?topic=a&ticket=tk_x", {"Cookie": f"twinwire_stream={texts[5]}"}, b""),
    ]


@attack("bad-tokens", row="A1", env=GUARDED)
async def bad_tokens(attacker: Attacker) -> None:
    """Forged tokens at every door, in a header, a cookie, a ticket: another one each time."""
    connection, number = await attacker.connect(), 0
    while True:
        number += 10
        for method, path, headers, body in _bad_tokens([forged(attacker, number + n) for n in range(6)]):
            answer = await attacker.ask(connection, method, path, headers=headers, body=body)
            attacker.must(answer.status == 401, f"a forged token at {path[:20]}: {answer.status}")


@attack("bad-tokens-of-public-keys", row="A1", env=PUBLIC)
async def bad_tokens_of_public_keys(attacker: Attacker) -> None:
    """Tokens that four keys have to be tried with, each a slow one."""
    connection, number, head_of_token = await attacker.connect(), 0, b64(b'{"alg":"ES384"}')
    while True:
        number += 1
        claims = b64(json.dumps({"sub": f"u{attacker.number}-{number}", "exp": 4_000_000_000}).encode())
        text = f"{head_of_token}.{claims}.{'Q' * 128}"  # zeros are refused unread
        answer = await attacker.ask(connection, "GET", "/api/events?topic=a", headers=bearer(text))
        attacker.must(answer.status == 401, f"a forged token: {answer.status}")


@attack("bad-tokens-in-handshakes", row="A1", env=GUARDED)
async def bad_tokens_in_handshakes(attacker: Attacker) -> None:
    """Forged tokens as a subprotocol: 401 before the handshake, on a new connection each."""
    number = 0
    while True:
        number += 1
        offered = {"Sec-WebSocket-Protocol": f"twinwire.v1, twinwire.bearer.{forged(attacker, number)}"}
        connection = await attacker.send(handshake("topic=a", **offered))
        status = (await connection.read_head()).status
        attacker.must(status == 401, f"a forged token in a handshake: {status}")
        attacker.leave(connection)


@attack("odd-tokens", row="A1", env=GUARDED)
async def odd_tokens(attacker: Attacker) -> None:
    """Tokens of 8 KB whose JSON is deep, wide, of long numbers, signed by nobody; and headers with nothing to say."""
    parts = [b"[" * 5_000, b'{"a":' * 1_100, b"1" * 5_500, b'{"exp":1e999}', b'{"alg":"none"}', b'{"crit":["x"]}']
    texts = [f"{b64(one)}.{b64(other)}.AAAA" for one in parts for other in parts if len(one) + len(other) < 6_000]
    texts += ["." * 8_000, "a." * 4_000, "eyJ.eyJ.eyJ", raw("{}", "[]"), raw({"alg": "HS256"}, {"exp": "1" * 5_000})]
    connection = await attacker.connect()
    while True:
        for text in texts:
            answer = await attacker.ask(connection, "GET", "/api/events?topic=a", headers=bearer(text))
            attacker.must(answer.status in (400, 401), f"an odd token: {answer.status}")


@attack("bad-renewals", row="A2", env=GUARDED)
async def bad_renewals(attacker: Attacker) -> None:
    """An open WebSocket that brings forged tokens as fast as it can."""
    texts = [message(op="auth", token=forged(attacker, number)) for number in range(SOME)]
    await _flood(attacker, b"".join(texts), token(f"u{attacker.number}", subscribe=["a"]))


@attack("renewals", row="A2", env=GUARDED)
async def renewals(attacker: Attacker) -> None:
    """An open WebSocket that brings one good token after another, with a hundred topics more or less."""
    topics = [f"{'s' * 20}/{n}" for n in range(99)]
    some, few = _pairs(f"u{attacker.number}", tuple(topics))
    more = message(op="subscribe", topics=topics)
    texts = [
        message(op="auth", token=one) + more + message(op="auth", token=other)
        for one, other in zip(some, few, strict=True)
    ]
    await _flood(attacker, b"".join(texts), some[0])


@cache
def _pairs(sub: str, topics: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Tokens for more and for less, the same in each round: a stranger can't make any."""
    return tuple([token(sub, subscribe=["a", *more], jti=f"{n}") for n in range(20)] for more in (topics, ()))


async def _flood(attacker: Attacker, data: bytes, text: str) -> None:
    """As `flood`, with a token in the handshake."""
    offered = {"Sec-WebSocket-Protocol": f"twinwire.v1, twinwire.bearer.{text}"}
    while True:
        line = await attacker.send(handshake("topic=a", **offered))
        status = (await line.read_head()).status
        attacker.must(status in (101, 503), f"a good token in a handshake: {status}")
        reading = asyncio.create_task(attacker.is_let_go(line, 3_600))
        try:
            await attacker.pour(line, data)
        finally:
            reading.cancel()
        attacker.leave(line)


@attack("pending-for-ever", row="A3", env=GUARDED, seconds=7.0)
async def pending_for_ever(attacker: Attacker) -> None:
    """WebSockets that are to say who they are, and do not: ten of each attacker, ended after 5 s, and again."""
    while True:
        lines = []
        for _ in range(10):  # one after the other: it is not about how many can come at once
            lines.append(await attacker.send(handshake("topic=a&auth=message")))
            status = (await lines[-1].read_head()).status
            attacker.must(status in (101, 503), f"pending: {status}")
        gone = await asyncio.gather(*(attacker.is_let_go(line, 60) for line in lines))
        attacker.must(all(gone), "who never says who he is, stays")
        for line in lines:
            attacker.leave(line)


@attack("pending-and-loud", row="A3", env=GUARDED)
async def pending_and_loud(attacker: Attacker) -> None:
    """The same, that say everything else."""
    data = message(op="publish", topic="a", type="log", data="x" * 1_000) * 50 + message(op="auth") * 50
    while True:
        line = await attacker.send(handshake("topic=a&auth=message"))
        attacker.must((await line.read_head()).status in (101, 503), "pending")
        reading = asyncio.create_task(attacker.is_let_go(line, 3_600))
        try:
            await attacker.pour(line, data)
        finally:
            reading.cancel()
        attacker.leave(line)


@attack("tickets", row="A4", env=GUARDED, leaves="all the tickets that may wait")
async def tickets(attacker: Attacker) -> None:
    """Tickets by the thousand, each for a hundred long topics; a hundred wait of each subject."""
    topics = [f"{'t' * 190}/{n}" for n in range(100)]
    body, connection = json.dumps({"topics": topics}).encode(), await attacker.connect()
    while True:
        for number in range(SOME):
            mine = bearer(token(f"u{attacker.number}-{number}", subscribe=["**"]))
            for _ in range(101):
                answer = await attacker.ask(connection, "POST", "/api/tickets", headers={**mine, **JSON}, body=body)
                attacker.must(answer.status in (201, 429, 503), f"a ticket: {answer.status}")
                if answer.status != 201:
                    break


@attack("tickets-used", row="A4", env=GUARDED)
async def tickets_used(attacker: Attacker) -> None:
    """A ticket, the stream that it opens, and again: each with a longer cookie."""
    mine, connection = bearer(token(f"u{attacker.number}", subscribe=["a"])), await attacker.connect()
    cookie = ""
    while True:
        answer = await attacker.ask(connection, "POST", "/api/tickets", headers={**mine, **JSON}, body=b"{}")
        attacker.must(answer.status == 201, f"a ticket: {answer.status} {answer.body[:200]!r}")
        if answer.status != 201:
            continue
        stream = await attacker.send(head("GET", f"/api/sse?topic=a&ticket={answer.json()['ticket']}", Cookie=cookie))
        found = await stream.read_head()
        attacker.must(found.status == 200, f"a stream with a ticket: {found.status}")
        cookie = (found.header("set-cookie") or "").partition(";")[0]
        attacker.leave(stream)


def nearly(count: int, segments: int, last: str) -> list[str]:
    """Patterns that are the same up to the last segment, in as many ways as there are."""
    ways = (["*" if bit == "1" else "a" for bit in f"{number:08b}"] for number in range(count))
    return ["/".join([*way, *["a"] * (segments - 9), last]) for way in ways]


@attack("many-grants", row="A5", env=GUARDED)
async def many_grants(attacker: Attacker) -> None:
    """A token of as many filters of 90 segments as it can hold, and reads of a hundred patterns that nearly fit."""
    mine = token(f"u{attacker.number}", subscribe=["a", *nearly(31, 90, "b")], publish=["a"])
    ask = {"topics": ["/".join(["a"] * 89 + [f"c{n}"]) for n in range(100)]}
    body, connection = json.dumps(ask).encode(), await attacker.connect()
    checked = json.dumps({"topics": ask["topics"], "op": "subscribe"}).encode()
    while True:
        for path, sent, wanted in (("/api/events/read", body, 403), ("/api/auth/check", checked, 200)):
            answer = await attacker.ask(connection, "POST", path, headers={**bearer(mine), **JSON}, body=sent)
            attacker.must(answer.status == wanted, f"{path}: {answer.status}")


@attack("publishes-with-few-rights", row="A5", env=GUARDED, quick=4, connections=(1, 20))
async def publishes_with_few_rights(attacker: Attacker) -> None:
    """10,000 topics a publish, held against filters of 60 segments; the last one is refused, so none is stored."""
    mine = token(f"u{attacker.number}", publish=nearly(40, 60, "*"))
    topics = ["/".join(["a"] * 59 + [f"c{n}"]) for n in range(9_999)]
    lines = [f'{{"topic":"{topic}","type":"log","data":1}}' for topic in [*topics, "b"]]
    headers = {**bearer(mine), "Content-Type": "application/x-ndjson"}
    connection = await attacker.connect()
    while True:
        body = "\n".join(lines).encode()
        answer = await attacker.ask(connection, "POST", "/api/events", headers=headers, body=body)
        attacker.must(answer.status in (403, 503), f"10,000 topics: {answer.status}")


@attack("revocations", row="A6", env=GUARDED)
async def revocations(attacker: Attacker) -> None:
    """An admin who revokes by the thousand, and reads the list."""
    connection, number = await attacker.connect(), 0
    headers = {**OURS, **JSON}
    while True:
        number += 1
        body = json.dumps({"sub": f"u{attacker.number}-{number}"}).encode()
        answer = await attacker.ask(connection, "POST", "/api/auth/revoke", headers=headers, body=body)
        attacker.must(answer.status in (200, 503), f"revoke: {answer.status}")
        if number % 50 == 0:
            await attacker.ask(connection, "GET", "/api/auth/revoke", headers=OURS)
            await attacker.ask(connection, "DELETE", "/api/auth/revoke", headers=headers, body=body)


@attack("streams-revoked", row="A6", env=GUARDED)
async def streams_revoked(attacker: Attacker) -> None:
    """Streams of one subject, all of them ended again and again."""
    mine = bearer(token("many", subscribe=["a"]))
    while True:
        if attacker.is_first:
            headers = {**OURS, **JSON}
            await attacker.ask_anew("POST", "/api/auth/revoke", headers=headers, body=b'{"sub":"many"}')
            await attacker.ask_anew("DELETE", "/api/auth/revoke", headers=headers, body=b'{"sub":"many"}')
            continue
        stream = await attacker.send(head("GET", "/api/sse?topic=a", **mine))
        attacker.must((await stream.read_head()).status in (200, 401, 503), "a stream")
        await attacker.is_let_go(stream, 5)
        attacker.leave(stream)


@attack("junk-kids", row="A7", env=AWAY)
async def junk_kids(attacker: Attacker) -> None:
    """Tokens of an issuer whose keys can't be had, each with another `kid`, of up to 256 characters and more."""
    connection, number = await attacker.connect(), 0
    while True:
        number += 1
        header = {"alg": "RS256", "kid": f"{attacker.number}-{number}" + "k" * (number % 300)}
        text = raw(header, {"iss": "away", "aud": "twinwire", "exp": 4_000_000_000}, SECRET)
        answer = await attacker.ask(connection, "GET", "/api/events?topic=a", headers=bearer(text))
        attacker.must(answer.status in (401, 503), f"a kid that is not there: {answer.status}")
