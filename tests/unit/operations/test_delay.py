"""The loop's delay: how much later a timer goes off than it should."""

import asyncio

import pytest

from service.core.histogram import Histogram
from service.operations.delay import INTERVAL, WINDOW, LoopDelay
from tests.support.clock import ManualClock
from tests.support.wires import until


class LateClock(ManualClock):
    """Sleeping takes longer by the next of these, then it does not end."""

    def __init__(self, *late: float) -> None:
        super().__init__()
        self._late = list(late)

    async def sleep(self, seconds: float) -> None:
        if not self._late:
            await asyncio.Event().wait()
        await super().sleep(seconds + self._late.pop(0))


async def looked(*late: float) -> LoopDelay:
    clock = LateClock(*late)
    delay = LoopDelay(clock)
    delay.start()
    await until(lambda: delay.delays.count == len(late))
    await delay.close()
    assert len(clock.slept) == len(late)
    return delay


async def measured(*late: float) -> Histogram:
    return (await looked(*late)).delays


async def test_what_is_late_is_observed() -> None:
    found = await measured(0.0, 0.004, 0.3)
    assert next(bound for bound, count in found.cumulative() if count >= 2) == 0.005
    assert next(bound for bound, count in found.cumulative() if count == 3) == 0.5
    assert abs(found.sum - 0.304) < 1e-6


async def test_who_is_early_is_not_late() -> None:
    assert (await measured(-0.001)).sum == 0.0


async def test_it_looks_a_few_times_a_second() -> None:
    clock = LateClock(0.0)
    delay = LoopDelay(clock)
    delay.start()
    await until(lambda: delay.delays.count == 1)
    await delay.close()
    assert clock.slept == [INTERVAL]


async def test_one_that_was_never_started_is_closed() -> None:
    await LoopDelay(ManualClock()).close()


async def test_the_worst_is_of_the_last_seconds() -> None:
    seconds = round(WINDOW / INTERVAL)
    assert LoopDelay(ManualClock()).worst == 0.0
    assert (await looked(0.25, *[0.0] * (seconds - 1))).worst == pytest.approx(0.25)
    assert (await looked(0.25, *[0.0] * seconds)).worst == pytest.approx(0.0)
