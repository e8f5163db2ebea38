"""What a client may send over a WebSocket (docs/protocol.md, section 4), before it is carried out."""

from typing import Final

import msgspec

from service.core.errors import InvalidError
from service.core.topics import check_readable

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


class Referenced(msgspec.Struct, gc=False):
    """All that is wanted of a message whose other fields are wrong: what its problem refers to."""

    ref: str | int | float | None = None


decode_message: Final = msgspec.json.Decoder(ClientMessage).decode


def referenced(text: str) -> Referenced | None:
    try:
        return msgspec.json.decode(text, type=Referenced)
    except (msgspec.DecodeError, RecursionError):
        return None


def named_topics(message: ClientMessage) -> tuple[str, ...]:
    """Raises InvalidError if none are named."""
    if not message.topics:
        raise InvalidError("topics is a list of at least one topic filter", field="topics")
    check_readable(message.topics)
    return tuple(message.topics)


def short_ref(ref: str | int | float | None) -> str | int | float | None:
    """What is sent back of a `ref`."""
    return ref[:REF_MAX] if isinstance(ref, str) else ref
