"""From a commit to every live subscriber: one synchronous loop, cut into slices when there are many.

A round covers everything between what was fanned out and the head, so commits that arrive while a long round
is under way are joined into the next one. Nothing here waits: a subscriber that does not take a write becomes a
reader from its own cursor.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from service.bus.group import Group, Groups
from service.bus.tail import Entry

SLICE: Final = 256
"""Writes between two looks at the event loop, about a millisecond."""


class FanOut:
    """Moves `groups.fed` on, which trails the head only within a round."""

    def __init__(self, groups: Groups, head: int) -> None:
        self._groups = groups
        self._pending: list[Entry] = []
        """Committed and not in a round yet, in log order."""
        self._task: asyncio.Task[None] | None = None
        """Drives a round that did not end within the step of its commit; None between rounds."""
        groups.fed = head
        self.deliveries = 0
        """Events written so far, one for each subscriber that took it."""

    def feed(self, entries: list[Entry]) -> None:
        """Deliver `entries`, the next ones of the log, now or right after the round that is under way."""
        self._pending += entries
        if self._task is not None:
            return
        rounds = self._rounds()
        if next(rounds, False):  # a slice was written and there is more; mostly everybody has it by now
            self._task = asyncio.create_task(self._drive(rounds), name="fan-out")

    @property
    def is_busy(self) -> bool:
        """Whether a round is under way."""
        return self._task is not None

    async def settle(self) -> None:
        """Return when no round is under way."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _drive(self, rounds: Iterator[bool]) -> None:
        try:
            await asyncio.sleep(0)
            for _ in rounds:
                await asyncio.sleep(0)
        finally:
            self._task = None

    def _rounds(self) -> Iterator[bool]:
        """Writes until nothing is pending; yields True whenever the loop should be given a turn before it goes on."""
        room = SLICE
        while self._pending:
            entries, self._pending = self._pending, []
            before, last = self._groups.fed, entries[-1].event.offset
            for group, payload, count in self._payloads(entries):
                live = tuple(group.live)
                start = 0
                while start < len(live):
                    if not room:
                        yield True
                        room = SLICE
                    part = live[start : start + room]
                    taken = [subscription.deliver(payload, before, last) for subscription in part]
                    self.deliveries += count * sum(taken)
                    start += len(part)
                    room -= len(part)
            self._groups.fed = last

    def _payloads(self, entries: list[Entry]) -> list[tuple[Group[Any], Any, int]]:
        """The frames of a round and their number, joined once a group."""
        matched: dict[Group[Any], list[bytes]] = {}
        matching = self._groups.matching
        for entry in entries:
            for group in matching(entry.event.topic):
                if group.live:
                    matched.setdefault(group, []).append(entry.frame(group.encoding))
        return [(group, group.encoding.join(frames), len(frames)) for group, frames in matched.items()]
