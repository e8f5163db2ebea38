"""Parts of states that several are told at once: read and framed once, as pages of a replay are.

After a restart all pages of a team come back in the same moment and ask for the same. Who comes while somebody is told
a state is told the same one, of the same position, from its first part on; what came since is replayed to him.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, NamedTuple

from service.bus.encoding import Encoding, P
from service.bus.pages import held_by
from service.bus.values import Place
from service.core.topics import TopicFilter
from service.core.words import StateForm

HELD_BYTES: Final = 20 << 20
"""Bytes of all parts that are kept; whose part goes reads on alone."""

BEHIND_MAX: Final = 1_000
"""Events behind the head at which a state still is one to join."""


class Part(NamedTuple, Generic[P]):
    """`payload` None: nothing was found on the way to `place`, where the next one begins."""

    payload: P | None
    place: Place


class Picture(Generic[P]):
    """One state in one form and framing. `begin` is where its first part begins."""

    def __init__(self, begin: Place) -> None:
        self.begin: Final = begin
        self.parts: list[Part[P]] = []
        self.readers = 0
        self.held = 0
        """Bytes of its parts."""
        self.is_kept = True
        """Whether all of its parts so far are here."""
        self.lock: Final = asyncio.Lock()
        """Of who reads the next one."""


class Pictures:
    """Of those who are told a state now."""

    def __init__(self) -> None:
        self._joinable: dict[tuple[TopicFilter, str, StateForm], Picture[Any]] = {}
        """The last one of each kind."""
        self._kept: dict[Picture[Any], None] = {}
        """Those that keep their parts, in the order of their beginnings."""
        self.held = 0
        """Bytes of all parts."""

    def __len__(self) -> int:
        return len(self._kept)

    def join(
        self, topics: TopicFilter, encoding: Encoding[P], form: StateForm, begin: Place, is_fit: Callable[[Place], bool]
    ) -> Picture[P]:
        """The one that is under way, if its beginning `is_fit`, or one that begins there."""
        key = topics, encoding.name, form
        picture = self._joinable.get(key)
        if picture is None or begin.at - picture.begin.at > BEHIND_MAX or not is_fit(picture.begin):
            picture = self._joinable[key] = Picture(begin)
            self._kept[picture] = None
        picture.readers += 1
        return picture

    async def part(
        self, picture: Picture[P], number: int, place: Place, read: Callable[[Place], Awaitable[Part[P]]]
    ) -> Part[P]:
        """The part of this number, which begins at `place`: kept, or read by the first who wants it."""
        if not picture.is_kept:
            return await read(place)
        async with picture.lock:
            if number < len(picture.parts):
                return picture.parts[number]
            found = await read(place)
            if picture.is_kept:
                picture.parts.append(found)
                self._hold(picture, held_by(found.payload))
            return found

    def _hold(self, picture: Picture[Any], size: int) -> None:
        picture.held += size
        self.held += size
        while self.held > HELD_BYTES:
            self._give_up(next(iter(self._kept)))

    def _give_up(self, picture: Picture[Any]) -> None:
        """Nobody joins it any more, and whoever is at it reads on alone."""
        if picture.is_kept:
            self.held -= picture.held
            picture.parts, picture.held, picture.is_kept = [], 0, False
            del self._kept[picture]
            for key, one in self._joinable.items():
                if one is picture:
                    del self._joinable[key]
                    return

    def leave(self, picture: Picture[Any]) -> None:
        """A reader has been told all of it, or has gone: with the last one goes the picture."""
        picture.readers -= 1
        if not picture.readers:
            self._give_up(picture)
