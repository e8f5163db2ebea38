"""What retention took since a moment, by topic: whether something of a filter's went while it was read in parts.

A filter's floor does not tell it: it is the highest of its topics', and one that rises below it changes nothing
(`floors.py`). A state is of one position however long it takes to read, so what went meanwhile must be known.

Each removal is a moment, and of a topic the last one is kept. Moments begin anywhere in each run of the service: one
that somebody kept from another run is known by that.
"""

import secrets
from collections import OrderedDict
from typing import Final

from service.core.topics import TopicFilter

TOPICS_MAX: Final = 1_000
"""That are told apart. Of those before it is not known any more which they were."""

COMPARISONS: Final = 40_000
"""Segments compared in one question, some milliseconds; beyond that the answer is yes."""

_BEGIN_MAX: Final = 1 << 60


class Removals:
    """Of all topics, since the start of the service."""

    def __init__(self) -> None:
        self.moment = self._begun = secrets.randbelow(_BEGIN_MAX)
        self._last: OrderedDict[str, int] = OrderedDict()
        """The moment of each topic's last removal; the latest stands last."""
        self._known = self.moment
        """Since when all are known."""

    def add(self, topic: str) -> None:
        self.moment += 1
        self._last[topic] = self.moment
        self._last.move_to_end(topic)
        if len(self._last) > TOPICS_MAX:
            _, self._known = self._last.popitem(last=False)

    def knows(self, moment: int) -> bool:
        """Whether it is of this run, and not too long ago."""
        return self._known <= moment <= self.moment

    def is_of_this_run(self, moment: int) -> bool:
        return self._begun <= moment <= self.moment

    def may_have_taken(self, topics: TopicFilter, moment: int) -> bool:
        """Whether anything of these may have gone since a moment; yes too if that was long ago."""
        if not self.knows(moment):
            return True
        left = COMPARISONS // topics.weight
        for topic, at in reversed(self._last.items()):
            if at <= moment:
                return False
            left -= 1
            if left < 0 or topics.matches(topic):
                return True
        return False
