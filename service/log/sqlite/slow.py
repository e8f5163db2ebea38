"""Where a read is done: on the event loop while the disk is quick, on a few threads while it is not.

A page of a few hundred rows that lie in memory takes less time than handing it to a thread, which would fight the busy
loop for the interpreter at every row. But four hundred rows of a cold topic may be four hundred reads of the disk, and
at 5 ms each the loop stands for two seconds, and everybody with it.

    state  a read runs         leads to
    quick  on the loop         slow: one waited longer than SLOW for something else than the processor
    slow   on a thread         quick: one waited less than QUICK, and none longer than SLOW for CALM

The read that finds out is not waited for: SQLite asks every so many instructions how it goes, and ends it, so that it
is begun anew on a thread. So `work` may be done twice, the second time on another connection.

Only waiting counts: a read that computes for long is as long on a thread, and takes the interpreter from the loop. And
among slow reads there are always quick ones, of pages in memory: these alone say nothing of the disk.

Who runs where. `run` is called on the loop. The work gets a connection of its own, and may touch nothing that the loop
changes: what it needs of memory is looked up before.

A transaction that the work begins is ended here, once nobody asks how it goes any more: SQLite asks in the midst of a
ROLLBACK too, and one that is ended leaves its transaction open, in which every later read would find the log of then.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from service.core.time import Clock
from service.log.sqlite.database import Connection, connect_reader
from service.log.sqlite.drivers import driver

T = TypeVar("T")

SLOW: Final = 0.004
QUICK: Final = 0.001
"""Seconds of waiting in one read."""

CALM: Final = 1.0
"""Seconds."""

LOOK: Final = 400
"""SQLite's instructions between two looks at the time: about 25 rows, each of which may be a read or two of the disk.
A look costs as much as a row, so they are few."""

LOOK_OFTEN: Final = 50
"""The same while the disk is in doubt."""

DOUBT: Final = 60.0
"""Seconds after a read that was slow, in which another is expected."""

THREADS: Final = 3
"""So that a slow page does not hold up the others; more would wait for the same disk."""


class Readers:
    """One connection for the loop, and one for each thread, opened when there is need of it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self.connection: Final = connect_reader(path)
        """The loop's."""
        self._is_doubted = False
        self.connection.set_progress_handler(self._is_late, LOOK)
        self._began: tuple[float, float] | None = None
        """When the loop's read did, and how long the processor had worked by then; while there is one."""
        self.is_slow = False
        self._last_slow = 0.0
        """When a read was, on the monotonic clock."""
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._opened: list[Connection] = []
        """The threads', one each."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What `work(connection)` returns. Raises what it raises."""
        if not self.is_slow:
            self._began = self._clock.monotonic(), self._clock.worked()
            if self._is_doubted and self._began[0] > self._last_slow + DOUBT:
                self._doubt(False)
            try:
                result, waited = self._timed(work, self.connection)
            except driver.OperationalError:
                if not self.is_slow:
                    raise
            else:
                if waited > SLOW:
                    self._found_slow()
                return result
            finally:
                self._began = None
                _end_transaction(self.connection)
                if self.is_slow and not self._is_doubted:
                    self._doubt(True)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="log-reader")
        result, waited = await asyncio.get_running_loop().run_in_executor(self._pool, self._on_thread, work)
        if waited > SLOW:
            self._found_slow()
        elif waited < QUICK and self._clock.monotonic() >= self._last_slow + CALM:
            self.is_slow = False
        return result

    def _found_slow(self) -> None:
        self.is_slow, self._last_slow = True, self._clock.monotonic()

    def _doubt(self, is_doubted: bool) -> None:
        self._is_doubted = is_doubted
        self.connection.set_progress_handler(self._is_late, LOOK_OFTEN if is_doubted else LOOK)

    def _is_late(self) -> bool:
        """Asked by SQLite in the midst of a read on the loop, which ends if so."""
        if self._began is None:
            return False
        began, worked = self._began
        taken = self._clock.monotonic() - began
        if taken <= SLOW or taken - (self._clock.worked() - worked) <= SLOW:
            return False
        self._found_slow()
        return True

    def _on_thread(self, work: Callable[[Connection], T]) -> tuple[T, float]:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = connect_reader(self._path)
            self._opened.append(connection)
        try:
            return self._timed(work, connection)
        finally:
            _end_transaction(connection)

    def _timed(self, work: Callable[[Connection], T], connection: Connection) -> tuple[T, float]:
        """The result, and the seconds in which the processor had nothing to do with it."""
        began, worked = self._clock.monotonic(), self._clock.worked()
        result = work(connection)
        return result, (self._clock.monotonic() - began) - (self._clock.worked() - worked)

    def close(self) -> None:
        """Waits for reads that are under way."""
        if self._pool is not None:
            self._pool.shutdown()
        for connection in (self.connection, *self._opened):
            connection.close()


def _end_transaction(connection: Connection) -> None:
    """Of a read: there is nothing to commit."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
