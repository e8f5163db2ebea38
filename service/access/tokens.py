"""Tokens: JWT (RFC 7519), signed with a key of the ring, verified into a `Caller`; and made, for who has no issuer yet.

A token is a stranger's text until its signature is verified. Of what it says before that, `iss`, `kid` and `alg` choose
among our keys, and nothing in it brings a key or the address of one: `jku`, `jwk`, `x5u` and `x5c` are not looked at,
and a `crit`, which would want something understood, is refused since nothing is (RFC 7515, 4.1.11).

Its times are held against the clock exactly, in milliseconds: valid until `exp`, and not a moment longer. Only what is
in the future, `nbf` and `iat`, may be so by SKEW, since the clocks of issuers differ.

A text is verified once: what came out of it is remembered until it ends.
"""

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import jwt

from service.access.algorithms import KNOWN, Key, decode_base64url
from service.access.caller import Caller
from service.access.claims import ClaimError, Times, is_for, read_caller, read_issuer, read_times
from service.access.jwks import KID_MAX
from service.access.keys import KeyRing
from service.core.errors import InvalidError, InvalidTokenError, UnavailableError
from service.core.limits import TOKEN_MAX
from service.core.time import Clock, rfc3339

SKEW: Final = 5_000
"""Milliseconds by which an issuer's clock may be ahead of ours."""

MEMO_TOKENS: Final = 10_000
"""Tokens that are remembered: as many as there are streams on a busy node."""

MEMO_BYTES: Final = 64 << 20
"""Bytes that they hold at most. One of a few filters has 2 to 4 KiB, one that is all filters half a MiB."""

_SHAPE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")
_KINDS: Final = frozenset({"jwt", "at+jwt"})
"""Values of `typ` that say "for access". A token that says another is for something else (RFC 8725, 3.11)."""


class Parts(NamedTuple):
    """What a token says, of which nothing is verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


class _Known(NamedTuple):
    """A token that was verified: it is good from `begins` until before `ends`, in Unix ms."""

    caller: Caller
    begins: int
    ends: float
    held: int


class Verifier:
    """Of tokens for one service. Asked in one thread, the event loop's; it never waits.

    `audience`: what `aud` has to name; not looked at if empty. `max_ttl`: seconds from `iat` to `exp` at most, and from
    now on if there is no `iat`. `without_exp`: whether tokens that are signed with a secret may have no end.
    """

    def __init__(self, ring: KeyRing, clock: Clock, *, audience: str, max_ttl: float, without_exp: bool) -> None:
        self.ring: Final = ring
        self._clock = clock
        self._audience = audience
        self._max_ttl = round(max_ttl * 1000)
        self._without_exp = without_exp
        self._memo: OrderedDict[bytes, _Known] = OrderedDict()  # by SHA-256, the latest last
        self.held = 0
        """Bytes of what is remembered."""
        self._version = ring.version

    def verify(self, text: str) -> Caller:
        """Who brings this token. Raises InvalidTokenError, or UnavailableError if its key can't be had now."""
        if len(text) > TOKEN_MAX or not text.isascii():
            raise _invalid("malformed", f"it has other characters than a token, or more than {TOKEN_MAX}")
        digest = sha256(text.encode()).digest()
        known = self._remembered(digest)
        if known is not None:
            return known
        parts = split(text)
        key = self._key(parts)
        try:
            times = read_times(parts.claims)
            self._check_times(times, key)
            if self._audience and not is_for(parts.claims, self._audience):
                raise _invalid("audience", "aud does not name this service")
            times = times._replace(expires=_sooner(times.expires, key.until))  # what it opens ends with its key, too
            caller = read_caller(parts.claims, times, key.kid)
            check_admin(caller, key)
        except ClaimError as error:
            raise _invalid("claims", str(error)) from None
        self._remember(digest, caller, times)
        return caller

    def recall(self, text: str) -> Caller | None:
        """Who brings it, if it was verified before: that takes no work. None for any other."""
        return self._remembered(sha256(text.encode()).digest())

    def _key(self, parts: Parts) -> Key:
        """The key that it is signed with."""
        algorithm, kid = parts.header.get("alg"), parts.header.get("kid")
        if algorithm not in KNOWN:
            raise _invalid("algorithm", "its algorithm is none that is known here")
        assert isinstance(algorithm, str)
        try:
            issuer = read_issuer(parts.claims)
        except ClaimError as error:
            raise _invalid("claims", str(error)) from None
        found = self.ring.candidates(issuer, kid, algorithm)
        for key in found.keys:
            if key.verifies(algorithm, parts.signed, parts.signature):
                return key
        if found.may_come:
            raise UnavailableError("the keys of this token's issuer are not there at the moment")
        if found.keys:
            raise _invalid("signature", "its signature is not by the key that it is for")
        raise _invalid("key", "there is no key of its kid for its issuer and its algorithm")

    def _check_times(self, times: Times, key: Key) -> None:
        now = self._clock.unix_ms()
        expires, issued, begins = times
        if expires is None:
            if not (self._without_exp and key.is_secret):
                raise _invalid("claims", "exp is missing")
        elif now >= expires:
            raise _invalid("expired", f"it ended at {rfc3339(expires)}")
        elif expires - (now if issued is None else issued) > self._max_ttl:
            raise _invalid("ttl", f"it is for longer than {self._max_ttl / 1000:g} s")
        if max(issued or 0, begins or 0) > now + SKEW:
            raise _invalid("early", f"it begins at {rfc3339(max(issued or 0, begins or 0))}")

    def _remembered(self, digest: bytes) -> Caller | None:
        version = self.ring.version
        if version != self._version:  # a key may be gone
            self._version = version
            self._memo.clear()
            self.held = 0
        known = self._memo.get(digest)
        if known is None:
            return None
        if known.begins <= self._clock.unix_ms() < known.ends:
            self._memo.move_to_end(digest)
            return known.caller
        self._forget(digest)
        return None

    def _remember(self, digest: bytes, caller: Caller, times: Times) -> None:
        begins = max(times.issued or 0, times.begins or 0) - SKEW
        ends = float("inf") if times.expires is None else times.expires
        self._memo[digest] = _Known(caller, begins, ends, held := caller.held)
        self.held += held
        while self.held > MEMO_BYTES or len(self._memo) > MEMO_TOKENS:
            self._forget(next(iter(self._memo)))

    def _forget(self, digest: bytes) -> None:
        self.held -= self._memo.pop(digest).held

    def __repr__(self) -> str:
        return f"Verifier({self.ring!r})"


