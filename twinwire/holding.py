"""A member's own side of a place: it enters, says again that it is there, and what has become of it, and leaves.

What the program wants is one thing, its data; what the service was told is another, with the connection that it was
told of. One task makes the second the first: whatever happens, a request is due as long as they differ, or as the lease
of a member without a stream asks for one. Each says all of it, so that a repeat is harmless, and who was forgotten
enters by it. So a restart, a switch of transports and a change of data are one case, under one member id.

What a program sets while a request is under way is said by the next one, and what is replaced before that is never
said. Who waits is told when his data, or newer ones, are there; or why not, and then they are again what they were.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

import msgspec

from twinwire.encoding import data_of
from twinwire.errors import ClosedError, InvalidError, TwinwireError
from twinwire.http import Http
from twinwire.logs import logger
from twinwire.timing import Backoff

RENEWALS: Final = 4
"""Times that a lease is renewed before it is over: with the usual one, within the time for which others hold who was
there before a restart."""
LEAVING: Final = 5.0
"""Seconds for which a member that leaves waits for the service."""

_MEMBER: Final = re.compile(r"[A-Za-z0-9_.~-]{1,64}\Z", re.ASCII)


class _Entered(msgspec.Struct):
    lease: float = 30.0


def member_id(member: str | None) -> str:
    """As it is, or one that is drawn. Raises InvalidError."""
    if member is None:
        return secrets.token_urlsafe(16)
    if not isinstance(member, str) or _MEMBER.match(member) is None or not member.strip("."):
        raise InvalidError("a member is 1-64 of A-Z a-z 0-9 _ . ~ -, and not of dots alone", field="member")
    return member


def object_of(data: Any) -> dict[str, Any]:
    """A copy, as the service will have it. Raises InvalidError for what is no JSON object."""
    found = json.loads(data_of(data))
    if not isinstance(found, dict):
        raise InvalidError("a member's data is an object", field="data")
    return found


def merged(data: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    found = dict(data)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            old = found.get(name)
            found[name] = merged(old if isinstance(old, dict) else {}, value)
        else:
            found[name] = value
    return found


class Holding:
    """`member` is its id. `failed` is called with what has ended it, if the service will not have it any more."""

    def __init__(
        self, http: Http, place: str, member: str, data: dict[str, Any], failed: Callable[[TwinwireError], object]
    ) -> None:
        """Raises InvalidError for a place that can't stand in a URL."""
        if any(not part.strip(".") for part in place.split("/")):
            raise InvalidError(f"{place!r} is no place: a topic, without empty segments or such of dots", field="place")
        self._http = http
        self._url = http.place.url(f"presence/{quote(place, safe='/~')}/{member}")
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self.place: Final = place
        self.member: Final = member
        self.data = data
        self._accepted: dict[str, Any] | None = None
        """Data that the service has taken; None before it has taken any."""
        self._connection: str | None = None
        self._is_bound = False
        """Whether it is known by now which connection it is of, or that it is of none."""
        self._is_anew = False
        """Bound since it was said last."""
        self._is_due = False
        self._due_at: float | None = None
        """By the loop, when the lease is renewed."""
        self._wake = asyncio.Event()
        self._is_leaving = False
        self._waiting: list[asyncio.Future[None]] = []
        """Of those who wait until the service has the data."""
        self._trouble: TwinwireError | None = None
        """Why the last request came to nothing."""
        self._error: TwinwireError | None = None
        self._task = asyncio.create_task(self._run())

    # -- what is wanted

    def bind(self, connection: str | None) -> None:
        """It is there as long as this connection, which is open, and says so; None: as long as it says so."""
        self._connection, self._is_bound, self._is_anew = connection, True, True
        self.again()

    def again(self) -> None:
        """It is to be said that it is there."""
        self._is_due = True
        self._wake.set()

    async def set(self, data: dict[str, Any]) -> None:
        """Until the service has it. Raises TwinwireError: for what it refuses, or if it could not be told within the
        time of `publish`, after which it is told when it can be."""
        self.data = data
        await self.until_told()

    async def until_told(self) -> None:
        """As `set`."""
        if self._error is not None:
            raise self._error
        if self._is_leaving:
            raise ClosedError("the member has left")
        self.again()
        waiting = self._loop.create_future()
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._http.timing.publish):
                await waiting
        except TimeoutError:
            detail = f"the service could not be told that it is at {self.place}"
            raise self._trouble or TwinwireError(detail, is_passing=True) from None

    async def leave(self) -> None:
        """The service is told, once; if it can't be, the lease ends by itself."""
        self._is_leaving = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=LEAVING)  # what is under way might be carried out after this one
        self._task.cancel()
        self._tell(ClosedError("the member has left"))
        if self._accepted is None or self._error is not None:
            return
        try:
            await self._http.json("DELETE", self._url, type(None), within=LEAVING)
        except TwinwireError as error:
            if error.status != 404:  # it has ended by itself
                logger.info("the service could not be told that %s was left: %s", self.place, error.detail)

    # -- what is said

    async def _run(self) -> None:
        try:
            await self._tell_the_service()
        except Exception as error:
            logger.exception("what says that it is at %s has failed", self.place)
            self._end(TwinwireError(f"it is not at {self.place} any more: {error!r}"))

    async def _tell_the_service(self) -> None:
        """Until it leaves, or the service will not have it."""
        backoff = Backoff(self._http.timing)
        while not self._is_leaving:
            if not self._is_bound or not (self._is_due or self._is_lease_due()):
                await self._until_woken(self._due_at if self._is_bound else None)
                continue
            said, waiting = self.data, len(self._waiting)
            self._is_due = self._is_anew = False
            try:
                await self._say(said)
            except TwinwireError as error:
                if self._is_refused(error, said):
                    return
                self._trouble = error
                await self._pause(max(error.retry_after or backoff.next(), self._http.timing.pace))
                if self._is_anew:
                    backoff.reset()
                continue
            backoff.reset()
            self._trouble = None
            self._tell(None, waiting)
            self._is_due = self._is_due or self.data is not said
            await self._pause(self._http.timing.pace)

    async def _say(self, data: dict[str, Any]) -> None:
        """Raises TwinwireError."""
        asked: dict[str, Any] = {"data": data, "lease": self._http.timing.lease}
        if self._connection is not None:  # which may be cut for many minutes before the service notices
            asked["connection"] = self._connection
        entered = await self._http.json("PUT", self._url, _Entered, body=data_of(asked))
        self._accepted = data
        self._due_at = self._loop.time() + entered.lease / RENEWALS

    def _is_refused(self, error: TwinwireError, said: dict[str, Any]) -> bool:
        """Whether that ends it; else it is said again. Data that the service does not take are again what they were; a
        connection that it does not know has ended, and another one is on its way."""
        self._is_due = True
        if error.is_passing or error.field == "connection":
            return False
        if self._accepted is not None and error.status not in (401, 403) and said is not self._accepted:
            if self.data is said:
                self.data = self._accepted
                self._tell(error)
            return False
        self._end(error)
        return True

    def _end(self, error: TwinwireError) -> None:
        self._error = error
        self._tell(error)
        self._failed(error)

    def _is_lease_due(self) -> bool:
        return self._due_at is not None and self._loop.time() >= self._due_at

    async def _until_woken(self, due: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._wake.wait()
        self._wake.clear()

    async def _pause(self, seconds: float) -> None:
        """Or until it leaves, or is of another connection."""
        end = self._loop.time() + seconds
        while not (self._is_leaving or self._is_anew) and self._loop.time() < end:
            await self._until_woken(end)

    def _tell(self, error: TwinwireError | None, most: int | None = None) -> None:
        """Those who wait, or the first of them."""
        told, self._waiting = self._waiting[:most], [] if most is None else self._waiting[most:]
        for waiting in told:
            if not waiting.done():
                waiting.set_result(None) if error is None else waiting.set_exception(error)
