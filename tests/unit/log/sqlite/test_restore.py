"""A backup takes the place of a database whole, or everything is as it was; at each step somebody may pull the plug."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import MigrationError, StorageError, StorageFullError
from service.core.event import Draft
from service.log.sqlite import restore as module
from service.log.sqlite.backup import back_up
from service.log.sqlite.database import connect_writer
from service.log.sqlite.lock import FileLock
from service.log.sqlite.part import SUFFIX, Part
from service.log.sqlite.restore import restore
from service.log.sqlite.verify import Verified, verify
from tests.support.clock import ManualClock, StillClock
from tests.support.databases import (
    FROM_LATER,
    MIGRATIONS,
    NEWEST,
    change,
    contents,
    make_older,
    quiet,
    rows,
)
from tests.support.sqlitelog import open_sqlite_log

OLD, NEW = 30, 20
"""Events of the database that is there, and of the backup."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    folder.mkdir()
    return folder / "twinwire.db"


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    await make(tmp_path / "source.db", NEW, "backed/up")
    back_up(tmp_path / "source.db", tmp_path / "backup.db", MIGRATIONS, StillClock(), quiet)
    return tmp_path / "backup.db"


async def make(path: Path, events: int, topic: str = "a") -> str:
    """A log of so many events, closed; its epoch."""
    log = await open_sqlite_log(path, ManualClock())
    await log.append([Draft(topic, "log", str(n)) for n in range(events)])
    await log.close()
    return log.epoch


async def leave(path: Path, events: int) -> str:
    """The same as a kill leaves it: all of it is in its journal."""
    away = path.with_name("away.db")
    log = await open_sqlite_log(away, ManualClock())
    await log.append([Draft("a", "log", str(n)) for n in range(events)])
    for suffix in ("", "-wal"):
        shutil.copy(f"{away}{suffix}", f"{path}{suffix}")
    await log.close()
    for left in path.parent.glob("away.db*"):
        left.unlink()
    return log.epoch


def put_back(backup: Path, database: Path, **options: Any) -> Verified:
    return restore(backup, database, MIGRATIONS, quiet, **{"force": False, **options})


def files(database: Path) -> set[str]:
    return {path.name for path in database.parent.iterdir()}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_where_there_is_nothing_it_is_put(backup: Path, database: Path) -> None:
    before = digest(backup)
    found = put_back(backup, database)
    assert (found.events, found.faults, found.is_copy) == (NEW, (), True)
    assert contents(database) == contents(backup)
    assert files(database) == {"twinwire.db", "twinwire.db.lock"}
    assert digest(backup) == before
    assert {path.name for path in backup.parent.glob("backup.db*")} == {"backup.db"}


async def test_each_restore_has_an_epoch_of_its_own(backup: Path, database: Path) -> None:
    epochs = {rows(backup, "SELECT epoch FROM log")[0][0]}
    for _ in range(2):
        put_back(backup, database, force=True)
        log = await open_sqlite_log(database, ManualClock())
        epochs.add(log.epoch)
        assert log.head == NEW
        await log.close()
    assert len(epochs) == 3


async def test_a_copy_by_other_means_gets_an_epoch_too(tmp_path: Path, database: Path) -> None:
    """`VACUUM INTO`, or the file itself with its journal, as a kill has left it."""
    epoch = await leave(tmp_path / "copied.db", 7)
    connection = connect_writer(tmp_path / "copied.db")
    connection.execute("VACUUM INTO ?", (str(tmp_path / "vacuum.db"),))
    connection.close()
    await leave(tmp_path / "journal.db", 9)
    for name, events in (("vacuum.db", 7), ("journal.db", 9)):
        put_back(tmp_path / name, database, force=True)
        log = await open_sqlite_log(database, ManualClock())
        assert (log.head, log.epoch != epoch) == (events, True)
        await log.close()


async def test_what_is_there_is_not_lost_by_mistake(backup: Path, database: Path) -> None:
    await make(database, OLD)
    before = digest(database)
    with pytest.raises(StorageError, match="is there already: --force"):
        put_back(backup, database)
    assert digest(database) == before
    put_back(backup, database, force=True)
    assert rows(database, "SELECT count(*) FROM events") == [(NEW,)]


