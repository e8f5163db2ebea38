"""What became of the latest events: when they were taken, committed and fanned out, and how many had them written.

Rule 1: something is remembered once a publish, once a commit, and once a round and group of subscribers, never once a
subscriber or an event. On an event's way it is only appended; whoever asks does the looking.
Rule 2: it is a memory of the latest, bounded by how many such things there are. What an event's subscribers had to read
from their cursors is told by their own turns (`stream/trail.py`), and for longer.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec

from service.bus.encoding import Encoding
from service.core.event import OFFSET, Event
from service.core.topics import TopicFilter

LATENCIES: Final = 200
"""Publishes whose latency is looked at, the last ones."""

COST_BYTES: Final = 1_024
"""Of a filter's text, for which a group counts as one more: it is kept alive after the group has gone."""

_PATTERN: Final = 100
"""Bytes of a pattern beside its text."""


class Label(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What is remembered of a group: of its filter the text, since what is made of it to be matched is many times as
    large, and all of it would be looked at by Python's collector. `cost` is as how many it counts.
    """

    patterns: tuple[str, ...]
    transport: str
    cost: int

    @classmethod
    def of(cls, topics: TopicFilter, encoding: Encoding[Any]) -> Self:
        patterns = topics.patterns
        held = sum(map(len, patterns)) + _PATTERN * len(patterns)
        return cls(patterns, encoding.transport, 1 + held // COST_BYTES)

    @property
    def topics(self) -> TopicFilter:
        """Made anew each time."""
        return TopicFilter(self.patterns)


Notes = list[Any]
"""Of a round, three for each group, one after the other: its Label, how many were live, and how many took the write.

Flat, and of nothing that Python's collector looks at: with a thousand groups a commit, a tuple for each would cost as
much again as to make it. What is kept of them is one tuple, which the collector lets go after one look.
"""


class Told(NamedTuple):
    """One group's part of a round."""

    label: Label
    live: int
    written: int


class Round(NamedTuple):
    """Of the fan-out: what came after `before`, up to `last`. `ended` is in seconds on the bus's clock."""

    before: int
    last: int
    ended: float
    notes: tuple[Any, ...]
    cost: int
    """As how much it counts."""
    others: int
    """Groups that there was no room for."""

    @property
    def told(self) -> Iterator[Told]:
        """Each group that there was room for."""
        notes = iter(self.notes)
        return map(Told, notes, notes, notes)


class Became(NamedTuple):
    """What is remembered of one event; None for what is not, or has not happened yet."""

    taken: float | None
    committed: float | None
    round: Round | None


class Rounds:
    """`most` is how many of each are remembered: publishes, commits, and rounds together with what they told groups.

    Moments are in seconds on the bus's clock, which never goes back.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: deque[tuple[int, int, float]] = deque(maxlen=most)
        """Of a publish: its first and last offset, and when it was handed in."""
        self._commits: deque[tuple[int, int, float]] = deque(maxlen=most)
        """Of a commit, likewise."""
        self._rounds: deque[tuple[int, int, float, tuple[Any, ...], int, int]] = deque()
        """The fields of `Round`, which is made when somebody asks."""
        self._held = 0
        """What they cost."""

    def __len__(self) -> int:
        return self._held

    def taken(self, offsets: Sequence[int], head: int, at: float) -> None:
        """A publish that was handed in when `head` was has these offsets now; not if it repeated what was there."""
        if head < offsets[0] <= offsets[-1]:
            self._taken.append((offsets[0], offsets[-1], at))

    def committed(self, events: Sequence[Event], at: float) -> None:
        self._commits.append((events[0][OFFSET], events[-1][OFFSET], at))

    def add(self, before: int, last: int, at: float, notes: Notes, cost: int) -> None:
        """A round is over, in which groups of this `cost` together were told."""
        others, cost = 0, cost + 1
        while cost > self._most and notes:
            cost -= notes[-3].cost
            others += 1
            del notes[-3:]
        self._rounds.append((before, last, at, tuple(notes), cost, others))
        self._held += cost
        while self._held > self._most:
            self._held -= self._rounds.popleft()[4]

    def find(self, offset: int) -> Became:
        """What is remembered of the event at this offset: a millisecond or two, if there is much."""
        return Became(
            _moment(self._taken, offset),
            _moment(self._commits, offset),
            next((Round._make(one) for one in reversed(self._rounds) if one[0] < offset <= one[1]), None),
        )

    def latencies(self, since: float) -> list[float]:
        """Seconds from when a publish was handed in until its round was over, of the last ones after this moment."""
        found: list[float] = []
        rounds = map(Round._make, reversed(self._rounds))
        one = next(rounds, None)
        for _, last, at in reversed(self._taken):
            if at < since or len(found) >= LATENCIES:
                break
            while one is not None and one.before >= last:
                one = next(rounds, None)
            if one is None:
                break
            if last <= one.last:
                found.append(one.ended - at)
        return found


def _moment(spans: deque[tuple[int, int, float]], offset: int) -> float | None:
    return next((at for first, last, at in reversed(spans) if first <= offset <= last), None)
