"""What a client may send over a WebSocket (docs/protocol.md, section 4), before it is carried out."""

import math
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.core.errors import InvalidError, TwinwireError
from service.core.topics import TopicFilter, check_readable
from service.wire.drafts import explain_decoding
from service.wire.problems import problem

Ref = str | int | float | None

REF_MAX: Final = 128
"""Characters of a `ref` that are sent back."""


class ClientMessage(msgspec.Struct, gc=False):
    """What a client may send; each `op` uses some of the fields."""

    op: str | None = None
    ref: str | int | float | None = None
    type: str | None = None
    topics: list[str] | None = None
    topic: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    key: str | None = None
    subject: str | None = None
    append: bool = False
    final: bool = False
    traceparent: str | None = None
    ephemeral: bool | None = None
    ttl: float | None = None
    echo: bool = False
    presence: bool | None = None
    place: str | None = None
    places: list[str] | None = None
    member: str | None = None
    merge: msgspec.Raw = msgspec.Raw(b"")
    token: str | None = None


class Beyond(NamedTuple):
    """Whether one wants more than stored events: what is not kept, and who is where. None: it was not said."""

    ephemeral: bool | None = None
    presence: bool | None = None

    @classmethod
    def of(cls, message: ClientMessage) -> "Beyond":
        return cls(message.ephemeral, message.presence)

    @property
    def said(self) -> dict[str, bool]:
        """What was said of it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class _Referenced(msgspec.Struct, gc=False):
    """All that is wanted of a message whose other fields are wrong: what its problem refers to."""

    ref: str | int | float | None = None


class Unread(NamedTuple):
    """What is no message: why, and what its problem refers to, as far as that can be told."""

    error: TwinwireError
    ref: Ref


_decode: Final = msgspec.json.Decoder(ClientMessage).decode


def read_message(text: str) -> ClientMessage | Unread:
    """What a client says, or why it is nothing. Raises nothing: either counts as a message first."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        return Unread(explain_decoding(error), _ref_of(text))


def _ref_of(text: str) -> Ref:
    try:
        return msgspec.json.decode(text, type=_Referenced).ref
    except (msgspec.DecodeError, RecursionError):
        return None


def is_too_long(text: str, most: int) -> bool:
    """Whether a message has more than so many bytes: as UTF-8, which is what came."""
    return len(text) > most or (not text.isascii() and len(text.encode("utf-8", "replace")) > most)


def named_topics(message: ClientMessage) -> tuple[str, ...]:
    """Raises InvalidError if none are named."""
    if not message.topics:
        raise InvalidError("topics is a list of at least one topic filter", field="topics")
    check_readable(message.topics)
    return tuple(message.topics)


def spend_message(gate: Gate, caller: Caller) -> None:
    """One of the messages that a caller may say in a time. Raises RateLimitedError: then it is not carried out."""
    if gate.spending is not None:
        gate.counted(Act.SOCKET, "rate", partial(gate.spending.message, caller))


def short_ref(ref: str | int | float | None) -> str | int | float | None:
    """What is sent back of a `ref`."""
    return ref[:REF_MAX] if isinstance(ref, str) else ref


def problem_fields(error: TwinwireError, ref: Ref) -> dict[str, Any]:
    """Of a `problem` frame that answers a message: `retry` is in ms, as in `goodbye`, if the same may succeed then."""
    fields = problem(error)
    del fields["type"]  # RFC 9457's names the kind of problem, a frame's the kind of frame
    if error.retry_after is not None:
        fields["retry"] = math.ceil(error.retry_after * 1000)
    return {**fields, "ref": short_ref(ref)}


def filter_fields(ref: Ref, id: str | None, topics: TopicFilter, beyond: Beyond) -> dict[str, Any]:
    """Of the `reply` to a change of the filter: what it is now, and from where on; None while a state is told.
    `beyond`: what was asked for beside stored events.
    """
    return {"ref": short_ref(ref), "id": id, "topics": list(topics.patterns), **beyond.said}
