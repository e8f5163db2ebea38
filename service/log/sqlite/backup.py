"""A copy of a log that is being written: in small looks, so that nobody waits and its journal is emptied as ever.

What is simpler does harm. One read transaction for all of it, as `VACUUM INTO` has, keeps SQLite from emptying the
write-ahead log for as long as it lasts; at thousands of publishes a second that grows by megabytes a second, beyond its
bound before a large copy is done, and emptying it then holds up the writer. SQLite's own backup, in steps, begins anew
at each commit of another connection: beside a busy writer it never ends.

But an event never changes, but for one offset, `gone`: that of the event by which its subject's value was replaced (see
`about.py`). What was set after the copy began is copied once more with the last look. Events are added at the end, and
go from the beginning of their topic, whose floor on disk rises with them, in the same transaction, to the last that
went. So they can be copied a few at a time, and the floors tell which of those that were copied have gone meanwhile; so
does a topic that is not there any more, since one goes only without events. (One whose key has come again has gone: a
key is unique.) Where single events went meanwhile (`holes.py`), of which their topics say how many did, each that was
copied is looked for with the last look.

    look       what it copies                                                keeps the journal for
    each       the next events, as many as take about LOOK_SECONDS           that long; a pause as long follows
    the last   those since, what is gone since, and all of every other       itself: one transaction, but a short one
               table, the floors too
    then       takes out the events up to the floors                         nothing

The copy is what the last look saw, so it has whatever was acknowledged before it was begun, and some of what came
since. A look is not begun while the journal is over JOURNAL_BYTES, for some time: a checkpoint cuts it only where
nobody reads.

It is synced after each SYNC_BYTES, since a file system may have the service's own commits wait until the disk has what
others have given it. Its events are written first and the log's own row with the last look: `part.py` gives it its
name, and what is found under another one has no identity either.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from service.core.errors import StorageError, StorageFullError, TwinwireError
from service.log.sqlite.database import WriterConnection, connect_copy, explain
from service.log.sqlite.drivers import driver
from service.log.sqlite.files import SUFFIXES
from service.log.sqlite.migrate import check_ours
from service.log.sqlite.opening import forget_epoch, read_folded
from service.log.sqlite.part import SUFFIX, Part, exists

LOOK_SECONDS: Final = 0.02
"""Of one look, about; half of the time nobody reads."""

LOOK_EVENTS: Final = (100, 1_000, 50_000)
"""In one look, at least, at first, and at most."""

SYNC_BYTES: Final = 8 << 20
"""Of the copy, after which it is synced: some hundredths of a second of most disks."""

JOURNAL_BYTES: Final = 48 << 20
"""Of the service's journal, beyond which no look is begun: half as much again as makes a busy writer empty it."""

JOURNAL_PAUSE: Final = 0.1
JOURNAL_WAIT: Final = 20.0
"""Seconds between two looks at its size, and until it is taken for one that nobody empties: the service tries again
after 16 at most."""

CATCH_UP: Final = 100
"""Looks at what came since the copy was begun, before the last one takes what is left."""

_GONE: Final = (
    "UPDATE main.events SET gone = s.gone FROM source.events s WHERE s.offset = events.offset"
    " AND s.subject IS NOT NULL AND s.gone > ?",
    "UPDATE main.events SET gone = s.gone FROM source.events s WHERE s.offset = events.offset"
    " AND s.subject IS NOT NULL AND s.gone <= 0 AND ?1 IS NOT NULL",
)
"""What was replaced since the head at which the copy began; and of values that lack their beginning, whenever."""

_TAKE_OUT_FORGOTTEN: Final = """
WITH RECURSIVE filed (topic) AS (
    SELECT min(topic) FROM main.events
    UNION ALL
    SELECT (SELECT min(topic) FROM main.events WHERE events.topic > filed.topic) FROM filed WHERE topic IS NOT NULL
)
DELETE FROM main.events WHERE topic IN (SELECT topic FROM filed WHERE topic NOT IN (SELECT id FROM main.topics))
"""
"""By the index: one look for each topic, however many events it has."""

_HOLES: Final = "CREATE TEMP TABLE holes AS SELECT id, removed FROM source.topics WHERE removed"
_TAKE_OUT_SINGLE: Final = """
DELETE FROM main.events WHERE offset IN (
    SELECT e.offset FROM source.topics t LEFT JOIN temp.holes b ON b.id = t.id
    CROSS JOIN main.events e ON e.topic = t.id AND e.offset <= max(t.thinned, t.compacted)
    WHERE t.removed AND t.removed IS NOT b.removed
    AND NOT EXISTS (SELECT 1 FROM source.events s WHERE s.offset = e.offset)
)
"""
"""Of topics where any went since the copy began."""

