"""Clients of every transport, in one process with the service: pipes that can be shut, and parsers of what comes."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

from service.access.caller import Caller
from service.bus.start import Start
from service.stream.ending import Ending
from service.stream.pipe import BodyPipe, MessagePipe, Pipe
from service.stream.stream import Stream
from service.wire.poll import PollWire
from tests.property.model import Session
from tests.support.eventstream import EventStreamParser
from tests.support.frames import Frame
from tests.support.stream_fixtures import House

STREAMS = ("websocket", "websocket-portable", "sse", "sse-portable", "sse-unnamed")
TRANSPORTS = (*STREAMS, "poll")
FOREVER = 3_600.0
"""Seconds; a time limit that no test reaches."""

POLL_LIMIT = 3

Hear = Callable[[Frame], None]
Parser = Callable[[bytes], list[Frame]]


class Tap:
    """The client's side of a connection: open, shut (it reads nothing), or gone. Bytes wait in it in order."""

    def __init__(self, hear: Hear, parse: Parser) -> None:
        self._hear = hear
        self._parse = parse
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._buffer: list[bytes] = []
        self.is_gone = False
        self.choppy = False
        self._writes = 0

    @property
    def is_shut(self) -> bool:
        return not self._flowing.is_set()

    def shut(self) -> None:
        self._flowing.clear()

    def open(self) -> None:
        self._flowing.set()
        self._flush()

    def cut(self) -> None:
        """The client is gone: what it did not read is lost."""
        self.is_gone = True
        self._buffer.clear()
        self._flowing.set()

    def takes_writes(self) -> bool:
        self._writes += 1
        return not (self.is_gone or self.is_shut or self._buffer or (self.choppy and self._writes % 2))

    def put(self, payload: bytes) -> None:
        self._buffer.append(payload)
        if not self.is_shut:
            self._flush()

    async def flow(self) -> None:
        """Wait until the client reads. Raises ConnectionResetError if it is gone."""
        await self._flowing.wait()
        if self.is_gone:
            raise ConnectionResetError("the client is gone")

    def _flush(self) -> None:
        waiting, self._buffer = self._buffer, []
        for payload in waiting:
            for frame in self._parse(payload):
                self._hear(frame)


class DirectPipe:
    """A second `TransportPipe`: the fan-out writes into the tap as long as it takes writes."""

    direct = True

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._behind: Callable[[], None] | None = None

    @property
    def is_closed(self) -> bool:
        return self._tap.is_gone

    def on_behind(self, callback: Callable[[], None]) -> None:
        self._behind = callback

    def behind(self) -> None:
        if self._behind is not None:
            self._behind()

    def write(self, payload: bytes) -> bool:
        if not self._tap.takes_writes():
            return False
        self._tap.put(payload)
        return True

    def push(self, payload: bytes) -> bool:
        if self._tap.is_gone:
            return False
        self._tap.put(payload)
        return True

    async def send(self, payload: bytes) -> None:
        if self._tap.is_gone:
            raise ConnectionResetError("the client is gone")
        self._tap.put(payload)
        await self._tap.flow()
        await asyncio.sleep(0)

    async def drain(self) -> None:
        await self._tap.flow()

    async def flush(self, seconds: float) -> None:
        return

    @property
    def is_full(self) -> bool:
        return False

    @property
    def waiting(self) -> int | None:
        return None

    def stalled_for(self, now: float) -> float:
        return 0.0

    def abort(self) -> None:
        self._tap.cut()


def portable_send(tap: Tap) -> Callable[[Any], Any]:
    """An ASGI `send` that ends in the tap."""

    async def send(message: Any) -> None:
        await tap.flow()
        text = message.get("text")
        tap.put(message["body"] if text is None else text.encode())

    return send


def message_parser() -> Parser:
    return lambda payload: [Frame.of(payload.decode())]


