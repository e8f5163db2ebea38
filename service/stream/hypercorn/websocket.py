"""WebSockets on a guarded connection: what a client may not do (RFC 6455), and what is said to it then.

Hypercorn 0.18 cuts the connection where the RFC wants a Close frame that says why, lets a client fill a step of the
event loop with frames that say nothing, takes any key, and holds a refused handshake open.
"""

import base64
import binascii
from dataclasses import replace
from typing import Any, Final

from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from service.stream.ending import FULL
from service.stream.hypercorn.budget import Budget
from service.stream.hypercorn.guards import Guards, Rank
from service.stream.hypercorn.inbox import message_size

SLICE: Final = 20
"""Frames after which others may get their turn: half a millisecond."""

FRAGMENT: Final = 1_024
"""Bytes from which on a fragment is one that carries its message on."""

EMPTY_FRAGMENT: Final = 10
"""Frames that a fragment without a byte counts for. RFC 6455, 5.4 allows it, and nobody needs it."""

LARGE: Final = 16 * 1024
"""Bytes of a message from which on it is a lot of work: a list of topics as long as that takes half a millisecond."""

KEY_BYTES: Final = 16
"""Of which Sec-WebSocket-Key is the Base64 (RFC 6455, 4.1)."""

REASON_MAX: Final = 123
"""Bytes of a Close frame's reason (RFC 6455, 5.5)."""

_MESSAGES: Final = (TextMessage, BytesMessage)

_KEY: Final = b"sec-websocket-key"
_VERSION: Final = b"sec-websocket-version"
_READ: Final = frozenset(
    {b"connection", b"upgrade", b"sec-websocket-extensions", b"sec-websocket-protocol", b"sec-websocket-version"}
)
"""Fields that Hypercorn decodes as ASCII."""


def stream_parts(protocol: Any, stream_id: int) -> tuple[Any, ...]:
    """What Hypercorn makes a stream of, a WebSocket's or another, out of the protocol that it belongs to."""
    return (
        protocol.app,
        protocol.config,
        protocol.context,
        protocol.task_group,
        protocol.ssl,
        protocol.client,
        protocol.server,
        protocol.stream_send,
        stream_id,
    )


class GuardedWebSocket(WSStream):
    """Compression is never agreed on: about 100 KiB a connection, and frames that can't be shared."""

    def __init__(self, guards: Guards, *args: Any) -> None:
        super().__init__(*args)
        self._guards = guards
        self._turns = guards.turns
        self._work = guards.work
        self._budget: Budget | None = None
        self._whole = 0
        """Messages that came whole."""

    @property
    def owed(self) -> object:
        """The message that was begun and not finished, by its number."""
        return None if self.buffer.value is None else self._whole

    async def handle(self, event: Event) -> None:
        if self.closed:
            return
        if isinstance(event, Request):
            await self._shake_hands(event)
        elif not isinstance(event, (Body, Data)):
            await super().handle(event)
        elif not self.handshake.accepted:
            # RFC 6455, 4.1: a client waits for the answer. Hypercorn would not tell the application.
            await self._send_error_response(400)
            await self._end()
        else:
            try:
                self.connection.receive_data(event.data)
            except LocalProtocolError:  # after both Close frames
                return
            await self._handle_events()

    async def _shake_hands(self, request: Request) -> None:
        fields = [field for field in request.headers if field[0] not in _READ or field[1].isascii()]
        keys = [value for name, value in fields if name == _KEY]
        has_key = request.http_version != "1.1" or (len(keys) == 1 and _is_key(keys[0]))
        if len(fields) < len(request.headers) or not has_key:
            # Without these, the handshake is invalid: 400. What was left out may have been a token.
            fields = [field for field in fields if field[0] not in (_KEY, _VERSION)]
        if len(fields) < len(request.headers):
            request = replace(request, headers=fields)
        await super().handle(request)
        self.handshake.extensions = None
        if self.closed:  # refused
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _handle_events(self) -> None:
        ping: Ping | None = None
        """The last of some, whose answer is one to all of them (RFC 6455, 5.5.3)."""
        event: Any
        for count, event in enumerate(self.connection.events(), 1):
            if count % SLICE == 0:
                await self._turns.take(Rank.BUSY)
            if self.closed:
                return
            kind = type(event)  # `isinstance` asks much more of a class that is abstract
            if ping is not None and kind is not Ping:
                await self._send_wsproto_event(ping.response())
                ping = None
            if not self._affords(event):
                await self._send_away()
            elif kind in _MESSAGES:
                await self._take(event, count == 1)
            elif kind is Ping:
                ping = event
            elif kind is CloseConnection:
                await self._take_close(event)
        if ping is not None and not self.closed:
            await self._send_wsproto_event(ping.response())

    def _affords(self, event: Any) -> bool:
        cost = _cost(event)
        if not cost:
            return True
        now = self._guards.now()
        if self._budget is None:
            rate = self._guards.frames
            self._budget = Budget(rate.burst, rate.a_second, now)
        return self._budget.take(cost, now)

    async def _take(self, message: Message[Any], is_first: bool) -> None:
        """`is_first`: of those that came together, which have had a turn."""
        try:
            self.buffer.extend(message)
        except FrameTooLargeError:
            await self.fail(CloseReason.MESSAGE_TOO_BIG, "the message is too large")
            return
        if message.message_finished:
            self._whole += 1
            assert self.app_put is not None
            whole = self.buffer.to_message()
            self.buffer.clear()
            if not is_first:
                await self._turns.take(Rank.BUSY)
            if message_size(whole) >= LARGE:
                await self._work.take(Rank.BUSY)
            await self.app_put(whole)

    async def _take_close(self, event: CloseConnection) -> None:
        """A peer's Close frame is answered; a breach of the protocol gets ours (RFC 6455, 7.1.7)."""
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
            await self._end()
        elif self.connection.state is ConnectionState.OPEN:
            await self.fail(event.code, event.reason or "")
        else:
            await self._end()

    async def _send_away(self) -> None:
        """Too many frames that carry no message on: say goodbye, and when to come back, as a stream does."""
        await self._send_wsproto_event(TextMessage(data=self._guards.goodbye()))
        await self.fail(FULL.code, FULL.words)

    async def fail(self, code: int, reason: str) -> None:
        """Say why, and end the connection."""
        short = reason.encode()[:REASON_MAX].decode(errors="ignore")
        await self._send_wsproto_event(CloseConnection(code=code, reason=short))
        await self._end()

    async def _end(self) -> None:
        """Tell the application and the connection."""
        await super().handle(StreamClosed(stream_id=self.stream_id))
        await self.send(StreamClosed(stream_id=self.stream_id))


def _cost(event: Any) -> int:
    """Frames that this counts for in the budget; 0 for what carries a message on, which has its own bounds."""
    if type(event) not in _MESSAGES:
        return 0 if type(event) is CloseConnection else 1
    if not event.frame_finished or len(event.data) >= FRAGMENT:
        return 0
    if event.message_finished:
        return 0 if event.data else 1
    return 1 if event.data else EMPTY_FRAGMENT


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value.strip(), validate=True)) == KEY_BYTES
    except binascii.Error:
        return False
