"""The contract of a durable, ordered log of events.

What holds for every implementation, here called an engine:

- **One order.** Offsets count from 1 over the whole log, grow by one and are never used twice, not even after
  a crash or after the newest events were trimmed.
- **Durable before visible.** `append` returns, and listeners hear of an event, only after its commit. A listener
  hears every event once, in log order, and all events of one commit together.
- **All or nothing.** What one `append` brings commits together or not at all, whatever else commits with it.
- **Cancelling does not undo.** A cancelled `append` may still commit; an idempotency key makes a retry safe.
- **No silent hole.** A page says up to where rows may be missing from it, `Page.floor`: the floor of its filter as of
  the rows, whatever was trimmed while it was read. The filter's floor is the highest of its topics', so a lower one
  that rises below it is told by `trimmed` instead, before a page that lacks the rows is returned.
- **Compaction.** Where an engine keeps the state of a topic alone, single events go: those that the state does not need
  and, by other bounds, those that have no subject; told by `thinned`, in the place of `trimmed`. The keys of the first
  are remembered for a while.
- **Forgetting.** An engine may forget topics without events that are not reserved. One floor stays for all of them, as
  high as theirs: that of every topic that is not known and of filters that may match one, the `prev` of the first
  event on one, and its floor from then on. It is raised, durably, before names go.
- **Bounded reads.** `read` and `search` never see past `head`, even if the disk already holds more. One `read` looks
  at no more than `step` offsets, or at what an index gives it for the filter.

Two things an engine may be able to do or not, its `abilities`: statements that commit with events, and guards, on which
an append depends. Both speak to tables that the engine keeps beside the events, in the engine's own language: whoever
hands them in knows the engine that it was written for, and nobody between the two looks inside. An application asks
for what it needs with `require`, once and at start; an append that uses what the engine hasn't is refused with
UnsupportedError before anything is written.

In one append, the guards are looked at first, then the drafts get their offsets, then the statements run. Appends
that commit together do so one after the other, each seeing what those before it did to the tables. Neither guards nor
statements touch the tables of the log itself, whose rows an engine may write later or keep elsewhere.
"""

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

from service.core.errors import UnsupportedError
from service.core.event import Draft, Event, Row
from service.core.limits import PAGE_DEFAULT
from service.core.topics import TopicFilter
from service.log.health import Health as Health  # part of the contract, for whoever imports it
from service.log.pace import ONE_TURN as ONE_TURN
from service.log.pace import Pace as Pace
from service.log.pace import Turn as Turn

Value = str | int | float | bytes | None
"""What a statement is given, and what a table holds."""

Listener = Callable[[Sequence[Event]], None]
"""Called on the event loop after each commit with its new events; must not block or raise."""

TrimListener = Callable[[str, int], None]
"""Called on the event loop with a topic and its new floor, before the events up to there vanish."""

ThinListener = Callable[[str, int, bool], None]
"""Likewise with a topic and an offset up to which single events vanish: all that have no subject, or those of which the
state of the topic needs none."""

TrimHerald = Callable[[str], Awaitable[None]]
Interest = Callable[[str], Awaitable[bool]]
"""Awaited on the event loop with a topic: its floor is about to be raised; and whether anybody subscribes to it."""

Progress = Callable[[int, int], None]
"""Told on the event loop after each step of a trim: how many events went, and about how many are left to go."""

SEARCH_BYTES: Final = 1 << 20
"""Of data in one page of history, unless the search says otherwise."""

_ASSIGNED: Final = re.compile(r"time|offset_\d+")


class Ability(Enum):
    """What an engine may have beyond the events."""

    STATEMENTS = "statements that commit with events"
    GUARDS = "guards on which an append depends"


class Able(Protocol):
    """Whoever tells the abilities of the engine below it."""

    @property
    def abilities(self) -> frozenset[Ability]: ...


