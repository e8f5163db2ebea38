"""Topics and the filters that select them (docs/protocol.md, section 1)."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from service.core.errors import ForbiddenError, InvalidError
from service.core.limits import FILTER_TOPICS_MAX, TOPIC_MAX

_SEGMENT: Final = r"[A-Za-z0-9_.~-]+"
TOPIC_PATTERN: Final = rf"{_SEGMENT}(?:/{_SEGMENT})*"
FILTER_PATTERN: Final = rf"(?:(?:{_SEGMENT}|\*)/)*(?:{_SEGMENT}|\*|\*\*)"
"""A topic, and one pattern of a filter, as regular expressions without anchors."""

_TOPIC: Final = re.compile(rf"{TOPIC_PATTERN}\Z", re.ASCII)
_PATTERN: Final = re.compile(rf"{FILTER_PATTERN}\Z", re.ASCII)
ANY_SEGMENT: Final = "*"
ANY_REST: Final = "**"


def is_topic(text: str) -> bool:
    """Whether `text` can be published to: 1-200 bytes of segments joined by `/`, no wildcard."""
    return len(text) <= TOPIC_MAX and _TOPIC.match(text) is not None


def check_topic(text: str, field: str = "topic") -> str:
    """Return `text`. Raises InvalidError, naming `field`, if it is not a topic."""
    if not is_topic(text):
        raise InvalidError(
            f"{text[:TOPIC_MAX]!r} is not a topic: 1-{TOPIC_MAX} bytes, segments of A-Z a-z 0-9 _ . ~ - joined by /",
            field=field,
        )
    return text


_SERVICES_OWN: Final = "twinwire/"
_COMING: Final = ("mercure", "streams")
"""First segments of front doors to come: `mercure` itself is one's topic, too."""


def check_open(topic: str, field: str = "topic") -> str:
    """Return `topic`. Raises ForbiddenError if it is reserved: nobody publishes there but its owner."""
    if is_reserved(topic):
        raise ForbiddenError(f"the topic {topic!r} is reserved", field=field)
    return topic


def is_reserved(topic: str) -> bool:
    """Whether it belongs to the service or to a front door to come."""
    first, slash, _ = topic.partition("/")
    return is_own(topic) or (first in _COMING and (bool(slash) or first == "mercure"))


def is_own(topic: str) -> bool:
    """Whether a topic, or what stands before a pattern's first wildcard, is of the service's own."""
    return topic.startswith(_SERVICES_OWN)


def check_readable(patterns: Iterable[str]) -> None:
    """Raises ForbiddenError for a pattern that asks for the service's own topics."""
    for pattern in patterns:
        if is_own(pattern):
            raise ForbiddenError(f"the topics {pattern!r} are the service's own", field="topic")


def check_pattern(text: str, field: str = "topic") -> str:
    """Return `text`. Raises InvalidError, naming `field`, if it is neither a topic nor one with wildcards."""
    if len(text) > TOPIC_MAX or _PATTERN.match(text) is None:
        raise InvalidError(
            f"{text[:TOPIC_MAX]!r} is not a topic filter: segments joined by /,"
            " * for exactly one segment, ** as the last for one or more",
            field=field,
        )
    return text


def check_count(patterns: Collection[str], field: str = "topic") -> Collection[str]:
    """Return `patterns`, before any is looked at: each once, if they are many.

    Raises InvalidError, naming `field`, if they are too many.
    """
    if len(patterns) > FILTER_TOPICS_MAX:  # the same may be named again and again
        patterns = dict.fromkeys(patterns)
        if len(patterns) > FILTER_TOPICS_MAX:
            raise InvalidError(f"at most {FILTER_TOPICS_MAX} topics in one filter", field=field)
    return patterns


_PATTERN_WEIGHT: Final = 40
"""Segments that could be compared in the time in which it is found out that there is nothing to compare."""


class Wild(NamedTuple):
    """A pattern with wildcards, cut before the first of them: most topics are told by what stands before it."""

    prefix: str
    rest: str

    @classmethod
    def of(cls, pattern: str) -> "Wild":
        cut = pattern.index(ANY_SEGMENT)
        return cls(pattern[:cut], pattern[cut:])

    def matches(self, topic: str) -> bool:
        prefix, rest = self
        if not topic.startswith(prefix):
            return False
        if rest == ANY_REST:  # a topic has no empty segment: where the prefix ends, another one begins
            return True
        tail = topic[len(prefix) :]
        if rest == ANY_SEGMENT:
            return "/" not in tail
        wanted, found = rest.split("/"), tail.split("/")
        if wanted[-1] == ANY_REST:
            wanted.pop()
            if len(found) <= len(wanted):
                return False
        elif len(found) != len(wanted):
            return False
        return fits(wanted, found)


def fits(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Whether each of the segments wanted is the one found at its place, or may be any."""
    return all(want in (have, ANY_SEGMENT) for want, have in zip(wanted, found, strict=False))


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A set of patterns; a topic matches if any of them does. Equal sets are equal filters.

    `**` alone covers every topic; no patterns at all cover none.
    """

    patterns: tuple[str, ...]
    wild: tuple[Wild, ...] = field(init=False, compare=False, repr=False)
    """Those of the patterns that have wildcards; empty if `covers_all`."""

    def __post_init__(self) -> None:
        unique = tuple(sorted(set(check_count(self.patterns))))
        for text in unique:
            check_pattern(text)
        if ANY_REST in unique:
            unique = (ANY_REST,)
        object.__setattr__(self, "patterns", unique)
        wild = () if self.covers_all else tuple(Wild.of(text) for text in unique if ANY_SEGMENT in text)
        object.__setattr__(self, "wild", wild)

    @staticmethod
    def all() -> "TopicFilter":
        """The filter that covers every topic."""
        return _ALL

    @property
    def covers_all(self) -> bool:
        return self.patterns == (ANY_REST,)

    @property
    def exact(self) -> tuple[str, ...] | None:
        """The topics by name, if no pattern holds a wildcard; else None."""
        return None if self.wild or self.covers_all else self.patterns

    @property
    def weight(self) -> int:
        """What `matches` may take of time: a step, ten names, or a segment of a pattern that it may have to compare."""
        return 1 + len(self.patterns) // 10 + sum(wild.rest.count("/") + _PATTERN_WEIGHT for wild in self.wild)

    def matches(self, topic: str) -> bool:
        """Wildcards never reach the service's own topics: who wants one says so by name, or from its beginning."""
        if topic in self.patterns:
            return True
        if is_own(topic):
            return any(is_own(wild.prefix) and wild.matches(topic) for wild in self.wild)
        return self.covers_all or any(wild.matches(topic) for wild in self.wild)

    def plus(self, topics: Iterable[str]) -> "TopicFilter":
        return TopicFilter((*self.patterns, *topics))

    def minus(self, topics: Iterable[str]) -> "TopicFilter":
        gone = set(topics)
        return TopicFilter(tuple(text for text in self.patterns if text not in gone))


_ALL: Final = TopicFilter((ANY_REST,))  # never changed, and asked for with each request


class Matching(dict[str, bool]):
    """What a filter says of each topic that was asked for, remembered: within one scan, topics come again."""

    def __init__(self, topics: TopicFilter) -> None:
        super().__init__()
        self._matches = topics.matches

    def __missing__(self, topic: str) -> bool:
        found = self[topic] = self._matches(topic)
        return found
