"""Replays take turns, and leave most of the time to what is live.

A publish takes some turns of the event loop, and each would be as long as the pages of all replays together: with
fifty at once a tenth of a second instead of three milliseconds.

Rule 1: readers are let in first come, first served; who comes while others wait, waits behind them.
Rule 2: a turn lasts TURN seconds, for as many readers as fit. None is let in once it is over; none is cut off.
Rule 3: nobody who leaves holds up the others: the loop's timers end turns, not the readers.

    state  is_free  until      who comes now          then
    free   yes      any        reads at once          `take` begins a turn: open
    open   no       ahead      reads at once, unless  it is over by itself. `_end`: lets one more in if somebody waits,
                               somebody waits         else as below
    over   no       past       waits                  `_end`: a pause if something is published, else `_next`
    pause  no       -infinity  waits                  `_next`, PAUSE seconds later

`_next` lets in those who wait and begins a turn, or finds nobody: free. It lets in one, or more where the loop's own
turns are so long that one in each would be less than SHARE of the time, by what a reader took the last times: a search
takes many times a page.

While it is not free, exactly one timer is under way, `_end` (in the next turn of the loop) or `_next` (after a pause);
while it is free there is none, and nobody waits. So whoever waits is let in by somebody who is sure to come.

How long the readers take is known, since nothing of others runs between `_mark` and `_end`: all that is asked for in
one step runs in its order.

Who runs where. `take` runs in the readers' tasks, `_end` and `_next` in the loop. A reader that is let in reads in the
next turn of the loop, before the `_end` that was asked for behind it: so that one sees how long it took.

What holds at the one `await`, in `take`: whoever comes back from it may find that another has read the same page, or
that the head or a floor has moved. It may read now, and has no claim beyond that.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from service.core.time import Clock

TURN: Final = 0.0005
"""Seconds of reading in one turn of the event loop, about a page."""

PAUSE: Final = 0.001
"""Seconds without reading after each turn while something is published."""

SHARE: Final = 1 / 3
"""Of the time, for reading: what PAUSE makes of it, and what readers get where the loop's own turns are long."""

LATELY: Final = 0.1
"""Seconds for which what was published counts as something that is: there may be more."""

READERS_MAX: Final = 10
"""That are let in at once to make up for a long turn of the loop."""


class Turns:
    """`is_busy` tells whether something is being published or fanned out at the moment."""

    def __init__(self, is_busy: Callable[[], bool], clock: Clock) -> None:
        self._is_busy = is_busy
        self._now = clock.monotonic
        self._is_free = True
        """No turn and no pause: nobody waits, and no timer is under way."""
        self._began = -math.inf
        """When the turn began, in seconds: `_next` makes up for the time since."""
        self._until = -math.inf
        """When it is over; -infinity in a pause."""
        self._marked = -math.inf
        """When those who were let in last began to read, and how many they were."""
        self._readers = 0
        self._each = TURN
        """Seconds that a reader takes, of late; TURN at least."""
        self._busy = -math.inf
        """When a turn ended last while something was published."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        """Readers in the order they came; those that were cancelled are in it until their turn."""

    async def take(self) -> None:
        """Return at once, or later if readers have had their turn. First come, first served."""
        now = self._now()
        if self._is_free:
            self._begin(now)
        elif self._waiting or now >= self._until:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    @property
    def are_shared(self) -> bool:
        """Whether something was published lately: then what is read in one turn should be little."""
        return self._now() - self._busy < LATELY

    def _begin(self, now: float) -> None:
        self._is_free = False
        self._began, self._until = now, now + TURN
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """In the next turn of the event loop, after those who were let in have read."""
        loop = asyncio.get_running_loop()
        now = self._now()
        if self._readers:
            taken = (now - self._marked) / self._readers
            self._each = max(TURN, (self._each + taken) / 2)
            self._readers = 0
        if self._waiting and now < self._until:  # they read little: there is room for one more
            self._let_in(1)
            loop.call_soon(self._end)
        elif self._is_busy():
            self._busy = now
            self._until = -math.inf
            loop.call_later(PAUSE, self._next)
        else:
            self._next()

    def _next(self) -> None:
        now = self._now()
        self._is_free = not self._waiting
        if self._waiting:
            self._let_in(max(1, min(READERS_MAX, int((now - self._began) * SHARE / self._each))))
            self._begin(now)

    def _let_in(self, most: int) -> None:
        asyncio.get_running_loop().call_soon(self._mark)
        while self._readers < most and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its reader was not cancelled meanwhile
                turn.set_result(None)
                self._readers += 1

    def _mark(self) -> None:
        self._marked = self._now()
