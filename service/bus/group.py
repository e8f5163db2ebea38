"""Subscribers with the same filter and encoding: matched once, encoded once, written in one loop."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Generic, Protocol

from service.bus.encoding import Encoding, P, P_contra
from service.bus.floors import Floors
from service.bus.values import Batch
from service.core.topics import TopicFilter

_MEMO_TOPICS: Final = 10_000
"""Topics whose match is remembered; then the memo starts anew."""


class Live(Protocol[P_contra]):
    """What the fan-out feeds."""

    def deliver(self, payload: P_contra, before: int, offset: int) -> bool:
        """Write what came after `before`, up to `offset`; False if it was not written. Never waits or raises."""


class Group(Generic[P]):
    """One filter on one wire. All methods are called on the event loop, and none waits."""

    __slots__ = ("_memo", "encoding", "floors", "live", "members", "topics")

    def __init__(self, topics: TopicFilter, encoding: Encoding[P]) -> None:
        self.topics = topics
        self.encoding = encoding
        self.floors = Floors()
        """What retention took under this filter since the group is there."""
        self.members = 0
        """All subscriptions, live or not; with the last one the group goes."""
        self.live: set[Live[P]] = set()
        """Those that the fan-out feeds: they put themselves in, and take themselves out."""
        self._memo: dict[str, bool] = {}
        """Topic to whether it matches."""

    def matches(self, topic: str) -> bool:
        found = self._memo.get(topic)
        if found is None:
            if len(self._memo) >= _MEMO_TOPICS:
                self._memo.clear()
            found = self._memo[topic] = self.topics.matches(topic)
        return found

    def batch(self, frames: Sequence[bytes], offset: int, floor: int) -> Batch[P]:
        return Batch(self.encoding.join(frames) if frames else None, len(frames), offset, floor)

    def trimmed(self, topic: str, floor: int) -> None:
        """Retention took a topic's events up to `floor`."""
        if self.matches(topic):
            self.floors.add(floor)


class Groups:
    """All groups. Those of one exact topic are found by name, the others by asking each, once a topic.

    `fed` is the offset up to which the live members of each were fed; the fan-out moves it on.
    """

    def __init__(self) -> None:
        self.fed = 0
        """Never more than the head; less only while a round is under way."""
        self._all: dict[tuple[TopicFilter, str], Group[Any]] = {}
        """By filter and encoding's name: those that have members."""
        self._by_topic: dict[str, list[Group[Any]]] = {}
        """Groups of exact topics, by each of these."""
        self._broad: list[Group[Any]] = []
        """Groups with a wildcard in their filter."""
        self._memo: dict[str, list[Group[Any]]] = {}
        """Topic to the groups that match; topics drop out when a group of theirs comes or goes."""

    def __iter__(self) -> Iterator[Group[Any]]:
        return iter(self._all.values())

    def join(self, topics: TopicFilter, encoding: Encoding[P]) -> Group[P]:
        group = self._all.get((topics, encoding.name))
        if group is None:
            group = self._all[topics, encoding.name] = Group(topics, encoding)
            if topics.exact is None:
                self._broad.append(group)
                self._memo.clear()
            else:
                for topic in topics.exact:
                    self._by_topic.setdefault(topic, []).append(group)
                    self._memo.pop(topic, None)
        group.members += 1
        return group

    def leave(self, group: Group[Any]) -> None:
        group.members -= 1
        if group.members:
            return
        del self._all[group.topics, group.encoding.name]
        if group.topics.exact is None:
            self._broad.remove(group)
            self._memo.clear()
            return
        for topic in group.topics.exact:
            self._by_topic[topic].remove(group)
            if not self._by_topic[topic]:
                del self._by_topic[topic]
            self._memo.pop(topic, None)

    def matching(self, topic: str) -> Iterable[Group[Any]]:
        found = self._memo.get(topic)
        if found is None:
            if len(self._memo) >= _MEMO_TOPICS:
                self._memo.clear()
            found = [*self._by_topic.get(topic, ()), *(g for g in self._broad if g.matches(topic))]
            self._memo[topic] = found
        return found
