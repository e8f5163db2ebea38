"""Whether everybody is being sent away, and when each may come back. One value, shared by all who need to know.

    state       readiness   new streams, changes   open streams, waiting polls
    serving     200         let in                 stay
    announced   503         let in                 stay
    begun       503         503                    told to go, answered

Announced is for those in front: a balancer that looks every few seconds shall have stopped sending clients here before
the first of them is refused. Nobody else can tell it from serving.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from service.core.limits import RETRY_MIN_MS

RETURN_MS_PER_STREAM: Final = 10
RETURN_MS_MAX: Final = 30_000
"""After a restart, clients come back spread over 10 ms each: 100 connects a second, within 30 s at most."""

SLICE: Final = 100
"""Told in one step of the loop: thousands of polls that are answered in one would hold it for seconds."""


class Drain:
    """Announced, then begun, once, at the end; never taken back."""

    def __init__(self) -> None:
        self._is_announced = False
        self._has_begun = False
        self._waiting: dict[Callable[[], None], None] = {}  # told when it begins, in the order they came
        self._crowd = 0  # how many were there when it began: they all come back, also those who left meanwhile

    @property
    def is_announced(self) -> bool:
        """Whether readiness says so. It goes on when the drain has begun."""
        return self._is_announced

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    def announce(self) -> None:
        """It will begin soon. Idempotent."""
        self._is_announced = True

    def begin(self, crowd: int = 0) -> None:
        """Idempotent: the first crowd counts, unless it was nobody."""
        self._crowd = self._crowd or crowd
        if not self._has_begun:
            self._is_announced = self._has_begun = True
            self._tell()

    def _tell(self) -> None:
        """Some in this step, and the others in the next ones, unless they leave before that."""
        for callback in list(islice(self._waiting, SLICE)):
            del self._waiting[callback]
            callback()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._tell)

    @contextlib.contextmanager
    def telling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Inside, `callback` is called once it begins, or now if it has: it must not block or raise."""
        if self._has_begun:
            callback()
        else:
            self._waiting[callback] = None
        try:
            yield
        finally:
            self._waiting.pop(callback, None)

    def return_delay(self, present: int = 0) -> int:
        """Milliseconds after which one may come back: random, and more with more of them."""
        spread = min(RETURN_MS_MAX, 2 * RETRY_MIN_MS + RETURN_MS_PER_STREAM * max(self._crowd, present))
        return random.randint(RETRY_MIN_MS, spread)
