"""What should happen, in plain lists: the log as the contract describes it, and what a client is owed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.base import EventLog
from tests.support.frames import Frame


class Fact(NamedTuple):
    """An event as it was published; `prev` is an offset."""

    offset: int
    topic: str
    prev: int
    data: str


class Told(NamedTuple):
    """A gap that a client was told: something after `low` and up to `floor` may be missing."""

    low: int
    floor: int


def offset_of(cursor: str | None) -> int:
    return 0 if cursor is None else int(cursor.rpartition("-")[2])


@dataclass
class Model:
    """Everything ever published, and per topic how far it was trimmed."""

    epoch: str
    facts: list[Fact] = field(default_factory=list)
    floors: dict[str, int] = field(default_factory=dict)
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    folded: int = 0
    """The newest offset of each topic that is known, and the floor of all that are not."""

    @property
    def head(self) -> int:
        return len(self.facts)

    def learn(self, answers: Iterable[tuple[Sequence[Draft], Sequence[int]]]) -> None:
        """Take in what was published together, whatever the order of the commits was."""
        pairs = [pair for drafts, offsets in answers for pair in zip(drafts, offsets, strict=True)]
        heads = self.heads
        for draft, offset in sorted(pairs, key=lambda pair: pair[1]):
            known = self.keys.get((draft.topic, draft.key or ""))
            if known is not None and known > self.floors.get(draft.topic, 0):
                assert offset == known, "a key that was used returns the first offset"
                continue
            assert offset == self.head + 1, "offsets grow by one"
            if draft.topic not in heads:
                self.floors[draft.topic] = max(self.floors.get(draft.topic, 0), self.folded)
            self.facts.append(Fact(offset, draft.topic, heads.get(draft.topic, self.folded), draft.data))
            heads[draft.topic] = offset
            if draft.key:
                self.keys[draft.topic, draft.key] = offset

    def trim(self, topics: TopicFilter, keep: int) -> int:
        """What a trim must do; returns how many events go."""
        removed = 0
        for topic in {fact.topic for fact in self.facts if topics.matches(fact.topic)}:
            kept = [fact.offset for fact in self.kept(TopicFilter((topic,)))]
            gone = kept[: max(0, len(kept) - keep)]
            if gone:
                self.floors[topic] = gone[-1]
                removed += len(gone)
        return removed

    def forget(self, topics: Iterable[str]) -> None:
        """Their names go, and one floor for all of them stays."""
        for topic in topics:
            assert not self.kept(TopicFilter((topic,))), f"{topic} has events"
            self.folded = max(self.folded, self.heads.pop(topic))

    def learn_floors(self, log: EventLog) -> None:
        """After a trim that ran beside publishes: only the log knows where it cut."""
        for topic in {fact.topic for fact in self.facts}:
            floor = log.bounds(TopicFilter((topic,))).floor
            assert floor >= self.floors.get(topic, 0), "a floor never falls"
            self.floors[topic] = floor

    def is_kept(self, fact: Fact) -> bool:
        return fact.offset > self.floors.get(fact.topic, 0)

    def kept(self, topics: TopicFilter, after: int = 0) -> list[Fact]:
        return [fact for fact in self.facts[after:] if topics.matches(fact.topic) and self.is_kept(fact)]

    def floor(self, topics: TopicFilter) -> int:
        floors = [floor for topic, floor in self.floors.items() if topics.matches(topic)]
        return max([0, *floors, *(self.folded for one in topics.patterns if one not in self.heads)])

    def before_first(self, topics: TopicFilter, after: int) -> int:
        """Where a stream goes on after a gap (docs/protocol.md, section 2)."""
        kept = self.kept(topics, after)
        return kept[0].offset - 1 if kept else self.head


class Session:
    """One client over all its connections: what it was owed, what it got, and what it was told to be missing."""

    def __init__(self, model: Model, topics: TopicFilter) -> None:
        self._model = model
        self._filters: list[tuple[int, TopicFilter]] = [(-1, topics)]
        self._excused: frozenset[int] = frozenset()
        self._known = 0
        self._floor = 0
        self.cursor: str | None = None
        self.start: int | None = None
        self.received: list[Frame] = []
        self.gaps: list[Told] = []
        self.unchecked = 0

    @property
    def topics(self) -> TopicFilter:
        return self._filters[-1][1]

    def change(self, offset: int, topics: TopicFilter) -> None:
        """Another filter, from `offset` on."""
        self._filters.append((offset, topics))
        self._known = max(self._known, offset)

    def come_back(self) -> str:
        """The cursor to resume from. What lies after it is asked for with the filter of now."""
        assert self.cursor is not None
        offset, topics = offset_of(self.cursor), self.topics
        self._filters = [one for one in self._filters if one[0] < offset] + [(offset, topics)]
        return self.cursor

    def excuse(self, facts: Iterable[Fact]) -> None:
        """`earliest` asks for what is kept: what was trimmed before is not owed, and no gap is told for it."""
        self._excused = frozenset(fact.offset for fact in facts)

    # What the client hears

    def hear(self, frame: Frame) -> None:
        if frame.position is not None:
            assert frame.position.startswith(f"{self._model.epoch}-")
        if frame.is_event:
            self._hear_event(frame)
        elif frame.type == "connection":
            self.hear_floor(frame.value["floor"])
        elif frame.type == "gap":
            self.hear_gap(frame.value)
        if frame.position is not None:
            self.move(frame.position)

    def move(self, cursor: str) -> None:
        assert offset_of(cursor) >= offset_of(self.cursor), "a cursor goes forward"
        self.cursor = cursor
        self._known = max(self._known, offset_of(cursor))

    def _hear_event(self, frame: Frame) -> None:
        """The client's own proof of completeness (docs/protocol.md, section 3)."""
        prev = offset_of(frame.value["prev"])
        floor = max([self._floor, *(gap.floor for gap in self.gaps)])
        assert prev <= max(self._known, floor) or prev in self._excused, f"{prev} was lost before {frame.id}"
        self.received.append(frame)

    def hear_floor(self, cursor: str | None) -> None:
        """Of a connection or an answer."""
        self._floor = max(self._floor, offset_of(cursor))

    def hear_gap(self, value: dict[str, Any]) -> None:
        same = value["reason"] == "trimmed"
        low = offset_of(value["requested"]) if same else 0
        floor = offset_of(value["floor"])
        if same:
            assert value["requested"].startswith(f"{self._model.epoch}-")
            assert floor > low, "a cursor at or above the floor has no gap"
        self.gaps.append(Told(low, floor))

    # What it should have heard

    def owed(self) -> list[Fact]:
        assert self.start is not None
        return [
            fact
            for fact in self._model.facts[self.start :]
            if fact.offset not in self._excused and self._filter_at(fact.offset).matches(fact.topic)
        ]

    def _filter_at(self, offset: int) -> TopicFilter:
        return next(topics for start, topics in reversed(self._filters) if start < offset)

    def is_served(self) -> bool:
        """Whether everything that is owed and still kept has come."""
        if self.start is None:
            return False
        kept = [fact.offset for fact in self.owed() if self._model.is_kept(fact)]
        return not kept or (bool(self.received) and offset_of(self.received[-1].id) >= kept[-1])

    def check(self) -> None:
        """In log order, everything that is owed, exactly once, or told to be missing."""
        owed = {fact.offset: fact for fact in self.owed()}
        got = [offset_of(frame.id) for frame in self.received]
        assert got == sorted(set(got)), f"out of order or twice: {got}"
        for frame in self.received[self.unchecked :]:
            fact = owed.get(offset_of(frame.id))
            assert fact is not None, f"{frame.id} was not owed"
            assert (frame.value["topic"], frame.data) == (fact.topic, {"n": int(fact.data[5:-1])})
            assert offset_of(frame.value["prev"]) == fact.prev
        self.unchecked = len(self.received)
        for offset in owed.keys() - set(got):
            assert not self._model.is_kept(owed[offset]), f"{offset} is kept and did not come"
            covered = any(gap.low < offset <= gap.floor for gap in self.gaps)
            assert covered, f"{offset} is gone and no gap says so: {self.gaps}"
