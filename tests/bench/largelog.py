"""Logs of millions of events, written straight into their file: over HTTP they would take an hour.

    shape    so many topics with as many events each, and one, if it is asked for, that has as many as `heavy` of them
    order    the log is a row of cycles, in each of which every topic has one event, and the heavy one `heavy`; their
             order changes from cycle to cycle, so that neighbours on a page are not neighbours in the next
    stamps   what the load clients look for in an event's data (native/bench.h): the numbers of a topic follow those of
             the topic before it, so that a client that reads neighbours is held to each event, exactly once
    indexes  are there from the start: their pages are filled in the order of the log, as a service fills them

The schema is what the measured tree's own migrations make of a new file, and its own `verify` says whether all is well.
"""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from service.log.sqlite.database import connect_alone
from tests.bench.measure import Context
from tests.bench.native_tools import ToolError
from tests.bench.servers import Twinwire

EPOCH: Final = "largelog"
HEAVY: Final = "heavy"
"""The topic that has more events than the others."""

X_SHARE: Final = 0.003
"""Of the topics, those whose name ends with /x: `*/x` matches so much of the log."""

_STRIDE: Final = 7_919
"""A prime that divides no number of topics: neighbours in the log's numbers are none in the order of names."""

TIME_DIGITS: Final = 19
"""Of a stamp's clock (native/bench.h); these events were never sent, and their latency means nothing."""

_ORDERS: Final = 16
"""Different orders of topics within a cycle, of which each has its turn."""

_CACHE_KIB: Final = 256 * 1024
"""Of SQLite's pages, while a log is written: the index by topic is written all over."""

_DATA: Final = '{"t":"~%s.%%08d","message":"%s"}'
_EVENT: Final = "INSERT INTO events (offset, topic, prev, time, type, data) VALUES (?, ?, ?, ?, 'log', ?)"
_TOPIC: Final = "INSERT INTO topics (id, name) VALUES (?, ?)"
_COUNTS: Final = "UPDATE topics SET head = ?, count = ?, bytes = ? WHERE id = ?"
LOG: Final = "INSERT INTO log (id, epoch, clean, counted) VALUES (1, ?, 1, ?)"

_BYTES_AN_EVENT: Final = 100
"""On disk beside the filling in its data, about, with the indexes."""

_BYTES_A_TOPIC: Final = 90
SPARE: Final = 1 << 30
"""Bytes of the disk that are left for journals, and for whoever else writes there."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`each` events on each of so many topics; `heavy` times as many on one more, none if it is 0.

    `pad` is the filling in each event's data, in bytes.
    """

    topics: int
    each: int
    heavy: int = 0
    pad: int = 91

    @property
    def events(self) -> int:
        return (self.topics + self.heavy) * self.each

    @property
    def x_topics(self) -> int:
        """Topics whose name ends with /x: they are the first ones."""
        return max(1, round(self.topics * X_SHARE))

    def name(self, index: int) -> str:
        return f"t{index * _STRIDE % self.topics}/{'x' if index < self.x_topics else 'y'}"

    def names(self) -> Iterator[str]:
        """In the order of their numbers in the database."""
        yield from map(self.name, range(self.topics))
        if self.heavy:
            yield HEAVY

    @property
    def bytes(self) -> int:
        """On disk, about."""
        return self.events * (self.pad + _BYTES_AN_EVENT) + self.topics * _BYTES_A_TOPIC

    @property
    def file(self) -> str:
        return f"{self.topics}-{self.each}-{self.heavy}-{self.pad}.db"