async def test_a_file_without_a_byte_is_no_database(backup: Path, database: Path) -> None:
    database.touch()
    put_back(backup, database)
    assert rows(database, "SELECT count(*) FROM events") == [(NEW,)]


async def test_a_service_that_runs_is_left_alone(backup: Path, database: Path) -> None:
    await make(database, OLD)
    with FileLock(database), pytest.raises(StorageError, match="another Twinwire holds"):
        put_back(backup, database, force=True)
    assert rows(database, "SELECT count(*) FROM events") == [(OLD,)]


async def test_nothing_of_the_old_one_is_taken_for_the_new_ones(backup: Path, database: Path) -> None:
    """A journal is replayed into whatever lies beside it; an empty ballast keeps the file from growing."""
    await leave(database, OLD)
    for suffix in ("-shm", ".ballast"):
        Path(f"{database}{suffix}").touch()
    put_back(backup, database, force=True)
    assert files(database) == {"twinwire.db", "twinwire.db.lock"}
    assert contents(database) == contents(backup)
    Path(f"{database}-wal").touch()
    database.unlink()
    put_back(backup, database)
    assert files(database) == {"twinwire.db", "twinwire.db.lock"}, "also where the old one is gone"


class PulledError(BaseException):
    """As if the process were gone: nobody handles it."""


def _before_the_rename(patch: pytest.MonkeyPatch, pulled: Callable[..., None]) -> None:
    patch.setattr(Part, "put_over", pulled)


def _before_the_copy_is_checked(patch: pytest.MonkeyPatch, pulled: Callable[..., None]) -> None:
    patch.setattr(module, "verify", pulled)


def _before_the_epoch(patch: pytest.MonkeyPatch, pulled: Callable[..., None]) -> None:
    patch.setattr(module, "forget_epoch", pulled)


def _before_the_journal_goes(patch: pytest.MonkeyPatch, pulled: Callable[..., None]) -> None:
    patch.setattr(module, "_settle", pulled)


def _before_the_journal_has_gone(patch: pytest.MonkeyPatch, pulled: Callable[..., None]) -> None:
    patch.setattr(module, "sync_folder", pulled)


@pytest.mark.parametrize(
    "moment",
    [
        _before_the_copy_is_checked,
        _before_the_epoch,
        _before_the_journal_goes,
        _before_the_journal_has_gone,
        _before_the_rename,
    ],
)
async def test_until_the_rename_the_old_one_is_whole(
    backup: Path, database: Path, monkeypatch: pytest.MonkeyPatch, moment: Callable[..., None]
) -> None:
    """All that it had is in it, though it lay in its journal, and under the epoch that clients know."""
    epoch = await leave(database, OLD)

    def pulled(*_: Any) -> None:
        raise PulledError

    with monkeypatch.context() as patch:
        moment(patch, pulled)
        with pytest.raises(PulledError):
            put_back(backup, database, force=True)
    log = await open_sqlite_log(database, ManualClock())
    assert (log.head, log.epoch) == (OLD, epoch)
    await log.close()
    put_back(backup, database, force=True)
    assert rows(database, "SELECT count(*) FROM events") == [(NEW,)]


async def test_after_the_rename_the_new_one_is_whole(
    backup: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave(database, OLD)
    put_over = Part.put_over

    def pulled(part: Part) -> None:
        put_over(part)
        raise PulledError

    with monkeypatch.context() as patch:
        patch.setattr(Part, "put_over", pulled)
        with pytest.raises(PulledError):
            put_back(backup, database, force=True)
    found = verify(database, MIGRATIONS, quiet)
    assert (found.events, found.faults, found.is_copy) == (NEW, (), True)


async def test_a_database_that_can_not_be_opened_is_replaced(backup: Path, database: Path) -> None:
    """That is what backups are for."""
    database.write_bytes(b"\xff" * 100_000)
    Path(f"{database}-wal").write_bytes(b"\xff" * 10_000)
    put_back(backup, database, force=True)
    assert contents(database) == contents(backup)
    assert not Path(f"{database}-wal").exists()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _lose_an_event(path: Path) -> None:
    change(path, "DELETE FROM events WHERE offset = 10")


def _write_text(path: Path) -> None:
    path.write_text("text" * 1_000)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _lose_an_event, _write_text, _empty])
