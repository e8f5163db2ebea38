"""A state that a subscription tells before what comes after it: of one position, a part at a time.

Until it is over the subscription stands at that position and reads nothing else. What is removed meanwhile makes it
another state: then it is begun anew, at the head, TRIES times at most.
"""

from collections.abc import Sequence
from typing import Final

from service.bus.reading import PAGE_BYTES, PAGE_EVENTS, Reading
from service.bus.states import States, Wanted
from service.core.errors import OverloadedError
from service.core.event import STATE, Row, mark_of
from service.core.topics import TopicFilter
from service.core.words import StateForm

TRIES: Final = 5
"""Beginnings of a state that is removed from while it is told: after that its reader is to come back later."""


class Snapshot:
    """Of these topics, or of those of them that are still asked for."""

    def __init__(self, reading: Reading, topics: TopicFilter, form: StateForm, tries: int = TRIES) -> None:
        self.form: Final = form
        self._topics = topics
        self._states = States(reading)
        self._place = self._states.begin()
        self._tries = tries

    @property
    def at(self) -> int:
        """The position."""
        return self._place.at

    @property
    def is_over(self) -> bool:
        """Whether all of it was told."""
        return self._place.is_end

    async def read(self, topics: TopicFilter) -> Sequence[Row]:
        """The next rows, maybe none, for one who reads these topics by now. Raises GoneError."""
        if topics != self._topics and not topics.covers_all:
            self._topics = TopicFilter(tuple(text for text in self._topics.patterns if text in topics.patterns))
        wanted = Wanted(self._topics, is_joined=self.form == "text", in_pieces=True)
        rows, self._place = await self._states.step(wanted, self._place, PAGE_EVENTS, PAGE_BYTES)
        return [(*row[:8], mark_of(row) | STATE) for row in rows]

    def again(self, reading: Reading, topics: TopicFilter) -> "Snapshot":
        """From the beginning. Raises OverloadedError if that was tried often enough."""
        if not self._tries:
            raise OverloadedError("more is removed of the state than can be told meanwhile", retry_after=1.0)
        return Snapshot(reading, topics, self.form, self._tries - 1)
