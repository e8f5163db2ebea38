"""Every limit that an operator may move, with its unit, its default, and what whoever passes it is told.

docs/reliability.md has them as one table, made from this and held by a test. The bounds that do not move, because
clients rely on them, stand in `service.core.limits`; those of one container stand beside it.

What protects the process is always on. What is counted of one caller or one address is 0, off, since a company behind
one proxy is one address; but for those who come without a token where there are keys, of whom nobody knows anything.
The limits that have another default than 0 there (`CALLERS`, `ADDRESSES`) are off where they make no sense, unless they
are set.
"""

from typing import Any, Final

from pydantic import Field, ValidationInfo, field_validator

from service.core.limits import (
    DATA_MAX,
    ENVELOPE_MAX,
    EPHEMERAL_BATCH,
    EPHEMERAL_MAX,
    EPHEMERAL_RATE,
    FILTER_TOPICS_MAX,
    PRESENCE_DATA,
    PRESENCE_DATA_MAX,
    REQUEST_MAX,
)
from service.core.presence import Bounds
from service.core.rates import Rate, Rates
from service.room import Room

SIZE: Final = "413"
FULL: Final = "503"
SHARE: Final = "429; on a WebSocket and an EventSource `goodbye` `limit`, 1013"
WAITING: Final = "the newest of each key waits; 429 beyond 64 keys, on a WebSocket `problem` 429"
RATE: Final = "429; on a WebSocket `problem` 429; 413 for more at once than the burst"

CALLERS: Final = frozenset(
    {"anonymous_publish_rate", "anonymous_publish_burst", "anonymous_topic_rate", "anonymous_topic_burst"}
)
"""Off without keys, where everybody is anonymous, unless they are set."""

ADDRESSES: Final = frozenset({"address_streams"})
"""Off until trusted hops are named, unless it is set: everybody behind a proxy that is not named is one address."""


def _limit(default: float, unit: str, answer: str, description: str, **bounds: Any) -> Any:
    if isinstance(default, float):
        bounds["allow_inf_nan"] = False
    return Field(default, description=description, json_schema_extra={"unit": unit, "answer": answer}, **bounds)


