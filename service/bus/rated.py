"""How often one may change something of presence: token buckets, one for each who did lately, as in
`service.access.buckets`; in bounded memory. Nobody is forgotten whose bucket is not full.
"""

from typing import Final

from service.core.errors import RateLimitedError
from service.core.rates import Rate

RATED_MAX: Final = 50_000
"""Who has changed something lately, about 200 bytes each."""

RATED_LEAST: Final = 1_000
"""So few are not looked at."""

_DIGITS: Final = 1e-6
"""Of seconds: what sums of times are off by is less."""


class Rated:
    """Token buckets, as in `service.access.buckets`."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._each = 1 / rate.a_second
        self._full_at: dict[str, float] = {}
        """By whom: when his is full again."""
        self._most = RATED_LEAST
        """With so many, those that are full are forgotten."""

    def take(self, who: str, now: float, count: int = 1) -> None:
        """So many at once. Raises RateLimitedError."""
        full_at = max(now, self._full_at.get(who, now)) + count * self._each
        wait = full_at - now - self._rate.burst * self._each
        if wait > _DIGITS:
            rate = self._rate
            raise RateLimitedError(
                f"at most {rate.a_second:g} changes a second, {rate.burst:g} at once", field="member", retry_after=wait
            )
        if len(self._full_at) >= self._most and who not in self._full_at:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}
            self._most = min(RATED_MAX, max(RATED_LEAST, 2 * len(self._full_at)))
            if len(self._full_at) >= RATED_MAX:
                raise RateLimitedError("too many change something at the moment", field="member", retry_after=1.0)
        self._full_at[who] = full_at
