"""The topics of the log, in memory: ids, heads, floors and sizes.

One entry costs about 300 bytes; a million topics, the bound unless an operator moves it, need 300 MB. It answers,
without touching the disk, what a subscriber asks first: is there anything after my cursor, and was any of it removed?

A topic may be forgotten (`forget.py`). Which it was nobody knows then: `folded` is the floor of whatever is not known,
and of all that begins anew.
"""

import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec

from service.core.event import Width
from service.core.topics import TopicFilter, is_own, is_reserved
from service.log.base import TopicStats, TrimListener
from service.log.sqlite.holes import Holes
from service.log.sqlite.names import COMPARISONS, Matches, Names
from service.log.sqlite.raised import RaisedFloors
from service.log.sqlite.texts import Texts

_MEMO_MAX: Final = 1_024
"""Filters of which a few topics each are remembered; a filter beyond is matched anew."""

KNOWN_MAX: Final = 4_000
"""Topics of one filter that are known by their ids; what is of more is found by looking at all."""

_KNOWN_MAX: Final = 400_000
"""The same of all filters together: 3 MB."""

_NAMES_STEP: Final = 2_000
"""Names of new topics that are put in order in one step, some milliseconds."""

_TIDY_STEP: Final = 2_000
"""Topics looked at in one step of `tidying`, some milliseconds."""

_GONE_MIN: Final = 1_000
"""Forgotten topics that still take memory, at least, and as many as are there, until that is let go."""

