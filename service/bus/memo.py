"""Which groups match a topic, remembered until one comes or goes whose patterns concern it.

What changed is kept as a short history of patterns. Who asks for a topic looks at those since its match was found: a
storm of streams on other topics costs what is published here a few comparisons, and not its memory. A topic that was
not asked for in so long that the history has forgotten what changed since is searched for anew.
"""

from collections import deque
from collections.abc import Collection
from itertools import islice
from typing import Any, Final

from service.core.topics import ANY_SEGMENT, Wild

ENTRIES_MAX: Final = 50_000
"""Topics, and groups of each, that are remembered: with topics as long as they may be 18 MB. Then it starts anew."""

CHANGES_MAX: Final = 4
"""Patterns with wildcards whose groups came or went; to look at all of them takes as long as to search."""


class Memo:
    """From a topic to its groups."""

    def __init__(self) -> None:
        self.moment = 0
        """How often groups came and went."""
        self.entries = 0
        """Topics and groups of each."""
        self._found: dict[str, tuple[int, Collection[Any]]] = {}
        """By topic: how many changes of `_wild` are looked at, and what was found."""
        self._wild = 0
        """How many changes there were of patterns with wildcards."""
        self._changes: deque[Wild] = deque(maxlen=CHANGES_MAX)
        """The latest of them, in their order."""

    def changed(self, pattern: str) -> None:
        """A group of this pattern came or went."""
        self.moment += 1
        if ANY_SEGMENT in pattern:
            self._wild += 1
            self._changes.append(Wild.of(pattern))
        else:
            self._forget(pattern)

    def find(self, topic: str) -> Collection[Any] | None:
        """What was found, if it still holds."""
        remembered = self._found.get(topic)
        if remembered is None:
            return None
        seen, found = remembered
        if seen == self._wild:
            return found
        if self._concerns(topic, seen):
            self._forget(topic)
            return None
        self._found[topic] = self._wild, found
        return found

    def keep(self, topic: str, found: Collection[Any], since: int) -> None:
        """Remember what a search has found that began at the moment `since`, unless something changed meanwhile."""
        if since != self.moment or 1 + len(found) > ENTRIES_MAX:
            return
        self._forget(topic)
        if self.entries + 1 + len(found) > ENTRIES_MAX:
            self._found.clear()
            self.entries = 0
        self._found[topic] = self._wild, found
        self.entries += 1 + len(found)

    def _forget(self, topic: str) -> None:
        if (remembered := self._found.pop(topic, None)) is not None:
            self.entries -= 1 + len(remembered[1])

    def _concerns(self, topic: str, seen: int) -> bool:
        """Whether one of the changes since then may be about `topic`."""
        count = self._wild - seen
        return count > len(self._changes) or any(wild.matches(topic) for wild in islice(reversed(self._changes), count))
