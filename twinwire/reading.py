"""What is asked for at once: history, the latest, the state (docs/protocol.md, section 4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypedDict

import msgspec

from twinwire.encoding import as_json
from twinwire.errors import TwinwireError
from twinwire.event import Event, Page, Snapshot
from twinwire.frames import WirePage, decode, event_of, gap_of
from twinwire.http import Http

AGAIN_MAX: Final = 5
"""Beginnings of one state: something of it was removed while it was read."""


Moment = datetime | str
"""With its zone; or RFC 3339."""


class Where(TypedDict, total=False):
    """Which page of history: what `Reads.history` takes by keyword."""

    after: str | None
    before: str | None
    order: Literal["asc", "desc"] | None
    limit: int | None
    type: str | None
    since: Moment | None
    until: Moment | None


class _State(msgspec.Struct):
    events: list[msgspec.Raw]
    cursor: str
    next: str | None = None


def events_of(raws: Sequence[msgspec.Raw]) -> list[Event]:
    """Raises TwinwireError for what is no event."""
    try:
        texts = [str(raw, "utf-8") for raw in raws]
        return [event_of(decode(text), text) for text in texts]
    except ValueError as error:
        raise TwinwireError(f"something else than events: {error}") from error


def filters(topics: Sequence[str]) -> tuple[str, ...]:
    """Raises TypeError where a list stands in place of its topics."""
    if not all(isinstance(topic, str) for topic in topics):
        raise TypeError('topics are texts: subscribe("a", "b/*"), or subscribe(*topics)')
    return tuple(topics)


class Reads:
    """Asks for what there is."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def history(
        self,
        topics: Sequence[str],
        *,
        after: str | None = None,
        before: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        limit: int | None = None,
        type: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Page:
        """One page; from the oldest event on unless it says where. Raises TwinwireError."""
        is_placed = after is not None or before is not None or order == "desc"
        params = [
            ("after", after if is_placed else "earliest"),
            ("before", before),
            ("order", order),
            ("limit", limit),
            ("type", type),
            ("from", _time(since)),
            ("to", _time(until)),
        ]
        url, asked = self._http.place.asking("events", "events/read", filters(topics), params)
        body = None if asked is None else as_json(asked)
        page = await self._http.json("GET" if body is None else "POST", url, WirePage, body=body)
        gap = None if page.gap is None else gap_of(page.gap)
        return Page(events_of(page.events), page.cursor, page.head or page.cursor, page.floor, page.more, gap)

    async def latest(self, topics: Sequence[str], count: int) -> list[Event]:
        """The newest `count` events, oldest first. Raises TwinwireError.

        A page ends before that with 1 MiB of data, or where it was looked for long.
        """
        found: list[Event] = []
        before: str | None = None
        while len(found) < count:
            page = await self.history(topics, before=before, order="desc", limit=count - len(found))
            found += page.events
            before = page.cursor
            if not page.more:
                break
        return list(reversed(found))

    async def state(self, topics: Sequence[str], *, subject: str | None, join: bool) -> Snapshot:
        """All pages of it. Raises TwinwireError."""
        for _ in range(AGAIN_MAX):
            try:
                return await self._state(filters(topics), subject, join)
            except TwinwireError as error:
                if error.status != 410:
                    raise
        raise TwinwireError(
            "events were removed, again and again, while the state was read", status=410, is_passing=True
        )

    async def _state(self, topics: Sequence[str], subject: str | None, join: bool) -> Snapshot:
        asked: list[tuple[str, object]] = [("topic", topic) for topic in topics]
        asked += [("subject", subject), ("join", "text" if join else None)]
        events: list[Event] = []
        following: str | None = None
        while True:
            page = await self._http.json("GET", self._http.place.url("state", [*asked, ("next", following)]), _State)
            events += events_of(page.events)
            if page.next is None:
                return Snapshot(events, page.cursor)
            following = page.next


def _time(moment: Moment | None) -> str | None:
    """RFC 3339. Raises ValueError for one that does not say in which zone."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise ValueError("the time has no zone: datetime.now(UTC)")
    return moment.isoformat()
