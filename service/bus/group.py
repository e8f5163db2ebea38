"""Subscribers with the same filter and encoding: matched once, encoded once, written in one loop."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Generic, Protocol

from service.bus.encoding import Encoding, P, P_contra
from service.bus.values import Batch
from service.core.topics import TopicFilter

_MEMO_TOPICS: Final = 10_000
"""Topics whose match is remembered; then the memo starts anew."""


_FLOORS_MAX: Final = 256
"""Floors that are told apart; the lowest of more are taken for the one above them."""


class Floors:
    """The floors that were raised under a filter, as far as it takes to know the highest since any moment."""

    __slots__ = ("_falling", "moment")

    def __init__(self) -> None:
        self.moment = 0
        self._falling: list[tuple[int, int]] = []

    def add(self, floor: int) -> None:
        """What was raised earlier, but no higher, is of no interest any more."""
        self.moment += 1
        while self._falling and (self._falling[-1][1] <= floor or len(self._falling) >= _FLOORS_MAX):
            floor = max(floor, self._falling.pop()[1])
        self._falling.append((self.moment, floor))

    def since(self, moment: int) -> int:
        """The highest floor that was raised after `moment`; 0 if none was."""
        return next((floor for raised, floor in self._falling if raised > moment), 0)


class Live(Protocol[P_contra]):
    """What the fan-out feeds."""

    def deliver(self, payload: P_contra, before: int, offset: int) -> bool:
        """Write what came after `before`, up to `offset`; False if it was not written. Never waits or raises."""


class Group(Generic[P]):
    """`members` are all subscriptions, `live` those that the fan-out feeds."""

    __slots__ = ("_memo", "encoding", "floors", "live", "members", "topics")

    def __init__(self, topics: TopicFilter, encoding: Encoding[P]) -> None:
        self.topics = topics
        self.encoding = encoding
        self.floors = Floors()
        self.members = 0
        self.live: set[Live[P]] = set()
        self._memo: dict[str, bool] = {}

    def matches(self, topic: str) -> bool:
        found = self._memo.get(topic)
        if found is None:
            if len(self._memo) >= _MEMO_TOPICS:
                self._memo.clear()
            found = self._memo[topic] = self.topics.matches(topic)
        return found

    def batch(self, frames: Sequence[bytes], offset: int) -> Batch[P]:
        return Batch(self.encoding.join(frames) if frames else None, len(frames), offset)

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
        self._all: dict[tuple[TopicFilter, str], Group[Any]] = {}
        self._by_topic: dict[str, list[Group[Any]]] = {}
        self._broad: list[Group[Any]] = []
        self._memo: dict[str, list[Group[Any]]] = {}

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
