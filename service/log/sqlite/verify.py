"""Whether a database is whole: the file, the chain of each topic's events, the floors and the counts.

What is held against each other:

    the file     SQLite's own check of every page and index; every event's topic is there
    the chain    an event names the one before it on its topic (`prev`): it is the one that is kept before it, or, for
                 the first that is kept, one that has gone by the topic's floor. Else events are missing
    the floors   no event is kept at or below its topic's floor; single ones may have gone up to where its topic says
                 (`holes.py`), and there its newest may have
    the topics   are all there, by their numbers; or some were forgotten, as the log says by the floor of them all
    the counts   what is saved of each topic, its number of events, their bytes and its newest, is what there is of it
                 up to the offset that the log says is counted
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.log.sqlite.backup import Told
from service.log.sqlite.database import Connection, connect_still, explain, explained
from service.log.sqlite.drivers import driver
from service.log.sqlite.migrate import check_ours, load
from service.log.sqlite.opening import has_forgotten, read_folded

FAULTS_MAX: Final = 20
"""Told of each kind; a page that is gone may make thousands."""

STEP: Final = 10_000
"""Events between two words on how far it is."""

_EVENTS: Final = "SELECT offset, topic, prev, length(CAST(data AS BLOB)) FROM events ORDER BY offset"
_SPAN: Final = """
SELECT count(*), coalesce(min(offset), 0), coalesce(max(offset), 0),
coalesce((SELECT time FROM events ORDER BY offset DESC LIMIT 1), 0) FROM events
"""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `first`, `last` and `head` are offsets: of the events that are kept, and of the log."""

    epoch: str | None
    """None in a log that was never opened."""
    is_copy: bool
    """It gets another epoch when it is opened."""
    events: int
    topics: int
    first: int
    last: int
    head: int
    newest: int
    """The time of the last one, in Unix milliseconds; 0 if there is none."""
    migrations: int
    waiting: int
    """Migrations that it has, and that a start would apply."""
    faults: tuple[str, ...]
    """A line for each; none if all is well."""


def verify(path: Path, folder: Path, told: Told, called: Path | None = None) -> Verified:
    """Look at the database in `path`, called `called` if that is not its name. `folder` has the migrations.

    Raises StorageError if it is no database of ours, or can't be read at all; MigrationError if it is a newer one.
    """
    called = called or path
    with explained(called):
        connection = connect_still(path)
        try:
            connection.execute("BEGIN")  # one look, also at a log that is in use
            waiting = len(check_ours(connection, called, folder))
            log = connection.execute("SELECT epoch, boot, clean, counted FROM log").fetchone()
            epoch, boot, clean, counted = log or (None, "", 1, 0)
            told("checking the file", 0, 0)
            faults = _collected(called, lambda: _file_faults(connection))
            events, first, last, newest = connection.execute(_SPAN).fetchone()
            topics = _Topics(connection)
            folded, last_topic = read_folded(connection)
            if log is None and (events or len(topics)):
                faults.append("the log has no row of its own, as a copy that was not finished")
            faults += topics.missing(folded, last_topic)
            faults += _collected(called, lambda: topics.faults(counted, first, last, told))
            faults += _collected(called, lambda: _subject_faults(connection))
            floor = max(topics.floor, default=folded)
            heads = max(topics.head, default=0)  # also of a topic whose newest event has gone
        finally:
            connection.close()
    return Verified(
        epoch=epoch,
        is_copy=log is not None and has_forgotten(boot, clean),
        events=events,
        topics=len(topics),
        first=first,
        last=last,
        head=max(last, floor, folded, heads),
        newest=newest,
        migrations=len(load(folder)) - waiting,
        waiting=waiting,
        faults=tuple(faults),
    )


def _collected(called: Path, look: Callable[[], Iterator[str]]) -> list[str]:
    """What a look finds, the first of it; that it can't look is a fault too."""
    found: list[str] = []
    try:
        for fault in look():
            if len(found) == FAULTS_MAX:
                found.append("and more of the kind")
                break
            found.append(fault)
    except driver.Error as error:
        found.append(explain(error, called).detail)
    return found


def _file_faults(connection: Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({FAULTS_MAX + 1})"):
        if line != "ok":
            yield f"SQLite: {line}"
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} is of a row of {parent} that is not there"


