"""Tokens: whatever is wrong with one is a reason that its bearer is not told; those that are made here are good."""

import gc
import hmac
import json
import traceback
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import jwt
import pytest

from service.access import tokens
from service.access.caller import Caller
from service.access.jwks import GAP, KEPT
from service.access.keys import KeyRing
from service.access.tokens import MEMO_BYTES, MEMO_TOKENS, SKEW, Verifier, mint
from service.core.errors import ConfigError, InvalidError, InvalidTokenError, UnavailableError
from service.core.limits import TOKEN_MAX
from service.core.time import rfc3339
from tests.support.clock import ManualClock
from tests.support.tokens import (
    OTHER_SECRET,
    SECRET,
    Issuer,
    b64,
    entry,
    issuer,
    jwk,
    pem,
    raw,
    ring,
    signed,
    verifier,
)

NOW = 1_800_000_000
GOOD: dict[str, Any] = {"sub": "ada", "exp": NOW + 60, "iat": NOW}
HEADER: dict[str, Any] = {"alg": "HS256", "kid": "a"}
LOGIN = "https://login.example"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW * 1000)


@pytest.fixture
def keys(clock: ManualClock) -> KeyRing:
    return ring(clock, entry("a"))


def reason(verify: Verifier, text: str) -> str:
    with pytest.raises(InvalidTokenError) as caught:
        verify.verify(text)
    error = caught.value
    assert (error.detail, error.field, error.status) == ("the token is not valid", None, 401)
    assert error.why
    assert error.__cause__ is None
    return error.reason


def claimed(verify: Verifier, **claims: Any) -> Caller:
    return verify.verify(raw(HEADER, {**GOOD, **claims}))


# Signatures


def test_a_token_is_its_bearers_name_and_rights(clock: ManualClock, keys: KeyRing) -> None:
    found = claimed(verifier(keys, clock), jti="id", subscribe=["projects/*"])
    assert (found.subject, found.rights.subscribe.patterns) == ("ada", ("projects/*",))
    assert found.expires == (NOW + 60) * 1000
    assert found.token == ("id", NOW * 1000, "a")


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("rsa", "RS256"), ("rsa", "PS512"), ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed", "EdDSA")],
)
def test_public_keys_verify_what_their_private_ones_signed(clock: ManualClock, kind: str, algorithm: str) -> None:
    verify = verifier(ring(clock, {"kid": "k", "alg": algorithm, "public": pem(kind)}), clock)
    text = signed(GOOD, kind, algorithm, kid="k")
    assert verify.verify(text).subject == "ada"
    assert reason(verify, signed(GOOD, kind, algorithm, 1, kid="k")) == "signature"
    head, body, signature = text.split(".")
    assert reason(verify, f"{head}.{b64(json.dumps({**GOOD, 'admin': True}).encode())}.{signature}") == "signature"
    assert reason(verify, f"{head}.{body}.{b64(b'x')}") == "signature"


@pytest.mark.parametrize("shape", [lambda text: text, lambda text: text.strip(), lambda text: text.replace("\n", "")])
def test_a_public_key_is_no_secret(clock: ManualClock, shape: Any) -> None:
    """Algorithm confusion: the bearer says HS256 and signs with what everybody may know (CVE-2015-9235)."""
    public = shape(pem("rsa")).encode()
    for keys in (
        ring(clock, {"kid": "a", "alg": "RS256", "public": pem("rsa")}),
        ring(clock, {"kid": "a", "alg": "RS256", "public": pem("rsa")}, entry("b")),
        ring(clock, {"alg": "RS256", "public": pem("rsa")}),
    ):
        assert reason(verifier(keys, clock), raw(HEADER, GOOD, public)) == "key"
        assert reason(verifier(keys, clock), raw({"alg": "HS256"}, GOOD, public)) in ("key", "signature")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS1", "RSA", "dir", "A128KW", "HS256 "])
def test_what_is_no_algorithm_signs_nothing(clock: ManualClock, keys: KeyRing, algorithm: str) -> None:
    head, body, _ = raw({"alg": algorithm, "kid": "a"}, GOOD).split(".")
    verify = verifier(keys, clock)
    assert reason(verify, f"{head}.{body}.AAAA") == "algorithm"
    assert reason(verify, f"{head}.{body}.") == "malformed"
    assert reason(verify, f"{head}.{body}") == "malformed"


