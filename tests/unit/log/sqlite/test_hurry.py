"""The interval in which threads take turns is short while a job is late, and only then."""

import asyncio
import sys
from collections.abc import Iterator

import pytest

from service.log.sqlite.hurry import LATE, SHORT, Hurry


@pytest.fixture
def usual() -> Iterator[float]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield sys.getswitchinterval()
    sys.setswitchinterval(before)


async def test_a_job_that_is_late_is_given_way(usual: float) -> None:
    with Hurry():
        assert sys.getswitchinterval() == usual
        async with asyncio.timeout(10):
            while sys.getswitchinterval() == usual:
                await asyncio.sleep(LATE)
        assert sys.getswitchinterval() == pytest.approx(SHORT)
    assert sys.getswitchinterval() == usual


async def test_a_job_in_time_changes_nothing(usual: float) -> None:
    hurry = Hurry()
    for _ in range(3):
        with hurry:
            pass
    await asyncio.sleep(2 * LATE)
    assert sys.getswitchinterval() == usual


async def test_an_interval_that_is_short_anyway_stays(usual: float) -> None:
    sys.setswitchinterval(SHORT / 2)
    with Hurry():
        await asyncio.sleep(2 * LATE)
    assert sys.getswitchinterval() == pytest.approx(SHORT / 2)
