"""The key ring: which keys there are, which of them a token is for, and which one signs.

It is read from a setting, a JSON list or the path of a file that holds one. What is wrong with it is told by the entry
and its member, and never with what stands there: a secret may stand at the wrong place.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from service.access.algorithms import KNOWN, PUBLIC, Key, public_key, secret
from service.access.jwks import KID_MAX, Jwks
from service.core.errors import ConfigError
from service.core.time import Clock, parse_rfc3339

SETTING: Final = "TWINWIRE_TOKEN_KEYS"
FILE_MAX: Final = 1 << 20
"""Bytes of a file of keys: a hundred RSA keys have a tenth of them."""

ENTRIES_MAX: Final = 100
"""Entries of a ring: all are looked at with each new token."""

SOURCES_MAX: Final = 10
"""Entries that are fetched: each has a thread."""

TRIES_MAX: Final = 4
"""Keys that a token without `kid` is held against, each for the time of a verification."""

ISSUER_MAX: Final = 256
"""Characters of an `iss`, a URL mostly."""

_MEMBERS: Final = frozenset({"admin", "alg", "iss", "jwks", "key", "kid", "public", "until"})
_KINDS: Final = ("key", "public", "jwks")
_MEMBER: Final = re.compile(r"[a-z_]{1,16}\Z")


class Candidates(NamedTuple):
    """Keys that a token may be signed with. `may_come`: if it is with none of them, it may be with one that can't be
    had at the moment.
    """

    keys: tuple[Key, ...]
    may_come: bool


class KeyRing:
    """`keys` stand in the setting; `sources` are issuers whose keys are fetched. Without either no token is valid."""

    def __init__(self, clock: Clock, keys: Sequence[Key] = (), sources: Sequence[Jwks] = ()) -> None:
        self.keys: Final = tuple(keys)
        self.sources: Final = tuple(sources)
        self._clock = clock

    @classmethod
    def read(cls, text: str, clock: Clock, *, audience: str = "") -> "KeyRing":
        """The setting's text, which may be empty. Raises ConfigError.

        `audience` is what tokens have to be for. Who fetches keys needs one: an issuer signs for others too.
        """
        entries = [_entry(clock, n, one) for n, one in enumerate(_entries(text))]
        keys = [one for one in entries if isinstance(one, Key)]
        sources = [one for one in entries if isinstance(one, Jwks)]
        if len(sources) > SOURCES_MAX:
            raise ConfigError(f"{SETTING}: at most {SOURCES_MAX} entries have `jwks`", field=SETTING)
        if sources and not audience:
            detail = f"TWINWIRE_TOKEN_AUDIENCE: has to be set, since {SETTING} has `jwks`"
            raise ConfigError(detail, field="TWINWIRE_TOKEN_AUDIENCE")
        named = [(key.issuer, key.kid) for key in keys if key.kid is not None]
        if len(set(named)) < len(named):
            raise ConfigError(f"{SETTING}: two keys of an issuer have the same `kid`", field=SETTING)
        return cls(clock, keys, sources)

    def start(self) -> None:
        """Begin to fetch what is fetched."""
        for source in self.sources:
            source.start()

    def close(self) -> None:
        for source in self.sources:
            source.close()

    @property
    def version(self) -> tuple[int, ...]:
        """Another one whenever keys that were fetched are others."""
        return tuple(source.version for source in self.sources) if self.sources else ()

    def candidates(self, issuer: str | None, kid: str | None, algorithm: str) -> Candidates:
        """Keys that such a token may be signed with. Asks for those that are fetched, if they lack it."""
        now = self._clock.unix_ms()
        sources = [one for one in self.sources if one.issuer == issuer and not _is_over(one.until, now)]
        known = [key for key in self.keys if key.issuer == issuer and not key.is_over(now)]
        for source in sources:
            known += source.keys()
        found = known if kid is None else [key for key in known if key.kid == kid]
        may_come = False
        if not found or kid is None:
            for source in sources:
                if algorithm in source.algorithms and (kid is not None or source.is_lost):
                    may_come |= source.want(kid)
        if not found:  # a key without an id may have any
            found = [key for key in known if key.kid is None]
        return Candidates(tuple(key for key in found if algorithm in key.algorithms)[:TRIES_MAX], may_come)

    def signer(self, issuer: str | None = None) -> Key:
        """The first secret that is not over, of this issuer if one is named. Raises ConfigError if there is none."""
        now = self._clock.unix_ms()
        for key in self.keys:
            if key.is_secret and not key.is_over(now) and issuer in (None, key.issuer):
                return key
        raise ConfigError(f"{SETTING}: no key signs: it takes a `key` for HS256, HS384 or HS512", field=SETTING)

    def seal(self, purpose: bytes) -> bytes | None:
        """A secret that is the same after a restart with the same keys, and as many; None if no key signs.

        What is sealed with it came from a token, and holds no longer than all keys do that it may have been signed
        with: one that was taken out, or given an end, since others know it, has to take along what was made of its
        tokens.
        """
        try:
            material = self.signer().material
        except ConfigError:
            return None
        assert isinstance(material, bytes)
        sources = [repr((one.issuer, one.url, one.algorithms, one.until, one.admin)).encode() for one in self.sources]
        ring = b"".join(sorted(sha256(one).digest() for one in [*(key.identity for key in self.keys), *sources]))
        return hmac.digest(material, purpose + sha256(ring).digest(), "sha256")

    def told(self) -> str:
        """How many keys there are and what signs, without any of them."""
        if not self:
            return "no keys"
        counted = [
            f"{len(found)} {name}{'s' if len(found) > 1 else ''}"
            for found, name in ((self.keys, "key"), (self.sources, "issuer"))
            if found
        ]
        over = sum(key.is_over(self._clock.unix_ms()) for key in self.keys)
        counted += [f"{over} of them over"] if over else []
        try:
            signer = self.signer()
        except ConfigError:
            return f"{', '.join(counted)}; none signs"
        return f"{', '.join(counted)}; {signer.algorithms[0]} signs" + (f" ({signer.kid})" if signer.kid else "")

    def __bool__(self) -> bool:
        return bool(self.keys or self.sources)

    def __repr__(self) -> str:
        return f"KeyRing({self.told()})"


def _is_over(until: int | None, now: int) -> bool:
    return until is not None and now >= until


def _entries(text: str) -> list[Any]:
    """The list of JSON, of the setting or of the file that it names."""
    text = text.strip()
    if not text:
        return []
    where = SETTING
    if not text.startswith(("[", "{", '"')):
        where, text = f"{SETTING}, in its file", _file(text)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):  # which would quote it
        raise ConfigError(f"{where}: is not JSON", field=SETTING) from None
    if not isinstance(entries, list):
        raise ConfigError(f"{where}: is not a JSON list", field=SETTING)
    if not entries or len(entries) > ENTRIES_MAX:
        raise ConfigError(f"{where}: has {len(entries)} entries, where 1 to {ENTRIES_MAX} may be", field=SETTING)
    return entries


def _file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            whole = file.read(FILE_MAX + 1)
    except (OSError, ValueError) as error:  # the text is not shown: it may be a key
        why = getattr(error, "strerror", None) or "it is no path"
        raise ConfigError(
            f"{SETTING}: is neither a JSON list nor a file that can be read: {why}", field=SETTING
        ) from None
    if len(whole) > FILE_MAX:
        raise ConfigError(f"{SETTING}: its file has more than {FILE_MAX >> 20} MiB", field=SETTING)
    try:
        return whole.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{SETTING}: its file is not UTF-8", field=SETTING) from None


def _entry(clock: Clock, number: int, entry: object) -> Key | Jwks:
    def wrong(member: str, why: object) -> ConfigError:
        field = f"{SETTING}.{number}{'.' if member else ''}{member}"
        return ConfigError(f"{field}: {why}", field=field)

    if not isinstance(entry, dict):
        raise wrong("", "is not an object")
    for member in entry:
        if member not in _MEMBERS:
            raise wrong(member if _MEMBER.match(member) else "", "is no member of an entry")
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        raise wrong("", "has to have one of `key`, `public` and `jwks`")
    kind = kinds[0]
    current = "alg"
    try:
        algorithms = _algorithms(entry)
        current = "kid"
        kid = _text(entry, "kid", KID_MAX)
        current = "iss"
        issuer = _text(entry, "iss", ISSUER_MAX)
        current = "until"
        until = _until(entry)
        current = "admin"
        admin = _flag(entry, "admin")
        current = kind
        if not isinstance(entry[kind], str):
            raise ValueError("is not text")
        return _made(clock, kind, entry[kind], Key(algorithms, b"", kid, issuer, until, admin))
    except ValueError as error:
        raise wrong(current, error) from None


def _made(clock: Clock, kind: str, text: str, key: Key) -> Key | Jwks:
    """From what an entry has and its other members. Raises ValueError."""
    if kind == "key":
        return key._replace(material=secret(text, key.algorithms))
    if kind == "public":
        return key._replace(material=public_key(text, key.algorithms))
    if key.issuer is None:
        raise ValueError("needs `iss`: keys that are fetched are for one issuer's tokens")
    if key.kid is not None:
        raise ValueError("has no `kid` beside it: each key of the set has its own")
    if secrets := set(key.algorithms) - PUBLIC:
        raise ValueError(f"is for public keys, and {min(secrets)} needs a secret")
    return Jwks(text, key.issuer, key.algorithms, clock, until=key.until, admin=key.admin)


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    found = entry.get("alg")
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not names or not all(isinstance(one, str) and one in KNOWN for one in names):
        raise ValueError(f"is one or a list of {', '.join(sorted(KNOWN))}")
    return tuple(dict.fromkeys(names))


def _text(entry: Mapping[str, Any], member: str, most: int) -> str | None:
    text = entry.get(member)
    if text is not None and not (isinstance(text, str) and 0 < len(text) <= most and text.isprintable()):
        raise ValueError(f"is not 1-{most} printable characters")
    return text


def _flag(entry: Mapping[str, Any], member: str) -> bool:
    found = entry.get(member, True)
    if not isinstance(found, bool):
        raise ValueError("is neither true nor false")
    return found


def _until(entry: Mapping[str, Any]) -> int | None:
    text = entry.get("until")
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except (TypeError, ValueError):  # which would quote it
        raise ValueError("is not a time as in RFC 3339, 2026-12-01T00:00:00Z") from None
