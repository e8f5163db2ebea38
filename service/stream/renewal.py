"""A stream's credential is renewed while it runs: its place in the log, and every event, stay as they are.

The new rights replace the old ones. What they do not cover leaves the filter, between two pages, and the client is
told; what they cover beyond is not added by itself. Once the rights are others the filter follows, whatever becomes of
the request that brought them: who could keep a filter that he may not read any more would keep it for as long as his
new token lives.

A stream never changes its owner: it is somebody else's then, who opens his own. Only who was nobody may become
somebody, once.

Where an application says who asks, it is asked again at the end of its word, and the stream goes on with what it says.
"""

import asyncio
import math
from dataclasses import replace
from typing import Any

import structlog

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.core.errors import ForbiddenError, NotFoundError, TwinwireError
from service.core.time import Clock, rfc3339
from service.stream.control import Fields
from service.stream.ending import EXPIRED, FAULT, FORBIDDEN, ending_of
from service.stream.hub import StreamHub
from service.stream.stream import Stream

logger = structlog.get_logger(__name__)


class Renewal:
    """`renewed` counts those that succeeded."""

    def __init__(self, gate: Gate, hub: StreamHub, bus: EventBus, clock: Clock) -> None:
        self._gate = gate
        self._hub = hub
        self._bus = bus
        self._clock = clock
        self.renewed = 0

    async def by_token(self, stream: Stream[Any], token: str) -> Fields:
        """A client's own word on its stream. Raises what `Authority.bearer` raises, or ForbiddenError."""
        try:
            caller = self._gate.authority.bearer(token)
        except TwinwireError as error:
            raise self._gate.refuse_caller(Act.SOCKET, error) from None
        return await self.renew(stream, caller)

    async def by_connection(self, id: str, caller: Caller) -> Fields:
        """By a request beside the stream. Raises NotFoundError for another subject's as for one that is not there."""
        stream = self._hub.find(id)
        if stream is None or not is_owner(stream, caller):
            raise NotFoundError("there is no such connection of yours", field="connection")
        fields = await self.renew(stream, caller)
        self.tell(stream)
        return fields

    async def by_asking(self, stream: Stream[Any]) -> None:
        """At the end of an application's word: it says it again, or the stream ends with it. Raises nothing."""
        before = stream.peer.caller
        try:
            found = None if before.again is None else await before.again()
            if stream.peer.caller is not before or self._hub.find(stream.peer.id) is not stream:
                return  # it was renewed meanwhile, or is over
            if found is None or found.subject != before.subject:
                stream.end(EXPIRED)
                return
            await self.renew(stream, self._gate.authority.decided(found))
        except TwinwireError as error:
            stream.end(ending_of(error))

    async def renew(self, stream: Stream[Any], caller: Caller) -> Fields:
        """What the stream's client may now. Raises ForbiddenError, RateLimitedError: then all stays as it was."""
        if not is_owner(stream, caller):
            raise ForbiddenError("a stream never changes its owner: open another one", field="token")
        caller = caller.at(stream.peer.address)
        if stream.lease is not None:
            self._gate.become(stream.lease, caller)
        stream.peer = replace(stream.peer, caller=caller)
        stream.peer.trail.renewed(stream.subscription.position)
        stream.warned = math.inf
        self._hub.watch(stream)
        # Whoever asks may hang up, and a reader who takes nothing keeps this waiting.
        await asyncio.shield(self._hub.do(self._reduce(stream, caller)))
        self.renewed += 1
        logger.info("auth_renewed", connection=stream.peer.id, **caller.known)
        return rights_of(caller)

    def tell(self, stream: Stream[Any]) -> None:
        """That it was renewed: after the answer to whoever has asked for it."""
        caller, now = stream.peer.caller, self._clock.unix_ms()
        stream.tell("auth", self._hub.control.auth("renewed", caller.subject, caller.expires, now))

    async def _reduce(self, stream: Stream[Any], caller: Caller) -> None:
        self._bus.presence.limit(stream.peer.id, caller.subject, caller.rights.may_enter)
        async with stream.between_pages():
            stream.beside.watching.reduce(caller.rights.unread)
            topics = stream.subscription.topics
            lost = caller.rights.unread(topics.patterns)
            if not lost:
                return
            left = topics.minus(lost)
            if not left.patterns:
                stream.end(FORBIDDEN)
                return
            try:
                await self._bus.reading.learn(left)
            except TwinwireError:
                stream.end(FAULT)  # or it would go on with what it may not read any more
                raise
            stream.change(left, is_reduced=True)
            now = self._clock.unix_ms()
            stream.tell("auth", self._hub.control.auth("reduced", caller.subject, caller.expires, now, lost=list(lost)))


def is_owner(stream: Stream[Any], caller: Caller) -> bool:
    """Whether it is his: of whoever was nobody it is, by its id."""
    before = stream.peer.caller
    return before.is_anonymous or before.subject == caller.subject


def rights_of(caller: Caller) -> dict[str, Any]:
    """What a caller is told of himself."""
    rights = caller.rights
    return {
        "subject": caller.subject,
        "expires": None if caller.expires is None else rfc3339(caller.expires),
        "subscribe": list(rights.subscribe.patterns),
        "publish": list(rights.publish.patterns),
        "run": list(rights.run.patterns),
        "admin": rights.admin,
    }
