"""Whether a log is sound: its files in place, a write that works, no event that is not ours."""

from service.core.errors import StorageDownError
from service.core.time import Clock
from service.log.sqlite.database import WriterConnection, transaction
from service.log.sqlite.files import DatabaseFiles
from service.log.sqlite.room import Room


class Soundness:
    """Of the log whose writer asks; what takes a connection runs on the writer's thread, where `head` is what it is."""

    def __init__(self, files: DatabaseFiles, room: Room, clock: Clock) -> None:
        self._files = files
        self._room = room
        self._clock = clock
        self._version: int | None = None
        """SQLite's count of what others have committed, at the last look; the writer's thread's own."""

    def check_files(self) -> None:
        """Raises StorageDownError if they are not where they were. On any thread."""
        if (changed := self._files.changed()) is not None:
            raise StorageDownError(f"{changed}: nothing more is taken until it is back, or the service starts anew")

    def probe(self, connection: WriterConnection, head: int) -> None:
        """All of it, by a write. Raises what publishing would."""
        self.check_files()
        self._room.admit(connection)
        with transaction(connection):
            connection.execute("UPDATE log SET probed = ?", (self._clock.unix_ms(),))
            self._check_offsets(connection, head)
        self.check_files()

    def look(self, connection: WriterConnection, head: int) -> None:
        """As `probe`, without a write: for what may have happened to an idle log."""
        self.check_files()
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:  # another connection has committed something, which is allowed beside the events
            self._check_offsets(connection, head)
            self._version = version

    def _check_offsets(self, connection: WriterConnection, head: int) -> None:
        if connection.execute("SELECT 1 FROM events WHERE offset > ? LIMIT 1", (head,)).fetchone() is not None:
            raise StorageDownError(f"another program has written events to the database {self._files.path}")
