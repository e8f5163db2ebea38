"""The contract of a durable, ordered log of events.

What holds for every implementation:

- **One order.** Offsets count from 1 over the whole log, grow by one and are never used twice, not even after
  a crash or after the newest events were trimmed.
- **Durable before visible.** `append` returns, and listeners hear of an event, only after its commit. A listener
  hears every event once, in log order, and all events of one commit together.
- **All or nothing.** The drafts and statements of one `append` commit together or not at all.
- **Cancelling does not undo.** A cancelled `append` may still commit; an idempotency key makes a retry safe.
- **No silent hole.** `bounds(filter).floor` is raised *before* the events up to it vanish, so that a reader that
  checks the floor in the same step in which it reads can't lose an event without noticing.
- **Bounded reads.** `read` and `search` never see past `head`, even if the disk already holds more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from service.core.event import Draft, Event, Row
from service.core.topics import TopicFilter

Statement = tuple[str, Sequence[Any]]
"""SQL and its parameters, to be committed together with events."""

Listener = Callable[[Sequence[Event]], None]
"""Called on the event loop after each commit with its new events; must not block or raise."""


TrimListener = Callable[[str, int], None]
"""Called on the event loop with a topic and its new floor, before the events up to there vanish."""


class Bounds(NamedTuple):
    """What a filter may expect: `floor` is the highest offset removed from any topic that it matches."""

    epoch: str
    floor: int
    head: int


class Page(NamedTuple):
    """Events in the order asked for, and the offset from which to go on: everything up to it was considered."""

    rows: Sequence[Row]
    next: int

    @property
    def events(self) -> list[Event]:
        """The rows with the names of their columns; made anew each time."""
        return list(map(Event._make, self.rows))


class Receipt(NamedTuple):
    """The offsets of an append, one a draft; `fresh` is False if every draft repeated an earlier key."""

    offsets: tuple[int, ...]
    fresh: bool


@dataclass(frozen=True, slots=True)
class TopicStats:
    """One topic as it stands: how many events are kept, its newest offset, and its floor."""

    topic: str
    count: int
    head: int
    floor: int


@dataclass(frozen=True, slots=True)
class Search:
    """A bounded look into history. Offsets are exclusive on both ends; times are Unix milliseconds, inclusive.

    `before` None means "up to the head". `newest_first` pages backwards.
    """

    topics: TopicFilter
    after: int = 0
    before: int | None = None
    type: str | None = None
    from_time: int | None = None
    to_time: int | None = None
    newest_first: bool = False
    limit: int = 500


class EventLog(Protocol):
    """See the module: what holds before, after and on cancellation."""

    @property
    def epoch(self) -> str: ...

    @property
    def head(self) -> int:
        """The offset of the last committed event that listeners have heard of; 0 for an empty log."""

    def bounds(self, topics: TopicFilter) -> Bounds: ...

    async def append(self, drafts: Sequence[Draft], also: Sequence[Statement] = ()) -> Receipt:
        """Commit. Raises StorageFullError, UnavailableError (the write queue is full) or StorageError."""

    async def read(self, topics: TopicFilter, after: int, limit: int, max_bytes: int) -> Page:
        """The next events after `after` in log order: at most `limit`, and about `max_bytes` of data, but one at least.

        May hold fewer than exist, even none, with `next` moved on; `next == head` says that nothing is left.
        """

    async def search(self, search: Search) -> Page:
        """One page of history; a page shorter than `limit` is the last one."""

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        """Remove all but the newest `keep` events of each topic that matches; returns how many went."""

    def topics(self) -> Sequence[TopicStats]: ...

    def follow(self, committed: Listener, trimmed: TrimListener) -> None:
        """From now on, call `committed` after every commit and `trimmed` whenever a floor was raised."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of the files. Idempotent."""
