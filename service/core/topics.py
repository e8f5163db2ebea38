"""Topics and the filters that select them (docs/protocol.md, section 1)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from service.core.errors import InvalidError
from service.core.limits import FILTER_TOPICS_MAX, TOPIC_MAX

_SEGMENT: Final = r"[A-Za-z0-9_.~-]+"
TOPIC_PATTERN: Final = rf"{_SEGMENT}(?:/{_SEGMENT})*"
FILTER_PATTERN: Final = rf"(?:(?:{_SEGMENT}|\*)/)*(?:{_SEGMENT}|\*|\*\*)"
"""A topic, and one pattern of a filter, as regular expressions without anchors."""

_TOPIC: Final = re.compile(rf"{TOPIC_PATTERN}\Z", re.ASCII)
_PATTERN: Final = re.compile(rf"{FILTER_PATTERN}\Z", re.ASCII)
_ANY_SEGMENT: Final = "*"
_ANY_REST: Final = "**"


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


def check_pattern(text: str, field: str = "topic") -> str:
    """Return `text`. Raises InvalidError, naming `field`, if it is neither a topic nor one with wildcards."""
    if len(text) > TOPIC_MAX or _PATTERN.match(text) is None:
        raise InvalidError(
            f"{text[:TOPIC_MAX]!r} is not a topic filter: segments joined by /,"
            " * for exactly one segment, ** as the last for one or more",
            field=field,
        )
    return text


def _compile(pattern: str) -> str:
    """The pattern as a regular expression; its alphabet needs escaping only for `.` and `-`."""
    parts = [
        r"[^/]+" if segment == _ANY_SEGMENT else r".+" if segment == _ANY_REST else re.escape(segment)
        for segment in pattern.split("/")
    ]
    return "/".join(parts)


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A set of patterns; a topic matches if any of them does. Equal sets are equal filters.

    `**` alone covers every topic; no patterns at all cover none.
    """

    patterns: tuple[str, ...]
    _regex: re.Pattern[str] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        unique = tuple(sorted({check_pattern(text) for text in self.patterns}))
        if len(unique) > FILTER_TOPICS_MAX:
            raise InvalidError(f"at most {FILTER_TOPICS_MAX} topics in one filter", field="topic")
        if _ANY_REST in unique:
            unique = (_ANY_REST,)
        object.__setattr__(self, "patterns", unique)
        wild = "|".join(_compile(text) for text in unique if _ANY_SEGMENT in text)
        object.__setattr__(self, "_regex", re.compile(rf"(?:{wild})\Z") if wild else None)

    @classmethod
    def all(cls) -> "TopicFilter":
        """The filter that covers every topic."""
        return cls((_ANY_REST,))

    @property
    def covers_all(self) -> bool:
        return self.patterns == (_ANY_REST,)

    @property
    def exact(self) -> tuple[str, ...] | None:
        """The topics by name, if no pattern holds a wildcard; else None."""
        return self.patterns if self._regex is None else None

    def matches(self, topic: str) -> bool:
        return topic in self.patterns or (self._regex is not None and self._regex.match(topic) is not None)

    def plus(self, topics: Iterable[str]) -> "TopicFilter":
        return TopicFilter((*self.patterns, *topics))

    def minus(self, topics: Iterable[str]) -> "TopicFilter":
        gone = set(topics)
        return TopicFilter(tuple(text for text in self.patterns if text not in gone))
