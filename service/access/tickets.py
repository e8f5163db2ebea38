"""Tickets: a credential for a URL, where nothing else can be sent. Good for one use, within seconds.

An EventSource contradicts that: it comes back with the URL that it was made with, and is dead after any answer but 200.
So the first use of a ticket for SSE is answered with a cookie that is bound to it, and whoever comes back with both is
let in until the token ends from which the ticket was made. The cookie says by itself whose it is, and is sealed: it
outlives a restart of the service. A browser has one of the name for all its streams, so it holds several tickets, the
newest that fit, all of one subject: who becomes somebody else leaves his old streams behind. Tickets are kept as
digests, so that a dump of the memory shows none.

A *login* ticket is for a person to begin with: it stands in a link's fragment, lives for minutes, opens no stream, and
is exchanged for the session's cookie.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections import Counter
from typing import Any, Final, Literal, NamedTuple

from service.access.caller import Caller, TokenId
from service.access.rights import EVERYTHING, Grants, Rights
from service.core.errors import InvalidTokenError, OverloadedError, RateLimitedError
from service.core.time import Clock

PREFIX: Final = "tk_"
_BYTES: Final = 32
"""Of randomness in a ticket: 43 characters."""

LIFE: Final = 30
LIFE_MIN: Final = 5
LIFE_MAX: Final = 60
"""Seconds that a ticket waits for its use, unless it is asked for otherwise."""

LOGIN_LIFE: Final = 600
"""Seconds of a login ticket, which a person carries to a browser."""

OF_ONE_MAX: Final = 100
WAITING_MAX: Final = 10_000
"""Tickets that wait for their use: of one subject, and in all."""

OF_ONE_BYTES: Final = 2 << 20
WAITING_BYTES: Final = 32 << 20
"""Bytes of what they stand for, likewise: two or three thousand each mostly, and ten times that if one is for a hundred
long topics.
"""

COOKIE_MAX: Final = 3_800
"""Bytes of a cookie that browsers keep for certain, its name and attributes among them (RFC 6265bis, 5.6)."""

Use = Literal["stream", "login"]


class Ticket(NamedTuple):
    """What a ticket is for: `until` on the monotonic clock, `token` the text of a login's or "", `held` in bytes."""

    caller: Caller
    until: float
    use: Use
    token: str
    held: int