def websocket_parser() -> Parser:
    """Whole, unmasked messages from a server (RFC 6455, 5.2); pings are left out."""

    def parse(payload: bytes) -> list[Frame]:
        found = []
        while payload:
            opcode, size, start = payload[0], payload[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(payload[2:start], "big")
            if opcode == 0x81:
                found.append(Frame.of(payload[start : start + size].decode()))
            payload = payload[start + size :]
        return found

    return parse


def sse_parser(chunked: bool) -> Parser:
    blocks = EventStreamParser()

    def parse(payload: bytes) -> list[Frame]:
        if chunked:
            size, _, rest = payload.partition(b"\r\n")
            assert len(rest) == int(size, 16) + 2, "one write is one chunk"
            payload = rest[:-2]
        return [Frame.of(block.data, block) for block in blocks.feed(payload) if block.data is not None]

    return parse


class Connection(Protocol):
    """A client's connection while it lasts."""

    task: "asyncio.Task[None]"
    frames: list[Frame]

    @property
    def is_ready(self) -> bool:
        """Whether it has begun, and is neither shut nor behind."""

    @property
    def is_shut(self) -> bool: ...
    def leave(self) -> None: ...


class StreamConnection:
    """A WebSocket or an event stream: the real `Stream` on a pipe of ours."""

    def __init__(self, house: House, session: Session, transport: str, start: Start) -> None:
        self.frames: list[Frame] = []
        self.stream: Stream[Any] | None = None
        self._house = house
        self._session = session
        self._left = asyncio.Event()
        self.tap, self._pipe, self._encoding = self._parts(transport)
        self.task = asyncio.create_task(self._run(start))

    def _parts(self, transport: str) -> tuple[Tap, Pipe[Any], Any]:
        frames = self._house.frames
        if transport == "websocket":
            tap = Tap(self._hear, websocket_parser())
            return tap, DirectPipe(tap), frames.websocket
        if transport == "websocket-portable":
            tap = Tap(self._hear, message_parser())
            return tap, MessagePipe(portable_send(tap), FOREVER), frames.websocket_messages
        if transport == "sse":
            tap = Tap(self._hear, sse_parser(chunked=True))
            return tap, DirectPipe(tap), frames.sse(True, chunked=True)
        tap = Tap(self._hear, sse_parser(chunked=False))
        return tap, BodyPipe(portable_send(tap), FOREVER), frames.sse(transport != "sse-unnamed", chunked=False)

    def _hear(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._session.hear(frame)

    async def _run(self, start: Start) -> None:
        opened = await self._house.opening.open(self._pipe, self._encoding, self._session.topics, start, Caller())
        self.stream = opened.stream
        await opened.stream.run(opened.first, self)

    async def listen(self) -> None:
        await self._left.wait()

    @property
    def is_shut(self) -> bool:
        return self.tap.is_shut

    @property
    def is_ready(self) -> bool:
        stream = self.stream
        return stream is not None and bool(self.frames) and stream.subscription.state.value == "live"

    def leave(self) -> None:
        self.tap.cut()
        self._left.set()

    def end(self, ending: Ending) -> None:
        if self.stream is not None:
            self.stream.end(ending)


class PollConnection:
    """A client that polls again and again, as ours does: it waits at the head for what comes."""

    is_shut = False

    def __init__(self, wire: PollWire, session: Session, start: str | None) -> None:
        self.frames: list[Frame] = []
        self.answers = 0
        self._wire = wire
        self._session = session
        self._left = asyncio.Event()
        self.task = asyncio.create_task(self._run(start))

    async def _run(self, start: str | None) -> None:
        """The first answer comes at once; without a cursor it only tells where now is."""
        after, wait = start, 0
        while not self._left.is_set():
            answer = await ask(self._wire, self._left, topics=self._session.topics.patterns, after=after, wait=wait)
            if answer is None:
                return
            self._take(answer)
            after, wait = self._session.cursor, 60

    def _take(self, answer: dict[str, Any]) -> None:
        session = self._session
        if not self.answers:
            first = answer["events"][0]["id"] if answer["events"] else answer["cursor"]
            self.frames.append(Frame.of(json.dumps({"type": "connection", "id": first, "floor": None})))
        self.answers += 1
        session.hear_floor(answer["floor"])
        if answer["gap"] is not None:
            session.hear_gap(answer["gap"])
        assert len(answer["events"]) <= POLL_LIMIT
        for event in answer["events"]:
            session.hear(Frame.of(json.dumps(event)))
        session.move(answer["cursor"])

    @property
    def is_ready(self) -> bool:
        return self.answers > 0

    def leave(self) -> None:
        self._left.set()


async def ask(wire: PollWire, left: asyncio.Event, **query: Any) -> dict[str, Any] | None:
    """One GET on `/api/events`; None if it was left before it was answered."""
    fields = [(name, value) for name, value in query.items() if name != "topics" and value is not None]
    fields += [("topic", topic) for topic in query["topics"]]
    fields += [] if "limit" in query else [("limit", POLL_LIMIT)]
    scope = {"method": "GET", "path": "/api/events", "headers": [], "query_string": urlencode(fields).encode()}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await wire({**scope, "type": "http"}, receive, send)
    if not sent:
        return None
    assert sent[0]["status"] == 200, sent
    answer: dict[str, Any] = json.loads(sent[1]["body"])
    return answer
