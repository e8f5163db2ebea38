"""The last events in memory, each with its frames, made once and shared by all subscribers."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from service.bus.encoding import Encoding
from service.core.event import DATA, Event

OVERHEAD: Final = 400
"""Bytes of an entry beside its data, near enough for a bound."""

FRAME_OVERHEAD: Final = 100
"""Bytes of a frame beside its text: its place by encoding."""

_SLACK: Final = 1.25
"""The front is cut off when the tail is this much over its bound: seldom, and in one piece."""


class Entry(msgspec.Struct, eq=False, gc=False):
    """One event of the tail and the frames that were asked for so far. Python's collector does not see it: it would
    look at ten thousand of a large publish in vain, and there is no circle once it is out of the tail.
    """

    event: Event
    held: int
    """Bytes of memory, about."""
    _tail: "Tail | None"
    """Counts what is made; None once it is out of it, and held by a round of the fan-out alone."""
    _frames: dict[str, bytes] | None = None

    def frame(self, encoding: Encoding[Any]) -> bytes:
        name = encoding.name
        if self._frames is None:  # most events of a busy log are asked for by nobody
            self._frames = {}
        found = self._frames.get(name)
        if found is None:
            found = self._frames[name] = encoding.frame(self.event)
            size = len(found) + FRAME_OVERHEAD
            self.held += size
            if self._tail is not None:
                self._tail.bytes += size
        return found

    def leave(self) -> int:
        """The tail's: it is out. Returns the bytes that it held."""
        self._tail = None
        return self.held


class Tail:
    """A window that ends at the head. Bounded by events and by bytes of memory.

    Bytes count what is held: an event's data and, for each encoding in which it was sent, its frame. A stopped reader
    keeps none of it alive beyond the window, because a socket's buffer refers to joined copies.
    """

    def __init__(self, head: int, max_events: int, max_bytes: int) -> None:
        self._entries: list[Entry | None] = []
        self._first = head + 1
        self.bytes = 0
        """Of memory: written by `Entry.frame` too."""
        self._max_events = max_events
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def start(self) -> int:
        """The smallest cursor that the tail can serve completely."""
        return self._first - 1

    def append(self, events: Sequence[Event]) -> list[Entry]:
        """Add the next events of the log; returns their entries."""
        added = [Entry(event, event[DATA].__sizeof__() + OVERHEAD, self) for event in events]
        self._entries += added
        self.bytes += sum([entry.held for entry in added])
        self.fit()
        return added

    def fit(self) -> None:
        """Let the front go if this is over its bounds. After frames were made, as well as after events came."""
        if self.bytes > self._max_bytes * _SLACK or len(self._entries) > self._max_events * _SLACK:
            self._shrink()

    def after(self, offset: int, limit: int) -> Iterator[Entry]:
        """At most `limit` positions from the one after `offset`, without those that were trimmed since."""
        index = offset + 1 - self._first
        for entry in self._entries[index : index + limit]:
            if entry is not None:
                yield entry

    def forget(self, floors: dict[str, int], plain: dict[str, int]) -> None:
        """Drop what was trimmed from the log: it can't be replayed, so it must not be served. `plain`: up to where
        events without a subject were.
        """
        for index, entry in enumerate(self._entries):
            if entry is None:
                continue
            event = entry.event
            floor = floors.get(event.topic, 0)
            if event.subject is None:
                floor = max(floor, plain.get(event.topic, 0))
            if event.offset <= floor:
                self._entries[index] = None
                self.bytes -= entry.leave()

    def _shrink(self) -> None:
        """Back to the bounds; at least the newest event stays."""
        entries, held = self._entries, self.bytes
        newest, most = len(entries) - 1, self._max_bytes
        too_many = len(entries) - self._max_events
        cut = 0
        while cut < newest and (cut < too_many or held > most):
            entry = entries[cut]
            if entry is not None:
                held -= entry.leave()
            cut += 1
        self.bytes = held
        del entries[:cut]
        self._first += cut