class LimitSettings(Room):
    """Bounds that an operator may move."""

    data_max: int = _limit(
        DATA_MAX, "bytes", SIZE, "Bytes of one event's encoded data at most.", ge=1024, le=REQUEST_MAX // 2
    )
    subject_max: int = _limit(
        1 << 20,
        "bytes",
        SIZE,
        "Bytes of a text that grows, where the state is kept, at most; an append beyond it is refused.",
        ge=1024,
        le=REQUEST_MAX // 2,
    )
    body_max: int = _limit(
        REQUEST_MAX,
        "bytes",
        SIZE,
        "Bytes of one request's body at most, also in chunks; of one event with what is around it at least.",
        ge=1024 + ENVELOPE_MAX,
        le=REQUEST_MAX,
    )
    max_topics: int = _limit(
        1_000_000,
        "topics",
        FULL,
        "Topics at most, about 300 bytes of memory each; events on a new one are refused.",
        ge=1,
    )
    body_bytes: int = _limit(
        40 << 20, "bytes", FULL, "Bytes of all requests' bodies under way together, at most.", ge=2 * REQUEST_MAX
    )
    max_streams: int = _limit(
        0, "streams", FULL, "Open streams and waiting polls at most; 0 for what descriptors allow.", ge=0
    )
    max_polls: int = _limit(0, "polls", FULL, "Polls of these that wait at a time; 0 for as many as streams.", ge=0)
    max_replays: int = _limit(
        2_000,
        "replays",
        "`goodbye` `limit`, 1013",
        "Streams that have yet to catch up after their first two pages, about 256 KiB of memory each.",
        ge=1,
    )
    max_scans: int = _limit(32, "searches", FULL, "Long searches of history at a time, which take turns.", ge=1)
    stream_filters: int = _limit(
        FILTER_TOPICS_MAX,
        "patterns",
        "422",
        "Patterns in the filter of one stream at most.",
        ge=1,
        le=FILTER_TOPICS_MAX,
    )
    filter_scan: int = _limit(
        0,
        "topics",
        "429; on an open stream `goodbye` `limit`, 1013",
        "Trimmed topics that a filter with wildcards is held against in one request; the next one goes on there."
        " 0 for all of them.",
        ge=0,
    )
    subject_streams: int = _limit(
        0, "streams", SHARE, "Streams and waiting polls of one subject, unless its token says another number.", ge=0
    )
    address_streams: int = _limit(
        1_000,
        "streams",
        SHARE,
        "Streams and waiting polls of one address; without trusted hops off unless it is set.",
        ge=0,
    )
    caller_polls: int = _limit(0, "polls", "429", "Waiting polls of one caller.", ge=0)
    caller_reads: int = _limit(
        0, "reads", "429; on an open stream `goodbye` `limit`, 1013", "Long replays and searches of one caller.", ge=0
    )
    publish_rate: float = _limit(0.0, "events a second", RATE, "Events a second that one bearer publishes.", ge=0)
    publish_burst: int = _limit(0, "events", RATE, "Of these, at once; 0 for as many as in a second.", ge=0)
    publish_bytes: float = _limit(
        0.0, "bytes a second", RATE, "Bytes of data a second that one caller publishes.", ge=0
    )
    publish_bytes_burst: int = _limit(0, "bytes", RATE, "Of these, at once; 0 for as many as in a second.", ge=0)
    topic_rate: float = _limit(0.0, "topics a minute", RATE, "New topics a minute that one bearer makes.", ge=0)
    topic_burst: int = _limit(0, "topics", RATE, "Of these, at once; 0 for as many as in a minute.", ge=0)
    anonymous_publish_rate: float = _limit(
        20.0, "events a second", RATE, "The same of one who has no token; without keys off unless it is set.", ge=0
    )
    anonymous_publish_burst: int = _limit(20, "events", RATE, "Of these, at once; 0 for as many as in a second.", ge=0)
    anonymous_topic_rate: float = _limit(
        60.0, "topics a minute", RATE, "The same of one who has no token; without keys off unless it is set.", ge=0
    )
    anonymous_topic_burst: int = _limit(60, "topics", RATE, "Of these, at once; 0 for as many as in a minute.", ge=0)
    message_rate: float = _limit(
        0.0, "messages a second", "`problem` 429", "Messages a second that one caller says on WebSockets.", ge=0
    )
    message_burst: int = _limit(
        0, "messages", "`problem` 429", "Of these, at once; 0 for as many as in a second.", ge=0
    )
    ephemeral_max: int = _limit(
        EPHEMERAL_MAX, "bytes", SIZE, "Bytes of one ephemeral event's encoded data at most.", ge=64, le=DATA_MAX
    )
    ephemeral_rate: float = _limit(
        EPHEMERAL_RATE.a_second,
        "events a second",
        WAITING,
        "Ephemeral events a second of one WebSocket, or over HTTP of one caller.",
        gt=0,
    )
    ephemeral_burst: int = _limit(EPHEMERAL_RATE.burst, "events", WAITING, "Of these, at once.", ge=EPHEMERAL_BATCH)
    presence_data: int = _limit(
        PRESENCE_DATA, "bytes", SIZE, "Bytes of a member's encoded data at most.", ge=64, le=PRESENCE_DATA_MAX
    )
    presence_batch: int = _limit(
        250,
        "ms",
        "told later",
        "Milliseconds for which changes of a place are collected after the first.",
        ge=50,
        le=2_000,
    )
    presence_listed: int = _limit(
        500,
        "members",
        "counts alone, `truncated`",
        "Members of a place up to which they are told one by one.",
        ge=10,
        le=1_000,
    )
    presence_members: int = _limit(
        50_000, "members", FULL, "Members in all, about 600 bytes of memory each beside their data.", ge=1
    )
    caller_members: int = _limit(20_000, "members", "429", "Of these, of one caller.", ge=1)
    frame_rate: float = _limit(
        100.0,
        "frames a second",
        "`goodbye` `limit`, 1013",
        "WebSocket frames a second of one connection that carry no message on.",
        gt=0,
    )
    frame_burst: int = _limit(1_000, "frames", "`goodbye` `limit`, 1013", "Of these, at once.", ge=1)

    @field_validator("body_max")
    @classmethod
    def _holds_an_event(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("data_max", 0) + ENVELOPE_MAX
        if value < least:
            raise ValueError(f"is {least} at least: one event of TWINWIRE_DATA_MAX bytes, and what is around it")
        return value

    def is_on(self, name: str, *, has_keys: bool, has_hops: bool) -> bool:
        """Whether a limit counts here, which is not 0: those that make no sense do if somebody has set them."""
        if not getattr(self, name):
            return False
        is_meant = name in self.model_fields_set
        return is_meant or not ((name in CALLERS and not has_keys) or (name in ADDRESSES and not has_hops))

    def presence(self) -> Bounds:
        """How much there may be of presence."""
        return Bounds(
            batch=self.presence_batch / 1000,
            data=self.presence_data,
            listed=self.presence_listed,
            members=self.presence_members,
            of_caller=self.caller_members,
        )

    def bearers(self) -> Rates:
        """What one who comes with a token may do."""
        return Rates(
            _rate(self.publish_rate, self.publish_burst),
            _rate(self.publish_bytes, self.publish_bytes_burst),
            _rate(self.topic_rate / 60, self.topic_burst or self.topic_rate),
            _rate(self.message_rate, self.message_burst),
        )

    def anonymous(self, *, has_keys: bool) -> Rates:
        """What one may do who comes without."""
        publishes, topics = (
            getattr(self, name) if self.is_on(name, has_keys=has_keys, has_hops=False) else 0.0
            for name in ("anonymous_publish_rate", "anonymous_topic_rate")
        )
        return self.bearers()._replace(
            publishes=_rate(publishes, self.anonymous_publish_burst),
            topics=_rate(topics / 60, self.anonymous_topic_burst or topics),
        )


def _rate(a_second: float, burst: float) -> Rate | None:
    """None for 0. A burst of 0 is as much as in a second, one at least."""
    return Rate(a_second, max(1.0, burst or a_second)) if a_second else None