def require(engine: Able, *needed: Ability) -> None:
    """Raises UnsupportedError that names what the engine hasn't."""
    missing = [one.value for one in needed if one not in engine.abilities]
    if missing:
        raise UnsupportedError(f"the log's engine has no {' and no '.join(missing)}")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be done to the engine's tables, together with events. `text` is in the engine's language.

    It names its parameters, `:name` in SQL. Beside those given it may name `:time`, the events' time in Unix ms, and
    `:offset_0`, `:offset_1`, ...: the offsets of the append's drafts, in their order, as in its receipt.
    """

    text: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = [name for name in self.parameters if _ASSIGNED.fullmatch(name)]
        if taken:
            raise ValueError(f"the parameter {taken[0]!r} is the engine's to give")


@dataclass(frozen=True, slots=True)
class Guard:
    """A question to the engine's tables, and the one answer with which the append may go on.

    `expected` is the first row of the answer; None: there must be none.
    """

    text: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    expected: tuple[Value, ...] | None = None


class Bounds(NamedTuple):
    """What a filter may expect: `floor` is the highest offset removed from any topic that it matches, and `trimmed`,
    at most that, the highest of those that no event which is kept has replaced.
    """

    epoch: str
    floor: int
    head: int
    trimmed: int


class Page(NamedTuple):
    """Events in the order asked for, and the offset from which to go on: everything up to it was considered.

    Up to `floor` rows may be missing, since retention took them before or while they were looked for.
    """

    rows: Sequence[Row]
    next: int
    floor: int
    is_cut: bool = False
    """Whether a search ended because its time was up: then it is not the last page, however few rows it has."""

    @property
    def events(self) -> list[Event]:
        """The rows with the names of their columns; made anew each time."""
        return [Event(*row) for row in self.rows]


class Receipt(NamedTuple):
    """The offsets of an append, one a draft; `fresh` is False if every draft repeated an earlier key."""

    offsets: tuple[int, ...]
    fresh: bool


@dataclass(frozen=True, slots=True)
class TopicStats:
    """One topic as it stands: how many events are kept, its newest offset, and its floor.

    `bytes` of data are kept with them, about; an engine that does not count them says 0.
    """

    topic: str
    count: int
    head: int
    floor: int
    bytes: int = field(default=0, compare=False)


class TopicPage(NamedTuple):
    """Topics by name, and the name after which to go on; None if that was all. `next` may be the name that was given:
    what was made ready then is not made again.
    """

    topics: Sequence[TopicStats]
    next: str | None
    looked: int = 0
    """Names that were looked at."""


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
    limit: int = PAGE_DEFAULT
    max_bytes: int = SEARCH_BYTES
    """Of data, about: the page ends with the event that reaches it."""
    seconds: float = math.inf
    """After so long the page ends where it is, after one step at least."""


@dataclass(frozen=True, slots=True)
class StateSearch:
    """A page of the state at the offset `at`: of each subject whose value is whole there, the event that replaced it
    last and those appended since, in log order, of them all that come after `after`. `next == at` says that nothing is
    left; there may be fewer than exist, even none, with `next` moved on.
    """

    topics: TopicFilter
    at: int
    after: int = 0
    subject: str | None = None
    """Of this one alone."""
    lasts: bool = False
    """Of each value the last event alone."""
    limit: int = PAGE_DEFAULT
    max_bytes: int = SEARCH_BYTES
    """As of a `Search`."""
    is_text: bool = False
    """Of one subject of one topic, from its beginning or from behind one of its events: a page of strings is one event,
    as `as_text` has it. Another page is as it is.
    """


class EventLog(Protocol):
    """See the module: what holds before, after and on cancellation."""

    @property
    def epoch(self) -> str: ...

    @property
    def head(self) -> int:
        """The offset of the last committed event that listeners have heard of; 0 for an empty log."""

    @property
    def abilities(self) -> frozenset[Ability]: ...

    @property
    def step(self) -> int:
        """How many offsets one `read` looks at, at most, when few of them match."""

    def bounds(self, topics: TopicFilter) -> Bounds: ...

    async def learn(self, topics: TopicFilter, turn: Turn) -> None:
        """Return once `bounds` and `read` have little to do for the floor of a filter that is new, or was not asked for
        in long; with many topics that were trimmed it takes a while. `turn` is waited for before each step.

        Raises RateLimitedError if an engine has a bound for that which was too low; the next time goes on from there.
        """

    def health(self) -> Health:
        """From memory, or nearly so: it is asked at every look at the service's readiness."""

    async def append(
        self,
        drafts: Sequence[Draft],
        also: Sequence[Statement] = (),
        guards: Sequence[Guard] = (),
        traceparent: str | None = None,
    ) -> Receipt:
        """Commit, if all guards hold, new events with `traceparent`. Statements also run for drafts that repeat a key.

        Raises GuardError (one did not hold), StorageFullError, OverloadedError (too much waits, or a topic too many),
        UnavailableError (closed), UnsupportedError (no such ability) or StorageError: then nothing of it was written.
        """

    async def read(
        self, topics: TopicFilter, after: int, limit: int, max_bytes: int, *, is_short: bool = False
    ) -> Page:
        """The next events after `after` in log order: at most `limit`, and about `max_bytes` of data, but one at least.

        With `is_short`, as many of these as take little time: somebody is waiting. May hold fewer than exist, even
        none, with `next` moved on; `next == head` says that nothing is left.
        """

    async def search(self, search: Search, turn: Turn | None = None) -> Page:
        """One page of history; one with fewer events than `limit` and less than `max_bytes` of data is the last, unless
        its time was up.

        It is read in steps, each of which looks at no more than a `read` does; `turn` is awaited before each.
        """

    async def state(self, search: StateSearch, turn: Turn | None = None) -> Page:
        """One page of a state. If its `floor` is not what the filter's was before the first, something of the state may
        have been removed in between. `turn` is awaited before it. Raises GoneError if too much has been replaced since.
        """

    async def trim(self, topics: TopicFilter, keep: int, told: Progress | None = None) -> int:
        """Remove all but the newest `keep` events of each topic that matches; returns how many went.
        All their floors are raised before anything is removed. Publishing goes on meanwhile.
        """

    async def topics(self, topics: TopicFilter, after: str, limit: int) -> TopicPage:
        """At most `limit` topics that match and come after the name `after` ("" for the first), by code point.

        May hold fewer than exist, even none, with `next` moved on, or as it was: then something was made ready for it.
        """

    def has_topic(self, topic: str) -> bool:
        """Whether there was ever an event on this topic, as far as listeners have heard, unless it was forgotten."""

    def follow(
        self,
        committed: Listener,
        trimmed: TrimListener,
        announced: TrimHerald | None = None,
        thinned: ThinListener | None = None,
    ) -> None:
        """From now on, call `committed` after every commit, `trimmed` whenever a floor was raised, and `thinned`
        whenever single events go.

        `announced` is awaited with a topic before its floor is raised: whom it concerns is looked for in steps there,
        and told in one.
        """

    def keep_while(self, interest: Interest) -> None:
        """From now on, await it before a topic is forgotten: one of which it is true is not."""

    async def close(self) -> None:
        """Finish what was accepted, then let go of the files. Idempotent."""


class View(Protocol):
    """One consistent look at what statements have written: all its answers are of the same commit."""

    async def rows(self, text: str, parameters: Mapping[str, Value] | None = None) -> Sequence[tuple[Any, ...]]:
        """The answer to a question in the engine's language. Raises StorageError."""

    async def position(self) -> int:
        """The offset of the newest event that this view includes. It may be a moment ahead of the log's head."""


class Tables(Protocol):
    """The door to the tables of an engine that has statements: for reading, since only appends write."""

    def view(self) -> AbstractAsyncContextManager[View]:
        """Short, since it may keep the engine from tidying up; others wait meanwhile. Raises StorageError."""

    async def close(self) -> None: ...