def test_the_algorithm_is_the_one_of_the_key(clock: ManualClock) -> None:
    text = jwt.encode(GOOD, SECRET * 2, "HS512", {"kid": "a"})
    assert reason(verifier(ring(clock, entry("a", SECRET * 2)), clock), text) == "key"
    both = ring(clock, entry("a", SECRET * 2, alg=["HS256", "HS512"]))
    assert verifier(both, clock).verify(text).subject == "ada"


@pytest.mark.parametrize("header", ["jku", "jwk", "x5u", "x5c", "x5t"])
def test_a_token_does_not_bring_its_key(clock: ManualClock, keys: KeyRing, header: str) -> None:
    """Nor where it is: nobody is asked."""
    with issuer() as foreign:
        foreign.shows(jwk("rsa", "a"))
        value: Any = {"jku": foreign.url, "x5u": foreign.url, "jwk": jwk("rsa", "a")}.get(header, [b64(b"x")])
        verify = verifier(keys, clock)
        assert reason(verify, signed(GOOD, "rsa", "RS256", kid="a", **{header: value})) == "key"
        oct = {"kty": "oct", "k": b64(OTHER_SECRET), "kid": "a"}
        assert reason(verify, raw({**HEADER, header: oct}, GOOD, OTHER_SECRET)) == "signature"
        assert verify.verify(raw({**HEADER, header: value}, GOOD)).subject == "ada", "it is passed over"
        assert foreign.asked == 0


@pytest.mark.parametrize("critical", [["exp"], ["b64"], [], "b64", None, ["http://a.example/x"]])
def test_what_has_to_be_understood_is_not(clock: ManualClock, keys: KeyRing, critical: Any) -> None:
    header = {**HEADER, "crit": critical, "b64": False}
    assert reason(verifier(keys, clock), raw(header, GOOD)) == "malformed"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_a_kind_of_token_may_be_said(clock: ManualClock, keys: KeyRing, typ: str) -> None:
    assert verifier(keys, clock).verify(raw({**HEADER, "typ": typ}, GOOD)).subject == "ada"


@pytest.mark.parametrize("typ", ["twinwire-ticket", "logout+jwt", "dpop+jwt", "", None, 7])
def test_a_token_for_something_else_is_not_one_for_access(clock: ManualClock, keys: KeyRing, typ: Any) -> None:
    assert reason(verifier(keys, clock), raw({**HEADER, "typ": typ}, GOOD)) == "malformed"


def test_an_issuers_key_signs_for_it_alone(clock: ManualClock) -> None:
    keys = ring(clock, entry("ours"), entry("theirs", OTHER_SECRET, iss="them"))
    verify = verifier(keys, clock)
    assert verify.verify(raw({"alg": "HS256", "kid": "theirs"}, {**GOOD, "iss": "them"}, OTHER_SECRET)).subject == "ada"
    for header, claims in (
        ({"alg": "HS256", "kid": "theirs"}, GOOD),
        ({"alg": "HS256", "kid": "theirs"}, {**GOOD, "iss": "us"}),
    ):
        assert reason(verify, raw(header, claims, OTHER_SECRET)) == "key"
    assert reason(verify, raw({"alg": "HS256"}, GOOD, OTHER_SECRET)) == "signature"
    assert reason(verify, raw({"alg": "HS256", "kid": "ours"}, {**GOOD, "iss": "them"})) == "key"


def test_two_keys_while_one_takes_the_others_place(clock: ManualClock) -> None:
    old, new = {"alg": "HS256", "kid": "old"}, {"alg": "HS256", "kid": "new"}
    keys = ring(clock, entry("new", OTHER_SECRET), entry("old", until=rfc3339(clock.now + 10_000)))
    verify = verifier(keys, clock)
    text = raw(old, GOOD)
    assert verify.verify(text).token == (None, NOW * 1000, "old")
    assert verify.verify(text).expires == clock.now + 10_000, "a stream that it opens does not outlive its key"
    assert verify.verify(raw({"alg": "HS256"}, GOOD)).subject == "ada", "each in turn"
    assert verify.verify(raw(new, GOOD, OTHER_SECRET)).subject == "ada"
    clock.advance(9.999)
    assert verify.verify(text).subject == "ada"
    clock.advance(0.001)
    assert reason(verify, text) == "key", "also one that is remembered"
    assert verify.verify(raw(new, GOOD, OTHER_SECRET)).subject == "ada"