_ID: Final = attrgetter("id")


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
    """All topics that are known.

    Topics are added and floors are raised on the event loop. Counts, sizes, `uncounted` and `empty` follow what was
    committed: on the loop after a publish, and at the end of a trim's or an upkeep's job on the writer's thread, where
    topics are dropped too. Since the writer has one job at a time and the loop does its part between two of them, no
    two ever change these at once; who only reads a count may see it a moment before others do.
    """

    def __init__(self) -> None:
        self.max_topics: float = math.inf
        """Set by whoever opens the log. If there are more already, they stay."""
        self._by_name: dict[str, Topic] = {}
        self._by_id: list[Topic] = []
        """In the order of their ids; with some that are forgotten, which `_by_name` has not."""
        self._gone = 0
        """How many these are."""
        self.last_id = 0
        """The highest that a topic ever had: none is given twice."""
        self._names = Names()
        """What was added since they were last asked for is missing."""
        self._ordered = 0
        """How many of `_by_id` were put among them."""
        self.empty: dict[Topic, int] = {}
        """Topics without events that may be forgotten, and since when, in Unix ms; in the order of looking at them."""
        self.wanted = 0
        """New topics that were refused, at most in one request, since room was last made."""
        self.folded = 0
        """The floor of all topics that were forgotten; 0 if none was."""
        self.raised: Final = RaisedFloors()
        """Floors that were raised, by topic, and positions up to which it was thinned."""
        self.holes: Final = Holes(self.raised)
        self.own: list[int] = []
        """Ids of the service's own topics, a few, which `**` does not cover and nobody else counts."""
        self._memo: OrderedDict[TopicFilter, tuple[int, list[Topic] | None]] = OrderedDict()
        """How many topics were looked at for a filter, and those that match, with some that were forgotten since; None
        if they are too many."""
        self._known = 0
        """Topics in all of it."""
        self._watchers: list[TrimListener] = []
        self.texts = Texts()
        """Set by whoever opens the log."""
        self.has_removed_keys = False
        """Whether keys are remembered of events that were compacted."""
        self.uncounted: set[Topic] = set()
        """Topics whose size on disk is out of date."""
        self.width = Width.PLAIN
        """Of the rows that any event so far has needed."""

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def next_id(self) -> int:
        return self.last_id + 1

    @property
    def room(self) -> float:
        """How many topics more there may be; negative if there are too many already."""
        return self.max_topics - len(self._by_name) + len(self.own)

    def get(self, name: str) -> Topic | None:
        return self._by_name.get(name)

    def by_id(self, id: int) -> Topic:
        """Raises KeyError if there is none."""
        topics = self._by_id
        index = id - 1  # mostly none was forgotten
        if not (0 <= index < len(topics) and topics[index].id == id):
            index = bisect_left(topics, id, key=_ID)
        if index == len(topics) or topics[index].id != id:
            raise KeyError(id)
        return topics[index]

    def add(self, topic: Topic) -> None:
        """As it was read at the start: ids rise in the order of adding, and some may be missing."""
        if topic.id < self.next_id:
            raise ValueError(f"topic {topic.name} has id {topic.id}, expected {self.next_id} at least")
        self.last_id = topic.id
        self._by_name[topic.name] = topic
        self._by_id.append(topic)
        if is_own(topic.name):
            self.own.append(topic.id)
        if topic.floor > self.folded or (topic.floor and is_reserved(topic.name)):
            self.raise_floor(topic, topic.floor)

    def add_new(self, topics: Sequence[Topic]) -> None:
        """The next ones, none of which has a floor of its own: ten thousand in a third of the time."""
        if not topics:
            return
        if (topics[0].id, topics[-1].id) != (self.next_id, self.next_id + len(topics) - 1):
            raise ValueError(f"topic {topics[0].name} has id {topics[0].id}, expected {self.next_id}")
        self.last_id = topics[-1].id
        self._by_name.update({topic.name: topic for topic in topics})
        self._by_id += topics
        self.own += [topic.id for topic in topics if is_own(topic.name)]

    def first_prev(self, name: str) -> int:
        """What the first event on a topic that is not known says that it follows, and the topic's floor from then on:
        it may be one that was forgotten.
        """
        return 0 if self.folded and is_reserved(name) else self.folded

    def raise_floor(self, topic: Topic, floor: int) -> None:
        topic.floor = max(topic.floor, floor)
        self.raised.add(topic.name, max(topic.floor, self.holes.of(topic.name).thinned))
        for watcher in self._watchers:
            watcher(topic.name, topic.floor)

    def watch(self, trimmed: TrimListener) -> None:
        self._watchers.append(trimmed)

    def floor(self, topics: TopicFilter) -> int:
        """The offset up to which events of the topics that match may be missing, or of those that may have until they
        were forgotten; 0 if nothing was ever removed from them.

        With many floors that this filter was not held against yet, it takes long: see `learning`.
        """
        return max(self.trimmed(topics), self.holes.floor(topics))

    def trimmed(self, topics: TopicFilter) -> int:
        """The same of those that nothing replaces."""
        if topics.covers_all:
            return max(self.folded, self.raised.highest)
        if topics.exact is not None:
            return max([self._floor_of(name) for name in topics.exact], default=0)
        floor = self.raised.among(topics)
        if self.folded > floor and not all(is_reserved(text) for text in topics.patterns):
            return self.folded
        return floor

    def _floor_of(self, name: str) -> int:
        topic = self._by_name.get(name)
        return self.first_prev(name) if topic is None else max(topic.floor, self.holes.of(name).thinned)

    def learning(self, topics: TopicFilter) -> Iterator[None]:
        """Steps of some milliseconds, after which `floor` has little left to do. None are needed mostly.

        Raises RateLimitedError if there is a bound for it, and that was too low: the next time goes on from there.
        """
        yield from self.raised.learning(topics)
        yield from self.holes.learning(topics)

    def order(self) -> None:
        """Put the names of all in their order; a second for a million, before anybody is served."""
        self._names = Names([topic.name for topic in self._by_id])
        self._ordered = len(self._by_id)

    def matching(self, topics: TopicFilter) -> Sequence[Topic] | None:
        """The topics that match; None if they are more than KNOWN_MAX, or not all looked at yet.

        Each is looked at once, a bounded number at a time: a filter's first answers may be None where there are few.
        Whoever reads then scans.
        """
        if topics.exact is not None:
            exact = [topic for name in topics.exact if (topic := self._by_name.get(name))]
            return exact if len(exact) <= KNOWN_MAX else None
        seen, found = self._memo.pop(topics, (0, []))
        if found is not None:
            self._known -= len(found)
            last = min(len(self._by_id), seen + max(1, COMPARISONS // topics.weight))
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

    def page(self, topics: TopicFilter, after: str, limit: int) -> Matches[Topic]:
        """Topics that match, by name; some steps find nothing, and are to be asked again with the same `after`."""
        ordered = self._ordered
        fresh = self._by_id[ordered : ordered + _NAMES_STEP]
        if fresh:
            self._names.add([topic.name for topic in fresh if self._by_name.get(topic.name) is topic])
            self._ordered += len(fresh)
            if self._ordered < len(self._by_id):
                return Matches([], after, 0)  # in steps, however many came since
        return self._names.page(topics, after, limit, self._by_name.get)

    # Topics without events

    def emptied(self, topic: Topic, at: int) -> None:
        """Its last event has gone, at this moment in Unix ms."""
        if not is_reserved(topic.name):
            self.empty[topic] = at

    def fold(self, floor: int) -> None:
        """Raise the floor of whatever is not known, before topics with floors up to there are forgotten."""
        self.folded = max(self.folded, floor)

    def drop(self, topics: Collection[Topic]) -> None:
        """They are known no more; on the writer's thread, in the job that has removed them from the disk."""
        for topic in topics:
            del self._by_name[topic.name]
            self.empty.pop(topic, None)
        self.uncounted.difference_update(topics)

    def leave(self, topics: Collection[Topic]) -> None:
        """Likewise for what belongs to the loop, a bounded number at a time: after `drop`."""
        for topic in topics:
            self._names.discard(topic.name)
            self.raised.leave(topic.name)
            self.holes.leave(topic.name)
        self._gone += len(topics)

    def tidying(self) -> Iterator[None]:
        """Steps of some milliseconds, after which topics that were forgotten take no memory; none while they are few.

        Others add topics and raise floors in between, but nobody drops any.
        """
        if self._gone > max(_GONE_MIN, len(self._by_name)):
            yield from self._tidy_topics()
            yield from self.raised.tidying()
            yield from self.holes.compacted.tidying()

    def _tidy_topics(self) -> Iterator[None]:
        old, kept, seen = self._by_id, list[Topic](), 0
        old_names, names = self._by_name, dict[str, Topic]()
        while True:
            for topic in old[seen : seen + _TIDY_STEP]:
                if old_names.get(topic.name) is topic:
                    kept.append(topic)
                    names[topic.name] = topic
            seen += _TIDY_STEP
            if seen >= len(old):
                break
            yield

        def moved(count: int) -> int:
            """How many of `kept` were among the first so many."""
            return bisect_left(kept, old[count].id, key=_ID) if count < len(old) else len(kept)

        for filter, (looked, found) in self._memo.items():
            self._memo[filter] = moved(looked), found
        self._ordered = moved(self._ordered)
        self._by_id, self._by_name, self._gone = kept, names, 0
        yield
        yield from self._tidy_memo()
        while old:  # what it alone holds goes with it, which takes its time
            yield
            del old[-_TIDY_STEP:]
            for _ in range(min(_TIDY_STEP, len(old_names))):
                old_names.popitem()

    def _tidy_memo(self) -> Iterator[None]:
        """Of what is remembered of filters."""
        looked = 0
        for filter in list(self._memo):
            seen, found = self._memo.get(filter, (0, None))
            if found is None:  # they were too many, and may not be now
                self._memo.pop(filter, None)
                continue
            kept = [topic for topic in found if self._by_name.get(topic.name) is topic]
            self._known -= len(found) - len(kept)
            self._memo[filter] = seen, kept
            looked += len(found)
            if looked > _TIDY_STEP:
                looked = 0
                yield
