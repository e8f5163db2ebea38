"""What a poll is told of presence while it waits: the state of each place of which its client has another version.

Between two polls nobody watches; so a poll looks first at all that it is about, and then waits for what changes.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from service.bus.encoding import PresenceEncoding
from service.bus.presence import PresenceBus, looks
from service.core.errors import InvalidError
from service.core.limits import PRESENCE_KNOWN
from service.core.place import Place
from service.core.topics import ANY_SEGMENT, TopicFilter, is_topic
from service.wire.request import VERSION, Request

STATES_BYTES: Final = 1 << 20
"""Of states in one answer, about: the rest comes with the next one, since the client does not know it yet."""

_DIGITS: Final = 18


def read_versions(request: Request) -> dict[str, int]:
    """What the client knows. Raises InvalidError."""
    found: dict[str, int] = {}
    for name, text in request.query:
        if name == VERSION:
            place, _, version = text.rpartition(":")
            if not (is_topic(place) and version.isascii() and version.isdigit() and len(version) <= _DIGITS):
                raise InvalidError(f"{VERSION} is PLACE:VERSION", field=VERSION)
            found[place] = int(version)
            if len(found) > PRESENCE_KNOWN:
                raise InvalidError(f"{VERSION} names {PRESENCE_KNOWN:,} places at most", field=VERSION)
    return found


class Attending:
    """Of one poll. `known` are the versions that its client has: also of places that are none of its `topics`, of which
    it is not told by this."""

    def __init__(
        self, bus: PresenceBus, encoding: PresenceEncoding[Any], topics: TopicFilter, known: Mapping[str, int]
    ) -> None:
        self._bus = bus
        self._encoding = encoding
        self._topics = topics
        self._known: Final = dict(known)
        self._found: dict[str, bytes] = {}
        """States of places, the first at first."""
        self._seen = bus.telling.number
        """The batch up to which it has looked."""
        self._wake: Callable[[], None] = lambda: None

    def __bool__(self) -> bool:
        return bool(self._found)

    @contextmanager
    def during(self, wake: Callable[[], None]) -> Iterator[None]:
        """Within this context `wake` is called when something has changed: then it is to be looked anew."""
        self._wake = wake
        group = self._bus.telling.join(self._topics, self._encoding, self)
        if self._seen != self._bus.telling.number:
            wake()
        try:
            yield
        finally:
            self._bus.telling.part(group, self)

    def tell(self, place: Place, number: int, payload: Any, *, is_state: bool) -> bool:
        """See `Watcher`: what is told now has been passed over by who has not looked yet."""
        if self._known.get(place.topic) != place.version:
            self._wake()
        return False

    def look(self) -> Generator[None, None, None]:
        """At what differs from what the client knows; gives way at each `yield`."""
        self._found.clear()
        self._seen = self._bus.telling.number
        size = 0
        for topic in self._others():
            if topic is None:
                yield
                continue
            size += self._add(topic)
            if size >= STATES_BYTES:
                return
        if self._topics.exact is not None:
            return  # there is no other place
        for place in self._bus.places(self._topics):
            if place is None:
                yield
            elif place.topic not in self._found and self._differs(place.topic):
                size += self._add(place.topic)
                if size >= STATES_BYTES:
                    return

    def _others(self) -> Iterator[str | None]:
        """Of the places that are named, and those that are known, which have another version; None now and then, to
        give way."""
        topics = self._topics
        yield from (one for one in topics.patterns if ANY_SEGMENT not in one and self._differs(one))
        left = most = looks(topics, PRESENCE_KNOWN)
        for topic in self._known:
            if topic in self._found or not self._differs(topic):
                continue
            if topics.matches(topic):
                yield topic
            left -= 1
            if not left:
                yield None
                left = most

    def _differs(self, topic: str) -> bool:
        return self._known.get(topic) != self._bus.state.version(topic)

    def _add(self, topic: str) -> int:
        place, roll = self._bus.state.find(topic), self._bus.telling.roll
        if place is not None:
            frame = roll.state_frame(place, self._encoding)
        else:
            frame = self._encoding.presence(roll.nobody(topic, self._bus.state.version(topic)))
        self._found[topic] = frame
        return len(frame)

    def items(self) -> bytes:
        """All of them."""
        return b",".join(self._found.values())
