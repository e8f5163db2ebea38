"""How far subscribers are behind: their cursors, held against the head."""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from service.bus.subscription import State, Subscription

QUANTILES: Final = (0.5, 0.9, 0.99, 1.0)

STEP: Final = 1_000
"""Subscribers that are looked at in one step, about half a millisecond."""


class Lag(NamedTuple):
    """Of all streams, in events of the log: how far behind a share of them, `QUANTILES`, is at most; and how many are
    not live.
    """

    quantiles: tuple[int, ...]
    behind: int


NO_LAG: Final = Lag((0,) * len(QUANTILES), 0)


async def measure(subscriptions: Iterable[Subscription[Any]], head: Callable[[], int]) -> Lag:
    """Each against the head of the moment at which it is looked at. Others have turns in between."""
    behind, late, total = 0, list[int](), 0
    for total, one in enumerate(subscriptions, 1):
        behind += one.state is State.REPLAYING
        lag = head() - one.position
        if lag > 0:  # most of them are not, and there may be very many
            late.append(lag)
        if total % STEP == 0:
            await asyncio.sleep(0)
    late.sort()
    return Lag(tuple(_rank(late, total, quantile) for quantile in QUANTILES), behind)


def _rank(late: Sequence[int], total: int, quantile: float) -> int:
    """The smallest lag that so large a share of them all does not exceed: `late` are those that have one, in order."""
    at = math.ceil(quantile * total) - 1 - (total - len(late))
    return late[at] if at >= 0 else 0