def write(path: Path, shape: Shape) -> None:
    """Fill the new database at `path`, which was migrated, and leave it as a service does that was stopped.

    Without a journal, and in one transaction: one that was not finished is no database.
    """
    if shape.topics % _STRIDE == 0:
        raise ValueError(f"{shape.topics} topics would share their names")
    connection: Any = connect_alone(path)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        events = _Events(shape)
        connection.execute("BEGIN")
        connection.execute(LOG, (EPOCH, shape.events))
        connection.executemany(_TOPIC, enumerate(shape.names(), 1))
        connection.executemany(_EVENT, events.rows())
        connection.executemany(_COUNTS, events.counts())
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def write_back(path: Path) -> None:
    """Have the file on the disk. Else the kernel writes its gigabyte when it thinks fit, beside what is measured, where
    every commit waits for it.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class _Events:
    """Rows in the order of the log; what there is of each topic is known once all were made."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._count = [0] * (shape.topics + 1)
        self._head = [0] * (shape.topics + 1)
        self._data = _DATA % ("0" * TIME_DIGITS, "0" * shape.pad)

    def rows(self) -> Iterator[tuple[int, int, int, int, str]]:
        shape, count, head, data = self._shape, self._count, self._head, self._data
        start = time.time_ns() // 1_000_000 - shape.events
        first = [index * shape.each for index in range(shape.topics)] + [0]
        orders, offset = self._orders(), 0
        for cycle in range(shape.each):
            for index in orders[cycle % len(orders)]:
                offset += 1
                yield offset, index + 1, head[index], start + offset, data % (first[index] + count[index])
                count[index] += 1
                head[index] = offset

    def counts(self) -> Iterator[tuple[int, int, int, int]]:
        size = len(self._data % 0)
        for index, (head, count) in enumerate(zip(self._head, self._count, strict=True)):
            yield head, count, count * size, index + 1

    def _orders(self) -> list[Sequence[int]]:
        """Of topics, in a cycle. The same in each run."""
        shape, chance = self._shape, random.Random(1)
        members = [*range(shape.topics), *[shape.topics] * shape.heavy]
        return [chance.sample(members, len(members)) for _ in range(min(_ORDERS, shape.each))]


class LargeLogs:
    """Those of one run: each is written and verified when it is first asked for, and removed when it is dropped.

    Raises ToolError if there is no room for one, or if it is not whole.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._folder = Path(mkdtemp(prefix="large-", dir=context.folder))

    @contextmanager
    def served(self, shape: Shape, *, is_last: bool = False) -> Iterator[Twinwire]:
        """A service on a copy of such a log, on the log itself if nobody asks for it again. It is gone afterwards."""
        ours = self._context.twinwire()
        try:
            made = self.made(shape)
            if is_last:
                made.rename(ours.database)
            else:
                self._check_room(made.stat().st_size)
                shutil.copyfile(made, ours.database)
                write_back(ours.database)
            with ours.process:
                ours.process.settle()
                yield ours
        finally:
            shutil.rmtree(ours.folder)

    def drop(self, shape: Shape) -> None:
        (self._folder / shape.file).unlink(missing_ok=True)

    def made(self, shape: Shape) -> Path:
        """Its file, which is not to be changed."""
        path = self._folder / shape.file
        if path.exists():
            return path
        self._context.note(f"a log of {shape.events:,} events on {shape.topics:,} topics")
        self._check_room(shape.bytes)
        part = path.with_suffix(".part")
        self.migrate(part)
        write(part, shape)
        write_back(part)
        self._run("verify", part)
        return part.rename(path)

    def migrate(self, path: Path) -> None:
        """Make a new database there, of the schema that the measured tree has."""
        self._run("migrate", "--database", path)

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < size + SPARE:
            raise ToolError(f"{self._folder} has {free >> 20:,} MiB left, and {size + SPARE >> 20:,} are needed")

    def _run(self, verb: str, *arguments: object) -> None:
        """A command of the tree that is measured: the log has its schema, and is whole by its own word."""
        tree = self._context.tree
        command = [tree.python, "-m", "service", verb, *map(str, arguments)]
        env = {**os.environ, "PYTHONPATH": str(tree.root)}
        done = subprocess.run(command, cwd=self._folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{verb}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
