"""The WebSocket wire (RFC 6455): events out, client messages in (docs/protocol.md, section 4)."""

import asyncio
import contextlib
from typing import Any, Final

import msgspec
import structlog

from service.access.gate import Act, Gate, Lease
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import (
    InvalidError,
    TooLargeError,
    TwinwireError,
    UnsupportedError,
    unforeseen,
)
from service.core.limits import ENVELOPE_MAX, FILTER_TOPICS_MAX
from service.core.parameters import Parameters
from service.core.topics import TopicFilter, check_count, check_pattern
from service.log.base import Turn
from service.stream.asgi import Receive, Scope, Send
from service.stream.ending import Ending
from service.stream.opening import Opened, Opening
from service.stream.pipe import Pipes
from service.stream.stream import Stream
from service.wire.drafts import DraftReader, explain_decoding
from service.wire.frames import Frames
from service.wire.later import first_filter, has_filter_later
from service.wire.messages import (
    ClientMessage,
    Ref,
    Referenced,
    decode_message,
    filter_fields,
    named_topics,
    problem_fields,
    referenced,
    short_ref,
)
from service.wire.request import CURSOR_PARAMETERS, Request, refuse_websocket

logger = structlog.get_logger(__name__)

PARAMETERS: Final = Parameters("topic", *CURSOR_PARAMETERS, "filter")

FEW: Final = 10
"""Topics of a filter up to which it is changed without waiting for a turn."""

PUBLISHING_MAX: Final = 64
"""Publishes of one connection that may wait for their commit; then its messages wait in the socket."""


