"""Presence in tests: who enters, and a watcher that keeps a set as a client does."""

import json
from typing import Any

from service.bus.presence import PresenceBus
from service.core.place import Place
from service.core.presence import Party, floor_at
from tests.support.clock import ManualClock

ADA = Party("ada", "=ada")
BOB = Party("bob", "=bob")
NOBODY = Party(None, "@::1")
FLOOR = floor_at(ManualClock().unix_ms())
"""The version of a place at which nobody ever was, on a clock of a test."""


class RollText:
    """An encoding whose frames are the texts."""

    name = "text"
    transport = "websocket"
    is_fed = True

    def __init__(self, name: str = "text") -> None:
        self.name = name
        self.made = 0

    def presence(self, text: str) -> bytes:
        self.made += 1
        return text.encode()

    def frame(self, event: Any) -> bytes:
        raise NotImplementedError

    def page(self, rows: Any) -> tuple[bytes, ...]:
        raise NotImplementedError

    def join(self, frames: Any) -> tuple[bytes, ...]:
        return tuple(frames)


class Seen:
    """What a client knows of places by the frames that it is told, as docs/protocol.md has it."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, dict[str, Any]]] = {}
        self.versions: dict[str, int] = {}
        self.holes: list[str] = []
        """Places of which something was not told: a client asks again."""

    def take(self, frame: dict[str, Any]) -> None:
        place = frame["place"]
        if "state" in frame:
            self.places[place] = {one["member"]: one for one in frame["state"]}
        elif frame["version"] != self.versions.get(place, -2) + 1:
            self.holes.append(place)
            return
        else:
            members = self.places[place]
            for one in frame["leaves"]:
                assert members.pop(one["member"])["user"] == one["user"]
            for one in frame["joins"]:
                assert one["member"] not in members
                members[one["member"]] = one
            for one in frame["updates"]:
                assert one["member"] in members
                members[one["member"]] = one
        self.versions[place] = frame["version"]
        if not frame["truncated"]:
            assert frame["members"] == len(self.places[place])

    def data(self) -> dict[tuple[str, str], tuple[str | None, Any]]:
        """All members by place and id: whose, and what they tell."""
        return {
            (place, id): (one["user"], one["data"])
            for place, members in self.places.items()
            for id, one in members.items()
        }


class Eye:
    """A watcher that takes everything, or nothing."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.states: list[bool] = []
        self.takes = True
        self.numbers: list[int] = []

    def tell(self, place: Place, number: int, payload: Any, *, is_state: bool) -> bool:
        if not self.takes:
            return False
        self.numbers.append(number)
        self.states.append(is_state)
        self.frames += [json.loads(frame) for frame in payload]
        return True


def members_of(bus: PresenceBus) -> dict[tuple[str, str], tuple[str | None, Any]]:
    """All that are there, as `Seen.data` has them."""
    return {
        (topic, id): (one.shown.user, json.loads(one.shown.data))
        for topic, place in bus.state.places.items()
        for id, one in place.members.items()
    }
