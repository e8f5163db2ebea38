"""What a stranger may write: mostly right, sometimes with one thing wrong, sometimes noise."""

import json
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

AWKWARD: Final = (
    "",
    " ",
    "\0",
    "\r\n",
    "\u2028",
    "\ud800",
    "é",
    "𝒳",
    "%00",
    "..",
    "*",
    "**",
    "/",
    "'",
    '"',
    "\\",
    "1e999",
    "NaN",
)
DIGITS: Final = "1" * 5_000
"""More than Python turns into an integer without being asked (sys.set_int_max_str_digits)."""

SEGMENT: Final = st.text("abzAZ09_.~-", min_size=1, max_size=6)
"""Of a topic."""


def mixed(*good: SearchStrategy[str]) -> SearchStrategy[str]:
    """One of these; or one with something awkward in it; or any text at all."""
    right = st.one_of(*good)
    spoilt = st.builds(
        lambda text, odd, where: text[: int(where * len(text))] + odd + text[int(where * len(text)) :],
        right,
        st.sampled_from(AWKWARD),
        st.floats(0, 1),
    )
    return st.one_of(right, right, spoilt, st.text(max_size=80))


def joined(part: SearchStrategy[str], separator: str, most: int) -> SearchStrategy[str]:
    return st.lists(part, min_size=1, max_size=most).map(separator.join)


TOPIC: Final = joined(SEGMENT, "/", 5)
TOPICS: Final = mixed(TOPIC, st.sampled_from(["projects", "projects/x", "twinwire/a", "mercure", "a" * 200, "a" * 201]))
FILTER: Final = joined(st.one_of(SEGMENT, st.just("*")), "/", 5).flatmap(
    lambda text: st.sampled_from([text, f"{text}/**"])
)
FILTERS: Final = mixed(FILTER, st.sampled_from(["**", "*", "*/" * 99 + "*", "a/**/b", "***"]))
TYPES: Final = mixed(SEGMENT, st.sampled_from(["log", "status_update", "heartbeat", "auth", "x" * 65]))
CURSORS: Final = mixed(
    st.builds(lambda epoch, offset: f"{epoch}-{offset}", SEGMENT, st.integers(-1, 1 << 70)),
    st.sampled_from(
        ["earliest", "latest", "a-0", "a-01", "a-9223372036854775807", "a-9223372036854775808", "-", "a-١"]
    ),
)
TIMES: Final = mixed(
    st.datetimes().map(lambda one: one.isoformat() + "Z"),
    st.sampled_from(["0000-00-00T00:00:00Z", "9999-12-31T23:59:60Z"]),
)

_LEAF: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
VALUE: Final = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
"""A value that JSON can say."""
ODD_JSON: Final = st.sampled_from(
    [
        DIGITS,
        "-" + DIGITS,
        "[" * 980 + "]" * 980,
        "[" * 20_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        "NaN",
        "Infinity",
        "1e400",
        "-0",
        '"\\ud800"',
        '"\\u0000"',
        '{"a":1,"a":2}',
        "01",
        "[1,]",
        "\ufeff1",
        "1 2",
    ]
)
JSON_TEXT: Final = st.one_of(VALUE.map(json.dumps), VALUE.map(json.dumps), ODD_JSON, st.text(max_size=30))
"""The text of a value, most of the time."""


def encode(text: str) -> bytes:
    """As UTF-8, and surrogates as they come: what is wrong stays wrong."""
    return text.encode("utf-8", "surrogatepass")


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


def _members(known: dict[str, SearchStrategy[str]]) -> SearchStrategy[str]:
    """An object of these members: most of them once, some left out or twice, some of another shape."""

    def right(names: list[str]) -> SearchStrategy[list[tuple[str, str]]]:
        return st.tuples(*(st.tuples(st.just(name), known[name]) for name in names)).map(list)

    def odd(names: list[str]) -> SearchStrategy[list[tuple[str, str]]]:
        return st.tuples(*(st.tuples(st.just(name), known[name] | JSON_TEXT) for name in names)).map(list)

    every = right(list(known))
    some = st.lists(st.sampled_from(list(known)), max_size=len(known) + 2)
    return st.one_of(every, every, odd(list(known)), some.flatmap(odd)).map(_object)


def _quoted(text: SearchStrategy[str]) -> SearchStrategy[str]:
    return text.map(json.dumps)


