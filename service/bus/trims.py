"""Trims as jobs: each goes on without whoever asked for it, and is remembered for a while after its end.

They run one after another, since two at once would only share the writer; who asks for what runs or waits already
joins it.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import structlog

from service.core.errors import OverloadedError, TwinwireError, UnavailableError, unforeseen
from service.core.topics import TopicFilter
from service.log.base import Progress

logger = structlog.get_logger(__name__)

State = Literal["running", "done", "failed"]

JOBS_MAX: Final = 16
"""Jobs that run or wait at a time: each is a filter and a few numbers, but somebody has to wait for all before."""

REMEMBERED: Final = 100
"""Jobs that can still be asked for after their end, the last ones."""

Trim = Callable[[TopicFilter, int, Progress], Awaitable[int]]


class TrimJob:
    """`removed` and `left` are numbers of events, `left` about; `error` is why it failed."""

    def __init__(self, topics: TopicFilter, keep: int) -> None:
        self.id: Final = secrets.token_hex(8)
        self.topics: Final = topics
        self.keep: Final = keep
        self.removed = 0
        self.left: int | None = None
        """None until it was counted."""
        self.error: TwinwireError | None = None
        self.ended: Final = asyncio.Event()

    @property
    def state(self) -> State:
        if not self.ended.is_set():
            return "running"
        return "done" if self.error is None else "failed"

    def told(self, removed: int, left: int) -> None:
        self.removed, self.left = removed, left

    async def wait(self, seconds: float) -> bool:
        """Whether it has ended, at once or within so many seconds. Raises what it failed with."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            return False
        if self.error is not None:
            raise self.error
        return True


class TrimJobs:
    """`trim` is the bus's. `close` it before the log."""

    def __init__(self, trim: Trim) -> None:
        self._trim = trim
        self._jobs: dict[str, TrimJob] = {}
        """In the order in which they were begun."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def begin(self, topics: TopicFilter, keep: int) -> TrimJob:
        """A new job, or an equal one that has not ended. Raises OverloadedError if too many have not."""
        going_on = [job for job in self._jobs.values() if not job.ended.is_set()]
        for job in going_on:
            if (job.topics, job.keep) == (topics, keep):
                return job
        if len(going_on) >= JOBS_MAX:
            raise OverloadedError(f"{JOBS_MAX} trims are under way")
        job = TrimJob(topics, keep)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._run(job), name="trim")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def find(self, id: str) -> TrimJob | None:
        return self._jobs.get(id)

    async def _run(self, job: TrimJob) -> None:
        try:
            async with self._turn:
                job.removed = await self._trim(job.topics, job.keep, job.told)
                job.left = 0
        except TwinwireError as error:
            job.error = error
            logger.warning("trim_failed", reason=error.detail)
        except asyncio.CancelledError:
            job.error = UnavailableError("the service went away")
            raise
        except Exception as error:
            job.error = unforeseen()
            logger.error("trim_failed", exc_info=error)
        finally:
            job.ended.set()
            self._forget()

    def _forget(self) -> None:
        over = [job.id for job in self._jobs.values() if job.ended.is_set()][:-REMEMBERED]
        for id in over:
            del self._jobs[id]

    async def close(self) -> None:
        """End them where they are: what is gone is gone, and what is left stays readable."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
