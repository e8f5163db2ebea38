"""The WebSocket wire (RFC 6455): events out, client messages in (docs/protocol.md, section 4)."""

import asyncio
import contextlib
from typing import Any, Final

import structlog

from service.access.carriers import AUTH, PROTOCOL, TICKET, protocols
from service.access.gate import Act, Gate
from service.access.lease import Lease, Wish
from service.bus.bus import EventBus
from service.bus.start import Start
from service.core.errors import (
    InvalidError,
    OverloadedError,
    RateLimitedError,
    TooLargeError,
    TwinwireError,
    unforeseen,
)
from service.core.limits import ENVELOPE_MAX, FILTER_TOPICS_MAX
from service.core.parameters import Parameters
from service.core.topics import TopicFilter, check_count, check_pattern
from service.core.trace import check_traceparent
from service.log.base import Turn
from service.stream.asgi import Message, Receive, Scope, Send
from service.stream.ending import Ending, ending_of
from service.stream.opening import Opened, Opening
from service.stream.pipe import Pipes
from service.stream.renewal import Renewal
from service.stream.stream import Stream
from service.wire.drafts import DraftReader, Incoming
from service.wire.ephemeral.sending import Sending
from service.wire.frames import Frames
from service.wire.later import Prelude, has_filter_later
from service.wire.messages import (
    Beyond,
    ClientMessage,
    Ref,
    Unread,
    filter_fields,
    is_too_long,
    named_topics,
    problem_fields,
    read_message,
    short_ref,
    spend_message,
)
from service.wire.presence.saying import OPS, SayingPresence
from service.wire.publish import spend_and_publish
from service.wire.request import CURSOR_PARAMETERS, EPHEMERAL, PRESENCE, STATE_PARAMETERS, Request, refuse_websocket

logger = structlog.get_logger(__name__)

PARAMETERS: Final = Parameters(
    "topic", *CURSOR_PARAMETERS, *STATE_PARAMETERS, EPHEMERAL, PRESENCE, "filter", AUTH, TICKET
)

FEW: Final = 10
"""Topics of a filter up to which it is changed without waiting for a turn."""

