"""States over HTTP: the latest of each subject at one position, however many answers it takes (docs/protocol.md).

The first answer says the position, and all of them are of it: what comes meanwhile is not in them, and what is replaced
meanwhile still is. Its `next` is all that is known of a caller between two answers: a `Place`.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.access.caller import Caller
from service.access.carriers import AUTH, TICKET
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.bus.states import States, Wanted
from service.bus.values import Place
from service.core.errors import GoneError, InvalidError
from service.core.event import Row, bytes_of, check_subject
from service.core.parameters import Parameters
from service.stream.asgi import Receive, Scope, Send
from service.wire.answers import ANSWER_BYTES, SEARCH_SECONDS, Answers, page_limit
from service.wire.frames import Frames
from service.wire.request import Request
from service.wire.scanning import Scanning

PARAMETERS: Final = Parameters("topic", "subject", "limit", "next", "join", AUTH, TICKET)

_PLACE: Final = re.compile(r"([a-z0-9]{1,32})-(\d{1,19})\.(\d{1,19})\.(\d{1,19})", re.ASCII)


class Question(NamedTuple):
    """What is asked for, of the topics that the caller may read."""

    wanted: Wanted
    place: Place
    limit: int


class StateWire:
    """An ASGI application for GET and HEAD on `/api/state`."""

    def __init__(self, gate: Gate, bus: EventBus, frames: Frames, answers: Answers) -> None:
        self._gate = gate
        self._bus = bus
        self._states = States(bus.reading)
        self._encoding = frames.poll
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answers.answer(self._look, scope, receive, send)

    async def _look(self, request: Request, receive: Receive, scan: Scanning, caller: Caller) -> bytes:
        """The answer's body. Raises TwinwireError, or DisconnectedError if nobody waits for it any more."""
        question = await self._question(request, scan, caller)
        rows, place = await self._page(question, scan)
        self._gate.check_still(caller, Act.READ)  # it may have taken its time
        cursor, more = self._bus.cursor(place.at), not place.is_end
        next = f"{cursor}.{place.after}.{place.moment}" if more else None
        rest = {"cursor": cursor, "more": more, "next": next}
        events = self._encoding.page(rows)
        return b'{"events":[%b],%b' % (events, json.dumps(rest, separators=(",", ":"))[1:].encode())

    async def _question(self, request: Request, scan: Scanning, caller: Caller) -> Question:
        """Raises InvalidError naming the parameter, GoneError, ScopeError or UnauthorizedError."""
        request.only(PARAMETERS)
        topics = self._gate.readable(caller, Act.READ, request.topics())
        subject = request.value("subject")
        limit = page_limit(request)
        is_joined = request.is_joined()
        next = request.value("next")
        place = None if next is None else self._place(next)
        await self._bus.reading.learn(topics, scan.turn)
        wanted = Wanted(topics, None if subject is None else check_subject(subject), is_joined)
        return Question(wanted, place or self._states.begin(), limit)

    def _place(self, text: str) -> Place:
        found = _PLACE.fullmatch(text)
        if found is None:
            raise InvalidError("next is what the answer before this one said", field="next")
        at, after, moment = (int(part) for part in found.groups()[1:])
        if found[1] != self._bus.epoch or at > self._bus.head:
            raise GoneError("this state is of another log: begin again", field="next")
        return Place(at, after, moment)

    async def _page(self, question: Question, scan: Scanning) -> tuple[Sequence[Row], Place]:
        """What fills the answer, or all that is left, or what was found in the time; and up to where that goes."""
        wanted, place, limit = question
        rows: list[Row] = []
        size, until = 0, None
        while not place.is_end and len(rows) < limit and size < ANSWER_BYTES:
            found, place = await self._states.step(wanted, place, limit - len(rows), ANSWER_BYTES - size, scan.turn)
            rows += found
            size += bytes_of(found)
            now = asyncio.get_running_loop().time()
            until = now + SEARCH_SECONDS if until is None else until
            if now >= until:
                break
        return rows, place
