"""Which signatures are believed (RFC 7515, 7518, 8037), and which key fits which of them.

The header of a token says by which algorithm it is signed, and it is the bearer's to write. So it decides nothing: an
algorithm counts if the key that is chosen says that it is used with it (RFC 8725, 3.1), and each key was held against
its algorithms when it was made. A public key is never a secret, and `none` is no algorithm here.

The mathematics are PyJWT's and cryptography's, comparisons in constant time with them. Their key checks are made once,
when a key is read: PyJWT repeats them with each token, which takes longer than an HMAC.
"""

import base64
import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt import PyJWTError
from jwt.algorithms import Algorithm, get_default_algorithms

Material = bytes | RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
"""A secret, or a public key."""

SECRET_MIN: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes of a secret at least: those of the hash (RFC 7518, 3.2)."""

RSA_MIN: Final = 2_048
"""Bits (RFC 7518, 3.3)."""

RSA_MAX: Final = 8_192
"""Bits: one verification takes about half a millisecond with as many, and grows with their square."""

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final[Mapping[str, type[EllipticCurve]]] = {"ES256": SECP256R1, "ES384": SECP384R1, "ES512": SECP521R1}
PUBLIC: Final = _RSA | frozenset({*_CURVES, "EdDSA"})
"""Algorithms whose keys may be known to everybody."""

KNOWN: Final = PUBLIC | frozenset(SECRET_MIN)
_BY_NAME: Final[Mapping[str, Algorithm]] = {
    name: algorithm for name, algorithm in get_default_algorithms().items() if name in KNOWN
}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


class Key(NamedTuple):
    """What signatures are verified with. `algorithms` are those that it is used with, and fit it.

    It is for tokens whose `iss` is `issuer`, None for those without; `until` is the end of its acceptance in Unix ms;
    `admin`: whether they may be an operator's.
    """

    algorithms: tuple[str, ...]
    material: Material
    kid: str | None = None
    issuer: str | None = None
    until: int | None = None
    admin: bool = True

    @property
    def is_secret(self) -> bool:
        return isinstance(self.material, bytes)

    @property
    def identity(self) -> bytes:
        """What differs if anything of it does; it may be told to nobody."""
        material = self.material
        if not isinstance(material, bytes):
            material = material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        whole = (self.algorithms, self.kid, self.issuer, self.until, self.admin, material)
        return sha256(repr(whole).encode()).digest()

    def is_over(self, now: int) -> bool:
        return self.until is not None and now >= self.until

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether it made this signature, by an algorithm that it is used with."""
        if algorithm not in self.algorithms:
            return False
        try:
            return _BY_NAME[algorithm].verify(signed, self.material, signature)
        except (TypeError, ValueError):  # of another length or shape than any that it could have made
            return False

    def __repr__(self) -> str:
        return f"Key(kid={self.kid!r}, issuer={self.issuer!r}, algorithms={self.algorithms})"


def decode_base64url(text: str) -> bytes:
    """Without padding, and strict: Python's passes over what is no base64. Raises ValueError."""
    if _BASE64URL.match(text) is None or len(text) % 4 == 1:
        raise ValueError("is not base64url: A-Z a-z 0-9 - _")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def secret(text: str, algorithms: Collection[str]) -> bytes:
    """A secret of base64url for these. Raises ValueError, which says what is wrong and shows nothing of it."""
    if public := PUBLIC.intersection(algorithms):
        raise ValueError(f"is for HS256, HS384 and HS512; {min(public)} needs `public`, a key in PEM")
    key = decode_base64url(text.rstrip("="))
    least = max(SECRET_MIN[name] for name in algorithms)
    if len(key) < least:
        raise ValueError(f"has {len(key)} bytes, and {max(algorithms)} needs {least} of them")
    try:
        _BY_NAME[max(algorithms)].prepare_key(key)
    except PyJWTError:
        raise ValueError("is a public key: whoever knows it could sign") from None
    return key


def public_key(pem: str, algorithms: Collection[str]) -> Material:
    """A public key of PEM for these. Raises ValueError."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key in PEM, -----BEGIN PUBLIC KEY-----") from None
    for name in algorithms:
        if not fits(key, name):
            raise ValueError(f"does not fit {name}: {_needs(name)}")
    return key  # type: ignore[return-value]  # it fits an algorithm


def fits(key: object, algorithm: str) -> bool:
    """Whether this public key is one for the algorithm: none is for an HMAC."""
    if isinstance(key, RSAPublicKey):
        return algorithm in _RSA and RSA_MIN <= key.key_size <= RSA_MAX
    if isinstance(key, EllipticCurvePublicKey):
        return algorithm in _CURVES and isinstance(key.curve, _CURVES[algorithm])
    return algorithm == "EdDSA" and isinstance(key, Ed25519PublicKey | Ed448PublicKey)


def _needs(algorithm: str) -> str:
    if algorithm in SECRET_MIN:
        return "it needs a secret, and this is public"
    if algorithm in _RSA:
        return f"it needs an RSA key of {RSA_MIN:,} to {RSA_MAX:,} bits"
    return f"it needs a key of {_CURVES[algorithm].name if algorithm in _CURVES else 'Ed25519 or Ed448'}"


_TYPES: Final = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
"""By `kty`: an algorithm that reads such a key. Secrets (`oct`) are never fetched."""


def from_jwk(jwk: Mapping[str, Any], algorithms: Collection[str], issuer: str, until: int | None) -> Key | None:
    """The key of a JWK (RFC 7517); None for one that no signature of these algorithms is verified with."""
    kid, kind, alg, operations = jwk.get("kid"), jwk.get("kty"), jwk.get("alg"), jwk.get("key_ops")
    if not isinstance(kind, str) or kind not in _TYPES or "d" in jwk:  # a private key that is published is nobody's
        return None
    if jwk.get("use", "sig") != "sig":
        return None
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    if kid is not None and not isinstance(kid, str):
        return None
    try:
        key = _BY_NAME[_TYPES[kind]].from_jwk(dict(jwk))
    except (PyJWTError, UnsupportedAlgorithm, ArithmeticError, LookupError, TypeError, ValueError):
        return None
    fitting = tuple(name for name in algorithms if fits(key, name) and alg in (None, name))
    return Key(fitting, key, kid, issuer, until) if fitting else None
