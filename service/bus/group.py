"""Subscribers with the same filter and encoding: matched once, encoded once, written in one loop."""

from collections.abc import Collection, Generator, Iterator, Sequence
from typing import Any, Generic, Protocol

from service.bus.encoding import Encoding, P, P_contra
from service.bus.floors import Floors
from service.bus.index import Looks, PatternIndex
from service.bus.memo import Memo
from service.bus.rounds import Label
from service.bus.steps import at_once
from service.bus.values import Batch
from service.core.topics import ANY_SEGMENT, TopicFilter


class Live(Protocol[P_contra]):
    """What the fan-out feeds."""

    def deliver(self, payload: P_contra, before: int, offset: int) -> bool:
        """Write what came after `before`, up to `offset`; False if it was not written. Never waits or raises."""

    def overtake(self, before: int, offset: int) -> None:
        """Leave what came after `before`, up to `offset`, to be read from the cursor. Never waits or raises."""


class Group(Generic[P]):
    """One filter on one wire. All methods are called on the event loop, and none waits."""

    __slots__ = ("encoding", "floors", "label", "live", "members", "topics")

    def __init__(self, topics: TopicFilter, encoding: Encoding[P]) -> None:
        self.topics = topics
        self.encoding = encoding
        self.label = Label.of(topics, encoding)
        """What is remembered of it."""
        self.floors = Floors()
        """What retention took under this filter since the group is there."""
        self.members = 0
        """All subscriptions, live or not; with the last one the group goes."""
        self.live: set[Live[P]] = set()
        """Those that the fan-out feeds: they put themselves in, and take themselves out."""

    def batch(self, frames: Sequence[bytes], offset: int, floor: int) -> Batch[P]:
        return Batch(self.encoding.join(frames) if frames else None, len(frames), offset, floor)


class Groups:
    """All groups. Those of an exact topic are found by its name, the others by an index of their patterns.

    `fed` is the offset up to which the live members of each were fed; the fan-out moves it on.
    """

    def __init__(self) -> None:
        self.fed = 0
        """Never more than the head; less only while a round is under way."""
        self._all: dict[tuple[TopicFilter, str], Group[Any]] = {}
        """By filter and encoding's name: those that have members."""
        self._by_topic: dict[str, dict[Group[Any], None]] = {}
        """By each exact topic of their filters."""
        self._wild: PatternIndex[Group[Any]] = PatternIndex()
        """By each pattern with wildcards."""
        self._memo = Memo()
        self.known = self._memo.find
        """Those that match a topic, if it is remembered."""

    def __iter__(self) -> Iterator[Group[Any]]:
        return iter(self._all.values())

    def join(self, topics: TopicFilter, encoding: Encoding[P]) -> Group[P]:
        group = self._all.get((topics, encoding.name))
        if group is None:
            group = self._all[topics, encoding.name] = Group(topics, encoding)
            for pattern in topics.patterns:
                if ANY_SEGMENT in pattern:
                    self._wild.add(pattern, group)
                else:
                    self._by_topic.setdefault(pattern, {})[group] = None
                self._memo.changed(pattern)
        group.members += 1
        return group

    def leave(self, group: Group[Any]) -> None:
        group.members -= 1
        if group.members:
            return
        del self._all[group.topics, group.encoding.name]
        for pattern in group.topics.patterns:
            if ANY_SEGMENT in pattern:
                self._wild.remove(pattern, group)
            else:
                del self._by_topic[pattern][group]
                if not self._by_topic[pattern]:
                    del self._by_topic[pattern]
            self._memo.changed(pattern)

    def find(self, topic: str, looks: Looks[Group[Any]] | None = None) -> Generator[bool, None, Collection[Group[Any]]]:
        """Those that match; yields True now and then, for the loop to be given a turn.

        Groups may come and go meanwhile; those that are there all the time are found. With `looks`, all of them but
        those that are passed over.
        """
        found = self._memo.find(topic)
        if found is not None:
            return found
        since = self._memo.moment
        groups = dict.fromkeys(self._by_topic.get(topic, ()))
        for group in self._wild.walk(topic, looks):
            if group is None:
                yield True
            else:
                groups[group] = None
        found = tuple(groups)
        if looks is None or looks.is_whole:
            self._memo.keep(topic, found, since)
        return found

    def cover(self, topic: str) -> Generator[bool, None, bool]:
        """Whether anybody asked for this topic; likewise in steps. Who asked for all topics does not count.

        It is not remembered: who asks does so for many topics, of which nobody will hear soon.
        """
        if topic in self._by_topic:
            return True
        for group in self._wild.walk(topic):
            if group is None:
                yield True
            elif not group.topics.covers_all:
                return True
        return False

    def matching(self, topic: str) -> Collection[Group[Any]]:
        """Those that match, in one step."""
        return at_once(self.find(topic))
