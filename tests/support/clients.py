"""Collector: one open stream over any transport, read frame by frame, on demand.

    async with open_stream(url, "sse", "a/b", after="earliest") as stream:
        events = await stream.events(3)

There is no background task and no buffer of its own: what a test does not ask for stays in the socket, so
"stop reading" is simply not to ask. Every wait ends after DEADLINE seconds with an AssertionError that shows
what did come.
"""

import abc
import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final, Literal

from tests.support.eventstream import Block, EventStreamParser
from tests.support.frames import UNASKED, Frame, array_items
from tests.support.http import DEADLINE, Connection, Head, Query, Response, target
from tests.support.websocket import WebSocketClient

Transport = Literal["websocket", "sse", "poll"]
STREAMING: Final[tuple[Transport, ...]] = ("websocket", "sse")
TRANSPORTS: Final[tuple[Transport, ...]] = (*STREAMING, "poll")

POLL_WAIT: Final = 20
"""Seconds; below DEADLINE, so that a poll without an answer fails as loudly as a silent stream."""


class StreamEndedError(Exception):
    """The server ended the stream; `code` is the WebSocket close code if it sent one."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(f"the stream ended, close code {code}")
        self.code = code


class RefusedStreamError(Exception):
    """The stream was answered by another status than 200."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status}: {response.body[:500]!r}")
        self.response = response


