"""Up to where events were taken out from among others, by topic.

A topic's floor says that all below it has gone. Where the state is kept (`compact.py`), single events go and what the
state needs stays among them. Of such a topic there are two positions more:

    thinned    up to there some have gone that nothing replaces: deletions that are old, and events without a subject
    compacted  up to there some have gone that others, which are kept, have replaced

A reader is told the highest of the three as the floor: up to there something may be missing. What he holds comes right
by what follows if he stands at or above the first two, though below the third.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from service.core.topics import TopicFilter
from service.log.base import ThinListener, TopicStats
from service.log.sqlite.raised import RaisedFloors


class Hole(NamedTuple):
    """Offsets of one topic; 0 for none."""

    thinned: int = 0
    compacted: int = 0

    def at(self, offset: int) -> "Hole":
        """Of the same kind, up to there."""
        return Hole(offset if self.thinned else 0, offset if self.compacted else 0)


NONE: Final = Hole()
THINNED: Final = Hole(thinned=1)
COMPACTED: Final = Hole(compacted=1)
"""The kinds of what goes, for `Hole.at`."""


class Holes:
    """By the names of topics, few of which have any. All of it is the event loop's. `raised` is of their floors."""

    def __init__(self, raised: RaisedFloors) -> None:
        self._known: dict[str, Hole] = {}
        self._raised = raised
        self._watchers: list[ThinListener] = []
        self.compacted: Final = RaisedFloors()
        self.up_to = 0
        """What was replaced up to there may have gone: a state at an earlier position is not what it was. 0 in a run
        that has taken nothing yet."""

    def of(self, name: str) -> Hole:
        return self._known.get(name, NONE)

    def watch(self, thinned: ThinListener) -> None:
        self._watchers.append(thinned)

    def take_out(self, stats: TopicStats, hole: Hole, *, is_plain: bool = False) -> None:
        """Events of this topic go, up to there; `is_plain`: all that have no subject. Told before they vanish."""
        name, before = stats.topic, self.of(stats.topic)
        after = self._known[name] = Hole(*map(max, before, hole))
        if after.compacted > before.compacted:
            self.compacted.add(name, after.compacted)
        if after.thinned > before.thinned:
            self._raised.add(name, max(stats.floor, after.thinned))
        for watcher in self._watchers:
            watcher(name, max(hole), is_plain)

    def told(self, stats: TopicStats) -> TopicStats:
        """With the floor that readers are told."""
        hole = self._known.get(stats.topic)
        return stats if hole is None else replace(stats, floor=max(stats.floor, *hole))

    def floor(self, topics: TopicFilter) -> int:
        """The highest `compacted` of the topics that match."""
        if not self._known:
            return 0
        if topics.covers_all:
            return self.compacted.highest
        if topics.exact is not None:
            return max([self.of(name).compacted for name in topics.exact], default=0)
        return self.compacted.among(topics)

    def learning(self, topics: TopicFilter) -> Iterator[None]:
        """As `RaisedFloors.learning`."""
        return self.compacted.learning(topics)

    def leave(self, name: str) -> None:
        """The topic was forgotten."""
        if self._known.pop(name, None) is not None:
            self.compacted.leave(name)
