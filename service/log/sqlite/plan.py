"""Which way a page of the log is found: by what it costs, for the events that match and not for all that are kept.

    merge   few topics, each through its index, put in order by SQLite as it reads: stops where the page is full
    seek    more topics: the offsets of all of them in a window, through the index alone, which are then put in order
            and read; the window is as long as holds a page, by how dense these topics lie
    scan    so many that most of what lies in the log matches, or topics that are not all known yet: all of the window
            is read, and what does not match is left out

What each costs for an event found, in microseconds as measured on one machine, of which only the ratios count: a row
read and compared by a scan SCANNED, divided by the share of rows that match; a topic asked for by a seek SEEK, divided
by the events that a window gives, and FOUND for each of these. How dense a topic lies is guessed from what the registry
knows: its events between its floor and its head, as if they lay evenly. If they don't, the window was too short and the
next one is longer, or too long and it is begun anew, shorter; what is found is the same.

Of the topics of a filter only those count that have anything in the range: whoever is nearly up to date reads the few
that were written to since.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from service.log.sqlite.topics import Topic

MERGE_TOPICS: Final = 16
"""Topics read through the topic index and merged."""

SEEK: Final = 1.3
FOUND: Final = 2.2
SCANNED: Final = 1.6
LOOKED: Final = 0.1
"""For each topic of the filter, to tell whether it has anything in the range: a short one is scanned at once."""

_SPARE: Final = 1.25
"""A window is longer by this than what would hold the page if all lay evenly, so that one mostly does."""


class Merge(NamedTuple):
    """Read these through their index."""

    topics: Sequence[Topic]


class Seek(NamedTuple):
    """Ask the index for the offsets of these in windows of so many offsets at first."""

    topics: Sequence[Topic]
    window: int


class Scan(NamedTuple):
    """Look at all."""


Plan = Merge | Seek | Scan | None
"""None: nothing of the filter lies in the range."""


def choose(found: Sequence[Topic] | None, low: int, high: int, wanted: int) -> Plan:
    """The way through `low < offset < high`, for a page of `wanted` events, or that may look at as many.

    `found` are the topics of the filter; None if they are too many, or not all known yet.
    """
    if found is None or SCANNED * (high - low) < LOOKED * len(found):
        return Scan()
    inside = [topic for topic in found if topic.head > max(low, topic.floor) and topic.floor < high - 1]
    if not inside:
        return None
    if len(inside) <= MERGE_TOPICS:
        return Merge(inside)
    density = sum([max(1, topic.count) / (topic.head - topic.floor) for topic in inside])
    window = int(_SPARE * wanted / density) + 1
    given = max(1.0, min(wanted, density * (high - low)))
    if SEEK * len(inside) / given + FOUND > SCANNED / min(1.0, density):
        return Scan()
    return Seek(inside, window)