KEYS: Final = _quoted(mixed(st.text("abc-0", min_size=1, max_size=8), st.just("k" * 129)))
EVENT: Final = _members({"topic": _quoted(TOPICS), "type": _quoted(TYPES), "data": JSON_TEXT, "key": KEYS})
"""What a publisher writes."""
_LOG: Final = '{"level":"info","message":"m","more":%s}'
_PROJECT: Final = {
    "topic": st.sampled_from(['"projects/x"', '"projects/x"', '"projects"']),
    "type": st.sampled_from(['"log"', '"log"', '"status_update"', '"agent_update"', '"file_update"', '"completion"']),
    "data": st.one_of(JSON_TEXT, JSON_TEXT.map(lambda text: _LOG % text), ODD_JSON.map(lambda text: _LOG % text)),
}
PROJECT_EVENT: Final = _members(_PROJECT)
"""At topics where an application looks at the data."""
EVENTS: Final = st.one_of(EVENT, PROJECT_EVENT)
BODY: Final = st.one_of(
    EVENTS,
    st.lists(EVENTS, max_size=4).map(lambda items: f"[{','.join(items)}]"),
    st.lists(EVENTS, max_size=4).map("\n".join),
    JSON_TEXT,
).map(encode)
"""Of a publish: an object, an array, lines."""
BODIES: Final = st.one_of(BODY, BODY, st.binary(max_size=60))
MEDIA_TYPES: Final = mixed(
    st.sampled_from(["application/json", "application/x-ndjson", "application/json; charset=latin-1", "text/plain", ""])
)

_LIGHT: Final = {
    "topic": _quoted(TOPICS),
    "type": _quoted(TYPES),
    "data": JSON_TEXT,
    "key": KEYS,
    "ttl": st.one_of(st.floats(0, 70).map(str), st.sampled_from(["-1", "0.1", "60", "1e999", "true", DIGITS])),
}
LIGHTS: Final = st.one_of(
    _members(_LIGHT), st.lists(_members(_LIGHT), max_size=4).map(lambda items: f"[{','.join(items)}]")
)
"""Ephemeral events."""
_OP: Final = st.sampled_from(['"subscribe"', '"unsubscribe"', '"publish"', '"ping"', '"auth"', '"no"'])
MESSAGE: Final = _members(
    {
        "op": _OP,
        "ref": st.one_of(st.integers().map(str), _quoted(st.text(max_size=200))),
        "topics": st.lists(_quoted(FILTERS), max_size=4).map(lambda items: f"[{','.join(items)}]"),
        "topic": _quoted(TOPICS),
        "type": _quoted(TYPES),
        "data": JSON_TEXT,
        "ephemeral": st.sampled_from(["true", "false", "null"]),
    }
)
_YES: Final = st.sampled_from(["true", "true", "false", "null", "1"])
LIGHT_MESSAGE: Final = _members({"op": st.just('"publish"'), **_LIGHT, "ephemeral": _YES, "echo": _YES})
PROJECT_MESSAGE: Final = _members({"op": st.just('"publish"'), **_PROJECT})
MESSAGES: Final = st.lists(
    st.one_of(MESSAGE, MESSAGE, LIGHT_MESSAGE, PROJECT_MESSAGE, JSON_TEXT), min_size=1, max_size=4
)
"""What a WebSocket client says, one after the other."""

_NAME: Final = st.one_of(
    st.text("abcXYZ019_", min_size=1, max_size=8),
    st.sampled_from(["id", "api", "sqlite_a", "select", "rowid", "é", "a" * 41]),
)
_KIND: Final = st.sampled_from(["text", "int", "float", "bool", "date", "INT", "dat", "string", ""])
_ENTITY: Final = st.builds(
    lambda name, fields: f"{name}: {', '.join(f'{field} {kind}' for field, kind in fields)}",
    _NAME,
    st.lists(st.tuples(_NAME, _KIND), max_size=5),
)
BRIEFS: Final = mixed(joined(_ENTITY, ";", 4), joined(_ENTITY, " ;\n", 4), st.sampled_from([":" * 4_000, "a " * 4_000]))

POLICY: Final = _members(
    {
        "topics": _quoted(FILTERS),
        "max_age": st.one_of(st.floats().map(str), st.integers().map(str), JSON_TEXT),
        "max_count": st.one_of(st.integers().map(str), JSON_TEXT),
        "max_bytes": st.one_of(st.integers().map(str), JSON_TEXT),
    }
)
POLICIES: Final = st.one_of(st.lists(POLICY, max_size=3).map(lambda items: f"[{','.join(items)}]"), POLICY, JSON_TEXT)
"""A retention setting, as the environment holds it."""

TOKEN_NOW: Final = 1_800_000_000
"""Unix seconds, when tokens are verified."""
_MOMENT: Final = st.one_of(
    st.integers(TOKEN_NOW - 100, TOKEN_NOW + 90_000).map(str),
    st.floats(TOKEN_NOW - 100, TOKEN_NOW + 90_000).map(str),
    st.sampled_from(["-1", "1e999", "253402300800", "true", '"1800000060"', DIGITS]),
)
_GRANTED: Final = st.lists(_quoted(st.one_of(FILTERS, FILTER, st.sampled_from(["{sub}", "a/{sub}/**", "{sub"])))).map(
    lambda items: f"[{','.join(items)}]"
)
_FLAG: Final = st.sampled_from(["true", "false"])
TOKEN_HEADER: Final = _members(
    {
        "alg": st.sampled_from(['"HS256"'] * 6 + ['"none"', '"RS256"', '"EdDSA"', '"HS512"']),
        "kid": _quoted(st.sampled_from(["a", "a", "a", "b", "", "k" * 300])),
        "typ": st.sampled_from(['"JWT"', '"at+jwt"', '"twinwire-ticket"']),
    }
)
TOKEN_CLAIMS: Final = _members(
    {
        "exp": st.one_of(st.integers(TOKEN_NOW + 1, TOKEN_NOW + 80_000).map(str), _MOMENT),
        "iat": st.one_of(st.just(str(TOKEN_NOW)), _MOMENT),
        "nbf": st.one_of(st.just("0"), _MOMENT),
        "sub": _quoted(mixed(SEGMENT)),
        "jti": _quoted(SEGMENT),
        "subscribe": _GRANTED,
        "publish": _GRANTED,
        "presence": _GRANTED,
        "run": _GRANTED,
        "admin": _FLAG,
        "metrics": _FLAG,
        "info": VALUE.map(json.dumps).map(lambda text: f'{{"i":{text}}}'),
        "streams": st.integers(-1, 1 << 70).map(str),
    }
)


