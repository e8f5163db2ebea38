"""The key ring: how it is read, what it says of what is wrong, and which keys a token is held against."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.access.keys import ENTRIES_MAX, FILE_MAX, SOURCES_MAX, TRIES_MAX, KeyRing
from service.core.errors import ConfigError
from service.core.time import rfc3339
from tests.support.clock import ManualClock
from tests.support.tokens import OTHER_SECRET, SECRET, b64, entry, pem, ring

CLOCK = ManualClock()
END = "2033-05-18T03:33:20Z"
JWKS = {"iss": "https://login.example", "alg": ["RS256"], "jwks": "https://login.example/jwks.json"}


def fault(text: str, **how: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        KeyRing.read(text, CLOCK, **how)
    assert caught.value.__cause__ is None, "which might show what was read"
    assert (caught.value.field or "").startswith("TWINWIRE_TOKEN_")
    return caught.value.detail


def test_the_setting_of_the_contract() -> None:
    keys = ring(
        CLOCK,
        entry("2026-11"),
        entry("2026-05", OTHER_SECRET, until="2026-12-01T00:00:00Z"),
        {**JWKS, "alg": ["RS256", "ES256"]},
        {"kid": "app", "iss": "app", "alg": "EdDSA", "public": pem("ed")},
        audience="twinwire",
    )
    assert [(key.kid, key.issuer, key.algorithms) for key in keys.keys] == [
        ("2026-11", None, ("HS256",)),
        ("2026-05", None, ("HS256",)),
        ("app", "app", ("EdDSA",)),
    ]
    assert [(one.issuer, one.algorithms) for one in keys.sources] == [("https://login.example", ("RS256", "ES256"))]
    assert keys.told() == "3 keys, 1 issuer, 1 of them over; HS256 signs (2026-11)"


def test_a_file_may_hold_it(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(f"\ufeff {json.dumps([entry()])}\n", "utf-8")
    assert KeyRing.read(f" {file}\n", CLOCK).told() == "1 key; HS256 signs (a)"
    file.write_bytes(b"\xff")
    assert "UTF-8" in fault(str(file))
    file.write_bytes(b"[" + b" " * FILE_MAX)
    assert "more than 1 MiB" in fault(str(file))
    file.write_text("[{]")
    assert "in its file: is not JSON" in fault(str(file))
    assert "can be read: Is a directory" in fault(str(tmp_path))


def test_without_it_there_are_no_keys() -> None:
    keys = KeyRing.read(" ", CLOCK)
    assert not keys
    assert keys.told() == "no keys"
    assert keys.candidates(None, None, "HS256") == ((), False)
    with pytest.raises(ConfigError, match="no key signs"):
        keys.signer()


@pytest.mark.parametrize(
    ("member", "spoilt"),
    [
        (".0", 7),
        (".0", {**entry(), "Secret": 1}),
        (".0.secret", {**entry(), "secret": 1}),
        (".0", {"kid": "a", "alg": "HS256"}),
        (".0", {**entry(), "public": "x"}),
        (".0.alg", {"key": b64(SECRET)}),
        (".0.alg", {**entry(), "alg": "none"}),
        (".0.alg", {**entry(), "alg": []}),
        (".0.alg", {**entry(), "alg": [["HS256"]]}),
        (".0.alg", {**entry(), "alg": {"HS256": 1}}),
        (".0.kid", {**entry(), "kid": ""}),
        (".0.kid", {**entry(), "kid": "k" * 257}),
        (".0.kid", {**entry(), "kid": "a\nb"}),
        (".0.kid", {**entry(), "kid": 7}),
        (".0.iss", {**entry(), "iss": ["a"]}),
        (".0.until", {**entry(), "until": "tomorrow"}),
        (".0.until", {**entry(), "until": 7}),
        (".0.until", {**entry(), "until": "2026-13-01T00:00:00Z"}),
        (".0.admin", {**entry(), "admin": 0}),
        (".0.admin", {**JWKS, "admin": "no"}),
        (".0.key", {**entry(), "key": 7}),
        (".0.key", {**entry(), "key": b64(SECRET[:31])}),
        (".0.key", {**entry(), "alg": ["HS256", "HS512"]}),
        (".0.key", {**entry(), "alg": "RS256"}),
        (".0.key", {**entry(), "key": pem("rsa")}),
        (".0.key", {**entry(), "key": b64(pem("rsa").encode())}),
        (".0.public", {"alg": "HS256", "public": pem("rsa")}),
        (".0.public", {"alg": ["RS256", "HS256"], "public": pem("rsa")}),
        (".0.public", {"alg": "RS256", "public": pem("rsa1024")}),
        (".0.public", {"alg": "ES256", "public": pem("p384")}),
        (".0.public", {"alg": "RS256", "public": "-----BEGIN"}),
        (".0.jwks", {**JWKS, "iss": None}),
        (".0.jwks", {**JWKS, "kid": "a"}),
        (".0.jwks", {**JWKS, "alg": ["RS256", "HS256"]}),
        (".0.jwks", {**JWKS, "jwks": "http://login.example/jwks.json"}),
    ],
)
def test_what_is_wrong_is_told_by_entry_and_member(member: str, spoilt: Any) -> None:
    detail = fault(json.dumps([spoilt]), audience="twinwire")
    assert detail.startswith(f"TWINWIRE_TOKEN_KEYS{member}: "), detail


@pytest.mark.parametrize(
    "text",
    [
        "sEcReT" * 10,
        "/sEcReT",
        "{sEcReT",
        '"sEcReT"',
        '{"key":"sEcReT"}',
        "[sEcReT",
        '["sEcReT"]',
        '[{"sEcReT":1}]',
        '[{"alg":"HS256","key":"sEcReT"}]',
        '[{"alg":"HS256","key":"sEcReT\u00e9"}]',
        '[{"alg":"sEcReT","key":"x"}]',
        '[{"alg":"HS256","key":"x","kid":"sEcReT\\n"}]',
        '[{"alg":"HS256","key":"x","until":"sEcReT"}]',
        '[{"alg":"RS256","public":"sEcReT"}]',
        '[{"alg":"RS256","iss":"i","jwks":"sEcReT"}]',
        '[{"alg":"RS256","iss":"i","jwks":"https://sEcReT:sEcReT@host/"}]',
        '[{"alg":"RS256","iss":"i","jwks":"https://host:sEcReT/"}]',
        "[" * 100_000 + "sEcReT",
        "sEcReT\0",
    ],
)
def test_nothing_of_what_is_wrong_is_shown(text: str) -> None:
    assert "sEcReT" not in fault(text, audience="a")


def test_bounds() -> None:
    assert len(ring(CLOCK, *(entry(f"{n}") for n in range(ENTRIES_MAX))).keys) == ENTRIES_MAX
    assert "has 101 entries" in fault(json.dumps([entry(f"{n}") for n in range(ENTRIES_MAX + 1)]))
    assert "has 0 entries" in fault("[]")
    assert len(ring(CLOCK, *[JWKS] * SOURCES_MAX, audience="a").sources) == SOURCES_MAX
    assert "at most 10 entries" in fault(json.dumps([JWKS] * (SOURCES_MAX + 1)), audience="a")


def test_an_id_is_there_once_for_an_issuer() -> None:
    assert "same `kid`" in fault(json.dumps([entry("a"), entry("a", OTHER_SECRET)]))
    assert len(ring(CLOCK, entry("a"), entry("a", iss="b"), entry(None), entry(None)).keys) == 4


def test_who_fetches_keys_needs_an_audience() -> None:
    assert fault(json.dumps([JWKS])).startswith("TWINWIRE_TOKEN_AUDIENCE: has to be set")


# Which keys


def kids(keys: KeyRing, issuer: str | None, kid: str | None, algorithm: str = "HS256") -> list[str | None]:
    found = keys.candidates(issuer, kid, algorithm)
    assert not found.may_come
    return [key.kid for key in found.keys]


def test_keys_are_those_of_the_issuer_by_their_id_or_each_in_turn() -> None:
    keys = ring(CLOCK, entry("a"), entry("b"), entry("x", iss="i"), entry("y", iss="i", alg=["HS256"]))
    assert kids(keys, None, "b") == ["b"]
    assert kids(keys, None, "x") == [], "it is another issuer's"
    assert kids(keys, "i", "b") == []
    assert kids(keys, "i", None) == ["x", "y"]
    assert kids(keys, None, None) == ["a", "b"]
    assert kids(keys, "j", None) == []
    assert kids(keys, None, "a", "HS512") == [], "it is not used with it"


def test_a_key_without_an_id_may_have_any() -> None:
    keys = ring(CLOCK, entry("a"), entry(None), entry(None, OTHER_SECRET))
    assert kids(keys, None, "zz") == [None, None]
    assert kids(keys, None, "a") == ["a"]


def test_a_token_without_an_id_is_held_against_a_few() -> None:
    keys = ring(CLOCK, *(entry(f"{n}") for n in range(TRIES_MAX + 1)))
    assert kids(keys, None, None) == ["0", "1", "2", "3"]


def test_a_key_is_accepted_and_signs_until_its_end() -> None:
    clock = ManualClock()
    keys = ring(clock, entry("old", until=rfc3339(clock.now + 1_000)), entry("new"), entry("other", iss="i"))
    assert kids(keys, None, "old") == ["old"]
    assert keys.signer().kid == "old"
    clock.advance(0.999)
    assert kids(keys, None, None) == ["old", "new"]
    clock.advance(0.001)
    assert kids(keys, None, "old") == []
    assert kids(keys, None, None) == ["new"]
    assert keys.signer().kid == "new"
    assert keys.signer("i").kid == "other"
    with pytest.raises(ConfigError, match="no key signs"):
        keys.signer("j")


def test_public_keys_sign_nothing() -> None:
    keys = ring(CLOCK, {"alg": "EdDSA", "public": pem("ed")})
    assert keys.told() == "1 key; none signs"
    with pytest.raises(ConfigError, match="no key signs"):
        keys.signer()


def test_neither_keys_nor_ring_show_a_secret() -> None:
    keys = ring(CLOCK, entry("a"), {"alg": "EdDSA", "public": pem("ed")})
    shown = f"{keys!r} {keys.keys!r} {keys.told()}"
    assert b64(SECRET) not in shown
    assert repr(SECRET) not in shown
    assert "0x" not in shown


def test_what_is_sealed_holds_as_long_as_every_key_is_there() -> None:
    """A cookie was made of a token, of whichever key: one that is taken out, or ended, since others know it takes it
    along.
    """
    clock = ManualClock()
    public = {"kid": "app", "iss": "app", "alg": "EdDSA", "public": pem("ed")}
    fetched = {"iss": "them", "alg": "RS256", "jwks": "https://them.example/jwks.json"}
    whole = [entry("a"), entry("b", OTHER_SECRET), public, fetched]

    def seal(*entries: dict[str, Any], purpose: bytes = b"x") -> bytes | None:
        return ring(clock, *entries, audience="us").seal(purpose)

    assert seal(*whole) == seal(*whole)
    assert seal(*whole) == seal(entry("a"), fetched, public, entry("b", OTHER_SECRET)), "in whichever order"
    others = [
        *(whole[:number] + whole[number + 1 :] for number in range(len(whole))),
        [entry("a"), entry("b", OTHER_SECRET), {**public, "public": pem("ed", 1)}, fetched],
        [*whole[:3], {**fetched, "jwks": "https://them.example/others.json"}],
        *([*whole[:number], {**whole[number], "until": END}, *whole[number + 1 :]] for number in range(len(whole))),
    ]
    assert len({seal(*whole), seal(*whole, purpose=b"y"), *(seal(*one) for one in others)}) == 2 + len(others)
    assert seal(public, fetched) is None
