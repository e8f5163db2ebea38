"""What stands around a bus and its wires in tests: an encoding that is easy to read, outlets and pipes that take or
refuse, and ASGI callers. Like `memorylog`, and unlike the black-box kit, it imports the service's contracts.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.bus.bus import EventBus
from service.core.event import Draft, Event, Row
from service.core.time import Clock
from tests.support.clock import ManualClock
from tests.support.memorylog import MemoryEventLog

DEADLINE: Final = 20.0
"""Seconds after which something that should have happened counts as missing; never waited for in a passing test."""

ASGI = Callable[..., Awaitable[None]]


class OffsetText:
    """Frames are offsets as text, payloads are tuples of them: what was written is plain to see."""

    def __init__(self, transport: str = "websocket", name: str = "", is_fed: bool = True) -> None:
        self.name = name or transport
        self.transport = transport
        self.is_fed = is_fed
        self.encoded = 0

    def frame(self, event: Event) -> bytes:
        self.encoded += 1
        return str(event.offset).encode()

    def join(self, frames: Sequence[bytes]) -> tuple[int, ...]:
        return tuple(int(frame) for frame in frames)

    def page(self, rows: Sequence[Row]) -> tuple[int, ...]:
        return self.join([self.frame(Event(*row)) for row in rows])


class Sink:
    """An outlet that keeps what it takes. `is_open` False: it takes nothing."""

    def __init__(self) -> None:
        self.is_open = True
        self.taken: list[Any] = []
        self.behinds = 0

    @property
    def offsets(self) -> list[int]:
        return [offset for payload in self.taken for offset in payload]

    def write(self, payload: Any) -> bool:
        if self.is_open:
            self.taken.append(payload)
        return self.is_open

    def behind(self) -> None:
        self.behinds += 1


def drafts(count: int, topic: str = "t", type: str = "x", data: str = "1") -> list[Draft]:
    return [Draft(topic, type, data) for _ in range(count)]


def memory_bus(
    tail_events: int = 10_000,
    tail_bytes: int = 32 << 20,
    log: MemoryEventLog | None = None,
    clock: Clock | None = None,
) -> EventBus:
    clock = clock or ManualClock()
    return EventBus(log or MemoryEventLog(clock), clock, tail_events=tail_events, tail_bytes=tail_bytes)


async def until(condition: Callable[[], bool]) -> None:
    """Give the event loop turns until `condition` holds. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole ASGI response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int, field: str | None = None) -> dict[str, Any]:
        """The RFC 9457 body, which must have this status and name this field."""
        body: dict[str, Any] = self.json()
        assert (self.status, body["status"], body.get("field")) == (status, status, field), body
        assert self.headers["content-type"] == "application/problem+json"
        return body


def http_scope(
    method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, version: str = "1.1"
) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": version,
        "method": method,
        "scheme": "http",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "extensions": {},
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
    }


