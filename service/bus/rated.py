"""How often one may change something of presence: token buckets, one for each who did lately, as in
`service.access.buckets`; in bounded memory. Nobody is forgotten whose bucket is not full.

A bucket that nothing was taken from for as long as an empty one takes to be full is full. So there are two halves: what
was taken from goes into the newer one; after that long the older one is let go of as it is, and the newer one is the
older. Nobody has to be looked for, but where there are too many: then those are that are full already.
"""

import math
from collections.abc import Hashable
from typing import Final

from service.core.errors import RateLimitedError
from service.core.rates import Rate

RATED_MAX: Final = 50_000
"""Who has changed something lately, about 120 bytes each."""

SWEEP: Final = 1.0
"""Seconds between two such looks, of some milliseconds each."""

_DIGITS: Final = 1e-6
"""Of seconds: what sums of times are off by is less."""


class Rated:
    """Token buckets, as in `service.access.buckets`."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._each = 1 / rate.a_second
        self._span = rate.burst * self._each
        """Seconds in which an empty one is full again."""
        self._newer: dict[int, float] = {}
        """By the hash of whom: when his is full again. So two share one bucket once in 2^64."""
        self._older: dict[int, float] = {}
        self._turned_at = self._swept_at = -math.inf

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def take(self, who: Hashable, now: float, count: int = 1) -> None:
        """So many at once. Raises RateLimitedError."""
        self.tidy(now)
        key = hash(who)
        known = self._newer.get(key, self._older.get(key))
        full_at = max(now, now if known is None else known) + count * self._each
        wait = full_at - now - self._span
        if wait > _DIGITS:
            rate = self._rate
            raise RateLimitedError(
                f"at most {rate.a_second:g} changes a second, {rate.burst:g} at once", field="member", retry_after=wait
            )
        if known is None and len(self) >= RATED_MAX and not self._sweep(now):
            raise RateLimitedError("too many change something at the moment", field="member", retry_after=SWEEP)
        self._older.pop(key, None)
        self._newer[key] = full_at

    def tidy(self, now: float) -> None:
        """Forget those whose bucket is full for sure: by whoever takes next, or once a second while any is late."""
        if now >= self._turned_at + self._span:
            is_both = now >= self._turned_at + 2 * self._span
            self._older, self._newer = {} if is_both else self._newer, {}
            self._turned_at = now

    def _sweep(self, now: float) -> bool:
        """Forget those whose bucket is full by now, if that was not done just before; whether there is room then."""
        if now >= self._swept_at + SWEEP:
            self._swept_at = now
            self._older = {key: full_at for key, full_at in self._older.items() if full_at > now}
            self._newer = {key: full_at for key, full_at in self._newer.items() if full_at > now}
        return len(self) < RATED_MAX
