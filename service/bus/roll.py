"""What is told of places as JSON text, and as frames: made once for all who watch with the same encoding.

The states of a few places are kept, since many come to the same place at the same time.
"""

import json
from collections.abc import Generator, Iterable
from typing import Any, Final

from service.bus.encoding import PresenceEncoding
from service.core.place import Change, Gone, Place, Shown
from service.core.time import Moments

KEPT_MAX: Final = 64
"""States that are kept, each of one place in one encoding; for one more the oldest goes."""

KEPT_BYTES: Final = 8 << 20
"""Of them likewise."""


PAGE_LOOK: Final = 2_000
"""Members of a place that are looked at in a step of a page, about a millisecond."""


class Roll:
    """`listed` members of a place are told one by one; of a place with more, only how many there are."""

    def __init__(self, listed: int) -> None:
        self._listed = listed
        self._moments = Moments()
        self._kept: dict[tuple[str, str], tuple[int, int, bytes]] = {}
        """By place and encoding: the place's number, the version, and the frame."""
        self._bytes = 0

    def member(self, shown: Shown) -> str:
        """One that is there."""
        info = "" if shown.info is None else f',"info":{shown.info}'
        return (
            f'{{"user":{_text(shown.user)},"member":"{shown.member}","data":{shown.data},'
            f'"since":"{self._moments[shown.since]}","verified":{_word(shown.verified)}{info}}}'
        )

    def _members(self, members: Iterable[Shown]) -> str:
        return ",".join([self.member(one) for one in members])

    def is_long(self, place: Place) -> bool:
        """Whether only its counts are told."""
        return place.is_long or place.told_members > self._listed

    def state(self, place: Place) -> str:
        """The whole of it, as at its version."""
        is_long = self.is_long(place)
        return self._state(place, "" if is_long else self._members(place.told()), is_part=is_long)

    def part(self, place: Place, members: Iterable[Shown]) -> str:
        """The same with some of its members."""
        return self._state(place, self._members(members), is_part=self.is_long(place))

    def _state(self, place: Place, found: str, *, is_part: bool) -> str:
        users, members = place.told_users, place.told_members
        return (
            f'{{"type":"presence","place":"{place.topic}","version":{place.version},"state":[{found}],'
            f'"users":{users},"members":{members},"truncated":{_word(is_part)}}}'
        )

    def nobody(self, topic: str, version: int) -> str:
        """The state of a place that is none."""
        return (
            f'{{"type":"presence","place":"{topic}","version":{version},"state":[],'
            '"users":0,"members":0,"truncated":false}'
        )

    def diff(self, change: Change) -> str:
        """What a batch tells."""
        joins, updates, leaves, came, went = "", "", "", "", ""
        if not change.truncated:
            joins, updates = self._members(change.joins), self._members(change.updates)
            leaves = ",".join([_gone(one) for one in change.leaves])
            came, went = ",".join(map(_text, change.came)), ",".join(map(_text, change.went))
        return (
            f'{{"type":"presence","place":"{change.place}","version":{change.version},"joins":[{joins}],'
            f'"updates":[{updates}],"leaves":[{leaves}],"came":[{came}],"went":[{went}],'
            f'"users":{change.users},"members":{change.members},"truncated":{_word(change.truncated)}}}'
        )

    def state_frame(self, place: Place, encoding: PresenceEncoding[Any]) -> bytes:
        """The state, framed, and kept for those who ask for the same."""
        key = place.topic, encoding.name
        kept = self._kept.get(key)
        if kept is not None and kept[:2] == (place.number, place.version):
            return kept[2]
        frame = encoding.presence(self.state(place))
        self._forget(key)
        if len(frame) <= KEPT_BYTES // 2:
            self._kept[key] = place.number, place.version, frame
            self._bytes += len(frame)
        while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES:
            self._forget(next(iter(self._kept)))
        return frame

    def page(self, place: Place, after: str, most: int) -> Generator[None, None, tuple[list[Shown], str | None]]:
        """So many of its members by their ids, after one, and the id after which there are more, if there are. Gives
        way at each `yield`; who leaves meanwhile is not among them."""
        ids, found = place.ids(), list[str]()
        for start in range(0, len(ids), PAGE_LOOK):
            found += [id for id in ids[start : start + PAGE_LOOK] if id > after and place.told_of(id) is not None]
            found = sorted(found)[: most + 1]
            yield
        told = [shown for id in found[:most] if (shown := place.told_of(id)) is not None]
        return told, found[most - 1] if len(found) > most else None

    def clear(self) -> None:
        """Let go of all that is kept."""
        self._kept.clear()
        self._bytes = 0

    def _forget(self, key: tuple[str, str]) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= len(kept[2])


def _gone(one: Gone) -> str:
    return f'{{"user":{_text(one.user)},"member":"{one.member}","reason":"{one.reason}"}}'


def _text(value: str | None) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _word(value: bool) -> str:
    return "true" if value else "false"
