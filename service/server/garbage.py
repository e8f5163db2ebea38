"""When Python's garbage collector looks at what: never at everything while somebody waits.

A full collection looks at every object and stops the service meanwhile: a millisecond for a thousand, so 80 ms for what
is loaded and remembered, and a quarter of a second more with 10,000 connections. The interpreter would start one
whenever a quarter of all objects is new. Nearly all garbage here goes without it, as nothing refers to it any more, and
what refers to itself dies young. So what has lived for a while is looked at once, while it is little, and then set
aside (`gc.freeze`). Only what comes to refer to itself after that waits until nobody is connected: ended streams leave
none. Where somebody always is and something always happens, it waits until so much was set aside that half of it may be
garbage: then everybody waits once, which is better than memory without a bound.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 1.0
"""Seconds between two decisions."""

YOUNG: Final = 3_000
"""New objects before Python looks for cycles among them: a millisecond, or three if none of them has gone.
Python's 700 are less than one batch of events makes, which die without it."""

MIDDLE: Final = 1
"""Such looks before it looks, with the next, again at what has outlived them: nine milliseconds if none has gone."""

NEVER: Final = 1_000_000
"""Such looks again before Python itself looks at everything."""

MANY: Final = 3_000
"""Objects that have outlived both before they are looked at and set aside, for some milliseconds."""

STEP: Final = 6_000
"""Objects that one look may be at. If a crowd has brought more in a second, they are set aside unseen."""

LEAST: Final = 500
"""Streams that must have ended since the last look at everything, if nobody is connected."""

MOST: Final = 20_000
"""As many, before the next quiet moment will do."""

ASIDE: Final = 200_000
"""Objects set aside before they are counted: most of them have gone since, as nothing refers to them any more."""

SPARE: Final = 100_000
"""That may be there beyond twice what was left by the last look at everything."""


class GarbageKeeper:
    """Told how many streams were opened and have ended since the start of the service."""

    def __init__(self) -> None:
        self._ended = 0
        self._looks = 0
        self._aside = 0
        """Objects set aside since they were counted."""
        self._left = 0
        """Of all, after the last look at everything."""

    def start(self) -> None:
        """Once everything is loaded: it stays, and need not be looked at again, nor now, which would take 0.1 s."""
        gc.freeze()
        self._left = gc.get_freeze_count()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)

    async def run(self, streams: Callable[[], tuple[int, int]], published: Callable[[], int]) -> None:
        """Decide from time to time, until cancelled. `published` counts events."""
        before = published()
        while True:
            await asyncio.sleep(INTERVAL)
            now = published()
            self.look(*streams(), is_quiet=now == before)
            before = now

    def look(self, opened: int, ended: int, *, is_quiet: bool) -> None:
        """One decision: look at everything, at what is new and old enough to stay, or at nothing.

        `opened` and `ended` count streams since the start; `is_quiet`: nothing was published since the last decision.
        """
        most = LEAST if opened == ended else MOST
        if (is_quiet and ended - self._ended >= most) or self._is_full():
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._ended, self._aside, self._left = ended, 0, gc.get_freeze_count()
        elif gc.get_count()[2] != self._looks:
            self._set_aside()
        self._looks = gc.get_count()[2]

    def _is_full(self) -> bool:
        """Whether so much is set aside that it has to be looked at, whoever waits."""
        if self._aside < ASIDE:
            return False
        self._aside = 0
        return gc.get_freeze_count() > 2 * self._left + SPARE

    def _set_aside(self) -> None:
        """After a look of Python's at what has outlived a first one: the old may have become many."""
        came = len(gc.get_objects(generation=2))
        if came < MANY:
            return
        gc.collect(2 if came <= STEP else 1)
        gc.freeze()
        self._aside += came