def test_without_keys_no_token_is_valid(clock: ManualClock) -> None:
    assert reason(verifier(ring_of_none(clock), clock), raw(HEADER, GOOD)) == "key"


def ring_of_none(clock: ManualClock) -> KeyRing:
    return KeyRing.read("", clock)


# Keys that are fetched


@pytest.fixture
def origin() -> Iterator[Issuer]:
    with issuer() as found:
        found.shows(jwk("rsa", "one"))
        yield found


def fetched(origin: Issuer, clock: ManualClock, *more: Any) -> tuple[KeyRing, Verifier]:
    keys = ring(clock, {"iss": LOGIN, "alg": ["RS256"], "jwks": origin.url}, *more, audience="us")
    return keys, verifier(keys, clock, audience="us")


def theirs(number: int = 0, kid: str | None = "one", **claims: Any) -> str:
    header = {"kid": kid} if kid is not None else {}
    return signed({**GOOD, "iss": LOGIN, "aud": "us", **claims}, "rsa", "RS256", number, **header)


def unavailable(verify: Verifier, text: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        verify.verify(text)
    assert (caught.value.status, caught.value.retry_after) == (503, 5.0)


@pytest.mark.parametrize("kid", ["one", None])
def test_an_issuer_that_is_down_at_the_start_is_503_until_it_is_there(
    origin: Issuer, clock: ManualClock, kid: str | None
) -> None:
    keys, verify = fetched(origin, clock)
    text = theirs(kid=kid)
    unavailable(verify, text)
    origin.status = 500
    assert not keys.sources[0].refresh()
    unavailable(verify, text)
    origin.status = 200
    assert keys.sources[0].refresh()
    assert verify.verify(text).subject == "ada"


def test_whoever_is_not_the_issuers_bearer_does_not_wait_for_it(origin: Issuer, clock: ManualClock) -> None:
    _, verify = fetched(origin, clock, entry("a"))
    assert verify.verify(raw(HEADER, {**GOOD, "aud": "us"})).subject == "ada"
    assert reason(verify, raw(HEADER, {**GOOD, "iss": LOGIN})) == "key", "no secret is its"
    assert reason(verify, theirs(iss="https://other.example")) == "key"


def test_an_issuer_that_is_down_later_is_not_felt_for_a_day(origin: Issuer, clock: ManualClock) -> None:
    keys, verify = fetched(origin, clock)
    keys.sources[0].refresh()
    text = theirs(exp=NOW + 200_000, iat=NOW + 120_000)
    origin.status = 500
    clock.advance(KEPT)
    keys.sources[0].refresh()
    assert verify.verify(theirs(exp=NOW + 86_500, iat=NOW + 86_400)).subject == "ada"
    unavailable(verify, theirs(1, "two"))
    clock.advance(40_000)
    unavailable(verify, text)


def test_a_new_key_of_the_issuer_is_fetched_and_one_that_is_not_there_is_401(
    origin: Issuer, clock: ManualClock
) -> None:
    keys, verify = fetched(origin, clock)
    keys.start()
    (jwks,) = keys.sources
    with jwks._changed:
        assert jwks._changed.wait_for(lambda: not jwks.is_lost, 30)
    origin.shows(jwk("rsa", "one"), jwk("rsa", "two", 1))
    unavailable(verify, theirs(1, "two"))
    unavailable(verify, theirs(2, "three"))
    clock.advance(GAP)
    jwks.want("three")  # its thread may have been awake already, so what it answers depends
    with jwks._changed:
        assert jwks._changed.wait_for(lambda: len(jwks.keys()) == 2, 30)
    assert verify.verify(theirs(1, "two")).subject == "ada"
    assert reason(verify, theirs(2, "three")) == "key"
    assert reason(verify, theirs(2, "two")) == "signature"
    assert origin.asked == 2
    keys.close()


def test_what_was_verified_with_a_key_that_is_gone_is_verified_again(origin: Issuer, clock: ManualClock) -> None:
    keys, verify = fetched(origin, clock, entry("a"))
    keys.sources[0].refresh()
    text = theirs()
    assert verify.verify(text) is verify.verify(text)
    origin.shows(jwk("rsa", "two", 1))
    keys.sources[0].refresh()
    unavailable(verify, text)
    keys.sources[0].refresh()
    assert reason(verify, text) == "key"
    assert verify.held == 0


def test_an_issuers_token_for_somebody_else_is_not_ours(origin: Issuer, clock: ManualClock) -> None:
    keys, verify = fetched(origin, clock)
    keys.sources[0].refresh()
    for audience in ("them", ["them"], [], "", "us2"):
        assert reason(verify, theirs(aud=audience)) == "audience"
    assert reason(verify, theirs(aud=[7])) == "claims"
    assert verify.verify(theirs(aud=["them", "us"])).subject == "ada"


def test_an_issuer_is_believed_until_its_end(origin: Issuer, clock: ManualClock) -> None:
    end = rfc3339(clock.now + 1_000)
    keys = ring(clock, {"iss": LOGIN, "alg": "RS256", "jwks": origin.url, "until": end}, audience="us")
    verify = verifier(keys, clock, audience="us")
    keys.sources[0].refresh()
    assert verify.verify(theirs()).subject == "ada"
    clock.advance(1)
    assert reason(verify, theirs()) == "key", "also one that is remembered"
    assert reason(verify, theirs(1, "two")) == "key", "and nobody waits for another"


# Times


@pytest.mark.parametrize("exp", [NOW + 60, NOW + 60.0])
def test_a_token_ends_to_the_millisecond(clock: ManualClock, keys: KeyRing, exp: float) -> None:
    text = raw(HEADER, {**GOOD, "exp": exp})
    for verify in (verifier(keys, clock), verifier(keys, clock)):
        clock.now = (NOW + 60) * 1000 - 1
        assert verify.verify(text).expires == (NOW + 60) * 1000
        clock.now += 1
        assert reason(verify, text) == "expired"
        assert verify.held == 0, "it is forgotten"


def test_an_end_may_have_a_fraction(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    text = raw(HEADER, {**GOOD, "exp": NOW + 0.007})
    clock.advance(0.006)
    assert verify.verify(text).expires == NOW * 1000 + 7
    clock.advance(0.001)
    assert reason(verify, text) == "expired"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_beginning_may_be_ahead_by_five_seconds(clock: ManualClock, keys: KeyRing, name: str) -> None:
    verify = verifier(keys, clock)
    assert claimed(verify, **{name: NOW + SKEW / 1000}).subject == "ada"
    text = raw(HEADER, {**GOOD, name: NOW + SKEW / 1000 + 0.001})
    assert reason(verify, text) == "early"
    clock.advance(0.001)
    assert verify.verify(text).subject == "ada"
    clock.advance(-0.001)
    assert reason(verify, text) == "early", "also one that is remembered"


def test_a_token_is_not_for_longer_than_it_may_be(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock, max_ttl=100.0)
    assert claimed(verify, exp=NOW + 100).subject == "ada"
    assert reason(verify, raw(HEADER, {**GOOD, "exp": NOW + 100.001})) == "ttl"
    assert reason(verify, raw(HEADER, {**GOOD, "exp": NOW + 50, "iat": NOW - 51})) == "ttl"
    without = {"sub": "ada", "exp": NOW + 100}
    assert verify.verify(raw(HEADER, without)).token == (None, None, "a")
    assert reason(verify, raw(HEADER, {**without, "exp": NOW + 100.001})) == "ttl"


def test_a_token_without_an_end_is_a_secrets_and_if_that_is_wanted(clock: ManualClock) -> None:
    keys = ring(clock, entry("a"), {"kid": "k", "iss": "i", "alg": "EdDSA", "public": pem("ed")})
    text = raw(HEADER, {"sub": "ada"})
    assert reason(verifier(keys, clock), text) == "claims"
    verify = verifier(keys, clock, without_exp=True)
    assert verify.verify(text).expires is None
    assert reason(verify, signed({"sub": "ada", "iss": "i"}, "ed", "EdDSA", kid="k")) == "claims"
    clock.advance(10**9)
    assert verify.verify(text).subject == "ada"


def test_an_audience_is_not_looked_at_unless_it_is_set(clock: ManualClock, keys: KeyRing) -> None:
    assert claimed(verifier(keys, clock), aud="them").subject == "ada"
    assert reason(verifier(keys, clock, audience="us"), raw(HEADER, {**GOOD, "aud": "them"})) == "audience"
    assert reason(verifier(keys, clock, audience="us"), raw(HEADER, GOOD)) == "audience"


# What is no token


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ("[]", GOOD),
        ("7", GOOD),
        ("{", GOOD),
        ("", GOOD),
        ("\ufeff{}", GOOD),
        ("[" * 2_000, GOOD),
        ('{"a":' * 500 + "1" + "}" * 500, "{" * 500),
        ('{"alg":"HS256","alg":"HS256","kid":"a"}', GOOD),
        ({"kid": "a"}, GOOD),
        ({"alg": None}, GOOD),
        ({"alg": ["HS256"]}, GOOD),
        ({**HEADER, "kid": 7}, GOOD),
        ({**HEADER, "kid": None}, GOOD),
        ({**HEADER, "kid": "k" * 257}, GOOD),
        (HEADER, "[]"),
        (HEADER, "null"),
        (HEADER, '{"exp":NaN}'),
        (HEADER, '{"exp":-Infinity}'),
        (HEADER, '{"exp":' + "1" * 5_000 + "}"),
        (HEADER, '{"sub":"a","sub":"b","exp":1800000060}'),
        (HEADER, '{"info":{"a":1,"a":2},"exp":1800000060}'),
        (HEADER, "{" * 5_000),
    ],
)
def test_parts_that_are_no_objects_are_malformed(clock: ManualClock, keys: KeyRing, header: Any, claims: Any) -> None:
    verify = verifier(keys, clock)
    text = raw(header, claims)
    assert len(text) <= TOKEN_MAX
    assert reason(verify, text) == "malformed"


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a", "a.b", "a.b.c.d", "a.b.c", "é.é.é", "a b.c.d", "\ud800", "a.b.c\n"]
)
def test_text_that_is_none_is_malformed(clock: ManualClock, keys: KeyRing, text: str) -> None:
    assert reason(verifier(keys, clock), text) == "malformed"


