"""The rows of visits that have begun, in the engine's language: what is done to them, and how they are read."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from service.log.base import Statement, Tables, Value

PAGE: Final = 1_000
"""Rows that are read, or changed, at once."""

_ADD: Final = (
    "INSERT INTO visits (place, user, since) VALUES (:place, :user, :since)"
    " ON CONFLICT (place, user) DO UPDATE SET since = excluded.since, gone = NULL"
)
_REMOVE: Final = "DELETE FROM visits WHERE place = :place AND user = :user AND since = :since"
_AWAY: Final = "UPDATE visits SET gone = :gone WHERE place = :place AND user = :user AND since = :since"
_STOPPED: Final = "UPDATE visits SET gone = :seen WHERE gone IS NULL"
_GO_ON: Final = "UPDATE visits SET gone = NULL WHERE gone IS NOT NULL"
_SEE: Final = "UPDATE visits_seen SET at = :now"
_SEEN: Final = "SELECT at FROM visits_seen"
_ALL: Final = (
    "SELECT place, user, since, gone FROM visits WHERE (place, user) > (:place, :user)"
    " ORDER BY place, user LIMIT :limit"
)


class Key(NamedTuple):
    """Whose visit, and where."""

    place: str
    user: str


class Left(NamedTuple):
    """A visit as an earlier process left it: when it began, and until when it is known to have gone on, in Unix ms."""

    key: Key
    since: int
    gone: int


def add(key: Key, since: int) -> Statement:
    """It has begun; times are in Unix ms."""
    return Statement(_ADD, {**key._asdict(), "since": since})


def remove(key: Key, since: int) -> Statement:
    return Statement(_REMOVE, {**key._asdict(), "since": since})


def away(key: Key, since: int, gone: int) -> Statement:
    """Nobody of his is there since `gone`."""
    return Statement(_AWAY, {**key._asdict(), "since": since, "gone": gone})


def stopped(seen: int) -> Statement:
    """All are away, those of whom it is not known since when since `seen`."""
    return Statement(_STOPPED, {"seen": seen})


def go_on() -> Statement:
    """Nobody is away: what is left of them went on."""
    return Statement(_GO_ON)


def see(now: int) -> Statement:
    """The service is there."""
    return Statement(_SEE, {"now": now})


async def seen(tables: Tables) -> int:
    """When it last was. Raises StorageError."""
    async with tables.view() as view:
        ((at,),) = await view.rows(_SEEN)
    return int(at)


async def left(tables: Tables, seen: int) -> AsyncIterator[Left]:
    """Every visit that has not ended. Raises StorageError."""
    last = Key("", "")
    while True:
        values: dict[str, Value] = {**last._asdict(), "limit": PAGE}
        async with tables.view() as view:
            page = await view.rows(_ALL, values)
        for place, user, since, gone in page:
            last = Key(place, user)
            yield Left(last, since, max(since, seen if gone is None else gone))
        if len(page) < PAGE:
            return
