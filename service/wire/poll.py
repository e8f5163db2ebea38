"""Long polling and history: one answer shape, one cursor (docs/protocol.md, section 4)."""

import asyncio
import json
import math
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final

from service.access.caller import Caller
from service.access.carriers import AUTH, TICKET
from service.access.drain import Drain
from service.access.gate import Act, Gate
from service.access.lease import Lease
from service.bus.bus import EventBus
from service.bus.start import Start, StartKind
from service.bus.steps import in_turns
from service.bus.values import Gap
from service.core.errors import InvalidError
from service.core.event import bytes_of, check_type
from service.core.limits import WAIT_MAX
from service.core.parameters import Parameters
from service.core.time import parse_rfc3339
from service.core.topics import TopicFilter
from service.log.base import Page, Search
from service.stream.asgi import Receive, Scope, Send
from service.stream.control import Control
from service.wire.answers import ANSWER_BYTES, SEARCH_SECONDS, Answers, page_limit
from service.wire.asking import take_asked
from service.wire.bodies import Bodies
from service.wire.ephemeral.gathering import GATHER, Gathering
from service.wire.frames import Frames
from service.wire.presence.attending import Attending, read_versions
from service.wire.request import (
    CURSOR_PARAMETERS,
    EPHEMERAL,
    PRESENCE,
    VERSION,
    DisconnectedError,
    Request,
    disconnected,
)
from service.wire.scanning import Scanning

BESIDE: Final = (EPHEMERAL, PRESENCE, VERSION)
"""What is asked for beside events."""

