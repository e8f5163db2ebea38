import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.support.tokens import SECRET, b64, entry
from twinwire.signing import FILE_MAX, Signer, signer_of

GOOD = entry()


def test_a_token_is_what_the_service_takes() -> None:
    text = signer_of(json.dumps([GOOD])).sign({"sub": "ada", "subscribe": ["a"]}, ttl=60)
    claims = jwt.decode(text, SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["subscribe"], claims["exp"] - claims["iat"]) == ("ada", ["a"], 60)
    assert abs(claims["iat"] - time.time()) < 60
    assert jwt.get_unverified_header(text) == {"alg": "HS256", "typ": "JWT", "kid": "a"}


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_each_hash_takes_its_key(algorithm: str, size: int) -> None:
    secret = bytes(range(size))
    text = signer_of([entry(None, secret, alg=[algorithm], iss="shop")]).sign({"iss": "no"}, ttl=60)
    assert jwt.decode(text, secret, algorithms=[algorithm])["iss"] == "shop"
    assert "kid" not in jwt.get_unverified_header(text)
    with pytest.raises(ValueError, match=f"a `key` of {size - 1} bytes, where it needs {size} of them"):
        signer_of([entry(None, secret[1:], alg=algorithm)])


def test_the_first_that_signs_and_is_not_over() -> None:
    public = {"kid": "p", "alg": "EdDSA", "public": "-----BEGIN PUBLIC KEY-----"}
    over, begun = entry("old", until="2020-01-01T00:00:00Z"), entry("new", until="2999-01-01T00:00:00Z")
    assert signer_of([public, over, begun, GOOD]).kid == "new"
    with pytest.raises(ValueError, match="has no key that signs"):
        signer_of([public, over])


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([GOOD]))
    assert signer_of(str(path)) == Signer("HS256", SECRET, "a")
    path.write_text(" " * FILE_MAX + json.dumps([GOOD]))
    with pytest.raises(ValueError, match="is not JSON"):
        signer_of(str(path))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("nowhere.json", "neither a JSON list nor a file"),
        ("[", "is not JSON"),
        ("{}", "is no list of keys"),
        (7, "is no list of keys"),
        (["x"], "is no list of keys"),
        ([], "has no key that signs"),
        ([entry(alg="RS256")], "whose `alg` is none of"),
        ([entry(alg=[])], "whose `alg` is none of"),
        ([entry(alg=7)], "whose `alg` is none of"),
        ([entry(alg=[{}])], "whose `alg` is none of"),
        ([GOOD | {"key": "secret!"}], "not base64url"),
        ([GOOD | {"key": "a" * 45}], "not base64url"),
        ([GOOD | {"key": 7}], "not base64url"),
        ([GOOD | {"kid": 7}], "a `kid` that is no text"),
        ([GOOD | {"iss": 7}], "a `iss` that is no text"),
        ([GOOD | {"until": "soon"}], "an `until` that is no time"),
        ([GOOD | {"until": 7}], "an `until` that is no time"),
    ],
)
def test_what_is_none(keys: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        signer_of(keys)
    assert "secret" not in str(refused.value)


def test_a_key_is_not_shown() -> None:
    text = repr(signer_of([GOOD]))
    assert b64(SECRET) not in text
    assert repr(SECRET) not in text
    assert base64.b64encode(SECRET).decode() not in text
