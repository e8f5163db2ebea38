"""The last events in memory, each with its frames, made once and shared by all subscribers."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from service.bus.encoding import Encoding
from service.core.event import DATA, Event

_OVERHEAD: Final = 400
"""Bytes of an entry beside its data and frames, near enough for a bound."""

_SLACK: Final = 1.25
"""The front is cut off when the tail is this much over its bound: seldom, and in one piece."""


class Entry:
    """One event of the tail and the frames that were asked for so far."""

    __slots__ = ("_frames", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._frames: dict[str, bytes] | None = None

    def frame(self, encoding: Encoding[Any]) -> bytes:
        name = encoding.name
        if self._frames is None:  # most events of a busy log are asked for by nobody
            self._frames = {}
        found = self._frames.get(name)
        if found is None:
            found = self._frames[name] = encoding.frame(self.event)
        return found


class Tail:
    """A window that ends at the head. Bounded by events and by bytes of data.

    Bytes count twice, since an event is held as data and, once it was sent, as a frame: a stopped reader keeps
    none of it alive beyond the window, because a socket's buffer refers to joined copies.
    """

    def __init__(self, head: int, max_events: int, max_bytes: int) -> None:
        self._entries: list[Entry | None] = []
        self._first = head + 1
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def start(self) -> int:
        """The smallest cursor that the tail can serve completely."""
        return self._first - 1

    def append(self, events: Sequence[Event]) -> list[Entry]:
        """Add the next events of the log; returns their entries."""
        added = list(map(Entry, events))
        self._entries += added
        self._bytes += sum(map(_cost, events))
        if len(self._entries) > self._max_events * _SLACK or self._bytes > self._max_bytes * _SLACK:
            self._shrink()
        return added

    def after(self, offset: int, limit: int) -> Iterator[Entry]:
        """At most `limit` positions from the one after `offset`, without those that were trimmed since."""
        index = offset + 1 - self._first
        for entry in self._entries[index : index + limit]:
            if entry is not None:
                yield entry

    def forget(self, floors: dict[str, int]) -> None:
        """Drop what was trimmed from the log: it can't be replayed, so it must not be served."""
        for index, entry in enumerate(self._entries):
            if entry is not None and entry.event.offset <= floors.get(entry.event.topic, 0):
                self._entries[index] = None
                self._bytes -= _cost(entry.event)

    def _shrink(self) -> None:
        """Back to the bounds; at least the newest event stays."""
        cut = max(0, len(self._entries) - self._max_events)
        size = self._bytes - sum([_cost(entry.event) for entry in self._entries[:cut] if entry])
        while size > self._max_bytes and cut < len(self._entries) - 1:
            entry = self._entries[cut]
            size -= _cost(entry.event) if entry else 0
            cut += 1
        del self._entries[:cut]
        self._first += cut
        self._bytes = size


def _cost(event: Event) -> int:
    return 2 * len(event[DATA]) + _OVERHEAD  # by its place, not its name: asked for every event twice
