"""Who is where, asked for at once (docs/protocol.md, section 11): page by page, so that the answer has everybody."""

from collections.abc import Sequence
from typing import Final

import msgspec

from twinwire.errors import TwinwireError
from twinwire.http import Http
from twinwire.roll import Key, Member, Roll, WirePresence, in_order, listed, members_of, users_of

PAGE: Final = 500
"""Members of one answer."""


Next = str | int
"""Where a list goes on, as the service said."""


class WireWho(msgspec.Struct):
    """An answer of `GET /api/presence`."""

    places: list[WirePresence]
    next: Next | None = None


async def ask_page(http: Http, place: str | None, *, limit: int | None = None, after: Next | None = None) -> WireWho:
    """One answer, for a place or a filter; None: for all that may be read. Raises TwinwireError."""
    params = [("place", place), ("limit", limit), ("after", after)]
    return await http.json("GET", http.place.url("presence", params), WireWho)


async def list_who(http: Http, places: Sequence[str]) -> list[Roll]:
    """Every place of these, which may be filters, where somebody is, with everybody there; of a place that is named,
    also that nobody is. Raises TwinwireError."""
    found: dict[str, Roll] = {}
    for place in places or (None,):
        if place is not None and "*" not in place:
            found[place] = await _everybody(http, place)
            continue
        after: Next | None = None
        while True:
            page = await ask_page(http, place, after=after)
            for row in page.places:
                roll = await _everybody(http, row.place) if _is_part(row) else _read(row)
                if roll.members:
                    found[row.place] = roll
            if page.next is None:
                break
            after = page.next
    return list(found.values())


def _is_part(row: WirePresence) -> bool:
    return row.truncated or len(row.state or ()) < row.members


async def _everybody(http: Http, place: str) -> Roll:
    """Of one place, by pages. Who comes or goes meanwhile may be in it or not."""
    known: dict[Key, Member] = {}
    version = 0
    after: Next | None = None
    while True:
        page = await ask_page(http, place, limit=PAGE, after=after)
        for row in page.places:
            known.update((member.key, member) for member in _members(row))
            version = row.version
        if page.next is None:
            break
        after = page.next
    members = in_order(known.values())
    return Roll(place, members, len(users_of(members)), len(members), version=version)


def _read(row: WirePresence) -> Roll:
    try:
        return listed(row)
    except ValueError as error:
        raise TwinwireError(f"something else than members: {error}") from error


def _members(row: WirePresence) -> list[Member]:
    try:
        return members_of(row.state or ())
    except ValueError as error:
        raise TwinwireError(f"something else than members: {error}") from error
