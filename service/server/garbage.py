"""When Python's garbage collector looks at what: not at ten thousand connections while events are sent to them.

A full collection looks at every object, some sixty of them a connection, and stops the service meanwhile: a quarter
of a second with 10,000. The interpreter starts one whenever a quarter of all objects is new, which a busy log
brings about every second. Connections live long, so what they hold is set aside (`gc.freeze`) and looked at again when
about as many of them have ended as are open, as soon as nothing is published for a moment.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 1.0
"""Seconds between two decisions."""

YOUNG: Final = 15_000
"""New objects before Python looks for cycles among them, a millisecond or two; if all of them are garbage, ten.
Python's 700 are less than one batch of events makes, which die without it."""

MIDDLE: Final = 2
"""Such looks before it looks again at what has outlived them: some milliseconds."""

OLD: Final = 250
"""Such looks again before it looks at everything, a hundred thousand objects of a busy service, for forty milliseconds.
What is garbage by then is little, and `GarbageKeeper` looks for it too."""

LEAST: Final = 500
"""Streams that must have come or gone before anything is done."""

REST: Final = 60
"""Decisions between two full collections."""

PATIENCE: Final = 4
"""Times as many streams may have ended before the collection no longer waits for a quiet moment."""


class GarbageKeeper:
    """Told how many streams were opened and have ended since the start of the service."""

    def __init__(self) -> None:
        self._aside = 0
        self._ended = 0
        self._rest = 0

    def start(self) -> None:
        """Once everything is loaded: it stays, and need not be looked at again, nor now, which would take 0.1 s."""
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, OLD)

    async def run(self, streams: Callable[[], tuple[int, int]], published: Callable[[], int]) -> None:
        """Decide from time to time, until cancelled. `published` counts events."""
        before = published()
        while True:
            await asyncio.sleep(INTERVAL)
            now = published()
            self.look(*streams(), is_quiet=now == before)
            before = now

    def look(self, opened: int, ended: int, *, is_quiet: bool) -> None:
        """One decision: collect, set aside what came since, or leave things as they are.

        `opened` and `ended` count streams since the start; `is_quiet`: nothing was published since the last decision.
        """
        alive = opened - ended
        self._rest = max(0, self._rest - 1)
        many = max(LEAST, alive) * (1 if is_quiet else PATIENCE)
        if self._aside and not self._rest and ended - self._ended >= many:
            gc.unfreeze()
            gc.collect()
            self._ended = ended
            self._rest = REST
        elif alive - self._aside < max(LEAST, self._aside / 4):
            return
        gc.freeze()
        self._aside = alive