def _subject_faults(connection: Connection) -> Iterator[str]:
    """Subjects with more than one value, which a state would tell all of (see `about.py`)."""
    if connection.execute("SELECT 1 FROM pragma_table_info('events') WHERE name = 'gone'").fetchone() is None:
        return  # of before there were any
    found = connection.execute(
        "SELECT t.name, e.subject, count(*) FROM events e INDEXED BY events_current JOIN topics t ON t.id = e.topic"
        " WHERE e.subject IS NOT NULL AND e.gone IS NULL AND coalesce(e.mark, 0) & 1 = 0"
        " GROUP BY e.topic, e.subject HAVING count(*) > 1"
    )
    for name, subject, count in found:
        yield f"the subject {subject!r} on {name} has {count} values"


class _Topics:
    """What is saved of each topic, and what is found of it, in the order of their numbers: a million of them take 72
    MiB.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids = array("q")
        self.floor = array("q")
        self.head = array("q")
        self._count = array("q")
        self._bytes = array("q")
        self._thinned = array("q")
        self._compacted = array("q")
        columns = (self._ids, self.floor, self.head, self._count, self._bytes, self._thinned, self._compacted)
        has_holes = connection.execute("SELECT 1 FROM pragma_table_info('topics') WHERE name = 'thinned'").fetchone()
        holes = "thinned, compacted" if has_holes else "0, 0"
        for row in connection.execute(
            f"SELECT id, floor, head, count, bytes, {holes} FROM topics ORDER BY id"  # noqa: S608 - of two literals
        ):
            for column, value in zip(columns, row, strict=True):
                column.append(value)

    def __len__(self) -> int:
        return len(self.floor)

    def missing(self, folded: int, last_topic: int) -> list[str]:
        """Whether there are topics that are not here, and nothing says that they were forgotten."""
        gone = max(self._ids[-1] if self._ids else 0, last_topic) - len(self)
        if gone and not folded:
            return [f"{gone} topics are not there, by their numbers, and nothing says that they were forgotten"]
        return []

    def _index(self, id: int) -> int | None:
        """Where a topic is; None if it is not."""
        index = id - 1  # mostly none was forgotten
        if not (0 <= index < len(self) and self._ids[index] == id):
            index = bisect_left(self._ids, id)
        return index if index < len(self) and self._ids[index] == id else None

    def faults(self, counted: int, first: int, last: int, told: Told) -> Iterator[str]:
        nothing = bytes(8 * len(self))
        newest, heads, counts, sizes = (array("q", nothing) for _ in range(4))
        total = last - first + 1 if last else 0
        for number, (offset, id, prev, size) in enumerate(self._connection.execute(_EVENTS)):
            if number % STEP == 0:
                told("checking events", offset - first, total)
            topic = self._index(id)
            if topic is None:
                yield f"event {offset} is on a topic that is not there"
                continue
            before, newest[topic] = newest[topic], offset
            if (fault := self._fault(offset, topic, prev, before)) is not None:
                yield fault
            if offset <= counted:
                heads[topic] = offset
                counts[topic] += 1
                sizes[topic] += size
        told("checking events", total, total)
        yield from self._miscounted(heads, counts, sizes)

    def _fault(self, offset: int, topic: int, prev: int, before: int) -> str | None:
        """What is wrong with an event, if anything; `before` is the one kept before it, 0 for none."""
        floor = self.floor[topic]
        if offset <= floor:
            return f"event {offset} is kept, and the floor of {self._name(topic)} is {floor}"
        if before and prev < before:
            return f"event {offset} on {self._name(topic)} says that it follows {prev}, and {before} lies between them"
        if prev > max(before, floor, self._thinned[topic], self._compacted[topic]):
            return f"event {prev} on {self._name(topic)} is missing, which {offset} follows"
        return None

    def _miscounted(self, heads: "array[int]", counts: "array[int]", sizes: "array[int]") -> Iterator[str]:
        saved = zip(self.floor, self.head, self._count, self._bytes, self._thinned, strict=True)
        for topic, (floor, head, count, size, thinned) in enumerate(saved):
            has_newest = counts[topic] and head > thinned
            wanted: tuple[tuple[str, Any, Any], ...] = (
                ("events", count, counts[topic]),
                ("bytes", size, sizes[topic]),
                ("the newest at", head, heads[topic] if has_newest else max(head, heads[topic], floor)),
            )
            for what, told, found in wanted:
                if told != found:
                    yield f"of {self._name(topic)} is saved: {what} {told}; and there is: {found}"

    def _name(self, topic: int) -> str:
        found = self._connection.execute("SELECT name FROM topics WHERE id = ?", (self._ids[topic],))
        (name,) = found.fetchone()
        return str(name)