_OWN: Final = (*SUFFIXES, ".lock", ".ballast", SUFFIX)
"""Beside a database, what is the service's to write."""

Told = Callable[[str, int, int], None]
"""Told what is being done, how far it is, and how far it will go, about."""


class Pacer(Protocol):
    """The clock of a command: it may stand still."""

    def monotonic(self) -> float: ...
    def pause(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Copied:
    """`head` is the offset of the newest event that is in it; `bytes` are those of the file."""

    events: int
    head: int
    bytes: int


def back_up(source: Path, target: Path, folder: Path, pacer: Pacer, told: Told) -> Copied:
    """Copy the database at its real path `source` to `target`, in whose place there is nothing yet.

    `folder` has the migrations. Raises StorageError, StorageFullError or MigrationError: then nothing is there.
    """
    _check_place(source, target)
    with Part(target) as part:
        try:
            found = _Copy(source, part, folder, pacer, told).run()
        except driver.Error as error:
            raise _explained(error, source, part) from error
        part.be_as(source.stat())
        part.put_new()
        return found


def _check_place(source: Path, target: Path) -> None:
    """Raises StorageError."""
    if not source.is_file():
        raise StorageError(f"there is no database {source}")
    place = target.resolve()
    if place in {source.with_name(source.name + suffix) for suffix in _OWN}:
        raise StorageError(f"{target} is the service's own: a backup is another file")
    if place.is_dir():
        raise StorageError(f"{target} is a folder: name a file in it")
    if target.exists() or target.is_symlink():
        raise exists(target)
    if not place.parent.is_dir():
        raise StorageError(f"there is no folder {place.parent}")


def _explained(error: BaseException, source: Path, part: Part) -> TwinwireError:
    if isinstance(explain(error, part.path), StorageFullError) or part.has_no_room():
        return StorageFullError(f"no space left for the backup {part.target}")
    return explain(error, source)


class _Copy:
    """One run. The connection's main database is the copy; the one that is copied is its schema `source`."""

    def __init__(self, source: Path, part: Part, folder: Path, pacer: Pacer, told: Told) -> None:
        self._source = source
        self._part = part
        self._folder = folder
        self._pacer = pacer
        self._told = told
        self._journal = source.with_name(source.name + "-wal")
        self._is_patient = True
        """Until the journal was waited for in vain."""
        self._head = 0
        """Of the log when the copy began."""
        self._after = 0
        """The offset up to which events were copied."""

    def run(self) -> Copied:
        connection = connect_copy(self._part.path, self._source)
        try:
            check_ours(connection, self._source, self._folder, "source")
            self._check_room(connection)
            if '"removed"' in _columns(connection, "topics", "source"):
                connection.execute(_HOLES)
            version, schema = _version(connection), _schema(connection, self._source)
            _make(connection, schema, "table", "index")
            self._copy_events(connection)
            self._look_last(connection, version, [name for type, name, _ in schema if type == "table"])
            _make(connection, schema, "view", "trigger")
            _take_out_what_went(connection)
            forget_epoch(connection)
            (events,) = connection.execute("SELECT count(*) FROM main.events").fetchone()
            (head,) = connection.execute(
                "SELECT max(coalesce((SELECT max(offset) FROM main.events), 0),"
                " coalesce((SELECT max(floor) FROM main.topics), 0), ?)",
                read_folded(connection)[:1],
            ).fetchone()
            if '"thinned"' in _columns(connection, "topics"):  # not in a database of before there was such a thing
                head = max(head, *connection.execute("SELECT coalesce(max(thinned), 0) FROM main.topics").fetchone())
        finally:
            connection.close()
        return Copied(events, head, self._part.path.stat().st_size)

    def _check_room(self, connection: WriterConnection) -> None:
        """Before others find the disk full, the service among them. Raises StorageFullError."""
        sizes = ("page_count", "freelist_count", "page_size")
        pages, unused, size = (connection.execute(f"PRAGMA source.{name}").fetchone()[0] for name in sizes)
        needed, disk = (pages - unused) * size, os.statvfs(self._part.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if needed > free:
            raise StorageFullError(
                f"no space left for the backup {self._part.target}: it takes about {needed:,} bytes, {free:,} are free"
            )

    def _copy_events(self, connection: WriterConnection) -> None:
        first, head = connection.execute("SELECT min(offset) - 1, max(offset) FROM source.events").fetchone()
        first, self._head = first or 0, head or 0
        head = self._head
        least, rows, most = LOOK_EVENTS
        left = CATCH_UP
        self._told("copying", 0, head - first)
        while left:
            self._wait_for_journal()
            began = self._pacer.monotonic()
            copied = self._look(connection, rows)
            taken = self._pacer.monotonic() - began
            self._part.sync(SYNC_BYTES)
            self._told("copying", min(self._after, head) - first, head - first)
            if copied < rows:
                return
            if self._after < head:
                self._pacer.pause(self._pacer.monotonic() - began)
            else:
                left -= 1  # what comes now may come as fast as it is copied
            fitting = rows * LOOK_SECONDS / max(taken, 0.0001)
            rows = round(min(max(fitting, rows / 2, least), 2 * rows, most))

    def _look(self, connection: WriterConnection, rows: int) -> int:
        """Copy the next events; how many these were. -1: all there are."""
        columns = _columns(connection, "events")
        connection.execute(
            f"INSERT OR REPLACE INTO main.events ({columns})"  # noqa: S608 - names of the schema
            f" SELECT {columns} FROM source.events"
            " WHERE offset > ? ORDER BY offset LIMIT ?",
            (self._after, rows),
        )
        (copied,) = connection.execute("SELECT changes()").fetchone()
        (last,) = connection.execute("SELECT max(offset) FROM main.events").fetchone()
        self._after = last or 0
        return int(copied)

    def _look_last(self, connection: WriterConnection, version: int, tables: Sequence[str]) -> None:
        """All in one transaction, which sees one state of the database."""
        self._wait_for_journal()
        connection.execute("BEGIN")
        self._look(connection, -1)
        if '"gone"' in _columns(connection, "events"):
            for changed in _GONE:
                connection.execute(changed, (self._head,))
        if connection.execute("SELECT 1 FROM temp.sqlite_schema WHERE name = 'holes'").fetchone() is not None:
            connection.execute(_TAKE_OUT_SINGLE)
        if _version(connection) != version:
            raise StorageError(f"the tables of {self._source} changed while it was copied: try again")
        for name in tables:
            if name != "events":
                columns = _columns(connection, name)
                connection.execute(
                    f"INSERT INTO main.{quoted(name)} ({columns})"  # noqa: S608 - of the schema
                    f" SELECT {columns} FROM source.{quoted(name)}"
                )
        sequences = "SELECT 1 FROM source.sqlite_schema WHERE name = 'sqlite_sequence'"
        if connection.execute(sequences).fetchone() is not None:  # made by itself, and filled by the rows
            connection.execute("DELETE FROM main.sqlite_sequence")
            connection.execute("INSERT INTO main.sqlite_sequence SELECT * FROM source.sqlite_sequence")
        connection.execute("COMMIT")

    def _wait_for_journal(self) -> None:
        """Until the service has emptied it, or for as long as it may take to."""
        until: float | None = None
        while self._is_patient and _size(self._journal) > JOURNAL_BYTES:
            now = self._pacer.monotonic()
            until = now + JOURNAL_WAIT if until is None else until
            if now >= until:
                self._is_patient = False
                return
            self._pacer.pause(JOURNAL_PAUSE)


def _version(connection: WriterConnection) -> int:
    """Another one after each change of the tables themselves."""
    (version,) = connection.execute("PRAGMA source.schema_version").fetchone()
    return int(version)


def _schema(connection: WriterConnection, source: Path) -> list[tuple[str, str, str]]:
    """Type, name and statement of what there is beside SQLite's own. Raises StorageError for a virtual table."""
    found = connection.execute(
        "SELECT type, name, sql, rootpage FROM source.sqlite_schema"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
    ).fetchall()
    for type, name, _, root in found:
        if type == "table" and not root:
            raise StorageError(f"{source} has the virtual table {name}, which is copied by `VACUUM INTO` alone")
    return [(type, name, sql) for type, name, sql, _ in found]


def _make(connection: WriterConnection, schema: Sequence[tuple[str, str, str]], *types: str) -> None:
    for wanted in types:
        for type, _, sql in schema:
            if type == wanted:
                connection.execute(sql)


def _columns(connection: WriterConnection, table: str, schema: str = "main") -> str:
    """Those that are stored, and not computed."""
    found = connection.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema)).fetchall()
    return ", ".join(quoted(name) for (name,) in found)


def _take_out_what_went(connection: WriterConnection) -> None:
    """Events that were removed while others were copied: those up to the floors of their topics, those of topics that
    were forgotten since, whose numbers no other has, and no others.
    """
    connection.execute(
        "DELETE FROM main.events WHERE offset IN (SELECT events.offset FROM main.topics CROSS JOIN main.events"
        " ON events.topic = topics.id AND events.offset <= topics.floor WHERE topics.floor > 0)"
    )
    connection.execute(_TAKE_OUT_FORGOTTEN)


def quoted(name: str) -> str:
    """As an identifier."""
    return '"' + name.replace('"', '""') + '"'


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
