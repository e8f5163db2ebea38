"""States over HTTP: the latest of each subject at one position, however many answers it takes (docs/protocol.md).

The first answer says the position, and all of them are of it: what comes meanwhile is not in them, and what is replaced
meanwhile still is. Its `next` is all that is known of a caller between two answers:

    position  the offset that all pages include
    place     the offset of the last event that was looked at
    floor     of the filter before the first was read: with another one, something of the state may have been removed
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from service.access.caller import Caller
from service.access.carriers import AUTH, TICKET
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.core.errors import GoneError, InvalidError, TooLargeError
from service.core.event import APPEND, Event, Row, bytes_of, check_subject
from service.core.parameters import Parameters
from service.core.topics import TopicFilter
from service.log.base import Page, StateSearch
from service.stream.asgi import Receive, Scope, Send
from service.wire.answers import ANSWER_BYTES, SEARCH_SECONDS, Answers, page_limit
from service.wire.frames import Frames
from service.wire.request import Request
from service.wire.scanning import Scanning

PARAMETERS: Final = Parameters("topic", "subject", "limit", "next", "join", AUTH, TICKET)

STEP_ROWS: Final = 250
"""Events that are read in one turn, a millisecond or two."""

JOINED_MAX: Final = 1 << 20
"""Bytes of a text that is told as one event."""

_PLACE: Final = re.compile(r"([a-z0-9]{1,32})-(\d{1,19})\.(\d{1,19})\.(\d{1,19})", re.ASCII)


class Place(NamedTuple):
    """Where the next page of a state begins."""

    at: int
    after: int
    floor: int


class Question(NamedTuple):
    """`search` has the topics that the caller may read of what he asks for, and begins at the place; its `limit` is the
    answer's. Where its `lasts` is set, texts that grew are one event each.
    """

    search: StateSearch
    floor: int


class StateWire:
    """An ASGI application for GET and HEAD on `/api/state`."""

    def __init__(self, gate: Gate, bus: EventBus, frames: Frames, answers: Answers) -> None:
        self._gate = gate
        self._bus = bus
        self._encoding = frames.poll
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answers.answer(self._look, scope, receive, send)

    async def _look(self, request: Request, receive: Receive, scan: Scanning, caller: Caller) -> bytes:
        """The answer's body. Raises TwinwireError, or DisconnectedError if nobody waits for it any more."""
        search, floor = await self._question(request, scan, caller)
        rows, after = await self._page(search, scan)
        if self._bus.reading.floor(search.topics) != floor:
            raise GoneError("events of this state may have been removed since it was begun: begin again")
        self._gate.check_still(caller, Act.READ)  # it may have taken its time
        cursor, more = self._bus.cursor(search.at), after < search.at
        rest = {"cursor": cursor, "more": more, "next": f"{cursor}.{after}.{floor}" if more else None}
        events = self._encoding.page(rows)
        return b'{"events":[%b],%b' % (events, json.dumps(rest, separators=(",", ":"))[1:].encode())

    async def _question(self, request: Request, scan: Scanning, caller: Caller) -> Question:
        """Raises InvalidError naming the parameter, GoneError, ScopeError or UnauthorizedError."""
        request.only(PARAMETERS)
        topics = self._gate.readable(caller, Act.READ, request.topics())
        subject = request.value("subject")
        limit = page_limit(request)
        join = request.value("join")
        if join not in (None, "text"):
            raise InvalidError("join is text", field="join")
        next = request.value("next")
        place = None if next is None else self._place(next)
        await self._bus.reading.learn(topics, scan.turn)
        if place is None:  # the floor before anything is read: a value of which a part goes meanwhile is no value
            place = Place(self._bus.head, 0, self._bus.reading.floor(topics))
        search = StateSearch(
            topics,
            place.at,
            place.after,
            subject=None if subject is None else check_subject(subject),
            lasts=join is not None,
            limit=limit,
        )
        return Question(search, place.floor)

    def _place(self, text: str) -> Place:
        found = _PLACE.fullmatch(text)
        if found is None:
            raise InvalidError("next is what the answer before this one said", field="next")
        at, after, floor = (int(part) for part in found.groups()[1:])
        if found[1] != self._bus.epoch or at > self._bus.head:
            raise GoneError("this state is of another log: begin again", field="next")
        return Place(at, after, floor)

    async def _page(self, search: StateSearch, scan: Scanning) -> tuple[Sequence[Row], int]:
        """What fills the answer, or all that is left, or what was found in the time; and up to where that goes."""
        rows: list[Row] = []
        after, size = search.after, 0
        until = None
        while after < search.at and len(rows) < search.limit and size < ANSWER_BYTES:
            limit, room = min(STEP_ROWS, search.limit - len(rows)), ANSWER_BYTES - size
            part = replace(search, after=after, limit=limit, max_bytes=room)
            page = await self._bus.reading.state(part, scan.turn)
            found, after = page.rows, page.next
            if search.lasts:
                found, after = await self._joined(part, page, scan)
            rows += found
            size += bytes_of(found)
            now = asyncio.get_running_loop().time()
            until = now + SEARCH_SECONDS if until is None else until
            if now >= until:
                break
        return rows, after

    async def _joined(self, search: StateSearch, page: Page, scan: Scanning) -> tuple[Sequence[Row], int]:
        """The events of the values that end on this page, those of each text as one, which stands where it ends; and
        up to where that goes: they may be longer by far than their ends, and fill the answer before the page is done.
        """
        rows: list[Row] = []
        size = 0
        for event in page.events:
            is_grown = (event.mark or 0) & APPEND
            found = _as_text(await self._value(search.at, event, scan)) if is_grown else [event]
            rows += found
            size += bytes_of(found)
            if size >= search.max_bytes:
                return rows, event.offset
        return rows, page.next

    async def _value(self, at: int, last: Event, scan: Scanning) -> list[Event]:
        """All events of the value that ends with this one. Raises TooLargeError if that is too long for one event."""
        found: list[Event] = []
        search, size = StateSearch(TopicFilter((last.topic,)), at, subject=last.subject, limit=STEP_ROWS), 0
        while search.after < at:
            page = await self._bus.reading.state(search, scan.turn)
            found += page.events
            search = replace(search, after=page.next)
            size += bytes_of(page.rows)
            if size > JOINED_MAX:
                detail = f"{last.subject!r} on {last.topic} has over {JOINED_MAX} bytes: ask without join"
                raise TooLargeError(detail, field="join")
        return found


def _as_text(events: list[Event]) -> list[Event]:
    """One event with all of the text, the last one's but that it replaces; as they are if any is no string.

    What stands between the quotes of JSON strings is put together as it came: half a surrogate pair can't be decoded.
    """
    if not all(event.data.startswith('"') for event in events):
        return events
    last, text = events[-1], "".join([event.data[1:-1] for event in events])
    mark = (last.mark or 0) & ~APPEND
    return [last._replace(data=f'"{text}"', mark=mark or None)]
