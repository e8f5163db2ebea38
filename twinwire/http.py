"""Requests to the service: its URLs, the token, JSON answers, problems. Redirects are not followed: a token goes to
nobody else."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Final, TypedDict, TypeVar, Unpack

import httpx2
import msgspec

from twinwire.errors import ClosedError, Fault, InvalidError, Problem, bounded
from twinwire.logs import logger
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.token import Token
from twinwire.version import installed_version

ANSWER_MAX: Final = 64 << 20
"""Bytes of an answer that are read; a page of the service has about one MiB."""

T = TypeVar("T")


AGENT: Final = "/".join(["twinwire-python", *filter(None, [installed_version()])])


class Sent(TypedDict, total=False):
    """What goes with a request: what `Http.attempt` takes by keyword."""

    body: bytes | None
    media: str
    within: float | None


class Http:
    """What the parts of one client ask the service with, on one event loop."""

    def __init__(self, place: Place, token: Token, timing: Timing) -> None:
        self.place: Final = place
        self.token: Final = token
        self.timing: Final = timing
        # As many as the program has streams and requests: one that waited for another's end would wait for ever.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        try:
            self._client = httpx2.AsyncClient(
                limits=limits,
                headers={"User-Agent": AGENT},
                timeout=timing.request,
                trust_env=not place.is_loopback,  # a proxy can't reach this machine's own, and would read the token
            )
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise InvalidError(f"the proxy that the environment names can't be used: {_hidden(str(error))}") from error
        if place.is_overheard and (token.text or token.is_renewable):
            logger.warning("the token goes to %s over plain http: whoever is on the way can read it", place.base)

    async def close(self) -> None:
        await self._client.aclose()

    async def json(self, method: str, url: str, kind: type[T], **sent: Unpack[Sent]) -> T:
        """An answer of this kind. After a 401 it asks for another token, once. Raises TwinwireError."""
        await self.token.ready()
        outcome = await self.attempt(method, url, kind, **sent)
        if isinstance(outcome, Fault) and outcome.status == 401 and await self.token.renew(outcome.token):
            outcome = await self.attempt(method, url, kind, **sent)
        if isinstance(outcome, Fault):
            raise outcome.error()
        return outcome

    async def attempt(
        self,
        method: str,
        url: str,
        kind: type[T],
        *,
        body: bytes | None = None,
        media: str = "application/json",
        within: float | None = None,
    ) -> T | Fault:
        """One request, with the token that there is; what it came to, if not to an answer of this kind. No content
        (204) is null. Raises ClosedError."""
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": media})
        try:
            async with (
                asyncio.timeout(within or self.timing.request),
                self.stream(method, url, headers, body) as answer,
            ):
                if isinstance(answer, Fault):
                    return answer
                content = await read(answer)
        except TimeoutError:
            return Fault("timeout", f"no answer from {self.place.base} in time")
        except httpx2.HTTPError as error:
            return self.fault(error)
        except httpx2.InvalidURL as error:
            raise InvalidError(f"that can't be asked for: {error}") from error
        except RuntimeError as error:
            if self._client.is_closed:
                raise ClosedError("this client was closed meanwhile") from error
            raise
        if content is None:
            return Fault("media", f"an answer of over {ANSWER_MAX >> 20} MiB: is this the service's URL?")
        try:
            return msgspec.json.decode(b"null" if answer.status_code == 204 else content, type=kind)
        except (ValueError, RecursionError):
            return Fault("media", f"{answer.status_code} with something else than an answer of Twinwire")

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpx2.Response | Fault]:
        """An answer of 2xx whose body is yet to be read, or what another one comes to. Raises httpx2.HTTPError."""
        token = self.token.text
        sent = {**headers, **self.token.headers}
        timeout = httpx2.Timeout(self.timing.connect, read=None, pool=None)
        async with self._client.stream(method, url, headers=sent, content=body, timeout=timeout) as answer:
            if answer.is_success:
                yield answer
            else:
                yield replace(fault_of(answer, await read(answer) or b"", self.token), token=token)

    def fault(self, error: Exception) -> Fault:
        """What a connection came to that failed below HTTP."""
        return Fault("network", self.token.without(f"no answer from {self.place.base}: {_hidden(reason(error))}"))


def _hidden(said: str) -> str:
    """Without what a URL of a proxy may hold before its host."""
    return re.sub(r"//[^/@\s]*@", "//", said)


def reason(error: BaseException) -> str:
    """In the system's words, where it is the system that says so: libraries put others before them."""
    told = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            told = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or told
        cause = cause.__cause__ or cause.__context__
    return told


async def read(answer: httpx2.Response) -> bytes | None:
    """The body; None if it is longer than any of ours."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > ANSWER_MAX:
            return None
        parts.append(part)
    return b"".join(parts)


def fault_of(answer: httpx2.Response, content: bytes, token: Token) -> Fault:
    """What an answer comes to that is no 2xx."""
    status = answer.status_code
    problem = problem_of(answer.headers.get("content-type", ""), content)
    if status < 400:
        where = token.without(answer.headers.get("location", "nowhere"))
        return Fault("http", f"{status}, to {where}: is this the service's URL?", status)
    wait = seconds(answer.headers.get("retry-after"), answer.headers.get("date"))
    return Fault("http", token.without(words(status, problem)), status, problem, wait)


def words(status: int, problem: Problem | None) -> str:
    """An answer that is no 2xx, in a line."""
    if problem is None:
        return f"{status}, and it is not Twinwire that says so"
    return f"{status} {problem.title}: {problem.detail}" if problem.detail else f"{status} {problem.title}"


def problem_of(media: str, content: bytes) -> Problem | None:
    if not media.startswith("application/problem+json"):
        return None
    try:
        return msgspec.json.decode(content, type=Problem)
    except (ValueError, RecursionError):
        return None


def seconds(retry_after: str | None, date: str | None) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3: seconds or a date); None if there is none. A date is held against the answer's
    own, since our calendar may be another one."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return bounded(float(text))
    try:
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return None
    return bounded((then - now).total_seconds()) if then.tzinfo and now.tzinfo else None