PARAMETERS: Final = Parameters(
    "topic",
    *CURSOR_PARAMETERS,
    "wait",
    "limit",
    "before",
    "order",
    "type",
    "from",
    "to",
    *BESIDE,
    AUTH,
    TICKET,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller asks: a search, how long to wait for it (seconds), a gap to report and the floor it covers."""

    search: Search
    wait: float
    gap: Gap | None
    told: int
    gathering: Gathering | None
    """Of ephemeral events, if they are wanted too."""
    attending: Attending | None
    """Of presence, likewise."""

    @property
    def is_answered(self) -> bool:
        """By something else than events."""
        return bool(self.gathering or self.attending)


class Waiter:
    """An outlet that takes nothing: it only learns that there is something to read, and ends a wait for it."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit: Final = limit

    def write(self, payload: bytes) -> bool:
        return False

    def soon(self) -> None:
        """End the wait in a moment, in which more may come."""
        self._end(GATHER)

    def behind(self) -> None:
        self._end(0)

    def _end(self, seconds: float) -> None:
        """In so many at the latest. A limit that is over can't be moved, and is over before its task is told."""
        limit, until = self._limit, asyncio.get_running_loop().time() + seconds
        if not limit.expired() and until < (limit.when() or math.inf):
            limit.reschedule(until)


class PollWire:
    """An ASGI application for GET and HEAD on `/api/events`, and POST on `/api/events/read`, which asks in its body."""

    def __init__(
        self,
        gate: Gate,
        drain: Drain,
        bus: EventBus,
        control: Control,
        frames: Frames,
        bodies: Bodies,
        answers: Answers,
    ) -> None:
        self._answers = answers
        self._gate = gate
        self._drain = drain
        self._bus = bus
        self._control = control
        self._encoding = frames.poll
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answers.answer(self._look, scope, receive, send, self._ask)

    async def _ask(self, request: Request, receive: Receive) -> None:
        with self._bodies.open() as asked:
            await take_asked(request, receive, asked, PARAMETERS)

    async def _look(self, request: Request, receive: Receive, scan: Scanning, caller: Caller) -> bytes:
        """The answer's body. Raises TwinwireError, or DisconnectedError if nobody waits for it any more."""
        question = await self._question(request, scan, caller)
        page, gap = await self._answer(question, receive, scan, caller)
        page, more = await self._beyond(question, page, scan)
        floor = max(question.told, page.floor, (gap.floor or 0) if gap is not None else 0)
        asked = b""
        if question.gathering is not None:
            asked = b'"ephemeral":[%b],' % question.gathering.items(page.next)
        if question.attending is not None:
            asked += b'"presence":[%b],' % question.attending.items()
        return self._body(page, more, gap, floor, asked)

    async def _question(self, request: Request, scan: Scanning, caller: Caller) -> Question:
        """Raises InvalidError naming the parameter, ScopeError or UnauthorizedError for what may not be read."""
        request.only(PARAMETERS)
        topics = self._gate.readable(caller, Act.READ, request.topics())
        type = request.value("type")
        before, after_text = request.value("before"), request.start_text()
        order = request.value("order") or ("desc" if before and not after_text else "asc")
        if order not in ("asc", "desc"):
            raise InvalidError("order is asc or desc", field="order")
        wait = request.number("wait", 0.0, 0.0, WAIT_MAX)
        limit = page_limit(request)
        newest_first = order == "desc"
        whole_range = newest_first or before is not None
        await self._bus.reading.learn(topics, scan.turn)
        told = self._bus.reading.floor(topics)  # before anything is read, as for a stream
        after, gap = 0, None
        if after_text or not whole_range:
            after, gap = await self._bus.reading.locate(topics, request.start(), scan.turn)
        until, before_gap = self._before(before, topics)
        search = Search(
            topics,
            after=after,
            before=until,
            type=None if type is None else check_type(type),
            from_time=_time(request, "from"),
            to_time=_time(request, "to"),
            newest_first=newest_first,
            limit=limit,
            max_bytes=ANSWER_BYTES,
            seconds=SEARCH_SECONDS,
        )
        # A range with an end is history: behind that end nothing could ever wake a waiting poll.
        is_closed = whole_range or search.to_time is not None or request.method == "HEAD"
        gathering = None
        if request.flag(EPHEMERAL, False):
            gathering = Gathering(self._bus.ephemeral, self._encoding, search.type)
        attending = None
        if request.flag(PRESENCE, False):
            attending = Attending(self._bus.presence, self._encoding, topics, read_versions(request))
        return Question(search, 0.0 if is_closed else wait, gap or before_gap, told, gathering, attending)

    def _before(self, text: str | None, topics: TopicFilter) -> tuple[int | None, Gap | None]:
        """The exclusive end of the range, and a gap if the cursor is of another log."""
        if not text or text == StartKind.LATEST.value:
            return None, None
        start = Start.parse(text)
        if start.kind is StartKind.EARLIEST:
            return 1, None
        if start.cursor is None:
            raise InvalidError(f"{start.requested!r} is not a cursor", field="before")
        if start.cursor.epoch != self._bus.epoch:
            return None, Gap(text, "epoch", self._bus.head, self._bus.reading.floor(topics) or None)
        return start.cursor.offset, None

    async def _answer(
        self, question: Question, receive: Receive, scan: Scanning, caller: Caller
    ) -> tuple[Page, Gap | None]:
        """The page and its gap; waits if there is neither.

        Raises DisconnectedError if the caller has left, OverloadedError if there is no place to wait or to search in,
        InvalidTokenError if his credential has ended meanwhile.
        """
        page, gap = await self._search(question, scan)
        await self._attend(question, scan)
        self._gate.check_still(caller, Act.READ)  # the search may have taken its time
        is_found = page.rows or page.is_cut or gap is not None or question.is_answered
        if is_found or not question.wait or self._drain.has_begun:
            return page, gap  # asked only now, since it may have begun while the log was searched
        with self._gate.place(Act.WAIT, caller) as lease:
            return await self._wait(question, page, receive, scan, lease)

    async def _wait(
        self, question: Question, page: Page, receive: Receive, scan: Scanning, lease: Lease
    ) -> tuple[Page, Gap | None]:
        """The first page that is not empty; or the last one that was, when the time is up, the service goes, or the
        caller may not wait any more.
        """
        gap: Gap | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(question.wait, self._gate.authority.seconds_left(lease.caller))
        while (
            not (page.rows or page.is_cut or question.is_answered)
            and gap is None
            and loop.time() < deadline
            and self._may_wait(lease.caller)
        ):
            await scan.pause()
            await self._park(question, page.next, receive, deadline, lease)
            question = replace(question, search=replace(question.search, after=page.next))
            page, gap = await self._search(question, scan)
            await self._attend(question, scan)
        return page, gap

    async def _attend(self, question: Question, scan: Scanning) -> None:
        """Look who is where."""
        if question.attending is not None:
            await in_turns(question.attending.look(), scan.turn)

    def _may_wait(self, caller: Caller) -> bool:
        return not self._drain.has_begun and not self._gate.authority.revocations.forbids(caller)

    async def _search(self, question: Question, scan: Scanning) -> tuple[Page, Gap | None]:
        """One search. What retention took away while it ran is a gap, and the search starts anew behind it."""
        search, gap = question.search, question.gap
        told = max(question.told, (gap.floor or 0) if gap is not None else 0)
        while True:
            page = await self._bus.reading.search(search, scan.turn)
            if search.newest_first or page.floor <= max(search.after, told):
                return page, gap
            gap = await self._bus.reading.gap(search.topics, search.after, scan.turn)
            told = gap.floor or page.floor
            search = replace(search, after=max(search.after, gap.offset))

    async def _beyond(self, question: Question, page: Page, scan: Scanning) -> tuple[Page, bool]:
        """The page, and whether more of the same lies behind it, if it is full; or may lie there, if its time was up.

        If nothing does, it goes up to where that was looked: else a cursor would be left below what was trimmed there,
        and its next question would be answered with a gap in which nothing is missing.
        """
        search = question.search
        size = bytes_of(page.rows)
        if page.is_cut:
            return page, True
        if len(page.rows) < search.limit and size < search.max_bytes:
            return page, False
        if search.newest_first:
            beyond = replace(search, limit=1, before=page.next)
        else:
            beyond = replace(search, limit=1, after=page.next)
        found = await self._bus.reading.search(beyond, scan.turn)
        if not found.rows and found.floor <= max(page.floor, question.told):
            page = page._replace(next=found.next)
        return page, bool(found.rows) or found.is_cut

    async def _park(self, question: Question, offset: int, receive: Receive, deadline: float, lease: Lease) -> None:
        """Wait at the head as a live subscription until something matches, the time is up, or the service goes.

        Without a task of its own: many may come, be woken and leave at once. Raises DisconnectedError.
        """
        topics, gathering, attending = question.search.topics, question.gathering, question.attending
        subscription = self._bus.attach(topics, offset, self._encoding)
        try:
            async with asyncio.timeout_at(deadline) as limit:
                waiter = Waiter(limit)
                lease.told = waiter.behind
                if subscription.go_live(waiter):
                    hearing = nullcontext() if gathering is None else gathering.during(topics, waiter.soon)
                    watching = nullcontext() if attending is None else attending.during(waiter.soon)
                    with self._drain.telling(waiter.behind), hearing, watching:
                        await disconnected(receive)
                        raise DisconnectedError
        except TimeoutError:
            return
        finally:
            lease.told = None
            subscription.close()

    def _body(self, page: Page, more: bool, gap: Gap | None, floor: int, asked: bytes) -> bytes:
        rest = json.dumps(
            {
                "cursor": self._bus.cursor(page.next),
                "head": self._bus.cursor(self._bus.head),
                "floor": self._bus.cursor(floor) if floor else None,
                "more": more,
                "gap": None if gap is None else self._control.gap(gap),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        events = self._encoding.page(page.rows)
        return b'{"events":[%b],%b%b' % (events, asked, rest[1:].encode())


def _time(request: Request, name: str) -> int | None:
    """Unix milliseconds from RFC 3339; a `+` that arrived as a space is forgiven."""
    text = request.value(name)
    if text is None:
        return None
    text = re.sub(r" (?=\d\d:\d\d\Z)", "+", text.strip())
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise InvalidError(f"{name} is a time as in RFC 3339, 2026-11-23T05:50:09.123Z", field=name) from error