def test_nothing_may_stand_around_or_in_a_token(clock: ManualClock, keys: KeyRing) -> None:
    """Python's base64 passes over what is none, so that one token would have many texts."""
    verify, text = verifier(keys, clock), raw(HEADER, GOOD)
    for odd in (
        f" {text}",
        f"{text}\n",
        f"{text}=",
        f"Bearer {text}",
        text.replace(".", ".!", 1),
        text[:9] + "~" + text[9:],
    ):
        assert reason(verify, odd) == "malformed"


def test_a_token_has_8_kib(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    most = next(text for n in range(6_200, 5_000, -1) if len(text := raw(HEADER, {**GOOD, "x": "x" * n})) <= TOKEN_MAX)
    assert verify.verify(most).subject == "ada"
    over = next(text for n in range(5_000, 6_200) if len(text := raw(HEADER, {**GOOD, "x": "x" * n})) > TOKEN_MAX)
    assert reason(verify, over) == "malformed"
    assert reason(verify, "a" * 10_000_000) == "malformed"


@pytest.mark.parametrize(
    "claims", [{"iss": 7}, {"sub": ""}, {"subscribe": ["a//b"]}, {"publish": "a"}, {"admin": 1}, {"exp": "1800000060"}]
)
def test_a_claim_that_is_wrong_invalidates_the_token(clock: ManualClock, keys: KeyRing, claims: Any) -> None:
    assert reason(verifier(keys, clock), raw(HEADER, {**GOOD, **claims})) == "claims"


def test_no_text_of_a_token_is_in_an_error(clock: ManualClock, keys: KeyRing) -> None:
    claims = {**GOOD, "sub": "sEcReT", "subscribe": ["sEcReT//"], "jti": "sEcReT"}
    texts = [
        raw(HEADER, claims),
        raw({**HEADER, "kid": "sEcReT"}, claims),
        raw({**HEADER, "alg": "sEcReT"}, claims),
        raw({**HEADER, "typ": "sEcReT"}, claims),
        raw(HEADER, claims, OTHER_SECRET),
        raw(HEADER, '{"sEcReT":}'),
        raw(HEADER, {**GOOD, "iss": "sEcReT"}),
        raw(HEADER, {**GOOD, "aud": "sEcReT"}),
        "sEcReT",
    ]
    verify = verifier(keys, clock, audience="us")
    for text in texts:
        with pytest.raises(InvalidTokenError) as caught:
            verify.verify(text)
        told = [str(caught.value), repr(caught.value), caught.value.why or "", repr(verify)]
        told += traceback.format_exception(caught.value)
        assert not any(piece in line for line in told for piece in ("sEcReT", text[:40]))


# What is remembered


def test_a_token_is_verified_once(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    text = raw(HEADER, GOOD)
    assert verify.recall(text) is None
    first = verify.verify(text)
    with patch.object(type(keys), "candidates", side_effect=AssertionError):
        assert verify.recall(text) is first
        assert verify.verify(text) is first
        with pytest.raises(AssertionError):
            verify.verify(raw(HEADER, {**GOOD, "jti": "another"}))


def test_what_is_refused_is_not_remembered(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    reason(verify, raw(HEADER, GOOD, OTHER_SECRET))
    assert (len(verify._memo), verify.held) == (0, 0)


def test_tokens_that_are_remembered_are_bounded_the_oldest_goes(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    texts = [raw(HEADER, {**GOOD, "jti": f"{n}"}) for n in range(MEMO_TOKENS + 1)]
    first = verify.verify(texts[0])
    for text in texts[1:-1]:
        verify.verify(text)
    assert len(verify._memo) == MEMO_TOKENS
    assert verify.verify(texts[0]) is first
    second = verify.verify(texts[1])
    verify.verify(texts[-1])
    assert len(verify._memo) == MEMO_TOKENS
    assert verify.verify(texts[0]) is first, "it was asked for since"
    assert verify.verify(texts[1]) is second
    assert sha256(texts[2].encode()).digest() not in verify._memo
    assert verify.held == sum(known.held for known in verify._memo.values()) <= MEMO_BYTES


LARGEST: list[dict[str, Any]] = [
    {},
    {"subscribe": ["projects/*", "users/{sub}/**"], "publish": ["projects/42"]},
    {"subscribe": [f"{n}/" + "a/" * 86 + "b" for n in range(28)]},
    {"subscribe": [f"{n}/" + "/".join("abcdefghi") for n in range(100)]},
    {name: [f"{name}{n}" for n in range(100)] for name in ("subscribe", "publish", "presence", "ephemeral")},
    {name: [f"{name}{n}" for n in range(100)] for name in ("subscribe", "publish", "presence", "run")},
    {"subscribe": ["/".join(f"{n:02}" for n in range(66))]},
    {"subscribe": ["/".join(f"{(n * 7 + one) % 100:02}" for n in range(66)) for one in range(28)]},
    {"subscribe": [f"{'s' * 50}{n}" for n in range(90)]},
    {"info": json.loads('{"a":' * 160 + "1" + "}" * 160)},
    {"info": {"a": [{} for _ in range(330)]}},
    {"info": {f"é{n}": n + 1_000 for n in range(70)}},
]


@pytest.mark.parametrize("claims", LARGEST, ids=range(len(LARGEST)))
def test_no_more_is_held_of_a_token_than_is_counted(clock: ManualClock, keys: KeyRing, claims: Any) -> None:
    texts = [raw(HEADER, {**GOOD, "jti": f"{n}", **claims}) for n in range(50)]
    verify = verifier(keys, clock)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for text in texts:
        rights = verify.verify(text).rights
        for grants in (*rights[:4], rights.run):
            grants.covers("zz/zz")
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held <= verify.held <= 6 * held


def test_bytes_that_are_remembered_are_bounded(clock: ManualClock, keys: KeyRing) -> None:
    verify = verifier(keys, clock)
    claims = {**GOOD, "subscribe": ["a/" * 86 + f"{n}" for n in range(28)]}
    with patch.object(tokens, "MEMO_BYTES", 500_000):
        for n in range(20):
            verify.verify(raw(HEADER, {**claims, "jti": f"{n}"}))
            assert verify.held <= 500_000
        assert 1 < len(verify._memo) < 20
    with patch.object(tokens, "MEMO_BYTES", 10):
        assert claimed(verify).subject == "ada", "one that is too large is not remembered"
        assert (len(verify._memo), verify.held) == (0, 0)


@pytest.mark.parametrize("claim", ["admin", "metrics"])
def test_tokens_of_a_key_that_is_not_for_operators_are_no_operators(clock: ManualClock, claim: str) -> None:
    ring = KeyRing.read(json.dumps([{"kid": "a", "alg": "HS256", "key": b64(SECRET), "admin": False}]), clock)
    verify = verifier(ring, clock)
    assert claimed(verify, subscribe=["a"]).subject == "ada"
    assert claimed(verify, **{claim: False}).subject == "ada"
    assert reason(verify, raw(HEADER, {**GOOD, claim: True})) == "claims"
    with pytest.raises(InvalidError, match="not for tokens of this key"):
        mint(ring, clock, {claim: True}, ttl=600)


# Making them


def test_a_token_that_is_made_is_valid(clock: ManualClock, keys: KeyRing) -> None:
    clock.now += 789
    claims = {"sub": "ada", "subscribe": ["a"], "admin": True, "info": {"name": "é"}}
    text = mint(keys, clock, claims, ttl=600)
    found = verifier(keys, clock).verify(text)
    assert found.rights.admin
    assert found.expires == (NOW + 600) * 1000, "whole seconds, and no more than were asked for"
    assert found.token is not None
    assert (found.token.issued, found.token.key) == (NOW * 1000 + 789, "a")
    assert found.token.jti != jwt.decode(mint(keys, clock, claims, ttl=600), options={"verify_signature": False})["jti"]
    head, body, signature = text.split(".")
    assert signature == b64(hmac.digest(SECRET, f"{head}.{body}".encode(), "sha256"))


def test_the_longest_that_may_be_made_may_be_used(clock: ManualClock, keys: KeyRing) -> None:
    for clock.now in (NOW * 1000, NOW * 1000 + 1, NOW * 1000 + 999):
        assert verifier(keys, clock).verify(mint(keys, clock, {}, ttl=86_400)).subject is None
        assert verifier(keys, clock).verify(mint(keys, clock, {}, ttl=1)).expires


def test_an_issuers_secret_signs_as_it(clock: ManualClock) -> None:
    keys = ring(clock, entry("x", iss="x"), entry("y", iss="y"), entry(None, OTHER_SECRET, alg=["HS256"]))
    verify = verifier(keys, clock)
    for name, kid in ((None, "x"), ("x", "x"), ("y", "y")):
        found = verify.verify(mint(keys, clock, {}, ttl=9, issuer=name)).token
        assert found is not None
        assert found.key == kid
    with pytest.raises(ConfigError, match="no key signs"):
        mint(keys, clock, {}, ttl=9, issuer="z")


def test_what_would_not_be_valid_is_not_made(clock: ManualClock, keys: KeyRing) -> None:
    with pytest.raises(InvalidError, match=r"subscribe\.1 is not a topic filter"):
        mint(keys, clock, {"subscribe": ["a", "a//b"]}, ttl=9)
    with pytest.raises(InvalidError, match="for a second at least"):
        mint(keys, clock, {}, ttl=0.999)
    with pytest.raises(InvalidError, match="exp is not a number"):
        mint(keys, clock, {}, ttl=1e12)
    with pytest.raises(InvalidError, match="more than 8,192"):
        mint(keys, clock, {"subscribe": [f"{n}" * 40 for n in range(100, 200)]}, ttl=9)
