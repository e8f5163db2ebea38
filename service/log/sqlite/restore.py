"""A backup takes the place of the service's database: whole or not at all, under an identity of its own.

What is done, in this order, since a kill may come between any two:

    1  the lock          no service has the database, or begins to
    2  a copy beside it  of the backup, which may be in any mode, and have a journal of its own
    3  a check           of the copy: a backup that is damaged takes nobody's place
    4  another epoch     by which clients are told that what they have seen may not be in it
    5  the old journal   is moved into the old database, and taken away: SQLite would take it for the new one's
    6  the rename        the one step that changes which database there is
    7  the ballast       of the old one is taken away: a start makes it anew

Killed before 6, the old database is there, with all of its events; after it, the new one. What it leaves beside it is
taken away by the next run (`part.py`).
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.core.errors import StorageError, StorageFullError
from service.log.sqlite.backup import Told
from service.log.sqlite.database import checkpoint, connect_alone, connect_still, connect_writer, explain, explained
from service.log.sqlite.drivers import driver
from service.log.sqlite.lock import FileLock
from service.log.sqlite.opening import forget_epoch
from service.log.sqlite.part import Part, sync_folder
from service.log.sqlite.verify import Verified, verify

PAGES: Final = 2_000
"""Of the backup that are copied between two words on how far it is: 8 MiB."""

_BALLAST: Final = ".ballast"


def restore(
    source: Path, database: Path, folder: Path, told: Told, *, force: bool, also: Callable[[Path], None] | None = None
) -> Verified:
    """Put a copy of `source` in the place of `database`, a real path; `force` if there is one already.

    `folder` has the migrations. `also` is called with the path of the copy, before it is put there. Returns what the
    backup was found to be. Raises StorageError, StorageFullError or MigrationError: then all is as it was.
    """
    if not source.is_file():
        raise StorageError(f"there is no backup {source}")
    was_there = database.exists()
    with FileLock(database) as lock:
        like = _like(source, database)
        if os.geteuid() == 0:
            os.chown(lock.path, like.st_uid, like.st_gid)  # else the service could not take what this has made
        try:
            if source.samefile(database):
                raise StorageError(f"{source} is the service's own database: a backup is another file")
            if database.stat().st_size and not force:
                raise StorageError(f"{database} is there already: --force puts the backup in its place")
            return _restore(source, database, like, folder, told, also)
        except BaseException:
            if not was_there and not database.stat().st_size:
                database.unlink()  # the lock has made it
            raise


def _restore(
    source: Path,
    database: Path,
    like: os.stat_result,
    folder: Path,
    told: Told,
    also: Callable[[Path], None] | None,
) -> Verified:
    with Part(database) as part:
        _copy(source, part, told)
        found = verify(part.path, folder, told, source)
        if found.faults:
            more = f", and {len(found.faults) - 1} more faults" if len(found.faults) > 1 else ""
            raise StorageError(f"{source} is damaged: {found.faults[0]}{more}")
        with explained(database):
            connection = connect_alone(part.path)
            try:
                forget_epoch(connection)
            finally:
                connection.close()
            if also is not None:
                also(part.path)
                _make_one_file(part.path)
        part.drop_beside()
        part.be_as(like)
        _settle(database)
        part.put_over()
    database.with_name(database.name + _BALLAST).unlink(missing_ok=True)
    sync_folder(database.parent)
    return replace(found, is_copy=True)


def _like(source: Path, database: Path) -> os.stat_result:
    """As the old one, or, where there was none, as readable as the backup and owned by whose folder it is."""
    old = database.stat()
    if old.st_size:
        return old
    folder = list(database.parent.stat())
    folder[0] = source.stat().st_mode
    return os.stat_result(folder)


def _copy(source: Path, part: Part, told: Told) -> None:
    """By SQLite, which takes along what lies in a journal."""
    try:
        reader = connect_still(source)
        try:
            reader.execute("BEGIN")
            (pages,) = reader.execute("SELECT page_count FROM pragma_page_count").fetchone()  # one state, if in use
            told("copying", 0, pages)
            writer = connect_alone(part.path)
            try:
                writer.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
                reader.backup(writer, pages=PAGES, progress=lambda _, left, total: told("copying", total - left, total))
            finally:
                writer.close()
        finally:
            reader.close()
        _make_one_file(part.path)
    except driver.Error as error:
        if isinstance(explain(error, part.path), StorageFullError) or part.has_no_room():
            raise StorageFullError(f"no space left for the database {part.target}") from error
        raise explain(error, source) from error


def _make_one_file(path: Path) -> None:
    """Of a database that may have a journal. Raises the driver's error."""
    connection = connect_alone(path)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def _settle(database: Path) -> None:
    """Leave no journal beside the database. Of one that can't be opened any more it goes unmoved."""
    journal = database.with_name(database.name + "-wal")
    if journal.exists() and database.stat().st_size:
        with contextlib.suppress(driver.Error):
            connection = connect_writer(database)
            try:
                checkpoint(connection)
            finally:
                connection.close()
    for suffix in ("-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    sync_folder(database.parent)
