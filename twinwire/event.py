"""What a subscription yields, and what is published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

Reason = Literal["trimmed", "compacted", "epoch", "ahead", "malformed"]


class _Read:
    """An event as it came, of which is read when it is first asked for what is not given here."""

    __slots__ = ("_read", "raw", "topic", "type")

    def __init__(self, topic: str, type: str, raw: str) -> None:
        self.topic = topic
        self.type = type
        self.raw = raw
        self._read: dict[str, Any] | None = None

    def _members(self) -> dict[str, Any]:
        if self._read is None:
            self._read = json.loads(self.raw)
        return self._read

    @property
    def data(self) -> Any:
        """Its JSON value. Integers have all their digits. Raises ValueError or RecursionError for what Python's own
        decoder does not take, such as a number of over 4,300 digits; `raw` has it all the same."""
        return self._members()["data"]

    @property
    def time(self) -> datetime:
        """When the service took it; UTC."""
        return datetime.fromisoformat(self._members()["time"])


class Event(_Read):
    """One event (docs/protocol.md, section 1).

    `id` is the cursor after it: give it back as `after` to go on behind it. `raw` is the JSON text of the whole event
    as it came; `data` is read from it when it is first asked for.
    """

    __slots__ = ("append", "final", "id", "joined", "prev", "subject", "traceparent")

    def __init__(
        self,
        id: str,
        topic: str,
        type: str,
        prev: str | None,
        raw: str,
        subject: str | None = None,
        append: bool = False,
        final: bool = False,
        joined: int | None = None,
        traceparent: str | None = None,
    ) -> None:
        super().__init__(topic, type, raw)
        self.id = id
        self.prev = prev
        self.subject = subject
        self.append = append
        self.final = final
        self.joined = joined
        self.traceparent = traceparent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and (self.id, self.raw) == (other.id, other.raw)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        about = "" if self.subject is None else f" {self.subject!r}"
        return f"<Event {self.id} {self.topic} {self.type}{about}>"


class Ephemeral(_Read):
    """One event that is not kept (docs/protocol.md, section 10): it has no place in the log, and moves no cursor.

    `raw` is its JSON text as it came, of which the rest is read when it is first asked for.
    """

    __slots__ = ()

    @property
    def after(self) -> str:
        """The head of the log then."""
        return str(self._members()["after"])

    @property
    def user(self) -> str | None:
        """Who sent it, as the service knows him; None for nobody in particular."""
        user = self._members().get("from", {}).get("user")
        return None if user is None else str(user)

    def __repr__(self) -> str:
        return f"<Ephemeral {self.topic} {self.type}>"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something after the cursor can't be delivered any more (docs/protocol.md, section 2).

    `requested` is where the subscription stood, `id` where it goes on, and `floor` up to where something may be
    missing; None if nothing was ever removed.
    """

    requested: str
    reason: Reason
    id: str | None
    floor: str | None


class About(TypedDict, total=False):
    """What may be said of an event beside its data, by keyword wherever one is published: as in `Draft`."""

    key: str | None
    subject: str | None
    append: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is to be published (docs/protocol.md, section 5). `key` makes a repeat harmless: one is drawn for a
    draft without. `data` is what `json.dumps` takes, and dates, UUIDs, decimals, enumerations and dataclasses; or
    `RawJson`."""

    topic: str
    type: str
    data: Any = None
    key: str | None = None
    subject: str | None = None
    append: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class RawJson:
    """Data that is JSON text already, and is passed on as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of history. `cursor` is where to go on: as the next `after`, or as the next `before` if it goes
    backwards. `more`: there is more of the same, or may be."""

    events: Sequence[Event]
    cursor: str
    head: str
    floor: str | None
    more: bool
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest of each subject at one position of the log: subscribe with `after=snapshot.cursor`, and nothing is
    missing and nothing comes twice."""

    events: Sequence[Event]
    cursor: str
