"""Keys that an issuer shows at a URL (JWK Set, RFC 7517, 5), fetched in a thread and read from memory.

The thread fetches when it starts, when the copy's time is over, and when somebody wants a key that is not in it. No
fetch begins earlier than GAP after the last one began, whatever is wanted: strangers can write any `kid` into a token.

    copy is    because                                  a key that is in it     a key that is not
    none       nothing could be fetched yet             -                       may come: `want` is true
    good       fetched, and its time is not over        verifies                may come, until a fetch that began
    stale      its time is over, and fetching fails     verifies                after it was asked for has ended well
    lost       KEPT has passed since it was fetched     is forgotten            may come

"May come" is the difference between 503 and 401: a client throws a token away that was refused with 401, and is right.
"""

import http.client
import json
import logging
import re
import ssl
from collections.abc import Collection
from ipaddress import ip_address
from threading import Condition, Thread
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from service.access.algorithms import Key, from_jwk
from service.core.time import Clock

GAP: Final = 30.0
"""Seconds from one fetch to the next, at least."""

LIFE_MIN: Final = 60.0
LIFE_MAX: Final = 3_600.0
LIFE: Final = 600.0
"""Seconds for which a copy is good: at least, at most, and if the issuer does not say."""

KEPT: Final = 86_400.0
"""Seconds for which a copy is used while no other can be fetched: an issuer that is down for a night."""

BODY_MAX: Final = 256 * 1024
"""Bytes of a key set."""

KEYS_MAX: Final = 100
"""Keys in a set; issuers show two or three."""

TIMEOUT: Final = 10.0
"""Seconds for each step of a fetch, and for the whole of its body."""

ASKED_MAX: Final = 64
"""Key ids that are remembered from one fetch to the next. Of more it stays unsaid that they are not there."""

KID_MAX: Final = 256
"""Characters of a key id."""

_URL: Final = re.compile(r"[!-~]{1,2048}\Z")
_MAX_AGE: Final = re.compile(r'(?:^|[\s,])max-age="?(\d{1,9})', re.IGNORECASE)
_NOT_KEPT: Final = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b", re.IGNORECASE)

logger = logging.getLogger(__name__)


class _Copy(NamedTuple):
    """What was fetched, and when (`Clock.elapsed`; None for never). `number` differs if the keys do."""

    keys: tuple[Key, ...] = ()
    at: float | None = None
    number: int = 0


class Jwks:
    """The keys of one issuer. `keys`, `want` and `version` are asked on the event loop, and never wait."""

    def __init__(
        self,
        url: str,
        issuer: str,
        algorithms: Collection[str],
        clock: Clock,
        *,
        until: int | None = None,
        admin: bool = True,
    ) -> None:
        """Raises ValueError if the URL is neither https nor http to this machine."""
        self._parts = check_url(url)
        self.url: Final = url
        self.issuer: Final = issuer
        self.algorithms: Final = tuple(algorithms)
        self.until: Final = until
        self.admin: Final = admin
        self.fault: str | None = None
        """What went wrong with the last fetch."""
        self._clock = clock
        self._copy = _Copy()
        self._changed = Condition()  # guards what stands below
        self._asked: set[str] = set()
        self._absent: frozenset[str] = frozenset()
        """Of those that were asked for before the last good fetch began, the ones that it did not bring."""
        self._is_wanted = False
        self._is_closed = False
        self._begun = 0.0
        self._due = 0.0
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to fetch, and go on until `close`."""
        if self._thread is None and not self._is_closed:
            self._thread = Thread(target=self._run, name="jwks", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """The thread ends when its fetch does; nobody waits for it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def keys(self) -> tuple[Key, ...]:
        """Those of the copy, until it is lost."""
        return () if self.is_lost else self._copy.keys

    @property
    def is_lost(self) -> bool:
        at = self._copy.at
        return at is None or self._clock.elapsed() - at > KEPT

    @property
    def version(self) -> int:
        """Another number whenever `keys` are others: what was verified with them has to be verified again."""
        return -1 if self.is_lost else self._copy.number

    def want(self, kid: str | None = None) -> bool:
        """Have another copy fetched, since this key is not in it. Whether it may be in that one."""
        with self._changed:
            if kid is not None and len(self._asked) < ASKED_MAX and len(kid) <= KID_MAX:
                self._asked.add(kid)
            self._is_wanted = True
            self._changed.notify_all()
            return self.is_lost or kid not in self._absent

    def refresh(self) -> bool:
        """Fetch, in this thread. Whether that went well; `fault` says why it did not."""
        with self._changed:
            asked, self._asked = self._asked, set()
            self._is_wanted = False
            self._begun = begun = self._clock.elapsed()
        try:
            body, life = _fetch(self._parts, self._clock)
            read = read_keys(body, self.algorithms, self.issuer, self.until)
            keys = tuple(key._replace(admin=self.admin) for key in read)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._failed(asked, str(error) or type(error).__name__)
            return False
        with self._changed:
            changes = keys != self._copy.keys
            self._copy = _Copy(keys, begun, self._copy.number + changes)
            self._absent = frozenset(asked).difference(key.kid for key in keys if key.kid is not None)
            self._due = begun + life
            was, self.fault = self.fault, None
            self._changed.notify_all()
        if was is not None:
            logger.info("the keys of %s are there again", self.issuer)
        return True

    def _failed(self, asked: set[str], fault: str) -> None:
        with self._changed:
            self._asked |= set(list(asked)[: ASKED_MAX - len(self._asked)])
            self._due = self._begun + GAP
            was, self.fault = self.fault, fault
            self._changed.notify_all()
        if was is None:
            logger.warning("the keys of %s can't be fetched, it is tried again: %s", self.issuer, fault)

    def _run(self) -> None:
        while not self._is_closed:
            self.refresh()
            with self._changed:
                while not self._is_closed and (rest := self._rest()) > 0:
                    self._changed.wait(rest)

    def _rest(self) -> float:
        """Seconds until the next fetch."""
        soonest = self._begun + GAP
        return (soonest if self._is_wanted else max(self._due, soonest)) - self._clock.elapsed()

    def __repr__(self) -> str:
        return f"Jwks(issuer={self.issuer!r}, algorithms={self.algorithms})"


