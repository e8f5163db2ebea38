"""Tokens (docs/protocol.md, section 9), made with a key that the service has too.

HMAC alone, which the standard library has: `twinwire token --new-key` makes such a key. Whoever signs with another kind
makes tokens by a library (docs/tokens.md).
"""

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_DIGESTS: Final[dict[str, tuple[str, int]]] = {
    "HS256": ("sha256", 32),
    "HS384": ("sha384", 48),
    "HS512": ("sha512", 64),
}
"""By algorithm: the hash, and how many bytes a key has at least (RFC 7518, 3.2)."""

FILE_MAX: Final = 1 << 20
"""Bytes of a file of keys, as the service takes it."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signer:
    """A secret, and which of the service's keys it is."""

    algorithm: str
    secret: bytes = field(repr=False)
    kid: str | None = None
    issuer: str | None = None

    def sign(self, claims: Mapping[str, Any], *, ttl: int) -> str:
        """A token of these claims, which is good from now on, for `ttl` seconds."""
        now = int(time.time())
        header = {"alg": self.algorithm, "typ": "JWT"} | ({} if self.kid is None else {"kid": self.kid})
        whole = {**claims, "iat": now, "exp": now + ttl} | ({} if self.issuer is None else {"iss": self.issuer})
        signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(whole).encode())}"
        return f"{signed}.{_part(hmac.digest(self.secret, signed.encode(), _DIGESTS[self.algorithm][0]))}"


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signer_of(keys: object) -> Signer:
    """The first that signs, as the service and `twinwire token` choose it: of a list, its JSON, or the path of a file
    that has it. Raises ValueError, which says what is wrong and shows nothing of a key."""
    entries = _entries(keys) if isinstance(keys, str) else keys
    if not isinstance(entries, list | tuple) or not all(isinstance(one, Mapping) for one in entries):
        raise ValueError("is no list of keys, as `twinwire token --new-key` prints one")
    for entry in entries:
        if "key" in entry and not _is_over(entry):
            return _signer(entry)
    raise ValueError("has no key that signs: one with a `key` for HS256, HS384 or HS512, which is not over")


def _entries(text: str) -> object:
    text = text.strip()
    if not text.startswith(("[", "{", '"')):
        try:
            with Path(text).open("rb") as file:
                text = file.read(FILE_MAX).decode("utf-8-sig")
        except (OSError, ValueError) as error:  # the text is not shown: it may be a key
            why = getattr(error, "strerror", None) or "it is no path"
            raise ValueError(f"is neither a JSON list nor a file that can be read: {why}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # which would quote it
        raise ValueError("is not JSON") from None


def _is_over(entry: Mapping[str, Any]) -> bool:
    until = entry.get("until")
    if until is None:
        return False
    try:
        end = datetime.fromisoformat(until)
    except (TypeError, ValueError):
        raise ValueError("has an `until` that is no time as in RFC 3339") from None
    return datetime.now(UTC) >= (end if end.tzinfo is not None else end.replace(tzinfo=UTC))


def _signer(entry: Mapping[str, Any]) -> Signer:
    found = entry.get("alg")
    names = [found] if isinstance(found, str) else found
    known = list(_DIGESTS)  # in a dict nothing is looked for that has no hash
    if not isinstance(names, list | tuple) or not names or not all(name in known for name in names):
        raise ValueError(f"has a `key` whose `alg` is none of {', '.join(_DIGESTS)}")
    key = entry["key"]
    if not isinstance(key, str) or not _BASE64URL.match(key) or len(key.rstrip("=")) % 4 == 1:
        raise ValueError("has a `key` that is not base64url: A-Z a-z 0-9 - _")
    secret = base64.urlsafe_b64decode(key.rstrip("=") + "=" * (-len(key.rstrip("=")) % 4))
    least = max(_DIGESTS[name][1] for name in names)
    if len(secret) < least:
        raise ValueError(f"has a `key` of {len(secret)} bytes, where it needs {least} of them")
    for name in ("kid", "iss"):
        if not isinstance(entry.get(name), str | None):
            raise ValueError(f"has a `{name}` that is no text")
    return Signer(names[0], secret, entry.get("kid"), entry.get("iss"))