ABNORMAL: Final = 1006
"""The code of an end without a Close frame (RFC 6455, 7.4.1)."""

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
        sending: Sending,
        saying: SayingPresence,
        renewal: Renewal,
        turn: Turn,
        *,
        data_max: int,
    ) -> None:
        """`turn` is waited for before a change of a filter of more than FEW topics."""
        self.gate = gate
        self.opening = opening
        self._pipes = pipes
        self._frames = frames
        self.bus = bus
        self.reader = reader
        self.sending = sending
        self.saying = saying
        self.renewal = renewal
        self.turn = turn
        self.message_max = data_max + ENVELOPE_MAX

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses before the handshake with a problem and its status."""
        await receive()  # websocket.connect
        try:
            request = Request(scope)
            request.only(PARAMETERS)
            start, is_later = request.start(), has_filter_later(request)
            beyond = Beyond(request.flag(EPHEMERAL, False), request.flag(PRESENCE, False))
            wish = None if is_later else request.wish()
            lease = self.gate.enter(request, Act.SOCKET, wish)
        except RateLimitedError as error:
            await self._send_away(receive, send, _accepting(request), ending_of(error))
            return
        except TwinwireError as error:
            await refuse_websocket(send, error)
            return
        with lease:
            self._pipes.prepare(send)
            await send(_accepting(request))
            asked = await self._prelude(receive, send, lease, wish)
            if asked is None:
                return
            topics, refs, later = asked
            beyond = Beyond(*(b if a is None else a for a, b in zip(later, beyond, strict=True)))
            self._pipes.lighten(scope, send)
            del request, scope, wish, asked  # a stream lives for hours: some KiB of its request would, too
            try:
                opened = await self._open(send, topics, start, lease, beyond)
            except (RateLimitedError, OverloadedError) as error:
                await self._refuse(receive, send, ending_of(error))
                return
            stream = opened.stream
            stream.lease = lease
            for ref in refs:  # the last of them
                fields = filter_fields(ref, self.position(stream), topics, later)
                opened.first.insert(0, stream.frame("reply", fields))
            del topics, start, refs
            await stream.run(opened.first, _Session(self, stream, receive))
            ending = stream.ending
            if ending is not None:
                message = {"type": "websocket.close", "code": ending.code, "reason": ending.words}
                await self._pipes.end(send, message)

    def position(self, stream: Stream[Any]) -> str | None:
        """From which a new filter holds; None until the end of a state, since nothing moves a cursor until then."""
        at = stream.subscription.resume_at
        return None if at is None else self.bus.cursor(at)

    async def _prelude(
        self, receive: Receive, send: Send, lease: Lease, wish: Wish | None
    ) -> tuple[TopicFilter, list[Ref], Beyond] | None:
        """What the stream is to be about, the names of messages that its beginning answers, and what they asked
        for beside stored events; None if it has ended.

        Who is pending says first who he is.
        """
        prelude = Prelude(
            receive,
            send,
            self.message_max,
            self.opening.goodbye,
            lambda: spend_message(self.gate, lease.caller),  # whoever it is by then
        )
        topics = lease.topics
        if lease.is_pending:
            admitted = await prelude.token(lambda token: self.gate.admit(lease, token, wish))
            if admitted is None:
                return None
            topics = admitted[0]
        if wish is not None:
            return topics, [], Beyond()
        found = await prelude.filter(lambda topics: self.gate.readable(lease.caller, Act.SOCKET, topics))
        if found is None:
            return None
        (topics, beyond), ref = found
        return topics, [] if ref is None else [ref], beyond

    async def _send_away(self, receive: Receive, send: Send, accepting: Message, ending: Ending) -> None:
        """After the handshake, since a browser tells its page nothing of one that was refused."""
        await send(accepting)
        await self._refuse(receive, send, ending)

    async def _refuse(self, receive: Receive, send: Send, ending: Ending) -> None:
        await Prelude(receive, send, self.message_max, self.opening.goodbye).refuse(ending)

    async def _open(self, send: Send, topics: TopicFilter, start: Start, lease: Lease, beyond: Beyond) -> Opened[Any]:
        pipe = self._pipes.messages(send)
        encoding = self._frames.websocket if pipe.direct else self._frames.websocket_messages
        return await self.opening.open(pipe, encoding, topics, start, lease.caller, **beyond.said)


def _accepting(request: Request) -> Message:
    """The answer to a handshake. A browser fails one that is answered by none of the subprotocols it has offered."""
    protocol = PROTOCOL if PROTOCOL in protocols(request) else None
    return {"type": "websocket.accept", "subprotocol": protocol}


class _Session:
    """Carries out one connection's client messages, in order. What waits is bounded by the server's queue."""

    __slots__ = ("_publishing", "_receive", "_stream", "_wire")

    def __init__(self, wire: WebSocketWire, stream: Stream[Any], receive: Receive) -> None:
        self._wire = wire
        self._stream = stream
        self._receive = receive
        self._publishing: set[asyncio.Task[None]] | None = None

    async def listen(self) -> None:
        """Carry out messages until the client leaves."""
        while (message := await self._receive())["type"] == "websocket.receive":
            self._wire.saying.heard(self._stream)
            text = message.get("text")
            if text is None:
                return self._stream.refuse(Ending(None, 1003))
            if is_too_long(text, self._wire.message_max):
                return self._stream.refuse(Ending.of(TooLargeError))
            await self._handle(text)
            del message, text
        self._stream.beside.is_lost = message.get("code") == ABNORMAL
        return None

    async def _handle(self, text: str) -> None:
        message: ClientMessage | Unread | None = None
        try:
            message = read_message(text)
            spend_message(self._wire.gate, self._stream.peer.caller)
            if isinstance(message, Unread):
                raise message.error
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
                await self._authenticate(message)
            case op if op in OPS:
                await self._wire.saying.say(op, message, self._stream)
            case _:
                known = ", ".join(("subscribe, unsubscribe, publish, ping, auth", *OPS))
                raise InvalidError(f"op is one of {known}", field="op")

    async def _authenticate(self, message: ClientMessage) -> None:
        if message.token is None:
            raise InvalidError("auth needs token", field="token")
        fields = await self._wire.renewal.by_token(self._stream, message.token)
        await self._stream.reply("reply", {"ref": short_ref(message.ref), **fields})
        self._wire.renewal.tell(self._stream)

    async def _begin_change(self, message: ClientMessage) -> None:
        """All of the filter is taken out of the index and put in anew, however short the message is.

        A long one has had its turn before it was decoded: it would hold ten times its length here.
        """
        named = len(message.topics or ())
        if len(self._stream.subscription.topics.patterns) + named > FEW and named <= FILTER_TOPICS_MAX:
            await self._wire.turn()

    async def _subscribe(self, message: ClientMessage) -> None:
        await self._begin_change(message)
        asked = TopicFilter(named_topics(message))
        named = self._wire.gate.readable(self._stream.peer.caller, Act.SOCKET, asked).patterns
        async with self._stream.between_pages():
            topics = self._stream.subscription.topics.plus(named)
            self._wire.gate.check_filter(topics)
            await self._change(message, topics)

    async def _unsubscribe(self, message: ClientMessage) -> None:
        await self._begin_change(message)
        named = [check_pattern(topic) for topic in check_count(named_topics(message))]
        async with self._stream.between_pages():
            await self._change(message, self._stream.subscription.topics.minus(named))

    async def _change(self, message: ClientMessage, topics: TopicFilter) -> None:
        """Called between two pages, so that the reply's position is exactly where the new filter begins."""
        await self._wire.bus.reading.learn(topics)
        self._stream.change(topics)
        stream, besides, beyond = self._stream, self._wire.opening.besides, Beyond.of(message)
        if beyond.ephemeral is not None:
            besides.listen_in(stream, hears=beyond.ephemeral)
        if beyond.presence is not None:
            besides.follow(stream, watches=beyond.presence)
        fields = filter_fields(message.ref, self._wire.position(stream), topics, beyond)
        await stream.pipe.send(stream.frame("reply", fields))
        stream.beside.watching.soon()

    async def _publish(self, message: ClientMessage) -> None:
        """The commit is not waited for here, so that publishes of one client share a transaction too."""
        if message.topic is None or message.type is None or not len(memoryview(message.data)):
            missing = "topic" if message.topic is None else "type" if message.type is None else "data"
            raise InvalidError(f"publish needs {missing}", field=missing)
        if message.ephemeral:
            self._wire.sending.say(message, self._stream.peer)
            if message.ref is not None:
                await self._stream.reply("reply", {"ref": short_ref(message.ref)})
            return
        draft = self._wire.reader.draft(
            Incoming(
                message.topic,
                message.type,
                message.data,
                message.key,
                message.subject,
                message.append,
                message.final,
            )
        )
        traceparent = None if message.traceparent is None else check_traceparent(message.traceparent)
        self._wire.gate.check_publish(self._stream.peer.caller, Act.CHANGE, draft.topic)
        if self._publishing is None:
            self._publishing = set()
        while len(self._publishing) >= PUBLISHING_MAX:
            await asyncio.wait(self._publishing, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(self._commit(draft, short_ref(message.ref), traceparent))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _commit(self, draft: Any, ref: Any, traceparent: str | None) -> None:
        try:
            caller = self._stream.peer.caller
            receipt = await spend_and_publish(self._wire.gate, self._wire.bus, caller, [draft], traceparent)
            await self._stream.reply("reply", {"ref": ref, "id": self._wire.bus.cursor(receipt.offsets[0])})
        except TwinwireError as error:
            await self._problem(error, ref)
        except (ConnectionError, TimeoutError):
            return  # the stream notices by itself

    async def _problem(self, error: TwinwireError, ref: Any) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self._stream.reply("problem", problem_fields(error, ref))