class Collector(abc.ABC):
    """`frames` holds what was taken so far, `cursor` what a client would resume with after the last of
    them.
    """

    transport: ClassVar[Transport]

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.cursor: str | None = None
        self._waiting: deque[Frame] = deque()

    @abc.abstractmethod
    async def _receive(self) -> list[Frame]:
        """The next frames in order, possibly none. Raises StreamEndedError or OSError."""

    @property
    @abc.abstractmethod
    def http(self) -> Connection:
        """The connection below."""

    def reset(self) -> None:
        """Vanish with a TCP reset."""
        self.http.reset()

    def hang_up(self) -> None:
        """Vanish with a FIN, without the closing handshake of the wire."""
        self.http.writer.close()

    async def close(self) -> None:
        """Leave politely."""
        await self.http.close()

    @property
    def gaps(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.type == "gap" and not frame.is_event]

    @property
    def connection(self) -> dict[str, Any]:
        """The `connection` frame. A poll has none."""
        assert self.frames[0].type == "connection", self.frames[0]
        return self.frames[0].value

    async def next(self) -> Frame:
        """The next frame, control frames included. Raises StreamEndedError."""
        return await self.until(lambda _: True)

    async def until(self, accept: Callable[[Frame], bool]) -> Frame:
        """The first frame that is accepted; those before it are in `frames`. Raises StreamEndedError.

        The deadline is for all of them together: heartbeats alone do not keep a test alive.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                while not accept(frame := await self._take()):
                    pass
        except TimeoutError:
            raise AssertionError(f"not within {DEADLINE} s; {self._summary()}") from None
        return frame

    async def _take(self) -> Frame:
        while not self._waiting:
            self._waiting.extend(await self._receive())
        frame = self._waiting.popleft()
        self.frames.append(frame)
        self.cursor = self._after(frame) or self.cursor
        return frame

    async def control(self, kind: str) -> Frame:
        """The next control frame of this type."""
        return await self.until(lambda frame: frame.type == kind and not frame.is_event)

    async def events(self, count: int) -> list[Frame]:
        """The next `count` events; control frames between them go to `frames` only."""
        return [await self.until(lambda frame: frame.is_event) for _ in range(count)]

    async def events_until(self, last: str) -> list[Frame]:
        """The events up to and including the one whose id is `last`."""
        events = await self.events(1)
        while events[-1].id != last:
            events += await self.events(1)
        return events

    async def gap(self) -> dict[str, Any] | None:
        """What the service says about a gap at the start: the frame right after `connection`, or None."""
        frame = await self.next()
        if frame.type == "gap":
            return frame.value
        assert frame.is_event or frame.type == "caught_up", frame
        return None

    async def end(self) -> int | None:
        """Read to the end of the stream; the close code."""
        try:
            while True:
                await self.next()
        except StreamEndedError as ended:
            return ended.code

    def _after(self, frame: Frame) -> str | None:
        return frame.position

    def _summary(self) -> str:
        last = [frame.text[:200] for frame in self.frames[-5:]]
        return f"{len(self.frames)} frames on {self.transport}, the last of them {last}"


class WebSocketCollector(Collector):
    transport = "websocket"

    def __init__(self, client: WebSocketClient) -> None:
        super().__init__()
        self.client = client

    async def _receive(self) -> list[Frame]:
        messages = await self.client.receive()
        if not messages:
            raise StreamEndedError(self.client.close_code)
        return [Frame.of(text) for text in messages]

    async def send(self, message: Any) -> None:
        await self.client.send_json(message)

    async def ask(self, message: Any) -> Frame:
        """Send a client message and return the reply, pong or problem to it; other frames go to `frames`."""
        await self.send(message)
        return await self.answer()

    async def answer(self) -> Frame:
        """The next frame that is neither an event nor one that the stream sends by itself."""
        return await self.until(lambda frame: not frame.is_event and frame.type not in UNASKED)

    @property
    def http(self) -> Connection:
        return self.client.connection

    async def close(self) -> None:
        await self.client.close()


class SSECollector(Collector):
    """`blocks` holds those with a comment: the one that opens the stream. None is without data."""

    transport = "sse"

    def __init__(self, connection: Connection, head: Head) -> None:
        super().__init__()
        self._connection = connection
        self.head = head
        self.blocks: list[Block] = []
        self._pieces = connection.pieces(head)
        self._parser = EventStreamParser()

    async def _receive(self) -> list[Frame]:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise StreamEndedError
        blocks = self._parser.feed(piece)
        assert all(block.data is not None for block in blocks), "an empty event, to lenient clients"
        self.blocks += [block for block in blocks if block.comments]
        return [Frame.of(block.data, block) for block in blocks if block.data is not None]

    @property
    def http(self) -> Connection:
        return self._connection


class PollCollector(Collector):
    """Long polls one after another; the first one is made at once and shows where the stream starts."""

    transport = "poll"

    def __init__(self, connection: Connection, query: Query, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._connection = connection
        self.query = dict(query)
        self.headers = dict(headers)
        self.answer: dict[str, Any] = {}

    async def start(self, after: str | None) -> None:
        first = {"after": after} if after is not None else {}
        await self._poll({"wait": 0, **first}, self.headers)

    async def gap(self) -> dict[str, Any] | None:
        gap: dict[str, Any] | None = self.answer["gap"]
        return gap

    async def _receive(self) -> list[Frame]:
        assert self.cursor is not None
        return await self._poll({"wait": POLL_WAIT, "after": self.cursor}, {})

    async def ask_only(self) -> None:
        """Send the next poll and do not wait for its answer: for a client that vanishes in between."""
        assert self.cursor is not None
        query = {**self.query, "wait": POLL_WAIT, "after": self.cursor}
        await self.http.send("GET", target("/api/events", query))

    async def _poll(self, query: Query, headers: Mapping[str, str]) -> list[Frame]:
        path = target("/api/events", {**self.query, **query})
        response = await self.http.request("GET", path, headers=headers)
        if response.status != 200:
            raise RefusedStreamError(response)
        self.answer = response.json()
        gap = self.answer["gap"]
        if gap is not None:
            self.frames.append(Frame(response.text, {"type": "gap", **gap}))
        frames = [Frame.of(text) for text in array_items(response.text, "events")]
        self._waiting.extend(frames)
        if not frames:
            self.cursor = self.answer["cursor"]
        return []

    def _after(self, frame: Frame) -> str | None:
        return frame.id if self._waiting else str(self.answer["cursor"])

    @property
    def http(self) -> Connection:
        return self._connection


async def connect(
    url: str,
    transport: Transport,
    topics: str | Sequence[str] = (),
    *,
    after: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Query | None = None,
    receive_buffer: int | None = None,
) -> Collector:
    """Open a stream and take its first frame. `after` goes into the query, `headers` may hold a
    Last-Event-ID.

    Raises websocket.RefusedError, RefusedStreamError or OSError.
    """
    named = [topics] if isinstance(topics, str) else list(topics)
    full: dict[str, Any] = {**({"topic": named} if named else {}), **(query or {})}
    if transport == "poll":
        poll = PollCollector(await Connection.open(url, receive_buffer=receive_buffer), full, headers or {})
        await _or_reset(poll, poll.start(after))
        return poll
    if after is not None:
        full["after"] = after
    collector: Collector
    if transport == "websocket":
        client = await WebSocketClient.open(url, query=full, headers=headers, receive_buffer=receive_buffer)
        collector = WebSocketCollector(client)
    else:
        collector = await open_sse(url, target("/api/sse", full), headers=headers, receive_buffer=receive_buffer)
    first = await _or_reset(collector, collector.next())
    assert first.type == "connection", first
    return collector


async def open_sse(
    url: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    version: str = "1.1",
    receive_buffer: int | None = None,
) -> SSECollector:
    """Ask for an event stream and read its head. Raises RefusedStreamError unless it is a 200."""
    connection = await Connection.open(url, receive_buffer=receive_buffer)
    try:
        async with asyncio.timeout(DEADLINE):
            fields = {"Accept": "text/event-stream", **(headers or {})}
            await connection.send("GET", path, headers=fields, version=version)
            head = await connection.read_head()
            if head.status != 200:
                body = b"".join([piece async for piece in connection.pieces(head)])
                raise RefusedStreamError(Response(head, body))
    except BaseException:
        connection.reset()
        raise
    return SSECollector(connection, head)


@asynccontextmanager
async def open_stream(
    url: str,
    transport: Transport,
    topics: str | Sequence[str] = (),
    *,
    after: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Query | None = None,
    receive_buffer: int | None = None,
) -> AsyncIterator[Collector]:
    """`connect`, and the end with a reset: no test pays for a closing handshake that it does not look at."""
    stream = await connect(
        url, transport, topics, after=after, headers=headers, query=query, receive_buffer=receive_buffer
    )
    try:
        yield stream
    finally:
        stream.reset()


async def _or_reset(collector: Collector, start: Any) -> Any:
    try:
        return await start
    except BaseException:
        collector.reset()
        raise
