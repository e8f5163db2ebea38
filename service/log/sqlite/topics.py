"""The topics of the log, in memory: ids, heads, floors and sizes.

One entry costs about 300 bytes; a million topics, the bound unless an operator moves it, need 300 MB. It answers,
without touching the disk, what a subscriber asks first: is there anything after my cursor, and was any of it removed?
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
from sortedcontainers import SortedList

from service.core.errors import RateLimitedError
from service.core.topics import TopicFilter, is_own
from service.log.base import TopicStats, TrimListener

_MEMO_MAX: Final = 1_024
"""Filters of which something is remembered, a few topics and a floor each; a filter beyond is matched anew."""

KNOWN_MAX: Final = 4_000
"""Topics of one filter that are known by their ids; what is of more is found by looking at all."""

_KNOWN_MAX: Final = 400_000
"""The same of all filters together: 3 MB."""

_COMPARISONS: Final = 40_000
"""Segments compared in one look for the topics of a filter, some milliseconds; the next look goes on from there."""

_RAISED_MAX: Final = 10_000
"""Floors raised that are remembered beyond two for each topic that has one, so that a filter's is found without asking
all topics again at each page."""

_NAMES_STEP: Final = 2_000
"""Names of new topics that are put in order in one step, some milliseconds."""

_LOOK_MAX: Final = 10_000
"""Names looked at for one page of topics, a few milliseconds of matching."""


class Topic(msgspec.Struct, eq=False, gc=False):
    """`floor` and `head` are offsets; `count` and `bytes` are what is kept.

    Python's collector does not see it: a million of them stop nothing.
    """

    id: int
    name: str
    floor: int = 0
    head: int = 0
    count: int = 0
    bytes: int = 0

    @property
    def stats(self) -> TopicStats:
        return TopicStats(self.name, self.count, self.head, self.floor, self.bytes)


class TopicRegistry:
    """All topics ever used.

    Topics are added and floors are raised on the event loop. Counts, sizes and `uncounted` follow what was committed:
    on the loop after a publish, and at the end of a trim's or an upkeep's job on the writer's thread. Since the writer
    has one job at a time and the loop does its part between two of them, no two ever change these at once; who only
    reads a count may see it a moment before others do.
    """

    def __init__(self) -> None:
        self.max_topics: float = math.inf
        """Set by whoever opens the log. If there are more already, they stay."""
        self.max_scan: float = math.inf
        """Likewise: floors that a filter is held against at a time, see `learning`."""
        self._by_name: dict[str, Topic] = {}
        self._by_id: list[Topic] = []
        self._names: SortedList[str] = SortedList()
        """In order; what was added since they were last asked for is missing, as their number tells."""
        self._floors: dict[str, int] = {}
        self._max_floor = 0
        self.own: list[int] = []
        """Ids of the service's own topics, a few, which `**` does not cover and nobody else counts."""
        self._raised: list[tuple[str, int]] = []
        """Topics and floors in the order in which they were raised; all of `_floors` are among them."""
        self._floor_memo: OrderedDict[TopicFilter, tuple[int, int]] = OrderedDict()
        """A filter's floor, and how many of `_raised` it includes. Those asked for last come last."""
        self._memo: OrderedDict[TopicFilter, tuple[int, list[Topic] | None]] = OrderedDict()
        """How many topics were looked at for a filter, and those that match; None if they are too many."""
        self._known = 0
        """Topics in all of it."""
        self._watchers: list[TrimListener] = []
        self.uncounted: set[Topic] = set()
        """Topics whose size on disk is out of date."""
        self.is_traced = False
        """Whether any event has carried a trace."""

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def next_id(self) -> int:
        return len(self._by_id) + 1

    @property
    def room(self) -> float:
        """How many topics more there may be; negative if there are too many already."""
        return self.max_topics - len(self._by_id) + len(self.own)

    def get(self, name: str) -> Topic | None:
        return self._by_name.get(name)

    def by_id(self, id: int) -> Topic:
        return self._by_id[id - 1]

    def add(self, topic: Topic) -> None:
        """Ids are 1, 2, 3, ... in the order of adding."""
        if topic.id != self.next_id:
            raise ValueError(f"topic {topic.name} has id {topic.id}, expected {self.next_id}")
        self._by_name[topic.name] = topic
        self._by_id.append(topic)
        if is_own(topic.name):
            self.own.append(topic.id)
        if topic.floor:
            self.raise_floor(topic, topic.floor)

    def add_new(self, topics: Sequence[Topic]) -> None:
        """The next ones, none of which has a floor: ten thousand in a third of the time."""
        if topics and (topics[0].id, topics[-1].id) != (self.next_id, self.next_id + len(topics) - 1):
            raise ValueError(f"topic {topics[0].name} has id {topics[0].id}, expected {self.next_id}")
        self._by_name.update({topic.name: topic for topic in topics})
        self._by_id += topics
        self.own += [topic.id for topic in topics if is_own(topic.name)]

    def raise_floor(self, topic: Topic, floor: int) -> None:
        topic.floor = self._floors[topic.name] = max(topic.floor, floor)
        if not is_own(topic.name):
            self._max_floor = max(self._max_floor, topic.floor)
        self._raised.append((topic.name, topic.floor))
        if len(self._raised) > _RAISED_MAX + 2 * len(self._floors):
            self._raised = list(self._floors.items())
            self._floor_memo.clear()
        for watcher in self._watchers:
            watcher(topic.name, topic.floor)

    def watch(self, trimmed: TrimListener) -> None:
        self._watchers.append(trimmed)

    def floor(self, topics: TopicFilter) -> int:
        """The highest floor among the topics that match; 0 if nothing was ever removed from them.

        With many floors that this filter was not held against yet, it takes long: see `learning`.
        """
        if topics.covers_all or not self._floors:
            return self._max_floor
        if topics.exact is not None:
            return max((self._floors.get(name, 0) for name in topics.exact), default=0)
        floor, seen = self._floor_memo.get(topics, (0, 0))
        return self._remember(topics, self._held_against(topics, floor, seen, len(self._raised)))

    def learning(self, topics: TopicFilter) -> Iterator[None]:
        """Steps of some milliseconds, after which `floor` has little left to do. None are needed mostly.

        Raises RateLimitedError if `max_scan` floors were not all: the next time goes on from there.
        """
        if topics.covers_all or topics.exact is not None:
            return
        most = max(1, _COMPARISONS // topics.weight)
        floor, seen = self._floor_memo.get(topics, (0, 0))
        if len(self._raised) - seen <= most:
            return
        raised, left = self._raised, self.max_scan
        while len(raised) - seen > most:
            if left <= 0:
                self._remember(topics, floor, seen)
                detail = f"{self.max_scan:,} topics were looked at for this filter, and that was not all"
                raise RateLimitedError(detail, field="topic", retry_after=1.0)
            step = int(min(most, left))
            floor = self._held_against(topics, floor, seen, seen + step)
            seen += step
            left -= step
            yield
            if self._raised is not raised:  # it was begun anew meanwhile
                raised, floor, seen = self._raised, 0, 0
        self._remember(topics, floor, seen)

    def _held_against(self, topics: TopicFilter, floor: int, seen: int, end: int) -> int:
        matches = topics.matches
        for name, raised in islice(self._raised, seen, end):
            if raised > floor and matches(name):
                floor = raised
        return floor

    def _remember(self, topics: TopicFilter, floor: int, seen: int | None = None) -> int:
        self._floor_memo[topics] = floor, len(self._raised) if seen is None else seen
        self._floor_memo.move_to_end(topics)
        if len(self._floor_memo) > _MEMO_MAX:
            self._floor_memo.popitem(last=False)
        return floor

    def order(self) -> None:
        """Put the names of all in their order; a second for a million, before anybody is served."""
        self._names = SortedList([topic.name for topic in self._by_id])

    def matching(self, topics: TopicFilter) -> Sequence[Topic] | None:
        """The topics that match; None if they are more than KNOWN_MAX, or not all looked at yet.

        Topics are never removed, so each is looked at once, a bounded number at a time: a filter's first answers may
        be None where there are few. Whoever reads then scans.
        """
        if topics.exact is not None:
            exact = [topic for name in topics.exact if (topic := self._by_name.get(name))]
            return exact if len(exact) <= KNOWN_MAX else None
        seen, found = self._memo.pop(topics, (0, []))
        if found is not None:
            self._known -= len(found)
            last = min(len(self._by_id), seen + max(1, _COMPARISONS // topics.weight))
            found += [topic for topic in islice(self._by_id, seen, last) if topics.matches(topic.name)]
            seen = last
            if len(found) > KNOWN_MAX:
                found = None
            else:
                self._known += len(found)
        self._memo[topics] = (seen, found)
        while len(self._memo) > _MEMO_MAX or self._known > _KNOWN_MAX:
            _, (_, given_up) = self._memo.popitem(last=False)
            self._known -= len(given_up or ())
        return found if seen == len(self._by_id) else None

    def page(self, topics: TopicFilter, after: str, limit: int) -> tuple[list[Topic], str | None]:
        """Topics that match, by name, and the name after which to go on; None if that was all."""
        names = self._names
        fresh = self._by_id[len(names) : len(names) + _NAMES_STEP]
        if fresh:
            names.update([topic.name for topic in fresh])
            if len(names) < len(self._by_id):
                return [], after  # in steps, however many came since
        first = names.bisect_right(after)
        last = min(first + max(1, min(_LOOK_MAX, _COMPARISONS // topics.weight)), len(names))
        found: list[Topic] = []
        for index, name in enumerate(names.islice(first, last), first):
            if topics.matches(name):
                found.append(self._by_name[name])
                if len(found) == limit:
                    last = index + 1
                    break
        return found, names[last - 1] if last < len(names) else None
