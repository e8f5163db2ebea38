"""Reads leave the event loop while the disk is slow, and come back to it."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from service.core.topics import TopicFilter
from service.log.sqlite.drivers import driver
from service.log.sqlite.slow import CALM, QUICK, SLOW, THREADS, Readers
from tests.support.clock import ManualClock
from tests.unit.log.rigs import ALL, PLENTY, Parts, drafts

LOOP = threading.main_thread()


class DiskClock(ManualClock):
    """`wait` is time in which the processor has nothing to do, `compute` time in which it has."""

    def __init__(self) -> None:
        super().__init__()
        self._waited = 0.0

    def wait(self, seconds: float) -> None:
        self._waited += seconds
        self.advance(seconds)

    def compute(self, seconds: float) -> None:
        self.advance(seconds)

    def worked(self) -> float:
        return self.monotonic() - self._waited


@pytest.fixture
def clock() -> DiskClock:
    return DiskClock()


def on(clock: DiskClock, wait: float = 0.0, compute: float = 0.0) -> Callable[[Any], threading.Thread]:
    """A read that takes so long; where it was done."""

    def read(connection: Any) -> threading.Thread:
        connection.execute("SELECT count(*) FROM events").fetchone()
        clock.wait(wait)
        clock.compute(compute)
        return threading.current_thread()

    return read


@pytest.fixture
def readers(parts: Parts, clock: DiskClock) -> Any:
    readers = Readers(parts.path, clock)
    yield readers
    readers.close()


async def test_a_read_that_waited_sends_the_next_to_threads_until_one_is_quick(
    readers: Readers, clock: DiskClock
) -> None:
    assert await readers.run(on(clock)) is LOOP
    assert await readers.run(on(clock, wait=2 * SLOW)) is LOOP, "nobody knew"
    assert await readers.run(on(clock, wait=2 * QUICK)) is not LOOP
    assert await readers.run(on(clock, wait=QUICK / 2)) is not LOOP
    assert await readers.run(on(clock)) is not LOOP, "one that is quick says little, so soon after one that was slow"
    clock.advance(CALM)
    assert await readers.run(on(clock, wait=2 * QUICK)) is not LOOP
    assert await readers.run(on(clock)) is not LOOP
    assert await readers.run(on(clock)) is LOOP


async def test_among_slow_reads_a_quick_one_changes_nothing(readers: Readers, clock: DiskClock) -> None:
    await readers.run(on(clock, wait=2 * SLOW))
    for _ in range(20):
        clock.advance(0.9 * CALM)
        assert await readers.run(on(clock)) is not LOOP
        assert await readers.run(on(clock, wait=2 * SLOW)) is not LOOP


MANY: Final = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 2000) SELECT wait(n) FROM n"


@pytest.mark.parametrize(("wait", "compute", "loops_rows"), [(SLOW / 4, 0, 60), (0, SLOW / 4, 2_000)])
async def test_a_read_that_turns_out_to_wait_is_ended_and_done_on_a_thread(
    readers: Readers, clock: DiskClock, wait: float, compute: float, loops_rows: int
) -> None:
    """One that computes is not: it would take the interpreter from the loop."""
    rows = dict.fromkeys((True, False), 0)

    def row(n: int) -> int:
        on_loop = threading.current_thread() is LOOP
        rows[on_loop] += 1
        clock.wait(wait if on_loop else 0)
        clock.compute(compute)
        return n

    def read(connection: Any) -> int:
        connection.create_function("wait", 1, row)
        return len(connection.execute(MANY).fetchall())

    assert await readers.run(read) == 2_000
    assert 0 < rows[True] <= loops_rows
    assert rows[False] == (2_000 if wait else 0)
    assert readers.is_slow == bool(wait)
    if wait:  # while it is in doubt, sooner
        for _ in range(2):
            clock.advance(CALM)
            await readers.run(on(clock))
            assert not readers.is_slow
            rows[True] = 0
            await readers.run(read)
            assert 0 < rows[True] <= 15


async def test_a_transaction_ends_with_its_read_however_that_ended(readers: Readers, clock: DiskClock) -> None:
    """A ROLLBACK that was ended as late left the loop's reads in the past until the process ended: CI, once in a
    thousand runs, on a disk that was slow just then.
    """

    def read(connection: Any, wait: float = 0.0, is_refused: bool = False) -> int:
        connection.execute("BEGIN")
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        if is_refused:
            connection.execute("SELECT nothing")
        clock.wait(wait if threading.current_thread() is LOOP else 0)
        return int(count)

    for round in range(60):  # SQLite asks after so many steps of a statement, counted over all times it was run
        await readers.run(partial(read, wait=2 * SLOW if round % 2 else 0))
        assert not readers.connection.in_transaction
        with pytest.raises(driver.OperationalError):
            await readers.run(partial(read, is_refused=True))
        assert not readers.connection.in_transaction
        clock.advance(2 * CALM)
        await readers.run(on(clock))


async def test_what_sqlite_refuses_is_told_and_not_tried_again(readers: Readers) -> None:
    tries = 0

    def read(connection: Any) -> None:
        nonlocal tries
        tries += 1
        connection.execute("SELECT 1 FROM nowhere")

    with pytest.raises(driver.OperationalError, match="nowhere"):
        await readers.run(read)
    assert tries == 1


async def test_a_read_that_only_computes_stays(readers: Readers, clock: DiskClock) -> None:
    assert await readers.run(on(clock, compute=10 * SLOW)) is LOOP
    assert await readers.run(on(clock)) is LOOP


async def test_the_loop_goes_on_while_threads_wait_and_they_are_few(readers: Readers) -> None:
    readers.is_slow = True
    gate = threading.Semaphore(0)
    at_work: set[threading.Thread] = set()

    def read(connection: Any) -> None:
        at_work.add(threading.current_thread())
        assert gate.acquire(timeout=20)

    reads = [asyncio.create_task(readers.run(read)) for _ in range(3 * THREADS)]
    async with asyncio.timeout(20):
        while len(at_work) < THREADS:
            await asyncio.sleep(0)
    gate.release(len(reads))
    readers.is_slow = True
    await asyncio.gather(*reads)
    assert len(at_work) == THREADS


async def test_what_a_read_raises_comes_out_of_either_place(readers: Readers) -> None:
    def fail(connection: Any) -> None:
        raise ValueError("no such row")

    for is_slow in (False, True):
        readers.is_slow = is_slow
        with pytest.raises(ValueError, match="no such row"):
            await readers.run(fail)


async def test_pages_read_on_threads_are_those_of_the_loop(parts: Parts) -> None:
    for n in range(40):
        await parts.writer.append(drafts(f"t{n}", 3), ())
    filters = (ALL, TopicFilter(("t1",)), TopicFilter(("t1", "t2")), TopicFilter(("*",)), TopicFilter(("none",)))
    for topics in filters:
        for newest_first in (False, True):
            for type in (None, "log", "other"):
                pages = []
                for is_slow in (False, True):
                    parts.reader.readers.is_slow = is_slow
                    pages.append(await parts.reader.page(topics, 3, 100, 50, PLENTY, newest_first, type))
                assert pages[0] == pages[1]


async def test_what_is_trimmed_while_a_thread_reads_is_covered_by_the_floor(parts: Parts) -> None:
    """The page's floor is of when its rows are there."""
    await parts.writer.append(drafts("a", 10), ())
    topic = parts.registry.get("a")
    assert topic is not None
    parts.reader.readers.is_slow = True
    page = asyncio.create_task(parts.reader.page(TopicFilter(("a",)), 0, parts.head + 1, 50, PLENTY))
    await asyncio.sleep(0)
    await parts.trimmer.to_count(topic, 2)
    found = await page
    missing = {*range(1, 11)} - {event.offset for event in found.events}
    assert max(missing, default=0) <= found.floor
