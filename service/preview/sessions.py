"""Who may come to a program's host, where there are tokens: by a ticket first, then by a cookie of that host alone.

A page that may run the program is given a ticket; the frame's first address holds it, and is answered with a cookie and
sent on. The ticket is good once, for one program, within TICKET_SECONDS. The cookie names a session here, which ends
with the credential that the ticket was asked for with, and counts at one program alone. Both are kept as digests. A
restart of the service ends them, as it ends the programs.

The cookie has to come along in a frame whose page is on another site: `127.0.0.1`, or a domain of its own for
programs. That takes `SameSite=None`, which takes `Secure` (RFC 6265bis, 4.1.2.7), which browsers allow over https and
to loopback; `Partitioned` (CHIPS) has it come along in frames of this page's site and nowhere else, also where foreign
cookies are blocked. Over http and a name there is no such cookie: there `SameSite=Strict` holds, and the program has to
be on the page's own site. To loopback both are set, since not every browser takes the first over http.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from service.access.caller import Caller
from service.core.errors import TwinwireError
from service.core.time import Clock
from service.preview.names import Site

PREFIX: Final = "tk_"
"""As of every ticket, so that whatever looks for secrets in a log finds it."""
_BYTES: Final = 32

TICKET_SECONDS: Final = 60.0
SESSION_SECONDS: Final = 12 * 3600.0
TICKETS_MAX: Final = 1_000
SESSIONS_MAX: Final = 10_000
"""In all; the oldest goes."""
OF_ONE_MAX: Final = 20
"""Tickets, and sessions, of one caller: his oldest goes."""

SECURE: Final = "__Host-twinwire-app"
"""Over https: of this host alone, whatever another one on its site sets (RFC 6265bis, 4.1.3.2)."""
LOCAL: Final = "twinwire-app"
PLAIN: Final = "twinwire-app-plain"

_NAMES: Final = frozenset({SECURE, LOCAL, PLAIN})


class Pass(NamedTuple):
    """What a ticket or a session is for. `check` raises TwinwireError once the credential counts no more; `until` is
    on the monotonic clock."""

    id: str
    caller: Caller
    check: Callable[[], None]
    site: Site
    until: float


class _Kept:
    """Passes by digest, in the order in which they were made."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._all: OrderedDict[bytes, Pass] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, text: str, one: Pass) -> None:
        now = self._clock.monotonic()
        mine = [digest for digest, other in self._all.items() if other.caller.who == one.caller.who]
        over = [digest for digest, other in self._all.items() if other.until <= now]
        for digest in {*over, *mine[: max(0, len(mine) - OF_ONE_MAX + 1)]}:
            del self._all[digest]
        while len(self._all) >= self._most:
            self._all.popitem(last=False)
        self._all[_digest(text)] = one

    def get(self, text: str) -> Pass | None:
        found = self._all.get(_digest(text))
        return None if found is None or found.until <= self._clock.monotonic() else found

    def pop(self, text: str) -> Pass | None:
        found = self.get(text)
        self._all.pop(_digest(text), None)
        return found


class Sessions:
    """Tickets that wait for their use, and what became of those that were used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tickets = _Kept(TICKETS_MAX, clock)
        self._sessions = _Kept(SESSIONS_MAX, clock)

    def __len__(self) -> int:
        return len(self._tickets) + len(self._sessions)

    def issue(self, id: str, caller: Caller, check: Callable[[Caller], None], site: Site) -> str:
        """A ticket for the program of this id, which is at `site` for the page that asks.

        `check` raises TwinwireError for a caller whose credential counts no more. It is kept as long as the session,
        and is asked about `Caller.bare`: what he may is not kept.
        """
        text, bare = PREFIX + secrets.token_urlsafe(_BYTES), caller.bare
        until = self._clock.monotonic() + TICKET_SECONDS
        self._tickets.add(text, Pass(id, bare, partial(check, bare), site, until))
        return text

    def redeem(self, text: str, id: str) -> list[bytes] | None:
        """The cookies to set for a ticket of this program, which is spent now; None for any other."""
        found = self._tickets.pop(text)
        if found is None or found.id != id or not holds(found.check):
            return None
        cookie = secrets.token_urlsafe(_BYTES)
        self._sessions.add(cookie, found._replace(until=self._clock.monotonic() + SESSION_SECONDS))
        return cookies(cookie, found.site)

    def find(self, fields: Iterable[tuple[bytes, bytes]], id: str) -> Pass | None:
        """The session of a request to this program, by any cookie of ours; None without one that counts.

        Any: what else of the name a script of the program has set is none of ours, and does not hide ours.
        """
        for text in sent(fields):
            found = self._sessions.get(text)
            if found is not None and found.id == id and holds(found.check):
                return found
        return None


def cookies(value: str, site: Site) -> list[bytes]:
    """Fields `Set-Cookie` for a program at `site`."""
    framed = f"Path=/; HttpOnly; Secure; SameSite=None; Partitioned; Max-Age={SESSION_SECONDS:.0f}"
    plain = f"{PLAIN}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS:.0f}".encode()
    if site.scheme == "https":
        return [f"{SECURE}={value}; {framed}".encode()]
    return [f"{LOCAL}={value}; {framed}".encode(), plain] if site.is_loopback else [plain]


def sent(fields: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The values of our cookies in a request."""
    found = []
    for field, value in fields:
        if field == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, _, text = pair.strip().partition("=")
                if name in _NAMES and text:
                    found.append(text)
    return found


def holds(check: Callable[[], None]) -> bool:
    """Whether a credential still counts: `check` raises TwinwireError once it does not."""
    try:
        check()
    except TwinwireError:
        return False
    return True


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
