"""What a WebSocket's client says before it is a stream: who it is, and what it wants to read.

`?auth=message` waits for an `auth` with a token, since what is in a URL is in logs. `?filter=later` waits for the
topics in a first `subscribe`, since they would make the URL too long. Until then nothing is sent but answers to what
can't be carried out yet. The connection has a place like any other, so it has LATER seconds for each.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from service.core.errors import ConflictError, InvalidError, TooLargeError, TwinwireError, UnauthorizedError
from service.core.topics import TopicFilter
from service.stream.asgi import Receive, Send
from service.stream.ending import INVALID, Ending, ending_of
from service.wire.frames import control_json
from service.wire.messages import (
    Beyond,
    ClientMessage,
    Ref,
    Unread,
    is_too_long,
    named_topics,
    problem_fields,
    read_message,
)
from service.wire.request import Request

T = TypeVar("T")

LATER: Final = 5.0
"""Seconds for each of the two."""

IDLE: Final = Ending("idle", 1013)
"""Nothing came in time: try again later (IANA, WebSocket Close Code Number Registry)."""


def has_filter_later(request: Request) -> bool:
    """Raises InvalidError for another word, or beside topics that are there now."""
    value = request.value("filter")
    if value is None:
        return False
    if value != "later" or request.has_topics:
        raise InvalidError("filter is later, in place of topics", field="filter")
    return True


class Prelude:
    """The part of a connection before its stream. What each step returns is None if the connection has ended.

    `spend` is called for each message; what it raises is the message's answer.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        message_max: int,
        goodbye: Callable[[Ending], Mapping[str, Any]],
        spend: Callable[[], None] = lambda: None,
    ) -> None:
        self._spend = spend
        self._receive = receive
        self._send = send
        self._message_max = message_max
        self._goodbye = goodbye

    async def token(self, admit: Callable[[str], T]) -> tuple[T, Ref] | None:
        """What `admit` makes of the first `auth`, whose token it is handed, and that message's `ref`.

        A token that is refused ends the connection: one who can guess has one guess.
        """

        def take(message: ClientMessage) -> T:
            _check_op(message, "auth")
            if message.token is None:
                raise InvalidError("auth needs token", field="token")
            return admit(message.token)

        return await self._first(take, INVALID)

    async def filter(
        self, permit: Callable[[TopicFilter], TopicFilter]
    ) -> tuple[tuple[TopicFilter, Beyond], Ref] | None:
        """The topics of the first `subscribe` that `permit` lets through, what it wants beside stored events, and its
        `ref`."""

        def take(message: ClientMessage) -> tuple[TopicFilter, Beyond]:
            _check_op(message, "subscribe")
            return permit(TopicFilter(named_topics(message))), Beyond.of(message)

        return await self._first(take, IDLE)

    async def refuse(self, ending: Ending) -> None:
        await self._send({"type": "websocket.send", "text": control_json("goodbye", self._goodbye(ending))})
        await self._close(ending.code, ending.words)

    async def _first(self, take: Callable[[ClientMessage], T], late: Ending) -> tuple[T, Ref] | None:
        try:
            async with asyncio.timeout(LATER):
                while (message := await self._receive())["type"] == "websocket.receive":
                    text = message.get("text")
                    if text is None:
                        await self._close(1003)
                        return None
                    if is_too_long(text, self._message_max):
                        await self._close(TooLargeError.close_code)
                        return None
                    try:
                        return self._taken(text, take)
                    except _RefusedError as refused:
                        await self._problem(refused)
                        if isinstance(refused.error, UnauthorizedError):
                            await self.refuse(ending_of(refused.error))
                            return None
        except TimeoutError:
            await self.refuse(late)
        return None

    def _taken(self, text: str, take: Callable[[ClientMessage], T]) -> tuple[T, Ref]:
        message = read_message(text)
        try:
            self._spend()
            if isinstance(message, Unread):
                raise message.error
            return take(message), message.ref
        except TwinwireError as error:
            raise _RefusedError(error, message.ref) from error

    async def _problem(self, refused: "_RefusedError") -> None:
        text = control_json("problem", problem_fields(refused.error, refused.ref))
        await self._send({"type": "websocket.send", "text": text})

    async def _close(self, code: int, reason: str = "") -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


class _RefusedError(Exception):
    """An error, and what the message that it answers is called."""

    def __init__(self, error: TwinwireError, ref: Ref) -> None:
        super().__init__(error.detail)
        self.error: Final = error
        self.ref: Final = ref


def _check_op(message: ClientMessage, op: str) -> None:
    if (message.op or message.type) != op:
        raise ConflictError(f"this connection begins with {op}", field="op")
