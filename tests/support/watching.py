"""Who is at a place, as a stream that watches it is told: its members by id, kept as a client keeps them."""

from collections.abc import Callable
from typing import Any

from tests.support.clients import Collector
from tests.support.frames import Frame


class Watcher:
    """Of one place, on a stream that was opened with `presence=1`."""

    def __init__(self, stream: Collector, place: str) -> None:
        self.stream = stream
        self.place = place
        self.members: dict[str, Any] = {}
        self.diffs: list[dict[str, Any]] = []

    async def until(self, accept: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The members, as soon as they are accepted."""
        while not (self.diffs and accept(self.members)):
            frame = await self.stream.until(self._is_mine)
            self._take(frame.value)
        return self.members

    async def users(self, *users: str) -> None:
        """Until these are there, and nobody else."""
        await self.until(lambda members: sorted(one["user"] for one in members.values()) == sorted(users))

    def _is_mine(self, frame: Frame) -> bool:
        return frame.type == "presence" and not frame.is_event and frame.value["place"] == self.place

    def _take(self, told: dict[str, Any]) -> None:
        self.diffs.append(told)
        if "state" in told:
            self.members = {one["member"]: one for one in told["state"]}
            return
        for one in told["leaves"]:
            self.members.pop(one["member"], None)
        self.members |= {one["member"]: one for one in (*told["joins"], *told["updates"])}
