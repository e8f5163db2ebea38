"""What was sent, what was acknowledged, and what each client heard: written down as it happens, judged at the end.

An event is known by its serial number, which is in its data, and by its offset, which is in its id. A run has hundreds
of thousands of both, so a journal keeps numbers and no frames.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from service.core.topics import TopicFilter

EXAMPLES_MAX: Final = 20
"""Faults that are told in words; all of them are counted."""

BEGIN: Final = "kept/begin"
"""The topic of the first event: who prints what comes has something to print."""
STATES: Final = "state/"
"""What the topics begin with whose events have a subject, and of which the service keeps the state alone."""
TEXTS: Final = "texts/"
"""Likewise for texts, of which `texts.py` keeps its own account."""
END: Final = "end"
"""The topic of the last event; every client listens to it, and is done when it has come."""


State = dict[tuple[str, str], list[int]]
"""By topic and subject: the offsets of what its value is made of."""


class Sent(NamedTuple):
    """One event as it was sent. `group`: the events of one request, all of which are stored, or none.

    `line`: whoever sends one after the other, each when the one before is settled; None if he does not wait.
    """

    topic: str
    group: int
    line: str | None
    is_keyed: bool


class Told(NamedTuple):
    """A gap that a client was told: something after `low` and up to `floor` may be missing."""

    low: int
    floor: int


class Stored(NamedTuple):
    """An event that the log keeps; `prev` is an offset."""

    offset: int
    topic: str
    prev: int
    serial: int


def offset_of(cursor: str | None) -> int:
    """The position in a cursor. Only tests may look inside."""
    return 0 if cursor is None else int(cursor.rpartition("-")[2])


def stored(event: Mapping[str, Any]) -> Stored:
    """From an event frame."""
    return Stored(offset_of(event["id"]), event["topic"], offset_of(event["prev"]), int(event["data"]["n"]))


@dataclass
class Faults:
    """How many of each kind, and the first ones in words."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(f"{kind}: {what}")


class Ledger:
    """`sent` is indexed by serial; `acknowledged` has the offset of each serial that the service has said is stored."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.acknowledged: dict[int, int] = {}
        self.faults = Faults()
        self.by_kind: Counter[str] = Counter()
        self._groups = 0

    def send(self, topics: Sequence[str], line: str | None = None, *, is_keyed: bool = False) -> list[int]:
        """Serials for one request's events, to be put into their data."""
        self._groups += 1
        first = len(self.sent)
        self.sent += [Sent(topic, self._groups, line, is_keyed) for topic in topics]
        return list(range(first, len(self.sent)))

    def acknowledge(self, kind: str, serials: Sequence[int], ids: Sequence[str]) -> None:
        """The service's answer to one request of this kind of publisher."""
        if len(serials) != len(ids):
            self.faults.add("answered wrongly", f"{len(ids)} ids for {len(serials)} events")
        for serial, id in zip(serials, ids, strict=False):
            known = self.acknowledged.setdefault(serial, offset_of(id))
            if known != offset_of(id):
                self.faults.add("keyed events stored twice", f"{serial} was acknowledged as {known}, then as {id}")
        self.by_kind[kind] += len(serials)


class Journal:
    """What one client heard, over all its connections. `topics` are its filters; without any it takes all.

    `hear` judges the order, and the client's own proof of completeness: `prev` is the event that it has on that topic,
    or lies in a gap that it was told.
    """

    def __init__(self, name: str, topics: Sequence[str]) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.filter = TopicFilter(self.topics or ("**",))
        self.offsets = array("Q")
        self.serials = array("Q")
        self.gaps: list[Told] = []
        self.connections = 0
        self.faults = Faults()
        self.is_done = False
        self.state: State | None = {}
        """What it has of the state; None once something was trimmed that it had not heard."""
        self._last: dict[str, int] = {}

    def hear(self, event: Mapping[str, Any]) -> None:
        if event["topic"].startswith(TEXTS):
            return
        one = stored(event)
        where = f"{one.offset} on {one.topic}, to {self.name}"
        if self.offsets and one.offset <= self.offsets[-1]:
            place = bisect_left(self.offsets, one.offset)
            kind = "delivered twice" if self.offsets[place] == one.offset else "out of order"
            self.faults.add(kind, f"{where}, after {self.offsets[-1]}")
            return
        before = self._last.get(one.topic, 0)
        if one.prev != before and not (one.prev > before and self.was_told(one.prev)):
            self.faults.add("chain broken, untold", f"{where}: prev is {one.prev}, had {before}")
        self._last[one.topic] = one.offset
        if self.state is not None and "subject" in event:
            about = one.topic, event["subject"]
            self.state[about] = [*(self.state.get(about, []) if event.get("append") else []), one.offset]
        self.offsets.append(one.offset)
        self.serials.append(one.serial)
        self.is_done = one.topic == END

    def hear_gap(self, gap: Mapping[str, Any]) -> None:
        if gap["reason"] == "trimmed":
            self.state = None
        elif gap["reason"] != "compacted":
            self.faults.add("gaps without a reason", f"{gap['reason']}, to {self.name}, from {gap['requested']}")
            return
        self.gaps.append(Told(offset_of(gap["requested"]), offset_of(gap["floor"])))

    def was_told(self, offset: int) -> bool:
        """Whether a gap says that this one may be missing: mostly it is one of the last."""
        return any(gap.low < offset <= gap.floor for gap in reversed(self.gaps))
