"""Revocations, kept in the log: they outlive a restart, and reach every node by the ordinary way.

They are events on a topic of the service's own, which nobody else reads, lists or trims. Whoever starts reads all of
it, and follows it from there as a subscriber at the head does: one that was told of here, or anywhere, forbids from the
moment at which it is in the log. The streams that it ends are told; polls that wait are answered.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog

from service.access.gate import Gate
from service.access.revocation import KINDS, Kind, Revocation, Revocations
from service.bus.bus import EventBus
from service.bus.encoding import Encoding
from service.bus.steps import in_turns
from service.bus.subscription import State
from service.core.errors import TwinwireError
from service.core.event import DATA, OFFSET, TIME, TYPE, Draft, Row
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import ONE_TURN, Search
from service.stream.ending import REVOKED
from service.stream.hub import FAREWELL_BATCH, StreamHub
from service.stream.stream import Stream

TOPIC: Final = "twinwire/revocations"
_FILTER: Final = TopicFilter((TOPIC,))
LIFTED: Final = "lifted"
"""The type of an event that takes one back; others are of the kinds."""

TRIM_EVERY: Final = 3600.0
"""Seconds between two looks at what forbids nothing any more."""

AGAIN: Final = 1.0
"""Seconds until the log is asked again that could not be read."""

logger = structlog.get_logger(__name__)


class _Stored(msgspec.Struct):
    """The data of one event. `kind` of one that is lifted; `before` in Unix ms; `grace` in seconds."""

    name: str = ""
    before: int = 0
    grace: float = 0.0
    kind: str = ""


def revocation_of_all(before: int) -> Draft:
    """Every token that was issued until then, in Unix ms: for a log that nobody serves."""
    return _draft("all", {"name": "", "before": before, "grace": 0.0})


def _draft(type: str, data: Mapping[str, Any]) -> Draft:
    return Draft(TOPIC, type, msgspec.json.encode(data).decode(), None)


class Revoker:
    """`start` before anybody is let in, `close` before the bus."""

    def __init__(
        self, revocations: Revocations, gate: Gate, hub: StreamHub, bus: EventBus, encoding: Encoding[Any], clock: Clock
    ) -> None:
        """`encoding` is any: nothing is written with it."""
        self._revocations = revocations
        self._gate = gate
        self._hub = hub
        self._bus = bus
        self._encoding = encoding
        self._clock = clock
        self._after = 0
        self._is_owed = False  # something was read that no stream was held against yet
        self._lock = asyncio.Lock()  # whoever has put it there enforces it, and knows how many streams it was
        self._timer: asyncio.TimerHandle | None = None  # when the first of those that go on for a while has to end
        self._follower: asyncio.Task[None] | None = None
        self._trimmed_at = clock.monotonic()

    async def start(self) -> None:
        """Know what was revoked so far, and follow. Raises StorageError."""
        await self._read()
        self._follower = asyncio.create_task(self._follow(), name="revocations")

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    # What operators say

    async def revoke(self, kind: Kind, name: str, before: int, grace: float = 0.0) -> int:
        """In the log first, then in force; how many streams it ends, after `grace` seconds. Raises what a publish does.

        Nobody is let in with such a token from now on, whatever the grace.
        """
        self._revocations.check_room()
        data = {"name": name, "before": before, "grace": grace}
        # Whoever asks may hang up: what is in the log then would forbid, and end no stream.
        ended = await asyncio.shield(self._hub.do(self._revoke(kind, data)))
        logger.info("auth_revoked", kind=kind, name=name[:8] if kind == "jti" else name, ended=ended)
        return ended

    async def _revoke(self, kind: Kind, data: Mapping[str, Any]) -> int:
        async with self._lock:
            await self._publish(kind, data)
            return await self._enforce()

    async def lift(self, kind: Kind, name: str) -> bool:
        """Allow again what was revoked; False if it was not."""
        if not self._revocations.has(kind, name):
            return False
        async with self._lock:
            await self._publish(LIFTED, {"kind": kind, "name": name})
        return True

    async def _publish(self, type: str, data: Mapping[str, Any]) -> None:
        receipt = await self._bus.publish([_draft(type, data)])
        await self._bus.reach(receipt.offsets[0])
        await self._read()

    async def _enforce(self) -> int:
        """End the streams that may not go on, and tell those that may for a while; how many of both."""
        self._gate.recheck()
        now, spared, moments = self._clock.unix_ms(), list[tuple[int, Stream[Any]]](), set[int]()

        def is_forbidden(caller: Any) -> bool:
            until = self._revocations.ends_at(caller)
            if until is not None and until > now:
                moments.add(until)
            return until is not None and until <= now

        def is_over(stream: Stream[Any]) -> bool:
            until = self._revocations.ends_at(stream.peer.caller)
            if until is not None and until > now:
                spared.append((until, stream))
            return is_forbidden(stream.peer.caller)

        ended = await self._hub.end_those(is_over, REVOKED)
        await in_turns(self._bus.presence.recheck(is_forbidden))  # who is present without a stream
        for number, (until, stream) in enumerate(spared, 1):
            if number % FAREWELL_BATCH == 0:
                await asyncio.sleep(0)
            if stream.warned and stream.ending is None:
                stream.warned = 0.0  # it need not be told that its token would have lived longer
                subject = stream.peer.caller.subject
                stream.tell("auth", self._hub.control.auth("expiring", subject, until, now))
        if moments:
            self._come_back(min(moments) - now)
        self._is_owed = False
        return ended + len(spared)

    def _come_back(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(milliseconds / 1000, lambda: self._hub.do(self._enforce_again()))

    async def _enforce_again(self) -> None:
        await self._enforce()

    # What the log says

    async def _read(self) -> None:
        """Everything after what was read."""
        while True:
            page = await self._bus.reading.search(Search(_FILTER, after=self._after), ONE_TURN)
            for row in page.rows:
                self._take(row)
            self._after = max(self._after, page.rows[-1][OFFSET] if page.rows else page.next)
            if not page.rows:
                return
            self._is_owed = True

    def _take(self, row: Row) -> None:
        try:
            stored = msgspec.json.decode(row[DATA], type=_Stored)
        except (msgspec.DecodeError, RecursionError):  # of another version
            logger.warning("revocation_unreadable", offset=row[OFFSET])
            return
        type = row[TYPE]
        for kind in KINDS:
            if type == LIFTED and stored.kind == kind:
                self._revocations.lift(kind, stored.name)
            elif type == kind:
                until = row[TIME] + round(stored.grace * 1000)
                self._revocations.add(Revocation(kind, stored.name, stored.before, row[TIME], until, row[OFFSET]))

    async def _follow(self) -> None:
        while True:
            try:
                await self._wait()
                async with self._lock:
                    await self._read()
                    if self._is_owed:
                        await self._enforce()
                    await self._trim()  # what is published meanwhile would not be counted, and go
            except TwinwireError as error:
                logger.warning("revocations_unread", reason=error.detail)
                await self._clock.sleep(AGAIN)

    async def _wait(self) -> None:
        """Until something is in the log that was not read, or for some time."""
        if self._is_owed:  # the log failed in the middle
            return
        subscription = self._bus.attach(_FILTER, self._after, self._encoding)
        woken = asyncio.Event()
        try:
            if subscription.go_live(_Bell(woken)):
                async with asyncio.timeout(TRIM_EVERY):
                    await woken.wait()
        except TimeoutError:
            return
        finally:
            if subscription.state is not State.CLOSED:
                subscription.close()

    async def _trim(self) -> None:
        """Let go of what no token can be forbidden by any more."""
        now, oldest = self._clock.monotonic(), self._revocations.oldest(self._clock.unix_ms())
        if oldest is None or now - self._trimmed_at < TRIM_EVERY:
            return
        self._trimmed_at = now
        self._revocations.forget(oldest)
        kept, after = 0, 0
        while (page := await self._bus.reading.search(Search(_FILTER, after, from_time=oldest), ONE_TURN)).rows:
            kept, after = kept + len(page.rows), page.rows[-1][OFFSET]
        await self._bus.trim(_FILTER, kept)


class _Bell:
    """An outlet that takes nothing, and rings once there is something to read."""

    def __init__(self, woken: asyncio.Event) -> None:
        self._woken = woken

    def write(self, payload: object) -> bool:
        return False

    def behind(self) -> None:
        self._woken.set()
