"""Frames as they stand on the wire, read no further than a client needs to (docs/protocol.md, sections 1 and 2)."""

from typing import Any, Final, cast

import msgspec

from twinwire.event import Event, Gap, Reason


class Frame(msgspec.Struct):
    """An event if it has a `topic`, else a control frame. `retry` in milliseconds, `heartbeat` and `in_` in seconds."""

    type: str
    id: str | None = None
    topic: str | None = None
    prev: str | None = None
    subject: str | None = None
    append: bool = False
    final: bool = False
    joined: int | None = None
    traceparent: str | None = None
    # connection
    connection: str | None = None
    head: str | None = None
    floor: str | msgspec.UnsetType | None = msgspec.UNSET
    resumed: bool = False
    heartbeat: float | None = None
    # gap
    requested: str = ""
    reason: str = ""
    # goodbye
    code: int | None = None
    retry: float | None = None
    detail: str | None = None
    # problem
    status: int = 0
    title: str = ""
    field: str | None = None
    # reply, problem, pong
    ref: Any = None
    # auth
    state: str = ""
    in_: float | None = msgspec.field(default=None, name="in")
    lost: list[str] = msgspec.field(default_factory=list)


class WireGap(msgspec.Struct):
    requested: str
    reason: str
    id: str | None = None
    floor: str | None = None


class WirePage(msgspec.Struct):
    """An answer of `GET /api/events`, whose events stay text."""

    events: list[msgspec.Raw]
    cursor: str
    head: str | None = None
    floor: str | None = None
    more: bool = False
    gap: WireGap | None = None
    ephemeral: list[msgspec.Raw] | None = None
    presence: list[msgspec.Raw] | None = None


class _Least(msgspec.Struct):
    type: str
    topic: str | None = None


_decoder = msgspec.json.Decoder(Frame)
_least = msgspec.json.Decoder(_Least)

KNOWN: Final = frozenset(
    {
        "connection",
        "gap",
        "state_end",
        "caught_up",
        "heartbeat",
        "auth",
        "goodbye",
        "problem",
        "reply",
        "pong",
        "presence",
    }
)
"""Control frames of which a client knows the members; one of another type is passed over."""

ELSEWHERE: Final = frozenset({"presence"})
"""Those of which no more than the type is read here, since their members are called as others' are: roll.py reads
them."""


def decode(text: str | bytes) -> Frame:
    """Raises ValueError for what is no frame."""
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except msgspec.ValidationError:
        least = _least.decode(text)
        if least.topic is not None or least.type in KNOWN - ELSEWHERE:
            raise
        return Frame(least.type)  # or of a later service, whose members may be called as ours are


def event_of(frame: Frame, raw: str) -> Event:
    """The event that a frame with an id and a topic is."""
    return Event(
        cast(str, frame.id),
        cast(str, frame.topic),
        frame.type,
        frame.prev,
        raw,
        frame.subject,
        frame.append,
        frame.final,
        frame.joined,
        frame.traceparent,
    )


def gap_of(gap: Frame | WireGap) -> Gap:
    floor = gap.floor if isinstance(gap.floor, str) else None
    return Gap(gap.requested, cast(Reason, gap.reason), gap.id, floor)
