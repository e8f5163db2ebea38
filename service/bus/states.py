"""States: the latest of each subject at one position, read in parts (docs/protocol.md, "State").

A part begins at a `Place`, which is all that is known between two of them: whoever holds it goes on whenever he likes.
All parts are of its position. What comes meanwhile is not in them, and what is replaced meanwhile still is; once
something of the filter was removed there is no such state any more, and its reader begins again.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from service.bus.reading import Reading
from service.bus.values import Place
from service.core.errors import GoneError, TooLargeError
from service.core.event import APPEND, DATA, OFFSET, Event, Row, as_text, bytes_of
from service.core.topics import TopicFilter
from service.log.base import Page, StateSearch, Turn

STEP_ROWS: Final = 250
"""Events that are read in one turn, a millisecond or two."""

TEXT_ROWS: Final = 1_000
"""Events of one text that are read in one turn, some milliseconds."""

JOINED_MAX: Final = 1 << 20
"""Bytes of a text that is told as one event."""


class Wanted(NamedTuple):
    """What of a state."""

    topics: TopicFilter
    subject: str | None = None
    """This one alone."""
    is_joined: bool = False
    """Texts that grew are one event each."""
    in_pieces: bool = False
    """With `is_joined`: one that is too long for that is several, the later ones appended; else it is an error."""


class States:
    """Over one log."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def begin(self) -> Place:
        """Of the state as it is now: before anything is read, since a value of which a part goes meanwhile is none."""
        return Place(self._reading.head, moment=self._reading.removals.moment)

    async def step(
        self, wanted: Wanted, place: Place, limit: int, max_bytes: int, turn: Turn | None = None
    ) -> tuple[Sequence[Row], Place]:
        """What comes next of it: at most about `limit` events and `max_bytes` of data, maybe none; and where to go on.

        Raises GoneError if the state can't be told any more, or TooLargeError for a text that is too long to be joined.
        """
        search = StateSearch(
            wanted.topics,
            place.at,
            place.after,
            subject=wanted.subject,
            lasts=wanted.is_joined,
            limit=min(STEP_ROWS, limit),
            max_bytes=max_bytes,
        )
        page = await self._reading.state(search, turn)
        rows: Sequence[Row] = page.rows
        next = place._replace(after=page.next)
        if wanted.is_joined:
            rows, next = await self._joined(page, place, next, wanted, max_bytes, turn)
        await self._reading.learn(wanted.topics, turn)
        moment = self._reading.removals.moment
        if self._reading.has_lost(wanted.topics, place.moment):
            raise GoneError("events of this state may have been removed since it was begun: begin again")
        return rows, next._replace(moment=moment)

    async def _joined(
        self, page: Page, place: Place, end: Place, wanted: Wanted, max_bytes: int, turn: Turn | None
    ) -> tuple[Sequence[Row], Place]:
        """The events of the values that end on this page, those of each text as one, which stands where it ends; and
        up to where that goes, also inside the next text: they may be longer by far than their ends, and fill the part
        before the page is done, which is at `end`.
        """
        rows: list[Row] = []
        size, after = 0, place.after
        for event in page.events:
            found: Sequence[Row] = [event]
            inside = 0
            if (event.mark or 0) & APPEND:
                begun = place.inside if place.text == event.offset else 0
                found, inside = await self._text(place.at, event, begun, wanted, turn)
            rows += found
            size += bytes_of(found)
            if inside:
                return rows, place._replace(after=after, inside=inside, text=event.offset)
            after = event.offset
            if size >= max_bytes:
                return rows, place._replace(after=after)
        return rows, end

    async def _text(
        self, at: int, last: Event, inside: int, wanted: Wanted, turn: Turn | None
    ) -> tuple[Sequence[Row], int]:
        """What comes after `inside` of the value that ends with this one, and up to where that goes: 0 for its end.

        Raises TooLargeError, or GoneError if its end is not there any more.
        """
        found: list[Row] = []
        topics = TopicFilter((last.topic,))
        search = StateSearch(topics, at, inside, subject=last.subject, is_text=True, limit=TEXT_ROWS)
        left = JOINED_MAX
        while search.after < at:
            page = await self._reading.state(replace(search, max_bytes=max(1, left)), turn)
            if search.is_text and not _is_text(page.rows):  # then it is told as it is, from its beginning
                found, left = [], JOINED_MAX
                search = replace(search, after=inside, is_text=False)
                continue
            found += page.rows
            search = replace(search, after=page.next)
            left -= bytes_of(page.rows)
            if left < 0 and not wanted.in_pieces:
                detail = f"{last.subject!r} on {last.topic} has over {JOINED_MAX} bytes: ask without join"
                raise TooLargeError(detail, field="join")
            if left <= 0 and wanted.in_pieces:
                break
        is_end = bool(found) and found[-1][OFFSET] >= last.offset
        if not is_end and search.after >= at:
            raise GoneError("a text of this state was removed: begin again")
        return _one(found, is_begun=inside > 0), 0 if is_end else found[-1][OFFSET]


def _is_text(rows: Sequence[Row]) -> bool:
    return all(row[DATA].startswith('"') for row in rows)


def _one(rows: list[Row], *, is_begun: bool) -> list[Row]:
    """One event with all of the text, which replaces if it is not one that was begun; as they are if any is no
    string.
    """
    if not rows or not _is_text(rows):
        return rows
    text = as_text(rows[0], rows[-1], [row[DATA] for row in rows])
    mark = (text.mark or 0) & ~APPEND | (APPEND if is_begun else 0)
    return [text._replace(mark=mark or None)]