class Tickets:
    """Those that wait for their use. `secret` seals the cookies: the same after a restart, if there is one."""

    def __init__(self, clock: Clock, secret: bytes) -> None:
        self._clock = clock
        self._secret = secret
        self._waiting: dict[bytes, Ticket] = {}  # by digest, in the order in which they were made
        self._of_one: Counter[str | None] = Counter()
        self._bytes_of: Counter[str | None] = Counter()
        self.held = 0
        """Bytes of what waits."""

    def __len__(self) -> int:
        return len(self._waiting)

    def issue(self, caller: Caller, seconds: float, *, use: Use = "stream", token: str = "") -> str:
        """A new ticket for what `caller` may. Raises RateLimitedError while too many of his wait, OverloadedError if it
        is those of all.

        Who it is for may be less than `caller` was, by `narrowed`; so nobody is asked for more of him at his end.
        """
        self._tidy()
        caller = caller._replace(again=None)
        ticket = Ticket(caller, self._clock.monotonic() + seconds, use, token, caller.held + len(token))
        self._check_room(caller.subject, ticket.held)
        text = PREFIX + secrets.token_urlsafe(_BYTES)
        self._waiting[_digest(text)] = ticket
        self._count(ticket, 1)
        return text

    def _check_room(self, subject: str | None, held: int) -> None:
        if self._of_one[subject] >= OF_ONE_MAX or self._bytes_of[subject] + held > OF_ONE_BYTES:
            raise RateLimitedError("too many tickets of yours wait for their use", retry_after=float(LIFE_MIN))
        if len(self._waiting) >= WAITING_MAX or self.held + held > WAITING_BYTES:
            raise OverloadedError("too many tickets wait for their use", retry_after=float(LIFE_MIN))

    def _count(self, ticket: Ticket, by: int) -> None:
        subject, held = ticket.caller.subject, by * ticket.held
        self.held += held
        self._bytes_of[subject] += held
        self._of_one[subject] += by
        if not self._of_one[subject]:
            del self._of_one[subject], self._bytes_of[subject]

    def redeem(self, text: str, use: Use) -> Ticket:
        """What it stands for; it is spent then. Raises InvalidTokenError for one that is not known for this use."""
        digest = _digest(text)
        found = self._waiting.get(digest)
        if found is None or found.use != use:
            raise InvalidTokenError("the ticket is spent, expired or was never one", reason="ticket")
        self._forget(digest)
        if found.until < self._clock.monotonic():
            raise InvalidTokenError("the ticket is spent, expired or was never one", reason="ticket")
        return found

    def seal(self, ticket: str, caller: Caller, cookie: str | None = None) -> str | None:
        """The value of the cookie that goes with a ticket that was used, besides what the browser has already.

        None if it would be too long for a cookie.
        """
        now = self._clock.unix_ms()
        mine = [_bound(ticket), caller.rights.subscribe.patterns, caller.rights.admin, caller.expires, caller.streams]
        before = self._read(cookie)
        others = before["tickets"] if before is not None and before["sub"] == caller.subject else []
        entries = [[*mine, *(caller.token or TokenId())], *(one for one in others if _is_alive(one, now))]
        while entries:
            body = {"sub": caller.subject, "tickets": entries}
            text = base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode().rstrip("=")
            sealed = f"{text}.{self._sign(text)}"
            if len(sealed) <= COOKIE_MAX:
                return sealed
            entries.pop()
        return None

    def unseal(self, ticket: str, cookie: str | None) -> Caller | None:
        """Who comes back with a ticket that was spent and its cookie, to read and for nothing else; None for others."""
        body = self._read(cookie)
        if body is None:
            return None
        bound, now = _bound(ticket), self._clock.unix_ms()
        for one in body["tickets"]:
            if one[0] == bound and _is_alive(one, now):
                rights = Rights(subscribe=EVERYTHING.subscribe if one[2] else Grants(one[1]))
                return Caller(body["sub"], rights, one[3], token=TokenId(*one[5:]), streams=one[4])
        return None

    def _read(self, cookie: str | None) -> dict[str, Any] | None:
        """What a cookie of ours says; None for any other."""
        text, _, signature = (cookie or "").partition(".")
        if not text or not hmac.compare_digest(self._sign(text).encode(), signature.encode("utf-8", "replace")):
            return None
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return found

    def _sign(self, text: str) -> str:
        found = hmac.digest(self._secret, text.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(found).decode().rstrip("=")

    def _tidy(self) -> None:
        """Those that nobody has used. All of one kind live about as long, so a look at the oldest is enough mostly."""
        now = self._clock.monotonic()
        for digest in [digest for digest, one in self._waiting.items() if one.until < now]:
            self._forget(digest)

    def _forget(self, digest: bytes) -> None:
        self._count(self._waiting.pop(digest), -1)


def narrowed(caller: Caller, patterns: tuple[str, ...]) -> Caller:
    """The same caller, with what rights he has on these alone. It was asked whether he may read them."""
    rights = caller.rights
    publish, presence, ephemeral = (
        Grants(one for one in patterns if rights.admin or grants.covers(one))
        for grants in (rights.publish, rights.presence, rights.ephemeral)
    )
    return caller._replace(rights=Rights(Grants(patterns), publish, presence, ephemeral))


def _is_alive(entry: list[Any], now: int) -> bool:
    """Whether the token of a cookie's entry is still good, `now` in Unix ms."""
    return entry[3] is None or entry[3] > now


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _bound(ticket: str) -> str:
    """What of a ticket stands in its cookie: enough to know it again, and not enough to use it."""
    return hashlib.sha256(b"cookie of " + ticket.encode("utf-8", "replace")).hexdigest()[:32]
