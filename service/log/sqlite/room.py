"""Room on the disk: the reserve that publishing leaves, and the ballast, which a full disk may spend, so that room can
be made.

Nobody's publish should be the one that fills the disk: the journal of whoever removes events, and the database's own
upkeep, need room too. So once less than the reserve is left, what is published has to fit into pages that the database
has free, as a trim leaves them; its file does not grow. Reading, trims and retention go on as ever, and so do the
service's own events, such as a revocation. Others can fill the disk all the same.

The ballast is a file beside the database for when they did. To remove events takes room first, for the journal. On a
disk that is full to the last byte nothing could be removed, and nothing would ever change. So two megabytes are set
aside while there is room.

    ballast  the file           publishes
    whole    BALLAST_BYTES      are taken until the disk is full
    spent    is there, empty    are taken into pages that the database has free: its file does not grow
    none     is not there       are taken until the disk is full: there was no room for it, or it can't be made

It is spent by who removes events, a trim or retention, and by a start. What that frees is the journal's, which is
emptied after each step and each commit; if the database grew into it, the next trim would find nothing left. It is made
again, at a look every now and then, once the disk has room for it and SPARE more. That it is spent outlasts the
process, by the empty file.

Once it is spent, the first thing that needs room is what the journal holds and the database's file has no place for
yet. So on a disk that is nearly full the journal is kept short, and what would make it long has to fit in twice.

How much is free is asked by `look`, about once a second, and not for a publish unless it is a large one and there is
little left; the reserve is larger than what a second brings.

Who runs where. All but `look` and the figures is for the writer's thread, which decides on whatever is written.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import structlog

from service.core.errors import ReserveError, StorageFullError
from service.core.event import Draft
from service.core.topics import is_own
from service.log.sqlite.database import NO_ROOM, WriterConnection, checkpoint, explain
from service.log.sqlite.drivers import driver
from service.log.sqlite.files import DatabaseFiles

T = TypeVar("T")

BALLAST_BYTES: Final = 2 << 20
"""As much as a step of a trim writes while it is spent (`trim.SCARCE_ROWS`), and what a short journal holds."""

SPARE: Final = 1 << 20
"""Bytes that stay free beside it, for the journal: a small disk is not filled with ballast."""

SHARE: Final = 20
"""Of a disk's size, one part of so many is the reserve at most: a small disk would be nothing else."""

LOW_BYTES: Final = 64 << 20
"""Free beyond the reserve, below which the disk is nearly full: twice the journal of a busy writer."""

JOURNAL_BYTES: Final = 1 << 20
"""Of the journal then, beyond which it is emptied after the commit that made it so."""

LARGE: Final = 256 << 10
"""Bytes of one commit, up to which it need not fit in twice."""

SLACK: Final = 64 << 10
"""Bytes of free pages that a commit leaves, once the file may not grow: those that it splits, and of its indexes."""

EVENT_BYTES: Final = 200
"""That an event takes beside its data, about: its columns, its places in the indexes, its part of a page."""

_SUFFIX: Final = ".ballast"
_FLAGS: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW

logger = structlog.get_logger(__name__)


