"""What retention took from under a reader: the floors that were raised since a moment.

A filter's own floor is not enough, since it is the highest of all its topics. Say a filter covers `a` and `b`:

    moment  raised          the filter's floor   since(0)  since(1)  since(2)
    1       a up to 50      50                   50        0
    2       b up to 9       50 still             50        9         0
    3       b up to 20      50 still             50        20        20

A reader that began after moment 1 stands at 2, among the old events of `b`. It knows of the 50, or asked for what
is left (`earliest`), and is owed the events of `b` from 3 on. At moment 2 some of them go, and the filter's floor
says nothing new: a reader that looked for a change there would miss it, and one that took any floor above its cursor
for a loss would see a gap at every page. `since(1)` is 9, which is above 2: that is the gap.

Of two floors the one raised later and no lower hides the earlier one from everybody who asks, so only those are kept
that fall from the oldest to the newest: above, the 9 is dropped for the 20.
"""

from typing import Final

_FLOORS_MAX: Final = 256
"""Floors that are told apart; the lowest of more are taken for the one above them, so that none is told too low."""


class Floors:
    """The floors that were raised under a filter, as far as it takes to know the highest since any moment."""

    __slots__ = ("_falling", "moment")

    def __init__(self) -> None:
        self.moment = 0
        """How many floors were raised so far. A reader remembers it as the moment up to which it was told."""
        self._falling: list[tuple[int, int]] = []
        """(moment, floor): moments rise, floors fall."""

    def add(self, floor: int) -> None:
        """What was raised earlier, but no higher, is of no interest any more."""
        self.moment += 1
        while self._falling and (self._falling[-1][1] <= floor or len(self._falling) >= _FLOORS_MAX):
            floor = max(floor, self._falling.pop()[1])
        self._falling.append((self.moment, floor))

    def since(self, moment: int) -> int:
        """The highest floor that was raised after `moment`; 0 if none was."""
        return next((floor for raised, floor in self._falling if raised > moment), 0)
