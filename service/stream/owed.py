"""Places of which one stream is owed the state, by name alone, and why.

Whether a place is watched yet is asked anew when the stream has come to watch something else: of few at once; of many,
or under filters that are hard to match, of each when its turn has come. What its client has asked for by itself is owed
whatever is watched, as long as it may be read.

Pure.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice

from service.bus.presence import COMPARISONS
from service.core.topics import TopicFilter


class Why(Enum):
    """Why a place is owed."""

    WATCHED = "it is watched"
    DOUBTED = "it was watched, and may be yet"
    ASKED = "its state was asked for by itself"


class Owed:
    """The first at first."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, Why] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, topic: str) -> bool:
        return topic in self._places

    def add(self, topic: str, why: Why) -> None:
        """What was asked for by itself stays so."""
        if self._places.get(topic) is not Why.ASKED:
            self._places[topic] = why

    def remove(self, topic: str) -> None:
        del self._places[topic]

    def clear(self) -> None:
        self._places.clear()

    def keep(self, covered: Sequence[TopicFilter]) -> None:
        """These are watched, and nothing else."""
        is_short = len(self._places) * sum(one.weight for one in covered) <= COMPARISONS
        for topic, why in tuple(self._places.items()):
            if why is Why.ASKED:
                continue
            if not is_short:
                self._places[topic] = Why.DOUBTED
            elif not _is_any(topic, covered):
                del self._places[topic]

    def reduce(self, unread: Callable[[Iterable[str]], Collection[str]]) -> None:
        """`unread` says what may not be read any more."""
        for topic in unread([topic for topic, why in self._places.items() if why is Why.ASKED]):
            del self._places[topic]

    def first(self, most: int, covered: Sequence[TopicFilter]) -> Iterator[str]:
        """Of so many those that are owed indeed, where these are watched: the others are let go of. Fewer, but for one,
        where that is hard to find out. Each may be removed meanwhile."""
        left, weight = COMPARISONS, sum(one.weight for one in covered)
        for topic, why in tuple(islice(self._places.items(), most)):
            if why is Why.DOUBTED:
                if left <= 0:
                    return
                left -= weight
                if not _is_any(topic, covered):
                    del self._places[topic]
                    continue
            yield topic


def _is_any(topic: str, covered: Sequence[TopicFilter]) -> bool:
    return any(one.matches(topic) for one in covered)
