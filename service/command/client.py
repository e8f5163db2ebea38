"""How the operator's commands ask: over plain HTTP, one request after the other, with the standard library."""

import http.client
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from service.core.errors import TwinwireError
from twinwire.command.bearer import HOW, Bearer
from twinwire.place import Place

ANSWER_MAX: Final = 64 << 20
"""Bytes of an answer that are read; a page of ours has about one."""

PAUSE_MAX: Final = 30.0
"""Seconds until the next try, at most, unless `Retry-After` says more."""

RETRY_AFTER_MAX: Final = 300.0
"""Seconds of `Retry-After` that are believed."""

TRIM_PAUSE: Final = 0.5
"""Seconds between two looks at how far a trim is."""

ID_MAX: Final = 64
"""Characters of an id in a `Location`; ours have 16."""

_PASSING: Final = frozenset({408, 425, 429})
"""Below 500, what another try may help: a proxy's timeout, too early, too many."""

_LASTING: Final = frozenset({401, 403})
"""What no other try helps, whoever says it."""


class ClientError(TwinwireError):
    """The server refused, or can't be reached. `is_passing`: a later try may help; `pause`: seconds until then."""

    title = "Request failed"

    def __init__(self, detail: str, *, is_passing: bool = False, pause: float | None = None, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.is_passing: Final = is_passing
        self.pause: Final = pause


class Trim(msgspec.Struct):
    """How far one is: of an answer that says no more than how many went, all the way."""

    removed: int
    left: int | None = None
    state: str = "done"
    reason: str = ""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = "no reason given"
    field: str | None = None


class Client:
    """Talks to the Twinwire at `url`, which may have a path prefix, as `bearer`. It follows no redirect: a token goes
    to nobody else. `told` gets a line when something is waited out, or is to be known. Raises InvalidError for a URL
    that is none.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 75.0,
        told: Callable[[str], None] = lambda line: None,
        bearer: Bearer | None = None,
    ) -> None:
        place = Place(url)
        parts = urlsplit(place.base)
        self._prefix = parts.path
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        self._told = told
        self._bearer = bearer or Bearer()
        if self._bearer.text and place.is_overheard:
            told(f"the token goes to {place.base} over plain http: whoever is on the way can read it")

    def trim(self, topic: str, keep: int, told: Callable[[int, int | None], None]) -> int:
        """Keep the newest `keep` events of each topic that matches; returns how many went. Raises ClientError.

        It goes on without whoever asked, who follows it, through a time without answers too: `told` has how many went,
        and how many are left, about.
        """
        _check_text(TOPIC=topic)
        body = msgspec.json.encode({"topic": topic, "keep": keep})
        trim, where = self.ask_further("POST", "/api/topics/trim", Trim, body)
        if trim.state == "running" and not where:
            raise ClientError("the trim goes on, and its Location was lost on the way", status=502)
        failures, pause = 0, TRIM_PAUSE
        while trim.state == "running":
            told(trim.removed, trim.left)
            time.sleep(pause)
            try:
                trim = self.ask("GET", f"/api/topics/trim/{quote(where, safe='')}", Trim)
                failures, pause = 0, TRIM_PAUSE
            except ClientError as error:
                if error.status == 404:
                    lost = "the service does not know of the trim any more, as after a restart: ask for it once more"
                    raise ClientError(lost, status=404) from error
                if not error.is_passing:
                    raise
                if not failures:
                    self._told(f"{error.detail}; trying again")
                failures += 1
                longer = min(PAUSE_MAX, TRIM_PAUSE * 2.0 ** min(failures, 10))
                pause = longer + min(error.pause or 0.0, RETRY_AFTER_MAX)
        if trim.state == "failed":
            raise ClientError(f"the trim failed after {trim.removed:,} events: {trim.reason}")
        return int(trim.removed)

    def ask(self, method: str, path: str, kind: type[Any] | None, body: bytes | None = None) -> Any:
        """An answer of this kind; None for one without content, bytes as they are. Raises ClientError."""
        return self.ask_further(method, path, kind, body)[0]

    def ask_further(self, method: str, path: str, kind: type[Any] | None, body: bytes | None = None) -> tuple[Any, str]:
        """As `ask`, and the id that its `Location` ends with, whatever a proxy has put before it; "" without one."""
        try:
            return self._ask(method, path, kind, body)
        except ClientError as error:
            if error.status != 401 or not self._bearer.is_another():
                raise
        return self._ask(method, path, kind, body)

    def _ask(self, method: str, path: str, kind: type[Any] | None, body: bytes | None) -> tuple[Any, str]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._bearer.text:
            headers["Authorization"] = f"Bearer {self._bearer.text}"
        try:
            self._connection.request(method, self._prefix + path, body, headers)
            response = self._connection.getresponse()
            content = response.read(ANSWER_MAX)
            if not response.isclosed():
                self._connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            where = f"{self._connection.host} port {self._connection.port}"
            detail = self._bearer.without(f"no answer from {where}: {error}")
            raise ClientError(detail, status=503, is_passing=True) from error
        where = response.headers.get("Location", "").rpartition("/")[2][:ID_MAX]
        return _answer(response, content, kind, self._bearer), where


def _answer(response: http.client.HTTPResponse, content: bytes, kind: type[Any] | None, bearer: Bearer) -> Any:
    """What is in it. Raises ClientError for a refusal, and for what is not an answer of ours."""
    status = response.status
    if status < 300:
        try:
            return None if kind is None else content if kind is bytes else msgspec.json.decode(content, type=kind)
        except (ValueError, RecursionError) as error:
            detail = f"{status} with something else than an answer of Twinwire"
            raise ClientError(detail, status=502, is_passing=True) from error
    if status < 400:
        where = bearer.without(response.headers.get("Location", "nowhere"))
        raise ClientError(f"{status}, to {where}: is this the service's URL?", status=status, is_passing=True)
    try:
        problem = msgspec.json.decode(content, type=_Problem)
        is_ours = response.headers.get_content_type() == "application/problem+json"
    except (ValueError, RecursionError):
        problem, is_ours = _Problem(), False
    told = bearer.without(f"{status} {problem.title}: {problem.detail}")
    raise ClientError(
        told + _missing(status, is_ours, bearer, response.headers.get("WWW-Authenticate", "")),
        status=status,
        field=problem.field,
        # Without a problem it is not the service that speaks, and where it will be in a minute nobody knows.
        is_passing=status not in _LASTING and (status >= 500 or status in _PASSING or not is_ours),
        pause=_seconds(response.headers.get("Retry-After")),
    )


def _missing(status: int, is_ours: bool, bearer: Bearer, challenge: str) -> str:
    """What would help where somebody asks who we are."""
    if status in _LASTING and not is_ours:
        scheme = challenge.partition(" ")[0][:20]
        return "; it is not Twinwire that says so" + (f", and it asks for {scheme}" if scheme else "")
    if status != 401:
        return ""
    return "; `twinwire token --inspect` says what is wrong with it" if bearer.text else f"; {HOW}"


def _seconds(retry_after: str | None) -> float | None:
    """RFC 9110, 10.2.3; a date counts as nothing said."""
    text = (retry_after or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _check_text(**texts: str) -> None:
    """Raises ClientError for what came from a shell and is not UTF-8."""
    for name, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ClientError(f"{name} is not UTF-8") from error