def check_url(url: str) -> SplitResult:
    """Its parts. Raises ValueError if it is neither https nor http to this machine."""
    if _URL.match(url) is None:
        raise ValueError("is not a URL")
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.username is None and not parts.fragment else None
    except ValueError:
        host = None
    if host is None:
        raise ValueError("is not a URL of a host and a path")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("is not https: whoever is on the way could show keys of their own")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_keys(body: bytes, algorithms: Collection[str], issuer: str, until: int | None) -> tuple[Key, ...]:
    """The keys of a set that verify something; others are passed over (RFC 7517, 5). Raises ValueError."""
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise ValueError("what it shows is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("what it shows is not a key set")
    if len(keys) > KEYS_MAX:
        raise ValueError(f"it shows {len(keys)} keys, more than {KEYS_MAX}")
    found = (from_jwk(one, algorithms, issuer, until) for one in keys if isinstance(one, dict))
    return tuple(key for key in found if key is not None and len(key.kid or "") <= KID_MAX)


def _fetch(parts: SplitResult, clock: Clock) -> tuple[bytes, float]:
    """The body, and the seconds for which it is good. Raises OSError, HTTPException or ValueError.

    Redirects are not followed: the URL that the operator gave is the one that is believed.
    """
    assert parts.hostname is not None
    connection = (
        http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT)
        if parts.scheme == "http"
        else http.client.HTTPSConnection(
            parts.hostname, parts.port or 443, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    )
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"Accept": "application/jwk-set+json, application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(f"it answers {response.status}")
        return _read(response, clock), _life(response.headers.get("Cache-Control", ""))
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, clock: Clock) -> bytes:
    body, ends = bytearray(), clock.monotonic() + TIMEOUT
    while piece := response.read1(BODY_MAX):
        body += piece
        if len(body) > BODY_MAX:
            raise ValueError(f"it shows more than {BODY_MAX // 1024} KiB")
        if clock.monotonic() > ends:
            raise ValueError(f"it takes more than {TIMEOUT:g} s")
    if response.length:  # read1 tells an early end from none by nothing else
        raise ValueError("its answer breaks off")
    return bytes(body)


def _life(cache_control: str) -> float:
    """Seconds for which an answer may be kept (RFC 9111, 5.2.2), within what is sensible for keys."""
    if _NOT_KEPT.search(cache_control):
        return LIFE_MIN
    found = _MAX_AGE.search(cache_control)
    return min(max(float(found[1]), LIFE_MIN), LIFE_MAX) if found else LIFE
