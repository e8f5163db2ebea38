"""Members: presence for applications in tests, where everything is told in the step in which it happens."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from service.apps.base import Passage


class Members:
    """A `Company` with `room` for so many. `here` are user and data by place and id, `log` who came and went."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.here: dict[str, dict[str, tuple[str | None, Any]]] = {}
        self.log: list[tuple[str, str]] = []
        self._callbacks: list[Callable[[Passage], None]] = []

    def enter(self, place: str, member: str, *, user: str | None = None, data: Mapping[str, Any] | None = None) -> bool:
        members = self.here.setdefault(place, {})
        if member in members:
            members[member] = user, members[member][1] if data is None else data
            return True
        if sum(map(len, self.here.values())) >= self.room:
            return False
        is_first = user is not None and user not in self.users(place)
        members[member] = user, {} if data is None else data
        self.log.append(("+", member))
        if is_first:
            self._tell(place, (user,), ())
        return True

    def update(self, place: str, member: str, data: Mapping[str, Any]) -> bool:
        members = self.here.get(place, {})
        if member not in members:
            return False
        members[member] = members[member][0], data
        return True

    def leave(self, place: str, member: str) -> bool:
        members = self.here.get(place, {})
        if member not in members:
            return False
        user, _ = members.pop(member)
        self.log.append(("-", member))
        if user is not None and user not in self.users(place):
            self._tell(place, (), (user,))
        return True

    def users(self, place: str) -> Mapping[str, int]:
        return Counter(user for user, _ in self.here.get(place, {}).values() if user is not None)

    def follow(self, callback: Callable[[Passage], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _tell(self, place: str, came: tuple[Any, ...], went: tuple[Any, ...]) -> None:
        members = self.here[place]
        nobodies = sum(user is None for user, _ in members.values())
        for callback in tuple(self._callbacks):
            callback(Passage(place, came, went, len(self.users(place)) + nobodies, len(members)))
