"""Floors that were raised, and of a filter with wildcards the highest among them, without asking all topics each time.

What is raised is a list, and of a filter is remembered how much of that it was held against. `add` only appends, so a
filter's next question is about what was raised since. Where many floors are new to a filter, `learning` takes steps.
Once most of the list is out of date it is tidied, a step each time that so many more were raised.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Final

from service.core.errors import RateLimitedError
from service.core.topics import TopicFilter, is_own

MEMO_MAX: Final = 1_024
"""Filters of which a floor is remembered; one beyond is held against all of them anew."""

COMPARISONS: Final = 40_000
"""Segments compared in one step, some milliseconds."""

RAISED_MAX: Final = 10_000
"""Floors that are remembered beyond two for each topic that has one, so that a filter's is found without asking
all topics again at each page."""

TIDY_STEP: Final = 2_000
"""Floors looked at in one step of `tidying`, a millisecond or two."""

TIDY_SHARE: Final = 8
"""For so many floors that are looked at in `add`'s own tidying one may be raised: it is ahead of what comes."""


class RaisedFloors:
    """By the names of topics. All of it is the event loop's."""

    def __init__(self) -> None:
        self.max_scan: float = math.inf
        """Floors that a filter is held against at a time, see `learning`. Set by whoever opens the log."""
        self.highest = 0
        """Of all but the service's own, which `**` does not cover."""
        self._floors: dict[str, int] = {}
        self._raised: list[tuple[str, int]] = []
        """Topics and floors in the order in which they were raised; all of `_floors` are among them."""
        self._memo: OrderedDict[TopicFilter, tuple[int, int]] = OrderedDict()
        """A filter's floor, and how many of `_raised` it includes. Those asked for last come last."""
        self._tidying: Iterator[None] | None = None
        """While `_raised` is too long."""
        self._untidied = 0
        """Floors that were raised since its last step."""

    def __len__(self) -> int:
        """Topics that have one."""
        return len(self._floors)

    def add(self, name: str, floor: int) -> None:
        """It is no lower than the topic's was."""
        if self._floors.get(name) == floor:
            return
        self._floors[name] = floor
        if not is_own(name):
            self.highest = max(self.highest, floor)
        self._raised.append((name, floor))
        if self._tidying is None and len(self._raised) > RAISED_MAX + 2 * len(self._floors):
            self._tidying = self.tidying()
        if self._tidying is not None:
            self._untidied += TIDY_SHARE
            if self._untidied >= TIDY_STEP:
                self._untidied = 0
                if next(self._tidying, self) is self:
                    self._tidying = None

    def among(self, topics: TopicFilter) -> int:
        """The highest floor of the topics that match a filter with wildcards; 0 if none has one."""
        if not self._floors:
            return 0
        floor, seen = self._memo.get(topics, (0, 0))
        return self._remember(topics, self._held_against(topics, floor, seen, len(self._raised)))

    def learning(self, topics: TopicFilter) -> Iterator[None]:
        """Steps of some milliseconds, after which `among` has little left to do. None are needed mostly.

        Raises RateLimitedError if `max_scan` floors were not all: the next time goes on from there.
        """
        if topics.covers_all or topics.exact is not None:
            return
        most = max(1, COMPARISONS // topics.weight)
        floor, seen = self._memo.get(topics, (0, 0))
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
            if self._raised is not raised:  # it was tidied meanwhile
                raised, floor, seen = self._raised, 0, 0
        self._remember(topics, floor, seen)

    def _held_against(self, topics: TopicFilter, floor: int, seen: int, end: int) -> int:
        matches = topics.matches
        for name, raised in islice(self._raised, seen, end):
            if raised > floor and matches(name):
                floor = raised
        return floor

    def _remember(self, topics: TopicFilter, floor: int, seen: int | None = None) -> int:
        self._memo[topics] = floor, len(self._raised) if seen is None else seen
        self._memo.move_to_end(topics)
        if len(self._memo) > MEMO_MAX:
            self._memo.popitem(last=False)
        return floor

    def leave(self, name: str) -> None:
        """This topic was forgotten: its floor is another's now. What a filter was told of it stays so."""
        self._floors.pop(name, None)

    def tidying(self) -> Iterator[None]:
        """Steps, after which floors of topics that were forgotten take no memory. Others are raised in between."""
        old, floors, seen = self._raised, self._floors, 0
        kept: dict[str, int] = {}
        raised: list[tuple[str, int]] = []
        marks = [0]
        """How many are left of each TIDY_STEP of them: what a filter was held against it need not be again."""
        while seen < len(old):
            part = [one for one in old[seen : seen + TIDY_STEP] if floors.get(one[0]) == one[1]]
            kept.update(part)
            raised += part
            marks.append(len(raised))
            seen = min(seen + TIDY_STEP, len(old))
            if seen == len(old):
                break  # now, since the list may grow until the next step
            yield
            if self._raised is not old:  # it was tidied by another meanwhile
                return
        self._floors, self._raised = kept, raised
        for topics, (floor, held) in self._memo.items():
            self._memo[topics] = floor, marks[held // TIDY_STEP]
        while old:  # what it alone holds goes with it, which takes its time
            yield
            del old[-TIDY_STEP:]
