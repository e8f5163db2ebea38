"""Token buckets, one for each caller, in bounded memory.

A bucket is one number: when it will be full again. Each token that is taken moves that by the time in which one comes
back, and there are as many left as fit between then and now. So one that is full is as good as none, and may be
forgotten: a caller that comes back finds it full, as it would be.

Rule: forgetting one that is not full gives its caller the tokens that he has spent. Where too many callers are there
at a time, those are forgotten that are nearest to full, who get the least of it: whoever stands at his limit is the
last. To get him out, with other addresses, takes as many callers who have spent as much as he has; each of these might
have published in his place.
"""

from typing import Final

from service.core.rates import Rate

CALLERS_MAX: Final = 20_000
"""Callers who have spent something lately, about 200 bytes each. One more takes a look at all, some milliseconds."""

KEPT: Final = 3 / 4
"""Of those that are left by such a look, so that the next 5,000 callers need none."""


DIGITS: Final = 6
"""Of seconds: what sums of tokens are off by, on a clock that has counted for years, is less than the last."""


class Buckets:
    """Of one kind of thing, at one rate. Times are in seconds, of one clock that does not go back."""

    def __init__(self, rate: Rate, most: int = CALLERS_MAX) -> None:
        self.rate: Final = rate
        self._each = 1 / rate.a_second
        self._span = rate.burst * self._each  # in which an empty one is full again
        self._most = most
        self._full_at: dict[str, float] = {}
        """By caller; who is not here has a full one."""

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, who: str, count: float, now: float) -> float:
        """Seconds until so many are there, 0 if they are now. Takes none. `count` is `burst` at most."""
        full_at = max(now, self._full_at.get(who, now)) + count * self._each
        return max(0.0, round(full_at - now - self._span, DIGITS))

    def take(self, who: str, count: float, now: float) -> None:
        """Whether they are there was asked in the same step."""
        full_at = self._full_at.get(who)
        if full_at is None and len(self._full_at) >= self._most:
            self._tidy(now)
        self._full_at[who] = max(now, full_at or now) + count * self._each

    def give(self, who: str, count: float) -> None:
        """Back, as if they had not been taken. One that was forgotten meanwhile has them."""
        full_at = self._full_at.get(who)
        if full_at is not None:
            self._full_at[who] = full_at - count * self._each

    def _tidy(self, now: float) -> None:
        """Forget those that are full; and if these are few, those that are nearest to it."""
        kept = int(self._most * KEPT)
        least = max(now, sorted(self._full_at.values())[-kept])
        left = {who: full_at for who, full_at in self._full_at.items() if full_at >= least and full_at > now}
        alike = [who for who, full_at in left.items() if full_at == least] if len(left) > kept else []
        for who in alike[: len(left) - kept]:
            del left[who]
        self._full_at = left