class Room:
    """Of one database. `open` it before anything is served. `reserve` is in bytes, and less on a small disk; 0 for
    none.
    """

    def __init__(self, files: DatabaseFiles, reserve: int = 0) -> None:
        self._files = files
        self._wanted: Final = reserve
        self.reserve = reserve
        """Bytes that publishing leaves, as of the last look."""
        self.free = 0
        """Bytes of the disk, at the last look that could tell."""
        self.is_reserved = False
        """Whether that is less than the reserve; it takes a little more than that to be lifted."""
        self._name: Final = f"{files.path}{_SUFFIX}"
        self.ballast = 0
        """Bytes of it."""
        self.is_spent = False
        self.spent = 0
        """How often, since the start."""
        self.is_low = False
        """Whether the disk was nearly full at the last look."""
        self._next_empty = JOURNAL_BYTES
        """The size at which the journal is emptied."""
        self._is_given_up = False
        """It can't be made, whatever room there is."""

    @property
    def is_scarce(self) -> bool:
        """Whether a commit has to `admit` and `tidy`."""
        return self.is_spent or self.is_low

    def look(self) -> bool:
        """See how much is free; whether the ballast should be made. Some microseconds, on any thread."""
        free = self._free()
        if free is None:  # the folder is not where it was, which others notice
            self.is_low = True
            return False
        self.free = free
        self.is_low = free < self.reserve + LOW_BYTES
        is_reserved = free < self.reserve + (SPARE if self.is_reserved else 0)
        if is_reserved != self.is_reserved:
            self.is_reserved = is_reserved
            tell = logger.warning if is_reserved else logger.info
            tell("disk_reserve_reached" if is_reserved else "disk_reserve_left", free=free, reserve=self.reserve)
        return not self.ballast and not self._is_given_up and free >= BALLAST_BYTES + SPARE

    def _free(self) -> int | None:
        """None if nobody can tell. With it comes how large the disk is, which the reserve follows."""
        try:
            found = os.statvfs(self._files.path.parent)
        except OSError:
            return None
        self.reserve = min(self._wanted, found.f_blocks * found.f_frsize // SHARE)
        return found.f_bavail * found.f_frsize

    # On the writer's thread

    def open(self) -> None:
        """Take over what the last run has left, or make it."""
        size = _size(self._name)
        self.is_spent = size == 0
        if self.look() or size:
            self.make()

    def make(self) -> None:
        """Make it whole, if there is room: of real blocks, since a hole sets nothing aside. Never raises."""
        try:
            descriptor = os.open(self._name, _FLAGS | os.O_CREAT, 0o600)
        except OSError as error:
            self._give_up(error)
            return
        try:
            os.ftruncate(descriptor, min(os.fstat(descriptor).st_size, BALLAST_BYTES))
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        except OSError as error:
            self._undo(descriptor)
            if error.errno not in NO_ROOM:
                self._give_up(error)
            return
        finally:
            os.close(descriptor)
        if self.is_spent:
            logger.info("ballast_made", bytes=BALLAST_BYTES)
        self.ballast, self.is_spent = BALLAST_BYTES, False

    def _undo(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            if self.is_spent:
                os.ftruncate(descriptor, 0)
            else:
                os.unlink(self._name)  # noqa: PTH108 - no path object is kept

    def _give_up(self, error: OSError) -> None:
        self._is_given_up = True
        logger.warning("ballast_not_made", file=self._name, reason=error.strerror or str(error))

    def using(self, connection: WriterConnection, step: Callable[[], T]) -> T:
        """What `step` returns, which makes room; done again with the ballast spent if the disk is full."""
        try:
            result = step()
        except driver.Error as error:
            if not isinstance(explain(error, self._files.path), StorageFullError) or not self._spend(connection):
                raise
            result = step()
        if self.is_scarce:
            self.tidy(connection)
        return result

    def _spend(self, connection: WriterConnection) -> bool:
        """Whether there was any. What is in the journal goes first: the database's file may have to grow for it."""
        if not self.ballast or not spend(self._files.path):
            return False
        self.ballast, self.is_spent = 0, True
        self.spent += 1
        logger.warning("ballast_spent", reason="the disk is full, and events are being removed")
        self.tidy(connection)
        return True

    def admit(self, connection: WriterConnection, drafts: Sequence[Draft] = ()) -> None:
        """Raises StorageFullError if there is no room for these: ReserveError if it is kept for others."""
        size = sum([len(draft.data.encode()) + EVENT_BYTES for draft in drafts])
        if self.is_spent or self.is_reserved:
            has_room = _fits_into_free_pages(connection, size)
        else:
            has_room = size <= LARGE or (self._free() or 0) >= self.reserve + 2 * size + LARGE
        if has_room:
            return
        if self.is_spent or not self.reserve:
            raise StorageFullError(f"no space left for the database {self._files.path}")
        if not all(is_own(draft.topic) for draft in drafts):
            self.free = self._free() or 0  # what the last look saw may be gone
            reserve = f"of the disk {self.reserve:,} bytes are kept (TWINWIRE_DISK_RESERVE)"
            raise ReserveError(f"{reserve}, and {self.free:,} are left: trim, or make room")

    def tidy(self, connection: WriterConnection) -> None:
        """Empty the journal if it is due. What was committed is safe in it, so a failure is nobody's."""
        with contextlib.suppress(driver.Error):
            if self.is_spent:
                if checkpoint(connection, cut=False):  # it keeps the space, which others would take
                    self._files.begins_anew()
            elif (size := self._files.journal_bytes) >= self._next_empty:
                self._next_empty = size + JOURNAL_BYTES  # not at each commit, where another program reads
                if checkpoint(connection):
                    self._next_empty = JOURNAL_BYTES


def _fits_into_free_pages(connection: WriterConnection, size: int) -> bool:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    return bool(pages * page >= 2 * size + SLACK)


def on_full_disk(database: Path, work: Callable[[], T]) -> T:
    """What `work` returns, which is done before the log is open; done again with the ballast spent if need be."""
    try:
        return work()
    except StorageFullError:
        if not spend(database):
            raise
        return work()


def spend(database: Path) -> bool:
    """Empty the ballast beside this database; whether there was any."""
    name = f"{database}{_SUFFIX}"
    if not _size(name):
        return False
    try:
        descriptor = os.open(name, _FLAGS)
    except OSError:
        return False
    try:
        os.ftruncate(descriptor, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _size(name: str) -> int | None:
    try:
        return os.lstat(name).st_size
    except OSError:
        return None