def mint(ring: KeyRing, clock: Clock, claims: Mapping[str, Any], *, ttl: float, issuer: str | None = None) -> str:
    """A token of these claims for `ttl` seconds at most, signed with the ring's first secret, or the issuer's first.

    `iat`, to the millisecond, `exp`, whole, and a random `jti` are added. Raises ConfigError if no key signs, and
    InvalidError for claims that would not be valid.
    """
    if ttl < 1:  # or its whole `exp` could be over
        raise InvalidError("a token is for a second at least", field="ttl")
    key = ring.signer(issuer)
    now = clock.unix_ms()
    all_claims = {
        **({"iss": key.issuer} if key.issuer is not None else {}),
        **claims,
        "iat": now / 1000,
        "exp": (now + round(ttl * 1000)) // 1000,
        "jti": secrets.token_urlsafe(16),
    }
    try:
        times = read_times(all_claims)
        check_admin(read_caller(all_claims, times, key.kid), key)
    except ClaimError as error:
        raise InvalidError(str(error)) from None
    assert isinstance(key.material, bytes)
    headers = {"kid": key.kid} if key.kid is not None else None
    text = jwt.encode(all_claims, key.material, key.algorithms[0], headers)
    if len(text) > TOKEN_MAX:
        raise InvalidError(f"the token has {len(text):,} bytes, more than {TOKEN_MAX:,}")
    return text


def check_admin(caller: Caller, key: Key) -> None:
    """Raises ClaimError if it claims what tokens of this key may not: `admin` and `metrics` are about everybody."""
    if not key.admin and (caller.rights.admin or caller.rights.metrics):
        raise ClaimError("admin and metrics are not for tokens of this key")


def split(text: str) -> Parts:
    """Raises InvalidTokenError for what is no token."""
    found = _SHAPE.match(text)
    if found is None:
        raise _invalid("malformed", "it is not three parts of base64url")
    try:
        header, claims, signature = map(decode_base64url, found.groups())
        parts = Parts(_object(header), _object(claims), text.rpartition(".")[0].encode(), signature)
    except (ValueError, RecursionError):
        raise _invalid("malformed", "its parts are not base64url of JSON objects") from None
    typ, kid = parts.header.get("typ", "JWT"), parts.header.get("kid", "")
    if "crit" in parts.header:
        raise _invalid("malformed", "crit names what is not known here")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _KINDS:
        raise _invalid("malformed", "its typ is that of another kind of token")
    if not isinstance(kid, str) or len(kid) > KID_MAX or not isinstance(parts.header.get("alg"), str):
        raise _invalid("malformed", "its header has a kid or an alg that is none")
    return parts


def _object(text: bytes) -> Mapping[str, Any]:
    """A JSON object whose members have each its own name (RFC 7515, 4). Raises ValueError."""
    found = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise ValueError("is not an object")
    return found


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a name comes twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError("NaN and Infinity are no numbers of JSON")


def _sooner(one: int | None, other: int | None) -> int | None:
    """Of two ends, if there are any."""
    return min((end for end in (one, other) if end is not None), default=None)


def _invalid(reason: Any, why: str) -> InvalidTokenError:
    return InvalidTokenError(reason=reason, why=why)
