"""Long polling and history: one answer shape, one cursor (docs/protocol.md, section 4)."""

import asyncio
import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from service.access.drain import Drain
from service.access.gate import Act, Gate
from service.bus.bus import EventBus
from service.bus.start import Start, StartKind
from service.bus.values import Gap
from service.core.errors import InvalidError, TwinwireError
from service.core.event import DATA, OFFSET, check_type
from service.core.limits import OFFSET_MAX, PAGE_DEFAULT, PAGE_MAX, WAIT_MAX
from service.core.time import parse_rfc3339
from service.core.topics import TopicFilter
from service.log.base import Page, Search
from service.stream.asgi import Message, Receive, Scope, Send
from service.stream.control import Control
from service.stream.pipe import Pipes
from service.wire.frames import Frames
from service.wire.request import DisconnectedError, Request, respond, respond_problem

_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
ANSWER_BYTES: Final = 4 << 20
"""Of data in one answer, about: the rest comes with the next one. A caller that asks and does not read holds it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the caller asks: a search, how long to wait for it (seconds), a gap to report and the floor it covers."""

    search: Search
    wait: float
    gap: Gap | None
    told: int


class Waiter:
    """An outlet that takes nothing: it only learns that there is something to read, and ends a wait for it."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit: asyncio.Timeout | None = limit

    def write(self, payload: bytes) -> bool:
        return False

    def behind(self) -> None:
        """Once is enough: a time limit that is over can't be moved."""
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.reschedule(asyncio.get_running_loop().time())


class PollWire:
    """An ASGI application for GET and HEAD on `/api/events`."""

    def __init__(
        self,
        gate: Gate,
        drain: Drain,
        bus: EventBus,
        pipes: Pipes,
        control: Control,
        frames: Frames,
        *,
        send_timeout: float,
    ) -> None:
        """`send_timeout` is what a caller has to take its answer, in seconds."""
        self._gate = gate
        self._drain = drain
        self._bus = bus
        self._pipes = pipes
        self._control = control
        self._encoding = frames.poll
        self._send_timeout = send_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        head = request.method == "HEAD"
        cors = self._gate.cors(request)
        try:
            self._gate.enter(request, Act.READ)
            question = await self._question(request)
            if head:
                question = replace(question, wait=0.0)
            page, gap = await self._answer(question, request, receive)
            page, is_cut = _cut(page)
            more = is_cut or await self._more(question.search, page)
        except TwinwireError as error:
            await respond_problem(send, error, head=head, cors=cors)
            return
        except DisconnectedError:
            return
        headers = [*_HEADERS, *cors]
        body = self._body(page, more, gap)
        del page  # up to ANSWER_BYTES, for as long as the caller takes to read them once more as `body`
        await respond(partial(self._send_within, send), 200, headers, body, head=head)

    async def _send_within(self, send: Send, message: Message) -> None:
        await self._pipes.end(send, message, self._send_timeout)

    async def _question(self, request: Request) -> Question:
        """Raises InvalidError naming the parameter."""
        topics = request.topics()
        type = request.value("type")
        before, after_text = request.value("before"), request.start_text()
        order = request.value("order") or ("desc" if before and not after_text else "asc")
        if order not in ("asc", "desc"):
            raise InvalidError("order is asc or desc", field="order")
        wait = request.number("wait", 0.0, 0.0, WAIT_MAX)
        limit = int(request.number("limit", PAGE_DEFAULT, 1, OFFSET_MAX))
        newest_first = order == "desc"
        whole_range = newest_first or before is not None
        told = self._bus.reading.floor(topics)  # before anything is read, as for a stream
        after, gap = 0, None
        if after_text or not whole_range:
            after, gap = await self._bus.reading.locate(topics, request.start())
        until, before_gap = self._before(before, topics)
        search = Search(
            topics,
            after=after,
            before=until,
            type=None if type is None else check_type(type),
            from_time=_time(request, "from"),
            to_time=_time(request, "to"),
            newest_first=newest_first,
            limit=min(limit, PAGE_MAX),
        )
        # A range with an end is history: behind that end nothing could ever wake a waiting poll.
        is_closed = whole_range or search.to_time is not None
        return Question(search, 0.0 if is_closed else wait, gap or before_gap, told)

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

    async def _answer(self, question: Question, request: Request, receive: Receive) -> tuple[Page, Gap | None]:
        """The page and its gap; waits if there is neither.

        Raises DisconnectedError while waiting, OverloadedError if there is no place to wait in.
        """
        page, gap = await self._search(question)
        if page.rows or gap is not None or not question.wait or self._drain.has_begun:
            return page, gap  # asked only now, since it may have begun while the log was searched
        with self._gate.enter(request, Act.WAIT):
            return await self._wait(question, page, receive)

    async def _wait(self, question: Question, page: Page, receive: Receive) -> tuple[Page, Gap | None]:
        """The first page that is not empty, or the last one that was, when the time is up or the service goes."""
        gap: Gap | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + question.wait
        while not page.rows and gap is None and loop.time() < deadline and not self._drain.has_begun:
            await self._park(question.search.topics, page.next, receive, deadline)
            question = replace(question, search=replace(question.search, after=page.next))
            page, gap = await self._search(question)
        return page, gap

    async def _search(self, question: Question) -> tuple[Page, Gap | None]:
        """One search. What retention took away while it ran is a gap, and the search starts anew behind it."""
        search, gap, told = question.search, question.gap, question.told
        while True:
            page = await self._bus.reading.search(search)
            if search.newest_first or page.floor <= max(search.after, told):
                return page, gap
            told = page.floor
            gap = await self._bus.reading.gap(search.topics, search.after, told)
            search = replace(search, after=max(search.after, gap.offset))

    async def _more(self, search: Search, page: Page) -> bool:
        """Whether more of the same lies behind a full page."""
        if len(page.rows) < search.limit:
            return False
        if search.newest_first:
            beyond = replace(search, limit=1, before=page.next)
        else:
            beyond = replace(search, limit=1, after=page.next)
        return bool((await self._bus.reading.search(beyond)).rows)

    async def _park(self, topics: TopicFilter, offset: int, receive: Receive, deadline: float) -> None:
        """Wait at the head as a live subscription until something matches, the time is up, or the service goes.

        Without a task of its own: many may come, be woken and leave at once. Raises DisconnectedError.
        """
        subscription = self._bus.attach(topics, offset, self._encoding)
        try:
            async with asyncio.timeout_at(deadline) as limit:
                waiter = Waiter(limit)
                if subscription.go_live(waiter):
                    with self._drain.telling(waiter.behind):
                        await _disconnected(receive)
                        raise DisconnectedError
        except TimeoutError:
            return
        finally:
            subscription.close()

    def _body(self, page: Page, more: bool, gap: Gap | None) -> bytes:
        rest = json.dumps(
            {
                "cursor": self._bus.cursor(page.next),
                "head": self._bus.cursor(self._bus.head),
                "more": more,
                "gap": None if gap is None else self._control.gap(gap),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        events = self._encoding.page(page.rows)
        return b'{"events":[%b],%b' % (events, rest[1:].encode())


def _cut(page: Page) -> tuple[Page, bool]:
    """The page up to ANSWER_BYTES of data, but one event at least, and whether something was left out."""
    size = 0
    for count, row in enumerate(page.rows):
        size += len(row[DATA])
        if size > ANSWER_BYTES and count:
            return Page(page.rows[:count], page.rows[count - 1][OFFSET], page.floor), True
    return page, False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


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
