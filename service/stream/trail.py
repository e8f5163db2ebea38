"""What a connection went through, its turns: why it did or did not get an event can be told from them.

Rule 1: nothing is noted for an event. A turn is noted when a connection becomes another reader than it was: it caught
up, fell behind, was told of a gap, or has another filter or other rights.
Rule 2: one that began at the head and has been live ever since has none; what holds them is made with the first.
Rule 3: there are TURNS_MAX, with HELD_MAX bytes of filters. Of too many, the oldest goes that tells only how
events came, live or from the cursor; if there is none, the oldest. Up to where something is missing is remembered.

A turn at an offset stands between the events up to there and those that come after it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

from service.bus.values import Gap
from service.core.cursor import Cursor
from service.core.topics import TopicFilter
from service.core.words import GapReason

TURNS_MAX: Final = 16
"""About 150 bytes each, beside the filters that they name."""

HELD_MAX: Final = 16 * 1024
"""Bytes, about, of all the filters that a connection had before; a longer one is not remembered."""

PATTERN: Final = 100
"""Bytes of a pattern beside its text."""

How = Literal["live", "replayed"]
Kind = Literal["caught_up", "behind", "gap", "filter", "reduced", "renewed"]


class Turn(NamedTuple):
    """`at` is in Unix ms. `before` is the filter up to here, of `filter` and `reduced`; None if it was too long.

    `is_full` of one that fell behind: its socket took no more; else there was more at once than is written.
    """

    kind: Kind
    offset: int
    at: int
    before: TopicFilter | None = None
    after: int = 0
    """Of a gap: something may be missing after this offset."""
    reason: GapReason | None = None
    is_full: bool = False
    was_live: bool = False

    @property
    def is_about_how(self) -> bool:
        """Whether events came another way before than after it."""
        return self.kind in ("caught_up", "behind", "filter", "reduced")

    @property
    def is_mere(self) -> bool:
        """Whether that is all that it tells."""
        return self.kind in ("caught_up", "behind")

    @property
    def is_of_filter(self) -> bool:
        return self.kind in ("filter", "reduced")

    @property
    def held(self) -> int:
        """Bytes of a filter that it keeps, about."""
        return _held(self.before) if self.before is not None else 0


def _held(topics: TopicFilter) -> int:
    return sum(map(len, topics.patterns)) + PATTERN * len(topics.patterns)


class Trail:
    """Of one connection, which began after the offset `began`. `now` is in Unix ms; None: nothing is kept."""

    __slots__ = ("_now", "_turns", "began", "blurred", "forgotten", "is_live", "number")

    def __init__(self, began: int = 0, now: Callable[[], int] | None = None) -> None:
        self._now = now
        self._turns: list[Turn] | None = None
        self.began: Final = began
        self.is_live = False
        """Whether it has caught up and not fallen behind since."""
        self.blurred = 0
        """Up to this offset it is not known any more whether events came live."""
        self.forgotten = 0
        """Up to this offset turns are missing that would tell what came at all."""
        self.number = 0
        """As which it came, among all; the hub's."""

    @property
    def turns(self) -> Sequence[Turn]:
        return self._turns or ()

    @property
    def held(self) -> int:
        """Bytes of filters that it keeps, about."""
        return sum(turn.held for turn in self.turns)

    # What happens

    def caught_up(self, offset: int) -> None:
        """From here on it is fed by the fan-out. Of a way out that is never fed, once."""
        if not self.is_live:
            self.is_live = True
            if self._turns is not None or offset != self.began:
                self._note("caught_up", offset)

    def behind(self, offset: int, *, is_full: bool) -> None:
        """From here on it reads from its cursor."""
        if self.is_live:
            self.is_live = False
            turns = self.turns
            if not turns or not turns[-1].is_of_filter:  # who gets another filter reads, too
                self._note("behind", offset, is_full=is_full, was_live=True)

    def gap(self, gap: Gap) -> None:
        """It was told of one."""
        found = Cursor.parse(gap.requested) if gap.reason in ("trimmed", "compacted") else None
        self._note("gap", gap.offset, after=found.offset if found is not None else 0, reason=gap.reason)

    def changed(self, offset: int, before: TopicFilter, *, is_reduced: bool) -> None:
        """Up to here the filter was `before`; `is_reduced`: the rights to some of it are gone."""
        kept = before if _held(before) <= HELD_MAX else None
        self._note("reduced" if is_reduced else "filter", offset, before=kept, was_live=self.is_live)

    def renewed(self, offset: int) -> None:
        """It has another credential."""
        self._note("renewed", offset)

    def _note(self, kind: Kind, offset: int, **more: Any) -> None:
        if self._now is None:
            return
        turns = self._turns = self._turns or []
        turns.append(Turn(kind, offset, self._now(), **more))
        if len(turns) > TURNS_MAX:
            self._forget(turns, next((n for n, turn in enumerate(turns) if turn.is_mere), 0))
        while turns[-1].is_of_filter and self.held > HELD_MAX:
            self._forget(turns, next(n for n, turn in enumerate(turns) if turn.held))

    def _forget(self, turns: list[Turn], number: int) -> None:
        gone = turns.pop(number)
        if gone.is_about_how:
            self.blurred = max(self.blurred, gone.offset)
        if not gone.is_mere:
            self.forgotten = max(self.forgotten, gone.offset)

    # What can be told of an event

    def filter_at(self, offset: int, now: TopicFilter) -> TopicFilter | None:
        """The filter that it had when this event came, if it is `now` this one; None if that is not known any more."""
        if offset <= self.forgotten:
            return None
        return next((turn.before for turn in self.turns if turn.is_of_filter and turn.offset >= offset), now)

    def took_away(self, offset: int, topic: str) -> Turn | None:
        """The turn before this event at which the rights to its topic were lost."""
        lost = (turn for turn in self.turns if turn.kind == "reduced" and turn.offset < offset)
        return next((turn for turn in lost if turn.before is not None and turn.before.matches(topic)), None)

    def gap_at(self, offset: int) -> Turn | None:
        """The gap that it was told of which has this event in it."""
        return next((turn for turn in self.turns if turn.kind == "gap" and turn.after < offset <= turn.offset), None)

    def how(self, offset: int) -> How | None:
        """The way on which this event came; None if that is not known any more."""
        if offset <= self.blurred:
            return None
        is_live = next(
            (turn.was_live for turn in self.turns if turn.is_about_how and turn.offset >= offset), self.is_live
        )
        return "live" if is_live else "replayed"
