"""The names of topics in order, and of them those that a filter may match.

A page looks only at names that begin as one of the filter's patterns does before its first wildcard: its cost grows
with those, not with all that are known. Of `*/x` these are all; how many were looked at is told, so that whoever asks
can end there.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from sortedcontainers import SortedList

from service.core.topics import ANY_SEGMENT, TopicFilter

T = TypeVar("T")

LOOKED_MAX: Final = 2_000
"""Names looked at for one page, a few milliseconds of matching."""

COMPARISONS: Final = 40_000
"""Segments compared in one look for the topics of a filter, some milliseconds; the next look goes on from there."""

_BEYOND: Final = "\x7f"
"""Behind a prefix: after every name that begins with it, since names are printable ASCII."""


class Matches(NamedTuple, Generic[T]):
    """What was found, by name; the name after which to go on, None if that was all; and how many were looked at."""

    found: list[T]
    next: str | None
    looked: int


class Names:
    """Names are added and removed between two pages."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: SortedList[str] = SortedList(names)

    def __len__(self) -> int:
        return len(self._names)

    def add(self, names: Iterable[str]) -> None:
        self._names.update(names)

    def discard(self, name: str) -> None:
        self._names.discard(name)

    def page(self, topics: TopicFilter, after: str, limit: int, get: Callable[[str], T | None]) -> Matches[T]:
        """What `get` has for the names that match and come after `after`: at most `limit`, and from a bounded number of
        names.
        """
        most = max(1, min(LOOKED_MAX, COMPARISONS // topics.weight))
        found: list[T] = []
        looked, last = 0, after
        for name in self._candidates(topics, after):
            if looked == most or len(found) == limit:
                return Matches(found, last, looked)
            looked, last = looked + 1, name
            if topics.matches(name) and (one := get(name)) is not None:
                found.append(one)
        return Matches(found, None, looked)

    def _candidates(self, topics: TopicFilter, after: str) -> Iterator[str]:
        names = self._names
        for low, high in _spans(topics):
            if after < high:
                yield from names.islice(max(names.bisect_left(low), names.bisect_right(after)), names.bisect_left(high))


def _spans(topics: TopicFilter) -> Iterator[tuple[str, str]]:
    """Where the names lie that may match: from one up to before another, in order, none twice."""
    if topics.covers_all:
        yield "", _BEYOND
        return
    spans = [(one.prefix, one.prefix + _BEYOND) for one in topics.wild]
    spans += [(one, one + "\0") for one in topics.patterns if ANY_SEGMENT not in one]
    end = ""
    for low, high in sorted(spans):
        if high > end:
            yield max(low, end), high
            end = high