def _rest(text: str) -> str:
    """The members of an object but for the times, after others."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return "}"
    kept = {name: value for name, value in members.items() if name not in ("exp", "iat", "nbf")}
    return f",{json.dumps(kept)[1:]}" if kept else "}"


_ISSUED: Final = st.builds(
    lambda text, issuer: f'{{"iss":{issuer},"aud":"us",{text[1:]}',
    TOKEN_CLAIMS,
    st.sampled_from(['"app"', '"https://login.example"', "7"]),
)
_GOOD_CLAIMS: Final = TOKEN_CLAIMS.map(lambda text: f'{{"exp":{TOKEN_NOW + 60},"iat":{TOKEN_NOW}' + _rest(text))
_ANY_JSON: Final = JSON_TEXT.map(str)  # one strategy, where the four that it is of would outnumber the others
TOKENS: Final = st.tuples(
    st.one_of(TOKEN_HEADER, _ANY_JSON),
    st.one_of(_GOOD_CLAIMS, TOKEN_CLAIMS, _ISSUED, _ANY_JSON),
    st.one_of(st.binary(max_size=60), st.text(max_size=60), joined(st.text("eyJabc_-", max_size=12), ".", 4)),
)
"""Header and claims, to be signed; and what is no token most of the time."""

METHODS: Final = st.sampled_from(
    ["GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "get", "X"]
)
PATHS: Final = mixed(
    st.sampled_from(
        [
            "/", "/api/events", "/api/events", "/api/ephemeral", "/api/sse", "/api/ws", "/api/topics",
            "/api/topics/trim", "/api/health", "/api/ready", "/metrics", "/api/openapi.json", "/api/projects",
            "/api/projects/x", "/api/projects/x/files/a",
            "/api/projects/x/archive", "/api/projects/x/generate", "/api/sse/projects/x", "/api/ws/projects/x",
            "/lab.html", "/client/index.js", "/client/../app.js", "/" + "n" * 300,
        ]
    )
)  # fmt: skip
PARAMETERS: Final[dict[str, SearchStrategy[str]]] = {
    "topic": FILTERS,
    "after": CURSORS,
    "lastEventId": CURSORS,
    "before": st.one_of(CURSORS, st.just("latest")),
    "order": mixed(st.sampled_from(["asc", "desc"])),
    "limit": mixed(st.integers(-1, 2_000).map(str), st.just(DIGITS)),
    "type": TYPES,
    "from": TIMES,
    "to": TIMES,
    "named": mixed(st.sampled_from(["0", "1", "yes"])),
    "ephemeral": mixed(st.sampled_from(["0", "1", "yes"])),
    "nothing": st.text(max_size=8),
}
QUERY: Final = st.lists(
    st.sampled_from(list(PARAMETERS)).flatmap(lambda name: st.tuples(st.just(name), PARAMETERS[name])), max_size=5
)
"""Pairs, not yet encoded. `wait` is left out: an answer would take its time."""
RESOURCE_BODIES: Final = st.one_of(
    _members({"name": _quoted(st.text(max_size=20)), "brief": _quoted(BRIEFS)}),
    LIGHTS,
    _members({"topic": _quoted(FILTERS), "keep": st.one_of(st.integers().map(str), st.just("5"))}),
    JSON_TEXT,
).map(encode)
_LATIN: Final = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
HEADERS: Final = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "last-event-id",
            "idempotency-key",
            "traceparent",
            "origin",
            "host",
            "accept",
            "x-odd",
            "cookie",
        ]
    ),
    st.one_of(
        _LATIN,
        MEDIA_TYPES,
        CURSORS,
        st.sampled_from(["null", "http://127.0.0.1", "http://[", "http://a:b@c:d/", "[::1"]),
    ),
    max_size=4,
)


def latin(text: str) -> bytes:
    """As a header's value: what does not fit is left out, and nothing ends the line."""
    return text.encode("latin-1", "ignore").translate(None, b"\0\r\n")


def anything() -> dict[str, SearchStrategy[Any]]:
    """The strategies by name: a test draws from each of them."""
    return {name: one for name, one in globals().items() if isinstance(one, SearchStrategy)}
