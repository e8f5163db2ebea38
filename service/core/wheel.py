"""Times at which something is to be looked at, in slots of a second: one look a second, no timer for each.

An item is in one slot at most, that of its earliest time. Who is put off need not be told to the wheel: an item that is
taken too early goes into the slot of its new time. So a lease that is renewed again and again costs nothing but the
number in which its end stands.

Pure: the time is handed in, in seconds of one clock that does not go back.
"""

from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

NEVER: Final = float("inf")
"""A time that does not come."""

TICK: Final = 1.0
"""Seconds of a slot: so much later than its time is an item taken at most, beside what a look is late."""


class Timed(Protocol):
    """`due` is when it is to be looked at, infinite for never; `slot` is the wheel's own, -1 outside of it."""

    slot: int

    @property
    def due(self) -> float: ...


T = TypeVar("T", bound=Timed)


class Wheel(Generic[T]):
    """See the module. Items are hashable by themselves."""

    def __init__(self) -> None:
        self._slots: dict[int, set[T]] = {}
        """By number: those of which some are to be looked at."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, item: T) -> None:
        """See to it that it is taken at its time, which may have come nearer."""
        if item.due == NEVER:
            return
        slot = -int(-item.due // TICK)
        if 0 <= item.slot <= slot:
            return
        self.remove(item)
        self._slots.setdefault(slot, set()).add(item)
        item.slot = slot
        self._count += 1

    def remove(self, item: T) -> None:
        """Idempotent."""
        if item.slot < 0:
            return
        items = self._slots[item.slot]
        items.remove(item)
        if not items:
            del self._slots[item.slot]
        item.slot = -1
        self._count -= 1

    def take(self, now: float, most: int) -> Iterator[T]:
        """Those whose time has come, the earliest slot first, each taken out; of `most` that are looked at."""
        for slot in sorted(number for number in self._slots if number * TICK <= now):
            for item in tuple(self._slots.get(slot, ())):
                if most <= 0:
                    return
                most -= 1
                if item.slot != slot:  # what was done with another one has put it elsewhere
                    continue
                self.remove(item)
                if item.due <= now:
                    yield item
                else:
                    self.put(item)

    def has_due(self, now: float) -> bool:
        """Whether there is a slot whose time has come."""
        return any(number * TICK <= now for number in self._slots)
