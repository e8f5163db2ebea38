"""A state that a subscription tells before what comes after it: of one position, a part at a time.

Until it is over the subscription stands at that position and reads nothing else. What is removed meanwhile makes it
another state: then it is begun anew, at the head, TRIES times at most.
"""

from typing import Final, Generic

from service.bus.encoding import Encoding, P
from service.bus.pictures import Part, Picture
from service.bus.reading import PAGE_BYTES, PAGE_EVENTS, Reading
from service.bus.states import States, Wanted
from service.bus.values import Place
from service.core.errors import GoneError, OverloadedError
from service.core.event import STATE, mark_of
from service.core.topics import TopicFilter
from service.core.words import StateForm

TRIES: Final = 5
"""Beginnings of a state that is removed from while it is told: after that its reader is to come back later."""


class Snapshot(Generic[P]):
    """Of these topics, or of those of them that are still asked for. `close` it, whatever becomes of it."""

    def __init__(
        self, reading: Reading, topics: TopicFilter, form: StateForm, encoding: Encoding[P], tries: int = TRIES
    ) -> None:
        self.form: Final = form
        self._reading = reading
        self._topics = topics
        self._encoding = encoding
        self._states = States(reading)
        floor = reading.floor(topics)
        self._picture: Picture[P] | None = reading.pictures.join(
            topics,
            encoding,
            form,
            self._states.begin(),
            lambda begin: begin.at >= floor and not reading.has_lost(topics, begin.moment),
        )
        self._place = self._picture.begin
        self._number = 0
        """Of the next part."""
        self._tries = tries

    @property
    def at(self) -> int:
        """The position."""
        return self._place.at

    @property
    def is_over(self) -> bool:
        """Whether all of it was told."""
        return self._place.is_end

    async def read(self, topics: TopicFilter) -> P | None:
        """The next frames, maybe none, for one who reads these topics by now. Raises GoneError."""
        if topics != self._topics and not topics.covers_all:
            self._topics = TopicFilter(tuple(text for text in self._topics.patterns if text in topics.patterns))
            self.close()
        if self._picture is None:
            part = await self._part(self._place)
        else:
            await self._reading.learn(self._topics)
            if self._reading.has_lost(self._topics, self._place.moment):  # what others have read is not looked at again
                raise GoneError("events of this state were removed")
            part = await self._reading.pictures.part(self._picture, self._number, self._place, self._part)
        self._number += 1
        self._place = part.place
        return part.payload

    async def _part(self, place: Place) -> Part[P]:
        wanted = Wanted(self._topics, is_joined=self.form == "text", in_pieces=True)
        rows, place = await self._states.step(wanted, place, PAGE_EVENTS, PAGE_BYTES)
        marked = [(*row[:8], mark_of(row) | STATE) for row in rows]
        return Part(self._encoding.page(marked) if marked else None, place)

    def again(self, topics: TopicFilter) -> "Snapshot[P]":
        """From the beginning. Raises OverloadedError if that was tried often enough."""
        self.close()
        if not self._tries:
            raise OverloadedError("more is removed of the state than can be told meanwhile", retry_after=1.0)
        return Snapshot(self._reading, topics, self.form, self._encoding, self._tries - 1)

    def close(self) -> None:
        """Let go of what is shared; idempotent. Who reads on does so alone."""
        picture, self._picture = self._picture, None
        if picture is not None:
            self._reading.pictures.leave(picture)
