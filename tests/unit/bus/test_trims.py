"""Trims as jobs: they go on alone, equal ones are one, and they are remembered for a while."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.bus.trims import JOBS_MAX, REMEMBERED, TrimJobs
from service.core.errors import OverloadedError, StorageError, TwinwireError
from service.core.topics import TopicFilter
from service.log.base import Progress
from tests.support.wires import until

A, B = TopicFilter(("a",)), TopicFilter(("b",))


class Trimming:
    """A trim that goes on until it is let go, and may fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[TopicFilter, int]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, topics: TopicFilter, keep: int, told: Progress) -> int:
        self.calls.append((topics, keep))
        told(3, 7)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return 10


@pytest.fixture
async def trimming() -> Trimming:
    return Trimming()


@pytest.fixture
async def jobs(trimming: Trimming) -> AsyncIterator[TrimJobs]:
    jobs = TrimJobs(trimming)
    yield jobs
    await jobs.close()


async def test_a_job_tells_how_far_it_is(jobs: TrimJobs, trimming: Trimming) -> None:
    job = jobs.begin(A, 1)
    assert (job.state, job.removed, job.left) == ("running", 0, None)
    assert not await job.wait(0)
    await until(lambda: job.left == 7)
    assert (job.state, job.removed) == ("running", 3)
    trimming.go.set()
    assert await job.wait(20)
    assert (job.state, job.removed, job.left) == ("done", 10, 0)
    assert jobs.find(job.id) is job


async def test_whoever_asks_may_leave(jobs: TrimJobs, trimming: Trimming) -> None:
    job = jobs.begin(A, 1)
    asking = asyncio.create_task(job.wait(20))
    await until(lambda: bool(trimming.calls))
    asking.cancel()
    await asyncio.wait([asking])
    trimming.go.set()
    assert await job.wait(20)


async def test_an_equal_request_joins_what_runs_and_not_what_is_over(jobs: TrimJobs, trimming: Trimming) -> None:
    first = jobs.begin(A, 1)
    assert jobs.begin(TopicFilter(("a",)), 1) is first
    others = [jobs.begin(A, 2), jobs.begin(B, 1)]
    assert first not in others
    trimming.go.set()
    for job in (first, *others):
        assert await job.wait(20)
    assert trimming.calls == [(A, 1), (A, 2), (B, 1)], "one after another"
    again = jobs.begin(A, 1)
    assert again is not first
    assert await again.wait(20)


@pytest.mark.parametrize("error", [StorageError("broken"), KeyError("a fault of ours")])
async def test_a_job_that_fails_says_so(jobs: TrimJobs, trimming: Trimming, error: Exception) -> None:
    trimming.error = error
    trimming.go.set()
    job = jobs.begin(A, 1)
    with pytest.raises(TwinwireError):
        await job.wait(20)
    assert (job.state, jobs.find(job.id)) == ("failed", job)


async def test_only_so_many_are_under_way_and_remembered(jobs: TrimJobs, trimming: Trimming) -> None:
    begun = [jobs.begin(A, keep) for keep in range(JOBS_MAX)]
    with pytest.raises(OverloadedError):
        jobs.begin(A, JOBS_MAX)
    assert jobs.begin(A, 0) is begun[0], "who joins takes no place"
    trimming.go.set()
    for keep in range(JOBS_MAX, REMEMBERED + 1):
        assert await begun[-1].wait(20)
        begun.append(jobs.begin(A, keep))
    assert await begun[-1].wait(20)
    await until(lambda: jobs.find(begun[0].id) is None)
    assert jobs.find(begun[1].id) is begun[1]


async def test_closing_ends_them_where_they_are(trimming: Trimming) -> None:
    jobs = TrimJobs(trimming)
    job = jobs.begin(A, 1)
    waits = jobs.begin(B, 1)
    await until(lambda: bool(trimming.calls))
    await jobs.close()
    assert (job.state, waits.state, len(trimming.calls)) == ("failed", "failed", 1)
