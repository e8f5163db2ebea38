"""A WebSocket whose topics come in its first `subscribe`, since they would make its URL too long: `?filter=later`.

Until then it is no stream, and nothing is sent but answers to what can't be carried out yet. It has a place like any
other, so it has LATER seconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from service.core.errors import ConflictError, InvalidError, TooLargeError, TwinwireError
from service.core.topics import TopicFilter
from service.core.words import GoodbyeReason
from service.stream.asgi import Receive, Send
from service.wire.drafts import explain_decoding
from service.wire.frames import control_json
from service.wire.messages import Ref, decode_message, named_topics, problem_fields, referenced
from service.wire.request import Request

LATER: Final = 5.0
"""Seconds for the first filter."""

TRY_AGAIN_LATER: Final = 1013
"""The close code (IANA, WebSocket Close Code Number Registry)."""


def has_filter_later(request: Request) -> bool:
    """Raises InvalidError for another word, or beside topics that are there now."""
    value = request.value("filter")
    if value is None:
        return False
    if value != "later" or request.value("topic") is not None:
        raise InvalidError("filter is later, in place of topics", field="filter")
    return True


async def first_filter(
    receive: Receive,
    send: Send,
    message_max: int,
    goodbye: Callable[[GoodbyeReason, int], Mapping[str, Any]],
) -> tuple[TopicFilter, Ref] | None:
    """The topics of the first `subscribe`, and its `ref`; None if the connection has ended instead."""
    try:
        async with asyncio.timeout(LATER):
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                if text is None:
                    await send({"type": "websocket.close", "code": 1003, "reason": ""})
                    return None
                if len(text) > message_max:
                    await send({"type": "websocket.close", "code": TooLargeError.close_code, "reason": ""})
                    return None
                found = await _take(text, send)
                if found is not None:
                    return found
    except TimeoutError:
        fields = goodbye("idle", TRY_AGAIN_LATER)
        await send({"type": "websocket.send", "text": control_json("goodbye", fields)})
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "idle"})
    return None


async def _take(text: str, send: Send) -> tuple[TopicFilter, Ref] | None:
    ref: Ref = None
    try:
        try:
            message = decode_message(text)
        except (msgspec.DecodeError, RecursionError) as error:
            known = referenced(text)
            ref = None if known is None else known.ref
            raise explain_decoding(error) from error
        ref = message.ref
        if (message.op or message.type) != "subscribe":
            raise ConflictError("this connection begins with a subscribe", field="op")
        return TopicFilter(named_topics(message)), ref
    except TwinwireError as error:
        await send({"type": "websocket.send", "text": control_json("problem", problem_fields(error, ref))})
    return None