class WebSocketWire:
    """An ASGI application for WebSocket scopes: one connection a call."""

    def __init__(
        self,
        gate: Gate,
        opening: Opening,
        pipes: Pipes,
        frames: Frames,
        bus: EventBus,
        reader: DraftReader,
        turn: Turn,
        *,
        data_max: int,
    ) -> None:
        """`turn` is waited for before a change of a filter of more than FEW topics."""
        self._gate = gate
        self._opening = opening
        self._pipes = pipes
        self._frames = frames
        self._bus = bus
        self._reader = reader
        self._turn = turn
        self._message_max = data_max + ENVELOPE_MAX

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses before the handshake with a problem and its status."""
        await receive()  # websocket.connect
        try:
            request = Request(scope)
            request.only(PARAMETERS)
            topics, start, is_later = request.topics(), request.start(), has_filter_later(request)
            lease = self._gate.enter(request, Act.SOCKET)
        except TwinwireError as error:
            await refuse_websocket(send, error)
            return
        with lease:
            self._pipes.prepare(send)
            await send({"type": "websocket.accept"})
            ref: Ref = None
            if is_later:
                asked = await first_filter(receive, send, self._message_max, self._opening.goodbye)
                if asked is None:
                    return
                (topics, ref), asked = asked, None
            self._pipes.lighten(scope, send)
            del request, scope  # a stream lives for hours: some KiB of its request would, too
            opened = await self._open(send, topics, start, lease)
            if ref is not None:
                fields = filter_fields(ref, self._bus.cursor(opened.stream.subscription.offset), topics)
                opened.first.insert(0, opened.stream.frame("reply", fields))  # the last of them
            del topics, start
            session = _Session(opened.stream, self._bus, self._reader, self._turn, self._message_max, receive)
            await opened.stream.run(opened.first, session)
            ending = opened.stream.ending
            if ending is not None:
                message = {"type": "websocket.close", "code": ending.code, "reason": ending.reason or ""}
                await self._pipes.end(send, message)

    async def _open(self, send: Send, topics: TopicFilter, start: Start, lease: Lease) -> Opened[Any]:
        pipe = self._pipes.messages(send)
        encoding = self._frames.websocket if pipe.direct else self._frames.websocket_messages
        return await self._opening.open(pipe, encoding, topics, start, lease.caller)


class _Session:
    """Carries out one connection's client messages, in order. What waits is bounded by the server's queue."""

    __slots__ = ("_bus", "_message_max", "_publishing", "_reader", "_receive", "_stream", "_turn")

    def __init__(
        self,
        stream: Stream[Any],
        bus: EventBus,
        reader: DraftReader,
        turn: Turn,
        message_max: int,
        receive: Receive,
    ) -> None:
        self._stream = stream
        self._bus = bus
        self._reader = reader
        self._turn = turn
        self._message_max = message_max
        self._receive = receive
        self._publishing: set[asyncio.Task[None]] | None = None

    async def listen(self) -> None:
        """Carry out messages until the client leaves."""
        while (message := await self._receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text is None:
                return self._stream.refuse(Ending(None, 1003))
            if len(text) > self._message_max or len(text.encode("utf-8", "replace")) > self._message_max:
                return self._stream.refuse(Ending.of(TooLargeError))
            await self._handle(text)
            del message, text
        return None

    async def _handle(self, text: str) -> None:
        message: ClientMessage | Referenced | None = None
        try:
            try:
                message = decode_message(text)
            except (msgspec.DecodeError, RecursionError) as error:
                message = referenced(text)
                raise explain_decoding(error) from error
            await self._carry_out(message)
        except TwinwireError as error:
            await self._problem(error, message.ref if message is not None else None)
        except (ConnectionError, TimeoutError):
            raise  # the stream's, which knows how to end
        except Exception:  # a fault of ours must not take the connection with all that it carries
            logger.exception("message_failed")
            await self._problem(unforeseen(), message.ref if message is not None else None)

    async def _carry_out(self, message: ClientMessage) -> None:
        match message.op or message.type:
            case "subscribe":
                await self._subscribe(message)
            case "unsubscribe":
                await self._unsubscribe(message)
            case "publish":
                await self._publish(message)
            case "ping":
                await self._stream.reply("pong", {} if message.ref is None else {"ref": short_ref(message.ref)})
            case "auth":
                raise UnsupportedError("this service does not use tokens", field="op")
            case _:
                raise InvalidError("op is one of subscribe, unsubscribe, publish, ping, auth", field="op")

    async def _begin_change(self, message: ClientMessage) -> None:
        """All of the filter is taken out of the index and put in anew, however short the message is.

        A long one has had its turn before it was decoded: it would hold ten times its length here.
        """
        named = len(message.topics or ())
        if len(self._stream.subscription.topics.patterns) + named > FEW and named <= FILTER_TOPICS_MAX:
            await self._turn()

    async def _subscribe(self, message: ClientMessage) -> None:
        await self._begin_change(message)
        named = TopicFilter(named_topics(message)).patterns
        async with self._stream.between_pages():
            await self._change(message, self._stream.subscription.topics.plus(named))

    async def _unsubscribe(self, message: ClientMessage) -> None:
        await self._begin_change(message)
        named = [check_pattern(topic) for topic in check_count(named_topics(message))]
        async with self._stream.between_pages():
            await self._change(message, self._stream.subscription.topics.minus(named))

    async def _change(self, message: ClientMessage, topics: TopicFilter) -> None:
        """Called between two pages, so that the reply's position is exactly where the new filter begins."""
        await self._bus.reading.learn(topics)
        offset = self._stream.subscription.change(topics)
        fields = filter_fields(message.ref, self._bus.cursor(offset), topics)
        await self._stream.pipe.send(self._stream.frame("reply", fields))

    async def _publish(self, message: ClientMessage) -> None:
        """The commit is not waited for here, so that publishes of one client share a transaction too."""
        if message.topic is None or message.type is None or not len(memoryview(message.data)):
            missing = "topic" if message.topic is None else "type" if message.type is None else "data"
            raise InvalidError(f"publish needs {missing}", field=missing)
        draft = self._reader.draft(message.topic, message.type, message.data, message.key)
        if self._publishing is None:
            self._publishing = set()
        while len(self._publishing) >= PUBLISHING_MAX:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._commit(draft, short_ref(message.ref)))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _commit(self, draft: Any, ref: Any) -> None:
        try:
            receipt = await self._bus.publish([draft])
            await self._stream.reply("reply", {"ref": ref, "id": self._bus.cursor(receipt.offsets[0])})
        except TwinwireError as error:
            await self._problem(error, ref)
        except (ConnectionError, TimeoutError):
            return  # the stream notices by itself

    async def _problem(self, error: TwinwireError, ref: Any) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self._stream.reply("problem", problem_fields(error, ref))
