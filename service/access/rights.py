"""What a caller may read and publish to: topic filters, and whether what is asked lies within them.

A filter is allowed if each of its patterns is covered by *one* granted pattern: everything that it could ever match,
the grant matches too. What only several grants cover together (`a/*` by `a/x` and `a/y`) is not recognised, which is
sound and simple. Nothing is ever narrowed in silence.

This is asked for each of a stream's hundred patterns, and for each topic of a large publish. So the grants are
held against it all at once: at each of its places, those that have fitted so far are the bits of one number.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from service.core.limits import TOPIC_MAX
from service.core.topics import ANY_REST, ANY_SEGMENT, TopicFilter, is_own, is_topic

SUBJECT: Final = "{sub}"
"""What stands in a granted filter for its bearer: one template serves all."""


class _Place(NamedTuple):
    """What stands at one place in the grants; each number has a bit for each of them.

    `fits` has those that a segment fits, by name; `any` those that any does. `rest` are those that go on for ever from
    here, `ends` those of which it is the last.
    """

    fits: dict[str, int]
    any: int
    rest: int
    ends: int


class Grants:
    """Granted patterns, which are valid ones. Never changed."""

    __slots__ = ("_covered", "_places", "patterns")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns: Final = tuple(dict.fromkeys(patterns))
        self._places: list[_Place] | None = None  # made when it is first asked
        self._covered: str | None = None  # what it was asked last that is: who comes back asks the same

    def covers(self, asked: str) -> bool:
        """Whether one of them matches every topic that `asked`, a topic or a valid pattern, matches."""
        if asked == self._covered or asked in self.patterns:
            return True
        if not self._finds(asked):
            return False
        if len(asked) <= TOPIC_MAX:  # it is kept as long as the token is known
            self._covered = asked
        return True

    def _finds(self, asked: str) -> bool:
        places, segments = self._grown(), asked.split("/")
        left = -1
        for segment, place in zip(segments, places, strict=False):
            if left & place.rest:
                return True
            if segment == ANY_REST:  # what is asked goes on and on, and no grant that is left does
                return False
            left &= place.fits.get(segment, place.any)
            if not left:
                return False
        return len(segments) <= len(places) and bool(left & places[len(segments) - 1].ends)

    @property
    def has_all(self) -> bool:
        """Whether every topic matches: only `**` covers that."""
        return ANY_REST in self.patterns

    def missing(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Those of the patterns that none covers, in their order."""
        return tuple(one for one in patterns if not self.covers(one))

    def plus(self, other: "Grants") -> "Grants":
        return Grants((*self.patterns, *other.patterns))

    def _grown(self) -> list[_Place]:
        if self._places is None:
            split = [pattern.split("/") for pattern in self.patterns]
            self._places = [_place(split, depth) for depth in range(max(map(len, split), default=0))]
        return self._places

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grants) and other.patterns == self.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __repr__(self) -> str:
        return f"Grants({list(self.patterns)})"


def _place(patterns: list[list[str]], depth: int) -> _Place:
    fits: dict[str, int] = {}
    rest = ends = 0
    for number, segments in enumerate(patterns):
        if len(segments) <= depth:
            continue
        segment, bit = segments[depth], 1 << number
        if segment == ANY_REST:
            rest |= bit
            continue
        fits[segment] = fits.get(segment, 0) | bit
        if len(segments) == depth + 1:
            ends |= bit
    anything = fits.pop(ANY_SEGMENT, 0)
    return _Place({segment: bits | anything for segment, bits in fits.items()}, anything, rest, ends)


def for_subject(filters: Iterable[str], subject: str | None) -> Grants:
    """Granted filters with their bearer's name in them. One in which the name is no segment grants nothing."""
    named = subject if subject is not None and is_topic(subject) and "/" not in subject else None
    if named is None:
        return Grants(one for one in filters if SUBJECT not in one)
    return Grants(one.replace(SUBJECT, named) for one in filters)


class Rights(NamedTuple):
    """What a caller may read, publish to, be present in and send ephemeral events to; and below which topics he may
    have run what agents wrote, which nothing else grants.

    `admin` may do everything, and what operators do; `metrics` may read the metrics. The service's own topics are for
    nobody, whatever is granted.
    """

    subscribe: Grants = Grants()
    publish: Grants = Grants()
    presence: Grants = Grants()
    ephemeral: Grants = Grants()
    admin: bool = False
    metrics: bool = False
    run: Grants = Grants()

    def unread(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Those of a filter's patterns that may not be read."""
        return tuple(one for one in patterns if not self.may_read(one))

    def reader(self) -> Callable[[str], bool]:
        """`may_read` for many topics of a list: it costs little where all may be read."""
        return _yes if self.admin or self.subscribe.has_all else self.may_read

    def may_read(self, pattern: str) -> bool:
        """A topic, or a pattern of a filter."""
        return not is_own(pattern) and (self.admin or self.subscribe.covers(pattern))

    @property
    def may_publish_all(self) -> bool:
        """Whether there is no need to look at a topic: what is the service's own nobody gets that far."""
        return self.admin or self.publish.has_all

    def may_publish(self, topic: str) -> bool:
        return not is_own(topic) and (self.admin or self.publish.covers(topic))

    def may_send(self, topic: str) -> bool:
        """Whether ephemeral events may be sent there."""
        return not is_own(topic) and (self.admin or self.ephemeral.covers(topic))

    def may_enter(self, place: str) -> bool:
        """Whether one may be present there."""
        return not is_own(place) and (self.admin or self.presence.covers(place))

    def may_run(self, topic: str) -> bool:
        """Whether what agents wrote of the project that is told there may be run."""
        return not is_own(topic) and (self.admin or self.run.covers(topic))

    @property
    def readable(self) -> TopicFilter:
        """All that may be read, as a filter. Raises InvalidError if it has more patterns than a filter may have."""
        if self.admin:
            return TopicFilter.all()
        return TopicFilter(tuple(one for one in self.subscribe.patterns if not is_own(one)))

    def plus(self, other: "Rights") -> "Rights":
        """Both together."""
        return Rights(
            self.subscribe.plus(other.subscribe),
            self.publish.plus(other.publish),
            self.presence.plus(other.presence),
            self.ephemeral.plus(other.ephemeral),
            self.admin or other.admin,
            self.metrics or other.metrics,
            self.run.plus(other.run),
        )


def _yes(topic: str) -> bool:
    return not is_own(topic)


NOTHING: Final = Rights()
_ALL: Final = Grants((ANY_REST,))
EVERYTHING: Final = Rights(_ALL, _ALL, _ALL, _ALL, admin=True, metrics=True, run=_ALL)
"""What whoever reaches the port has, as long as there are no keys."""