class Exchange:
    """One HTTP call of an ASGI application that may take its time: answers are collected as they come.

    `is_whole` False: more of the body comes with `bring`.
    """

    def __init__(
        self, app: ASGI, scope: dict[str, Any], body: bytes = b"", *, is_whole: bool = True, **more: Any
    ) -> None:
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.bring(body, is_last=is_whole)
        self._changed = asyncio.Event()
        self.messages: list[dict[str, Any]] = []
        self.task = asyncio.create_task(app(scope, self._inbox.get, self._send, **more))

    async def _send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._changed.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    async def body_holds(self, text: bytes) -> bytes:
        """The body, once `text` is in it."""
        async with asyncio.timeout(DEADLINE):
            while text not in self.body:
                self._changed.clear()
                await self._changed.wait()
        return self.body

    def bring(self, body: bytes, *, is_last: bool = True) -> None:
        self._inbox.put_nowait({"type": "http.request", "body": body, "more_body": not is_last})

    def disconnect(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def answer(self) -> Answer:
        """The response, once the application has returned."""
        async with asyncio.timeout(DEADLINE):
            await self.task
        start = self.messages[0]
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        plain = [one for one in start["headers"] if one[0] != b"set-cookie"]  # the one that may (RFC 9110, 5.3)
        assert len(headers.keys() - {"set-cookie"}) == len(plain), f"a header comes twice: {start['headers']}"
        return Answer(start["status"], headers, self.body)


async def call(
    app: ASGI,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """One request and its whole answer."""
    return await Exchange(app, http_scope(method, path, query, headers), body).answer()


@dataclass
class Socket:
    """A WebSocket client of an ASGI application, on the portable path: frames come one message each."""

    inbox: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)
    sent: list[dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None
    _seen: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def open(
        self,
        app: ASGI,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        path: str = "/api/ws",
        **more: Any,
    ) -> "Socket":
        self.gate.set()
        scope = http_scope("GET", path, query, headers) | {"type": "websocket"}
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(app(scope, self.inbox.get, self._send, **more))
        return self

    async def _send(self, message: dict[str, Any]) -> None:
        await self.gate.wait()
        self.sent.append(message)
        self._changed.set()

    def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes | None) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": None, "bytes": data})

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    @property
    def close_code(self) -> int | None:
        return next((message["code"] for message in self.sent if message["type"] == "websocket.close"), None)

    async def next(self, type: str, count: int = 1) -> list[dict[str, Any]]:
        """The next `count` frames of `type`; others in between are passed over."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE):
            while len(found) < count:
                frames = self.frames
                if self._seen < len(frames):
                    frame = frames[self._seen]
                    self._seen += 1
                    if frame["type"] == type:
                        found.append(frame)
                    continue
                self._changed.clear()
                await self._changed.wait()
        return found

    async def ended(self) -> None:
        assert self.task is not None
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait([self.task])
        self.task.result()


@contextlib.asynccontextmanager
async def open_sockets() -> AsyncIterator[list[Socket]]:
    """Sockets put into the list are gone at the end, whatever happened."""
    sockets: list[Socket] = []
    try:
        yield sockets
    finally:
        for socket in sockets:
            if socket.task is not None:
                socket.task.cancel()
        await asyncio.gather(*(socket.task for socket in sockets if socket.task), return_exceptions=True)


class FakePipe:
    """A pipe of WebSocket messages. `is_open` False: a full buffer, in which `send` waits until it is set again."""

    def __init__(self, direct: bool = True) -> None:
        self.direct = direct
        self.is_closed = False
        self.stalled = 0.0
        self.aborted = False
        self.fault: Exception | None = None
        self.frames: list[dict[str, Any]] = []
        self._open = asyncio.Event()
        self._open.set()
        self._behind: Callable[[], None] | None = None

    @property
    def types(self) -> list[str]:
        return [str(frame["type"]) for frame in self.frames]

    @property
    def events(self) -> list[int]:
        """Offsets of the stored events written, in order."""
        return [int(frame["id"].rpartition("-")[2]) for frame in self.frames if {"topic", "id"} <= frame.keys()]

    @property
    def is_full(self) -> bool:
        return not self._open.is_set()

    @property
    def waiting(self) -> int | None:
        return 20_000 * self.is_full if self.direct else None

    def fill(self) -> None:
        self._open.clear()

    def empty(self) -> None:
        self._open.set()

    async def drain(self) -> None:
        if self.direct:
            await self._open.wait()

    def on_behind(self, callback: Callable[[], None] | None) -> None:
        self._behind = callback

    def behind(self) -> None:
        if self._behind is not None:
            self._behind()

    def _take(self, payload: tuple[bytes, ...]) -> None:
        if self.fault is not None:
            raise self.fault
        self.frames += [json.loads(message) for message in payload]

    def write(self, payload: tuple[bytes, ...]) -> bool:
        if not self.direct or self.is_closed or not self._open.is_set():
            return False
        self._take(payload)
        return True

    def push(self, payload: tuple[bytes, ...]) -> bool:
        if not self.direct or self.is_closed:
            return False
        self._take(payload)
        return True

    async def send(self, payload: tuple[bytes, ...]) -> None:
        if self.is_closed:
            raise ConnectionResetError("closed")
        if not self.direct:
            await self._open.wait()
        self._take(payload)
        await self._open.wait()
        await asyncio.sleep(0)

    async def flush(self, seconds: float) -> None:
        if self.direct and not self._open.is_set():
            self.abort()  # as after so many seconds

    def stalled_for(self, now: float) -> float:
        return self.stalled

    def abort(self) -> None:
        self.aborted = self.is_closed = True
        self._open.set()


class Silence:
    """A listener whose client says nothing until it leaves."""

    def __init__(self) -> None:
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def listen(self) -> None:
        await self._left.wait()