@pytest.mark.parametrize("is_there", [False, True])
async def test_a_backup_that_is_none_takes_nobodys_place(
    backup: Path, database: Path, damage: Callable[[Path], None], is_there: bool
) -> None:
    damage(backup)
    if is_there:
        await leave(database, OLD)
    before = files(database)
    with pytest.raises(StorageError, match=r"backup\.db") as caught:
        put_back(backup, database, force=True)
    assert SUFFIX not in caught.value.detail
    assert files(database) - {"twinwire.db.lock"} == before
    if is_there:
        log = await open_sqlite_log(database, ManualClock())
        assert log.head == OLD
        await log.close()


async def test_what_makes_no_sense_is_refused(backup: Path, database: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no backup"):
        put_back(tmp_path / "nowhere.db", database)
    await make(database, OLD)
    with pytest.raises(StorageError, match="the service's own database"):
        put_back(database, database, force=True)
    change(backup, FROM_LATER)
    with pytest.raises(MigrationError, match="newer than this program"):
        put_back(backup, database, force=True)
    assert rows(database, "SELECT count(*) FROM events") == [(OLD,)]


async def test_one_of_an_older_program_is_restored_and_then_migrated(tmp_path: Path, database: Path) -> None:
    make_older(tmp_path / "old.db", 1)
    found = put_back(tmp_path / "old.db", database)
    assert (found.migrations, found.waiting, found.events) == (1, NEWEST - 1, 10)
    log = await open_sqlite_log(database, ManualClock())
    assert log.head == 10
    assert log.epoch != "oldepoch"
    await log.close()
    assert verify(database, MIGRATIONS, quiet).faults == ()


async def test_it_belongs_to_whom_the_old_one_did(backup: Path, database: Path) -> None:
    await make(database, OLD)
    database.chmod(0o640)
    put_back(backup, database, force=True)
    assert stat.S_IMODE(database.stat().st_mode) == 0o640
    database.unlink()
    backup.chmod(0o600)
    put_back(backup, database)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600, "else as readable as the backup"
    owner = database.parent.stat()
    assert (database.stat().st_uid, database.stat().st_gid) == (owner.st_uid, owner.st_gid)


async def test_a_full_disk_is_told_and_harms_nobody(
    backup: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(database, OLD)
    monkeypatch.setattr(Part, "has_no_room", lambda part: True)

    def fail(*_: Any, **__: Any) -> None:
        from service.log.sqlite.database import driver

        raise driver.OperationalError("disk I/O error")

    monkeypatch.setattr(module, "connect_alone", fail)
    with pytest.raises(StorageFullError, match=r"no space left for the database .*twinwire\.db"):
        put_back(backup, database, force=True)
    assert rows(database, "SELECT count(*) FROM events") == [(OLD,)]
    assert files(database) == {"twinwire.db", "twinwire.db.lock", "twinwire.db.ballast"}


async def test_what_else_is_to_be_done_is_done_before_it_is_put_there(backup: Path, database: Path) -> None:
    seen: list[Path] = []

    def also(path: Path) -> None:
        assert not database.stat().st_size
        change(path, "UPDATE log SET probed = 7")
        seen.append(path)

    put_back(backup, database, also=also)
    assert [path.name for path in seen] == [f"twinwire.db{SUFFIX}"]
    assert rows(database, "SELECT probed FROM log") == [(7,)]


async def test_it_tells_how_far_it_is(backup: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGES", 1)
    told: list[tuple[str, int, int]] = []
    restore(backup, database, MIGRATIONS, lambda *one: told.append(one), force=False)
    pages = backup.stat().st_size // 4096
    assert ("copying", 1, pages) in told
    assert ("copying", pages, pages) in told
    assert told[-1][0] == "checking events"
