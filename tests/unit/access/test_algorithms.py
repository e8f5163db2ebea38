"""Which key fits which algorithm, and that a token's header decides nothing."""

import pytest

from service.access.algorithms import KNOWN, PUBLIC, Key, decode_base64url, from_jwk, public_key, secret
from tests.support.tokens import SECRET, b64, jwk, pem, private_key

RIGHT = {"RS256": "rsa", "PS512": "rsa", "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed"}


@pytest.mark.parametrize("algorithm", sorted(PUBLIC))
@pytest.mark.parametrize("kind", ["rsa", "p256", "p384", "p521", "ed"])
def test_a_public_key_fits_the_algorithms_of_its_kind(kind: str, algorithm: str) -> None:
    kinds = {"R": "rsa", "P": "rsa", "E": {"ES256": "p256", "ES384": "p384", "ES512": "p521"}.get(algorithm, "ed")}
    if kinds[algorithm[0]] == kind:
        public_key(pem(kind), [algorithm])
    else:
        with pytest.raises(ValueError, match="does not fit"):
            public_key(pem(kind), [algorithm])


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """Algorithm confusion: who has the public key would sign with it (RFC 8725, 2.1)."""
    with pytest.raises(ValueError, match="it needs a secret"):
        public_key(pem("rsa"), [algorithm])
    for text in (pem("rsa"), "ssh-rsa AAAAB3NzaC1yc2E" + "A" * 80):
        with pytest.raises(ValueError, match="public key"):
            secret(b64(text.encode()), [algorithm])
        with pytest.raises(ValueError, match="base64url"):
            secret(text, [algorithm])


def test_an_rsa_key_has_2048_bits_at_least() -> None:
    with pytest.raises(ValueError, match="2,048 to 8,192 bits"):
        public_key(pem("rsa1024"), ["RS256"])


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_has_as_many_bytes_as_the_hash(algorithm: str, least: int) -> None:
    assert secret(b64(b"k" * least), [algorithm]) == b"k" * least
    with pytest.raises(ValueError, match=f"has {least - 1} bytes"):
        secret(b64(b"k" * (least - 1)), [algorithm])
    with pytest.raises(ValueError, match="needs `public`"):
        secret(b64(b"k" * 64), [algorithm, "RS256"])


@pytest.mark.parametrize("text", ["", "a", "a b", "a+b/", "é", "abcde", "YQ\n", "=", "YQ=="])
def test_base64url_is_strict(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        decode_base64url(text)


def test_none_is_no_algorithm() -> None:
    assert "none" not in KNOWN
    assert not Key(("none",), SECRET).verifies("HS256", b"", b"")


@pytest.mark.parametrize("signature", [b"", b"x", b"x" * 64, b"x" * 256, b"x" * 10_000])
@pytest.mark.parametrize("algorithm", [*RIGHT, "HS256"])
def test_a_signature_of_any_shape_is_no_fault(algorithm: str, signature: bytes) -> None:
    material = SECRET if algorithm == "HS256" else public_key(pem(RIGHT[algorithm]), [algorithm])
    assert not Key((algorithm,), material).verifies(algorithm, b"signed", signature)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(Key(("HS256",), SECRET, "a")) == "Key(kid='a', issuer=None, algorithms=('HS256',))"


# JWK


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa", "RS256"), ("p256", "ES256"), ("p384", "ES384"), ("ed", "EdDSA")]
)
def test_a_jwk_has_those_of_the_algorithms_that_fit_it(kind: str, algorithm: str) -> None:
    key = from_jwk(jwk(kind, "k"), ["RS256", "ES256", "ES384", "EdDSA"], "https://a.example", 7)
    assert key is not None
    assert (key.algorithms, key.kid, key.issuer, key.until) == ((algorithm,), "k", "https://a.example", 7)
    assert key.material == private_key(kind).public_key()


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": 7},
        {"alg": "RS384"},
        {"alg": ["RS256"]},
        {"kid": 7},
        {"kty": "oct", "k": b64(SECRET)},
        {"kty": "EC"},
        {"kty": None},
        {"kty": []},
        {"n": 7},
        {"n": "!"},
        {"n": ""},
        {"e": ""},
        {"n": b64(b"\xff" * 128)},
        {"n": b64(b"\xff" * 2_000)},
        {"d": "AQAB"},
    ],
)
def test_a_jwk_that_verifies_nothing_is_passed_over(more: dict[str, object]) -> None:
    assert from_jwk({**jwk("rsa", "k"), **more}, ["RS256", "HS256"], "i", None) is None


def test_a_jwk_may_say_what_it_is_for() -> None:
    key = from_jwk(jwk("rsa", "k", use="sig", key_ops=["verify"], alg="PS256"), ["RS256", "PS256"], "i", None)
    assert key is not None
    assert key.algorithms == ("PS256",)
