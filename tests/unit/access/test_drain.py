"""Sending everybody away: when it has begun, and when each may come back."""

import asyncio
from contextlib import ExitStack
from functools import partial

from service.access.drain import RETURN_MS_MAX, SLICE, Drain
from service.core.limits import RETRY_MIN_MS


def test_who_waits_is_told_once_when_it_begins_and_not_after_leaving() -> None:
    drain, told = Drain(), []
    with drain.telling(lambda: told.append("left")):
        assert not drain.has_begun
    with drain.telling(lambda: told.append("stayed")):
        assert told == []
        drain.begin()
        drain.begin()
        assert drain.has_begun
        assert told == ["stayed"]
    with drain.telling(lambda: told.append("came late")):
        assert told == ["stayed", "came late"]


async def test_a_crowd_is_told_a_slice_in_each_step_of_the_loop() -> None:
    drain, told = Drain(), []
    with ExitStack() as inside:
        for number in range(2 * SLICE + 1):
            inside.enter_context(drain.telling(partial(told.append, number)))
        leaves = drain.telling(lambda: told.append(-1))
        leaves.__enter__()
        drain.begin()
        assert told == list(range(SLICE))
        drain.begin()
        assert len(told) == SLICE, "nobody is told by two at once"
        leaves.__exit__(None, None, None)
        await asyncio.sleep(0)
        assert len(told) == 2 * SLICE
        await asyncio.sleep(0)
    assert told == list(range(2 * SLICE + 1)), "not who left before his turn"


async def test_clients_come_back_spread_over_the_number_of_them() -> None:
    drain = Drain()
    alone = [drain.return_delay() for _ in range(200)]
    assert RETRY_MIN_MS <= min(alone) <= max(alone) <= 2 * RETRY_MIN_MS
    drain.begin(1_000)
    crowd = [drain.return_delay() for _ in range(500)]
    assert max(crowd) <= 2 * RETRY_MIN_MS + 10_000
    assert max(crowd) - min(crowd) > 5_000
    assert all(drain.return_delay(10**9) <= RETURN_MS_MAX for _ in range(200))


async def test_the_crowd_of_the_beginning_counts_also_when_most_have_left() -> None:
    drain = Drain()
    drain.begin(1_000)
    drain.begin(1)
    assert max(drain.return_delay(1) for _ in range(500)) > 2 * RETRY_MIN_MS + 10


def test_it_is_announced_before_it_begins_or_with_it() -> None:
    drain = Drain()
    assert (drain.is_announced, drain.has_begun) == (False, False)
    drain.announce()
    assert (drain.is_announced, drain.has_begun) == (True, False)
    drain.begin()
    assert (drain.is_announced, drain.has_begun) == (True, True)
    at_once = Drain()
    at_once.begin()
    assert at_once.is_announced


def test_who_waits_is_not_told_by_the_announcement() -> None:
    drain, told = Drain(), []
    with drain.telling(lambda: told.append("waits")):
        drain.announce()
        assert told == []
        drain.begin()
        assert told == ["waits"]
