"""A backup is one state of a log that goes on: what was acknowledged before is in it, and nobody was kept waiting."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import MigrationError, StorageError, StorageFullError
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.log.sqlite import backup as module
from service.log.sqlite.backup import Copied, back_up
from service.log.sqlite.drivers import driver
from service.log.sqlite.log import SQLiteEventLog
from service.log.sqlite.part import SUFFIX
from service.log.sqlite.verify import verify
from tests.support.clock import ManualClock, StillClock
from tests.support.databases import (
    EVENT,
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


def drafts(topic: str, count: int) -> list[Draft]:
    return [Draft(topic, "log", f'{{"é": {n}}}', f"{topic}-{n}" if n % 5 == 0 else None) for n in range(count)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "twinwire.db"


@pytest.fixture
async def log(source: Path) -> AsyncIterator[SQLiteEventLog]:
    log = await open_sqlite_log(source, ManualClock())
    for topic in ("a", "b/c", "twinwire/revocations"):
        await log.append(drafts(topic, 300))
    yield log
    await log.close()


def copy(source: Path, target: Path, clock: StillClock | None = None) -> Copied:
    return back_up(source, target, MIGRATIONS, clock or StillClock(), quiet)


def is_whole(path: Path) -> bool:
    return verify(path, MIGRATIONS, quiet).faults == ()


async def test_it_has_all_that_the_log_has(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    await log.trim(TopicFilter(("b/c",)), 40)
    change(
        source,
        "INSERT INTO projects (id, name, brief, created) VALUES ('p', 'P', 'brief', 1), ('q', 'Q', 'brief', 2)",
        "DELETE FROM projects WHERE id = 'q'",
        "INSERT INTO files VALUES ('p', 'a.py', 'r', 1, 1)",
    )
    copied = copy(source, tmp_path / "b.db")
    assert contents(tmp_path / "b.db") == contents(source)
    assert rows(tmp_path / "b.db", "SELECT seq FROM sqlite_sequence WHERE name = 'projects'") == [(2,)], "never reused"
    assert copied == Copied(640, 900, (tmp_path / "b.db").stat().st_size)
    assert is_whole(tmp_path / "b.db")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("b.")) == ["b.db"]


async def test_it_is_a_file_of_its_own_and_as_readable(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    source.chmod(0o640)
    copy(source, tmp_path / "b.db")
    assert stat.S_IMODE((tmp_path / "b.db").stat().st_mode) == 0o640
    assert (tmp_path / "b.db").read_bytes()[18:20] == b"\x01\x01", "no write-ahead log, which would lie beside it"


async def test_whoever_opens_it_gets_another_epoch(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    """However it came into its place, and each time: offsets after it are given out again."""
    copy(source, tmp_path / "b.db")
    epochs = {log.epoch}
    for name in ("one.db", "two.db"):
        (tmp_path / name).write_bytes((tmp_path / "b.db").read_bytes())
        again = await open_sqlite_log(tmp_path / name, ManualClock())
        epochs.add(again.epoch)
        assert again.head == log.head
        await again.close()
        same = await open_sqlite_log(tmp_path / name, ManualClock())
        assert same.epoch == again.epoch, "once"
        await same.close()
    assert len(epochs) == 3


async def test_what_goes_on_meanwhile_leaves_no_half(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two looks there are publishes, new topics, and trims of what was copied and of what was not."""
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    clock = StillClock()
    other = driver.connect(str(source), isolation_level=None)
    before = rows(source, "SELECT offset FROM events")

    def between(pauses: int) -> None:
        """What the writer does, in a transaction each: an event on a new topic, one on an old one, and a trim."""
        (head,) = other.execute("SELECT max(offset) FROM events").fetchone()
        other.execute("BEGIN IMMEDIATE")
        (topics,) = other.execute("SELECT max(id) FROM topics").fetchone()
        other.execute("INSERT INTO topics (id, name) VALUES (?, ?)", (topics + 1, f"new/{pauses}"))
        other.execute(f"INSERT INTO {EVENT} VALUES (?, ?, 0, 1, 'log', '1', NULL)", (head + 1, topics + 1))
        (prev,) = other.execute("SELECT max(offset) FROM events WHERE topic = 1").fetchone()
        other.execute(f"INSERT INTO {EVENT} VALUES (?, 1, ?, 1, 'log', '2', NULL)", (head + 2, prev))
        gone = other.execute("SELECT offset, key FROM events WHERE topic = 2 ORDER BY offset LIMIT 3").fetchall()
        for n, (offset, key) in enumerate(gone, head + 3):
            other.execute("DELETE FROM events WHERE offset = ?", (offset,))
            other.execute("UPDATE topics SET floor = ?, count = count - 1 WHERE id = 2", (offset,))
            if key is not None:  # which may be used again, then
                again.append(n)
                other.execute(f"INSERT INTO {EVENT} VALUES (?, 2, 1, 1, 'log', '3', ?)", (n, key))
        other.execute("COMMIT")
        seen.append(contents(source))

    seen: list[Any] = []
    again: list[int] = []
    clock.between = between  # type: ignore[method-assign]
    await log.upkeep.close()  # its counts are saved: from here on they are this test's
    copy(source, tmp_path / "b.db", clock)
    other.close()
    found = contents(tmp_path / "b.db")
    assert len(seen) > 50
    assert again
    assert found["events"] == seen[-1]["events"], "one state: the one of the last look"
    assert found["topics"] == seen[-1]["topics"]
    kept = {offset for (offset,) in rows(tmp_path / "b.db", "SELECT offset FROM events")}
    gone = {offset for (offset,) in before} - kept
    (floor,) = rows(tmp_path / "b.db", "SELECT floor FROM topics WHERE id = 2")[0]
    assert gone, "trimmed while it was copied"
    assert max(gone) == floor


async def test_it_lets_go_of_the_journal_after_each_look(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its size, the service's checkpoint finds nobody who reads, and cuts it."""
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    clock, cut = StillClock(), list[int]()
    other = driver.connect(str(source), isolation_level=None, timeout=0)

    def between(pauses: int) -> None:
        (busy, _, _) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cut.append(busy)

    clock.between = between  # type: ignore[method-assign]
    copy(source, tmp_path / "b.db", clock)
    other.close()
    assert len(cut) > 50
    assert set(cut) == {0}


async def test_a_long_journal_is_waited_for_and_not_for_ever(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOURNAL_BYTES", 0)
    clock = StillClock()

    def between(pauses: int) -> None:
        if pauses == 3:
            other = driver.connect(str(source), isolation_level=None)
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            other.close()

    clock.between = between  # type: ignore[method-assign]
    assert copy(source, tmp_path / "b.db", clock).events == 900
    assert clock.paused[:3] == [module.JOURNAL_PAUSE] * 3
    assert len(clock.paused) == 3
    await log.append([Draft("a", "log", "1")])
    patient = StillClock()
    assert copy(source, tmp_path / "c.db", patient).events == 901, "where nobody empties it"
    assert sum(patient.paused) == pytest.approx(module.JOURNAL_WAIT, abs=2 * module.JOURNAL_PAUSE)


async def test_half_of_the_time_is_the_services(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that takes too long is followed by a smaller one, and each by a pause as long as it took."""
    clock, taken = StillClock(), iter([1.0, 0.5, 0.02, 0.01, 0.001])
    sizes: list[int] = []

    class Slow(module._Copy):
        def _look(self, connection: Any, rows: int) -> int:
            copied = super()._look(connection, rows)
            if rows > 0:
                sizes.append(rows)
                clock.advance(next(taken, 0.001))
            return copied

    monkeypatch.setattr(module, "_Copy", Slow)
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 80, 1_000))
    assert copy(source, tmp_path / "b.db", clock).events == 900
    assert sizes[:6] == [80, 40, 20, 20, 40, 80]
    assert clock.paused[:5] == pytest.approx([1.0, 0.5, 0.02, 0.01, 0.001])


async def test_it_ends_however_fast_others_publish(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look that has caught up with the beginning finds as many again."""
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    other = driver.connect(str(source), isolation_level=None)

    newest = "SELECT (SELECT max(offset) FROM events), max(offset) FROM events WHERE topic = 1"

    class Outrun(module._Copy):
        looks = 0

        def _look(self, connection: Any, rows: int) -> int:
            Outrun.looks += 1
            (head, prev) = other.execute(newest).fetchone()
            for n in range(1, 11):
                other.execute(f"INSERT INTO {EVENT} VALUES (?, 1, ?, 1, 'log', '2', NULL)", (head + n, prev))
                prev = head + n
            return super()._look(connection, rows)

    monkeypatch.setattr(module, "_Copy", Outrun)
    await log.upkeep.close()
    copied = copy(source, tmp_path / "b.db")
    other.close()
    assert Outrun.looks == 90 + module.CATCH_UP
    assert copied.events == 900 + 10 * Outrun.looks
    assert is_whole(tmp_path / "b.db")


async def test_what_must_not_be_written_is_refused(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link.db").symlink_to(source)
    for name, message in (
        ("there", "there is there already"),
        ("dangling", "there already"),
        ("twinwire.db", "the service's own"),
        ("link.db", "the service's own"),
        ("twinwire.db-wal", "the service's own"),
        ("twinwire.db.lock", "the service's own"),
        ("twinwire.db.ballast", "the service's own"),
        (f"twinwire.db{SUFFIX}", "the service's own"),
        ("", "is a folder"),
        ("no/where.db", "there is no folder"),
    ):
        before = source.read_bytes()
        with pytest.raises(StorageError, match=message):
            copy(source, tmp_path / name)
        assert source.read_bytes() == before
    assert (tmp_path / "there").read_text() == "kept"
    assert not list(tmp_path.glob(f"*{SUFFIX}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no database"), (b"", "is no database of Twinwire"), (b"text" * 1_000, "not a SQLite database")],
)
def test_what_is_no_database_of_ours_is_refused(
    source: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(StorageError, match=message):
        copy(source, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()
    assert not list(tmp_path.glob(f"*{SUFFIX}"))


def test_somebody_elses_database_is_refused(source: Path, tmp_path: Path) -> None:
    change(source, "CREATE TABLE events (a)")
    with pytest.raises(StorageError, match="no database of Twinwire: it has no table log"):
        copy(source, tmp_path / "b.db")


@pytest.mark.parametrize("applied", [1, 2])
def test_one_of_an_older_program_is_copied_as_it_is(source: Path, tmp_path: Path, applied: int) -> None:
    make_older(source, applied)
    copy(source, tmp_path / "b.db")
    assert contents(tmp_path / "b.db") == contents(source)
    found = verify(tmp_path / "b.db", MIGRATIONS, quiet)
    assert (found.migrations, found.faults) == (applied, ())


def test_one_of_a_newer_program_is_refused(source: Path, tmp_path: Path) -> None:
    make_older(source, NEWEST)
    change(source, FROM_LATER)
    with pytest.raises(MigrationError, match="newer than this program"):
        copy(source, tmp_path / "b.db")


async def test_a_migration_in_the_middle_is_noticed(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    clock = StillClock()
    told: list[str] = []

    def tell(what: str, done: int, total: int) -> None:
        if not told:
            change(source, "CREATE TABLE later (a INTEGER)")
        told.append(what)

    with pytest.raises(StorageError, match="changed while it was copied"):
        back_up(source, tmp_path / "b.db", MIGRATIONS, clock, tell)
    assert not (tmp_path / "b.db").exists()


async def test_tables_of_every_kind_come_along(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    change(
        source,
        'CREATE TABLE "odd ""name" (a INTEGER PRIMARY KEY, "b c" TEXT, d INTEGER AS (a + 1) STORED) STRICT',
        """INSERT INTO "odd ""name" (a, "b c") VALUES (7, 'x')""",
        "CREATE VIEW newest AS SELECT max(offset) FROM events",
        "CREATE TRIGGER noted AFTER INSERT ON projects BEGIN INSERT INTO files VALUES (new.id,'','',0,0); END",
        "INSERT INTO projects (id, name, brief, created) VALUES ('p', 'P', 'brief', 1)",
    )
    copy(source, tmp_path / "b.db")
    assert contents(tmp_path / "b.db") == contents(source), "and no trigger ran again"
    change(source, "CREATE VIRTUAL TABLE words USING fts5(text)")
    with pytest.raises(StorageError, match="virtual table words"):
        copy(source, tmp_path / "c.db")


async def test_damage_that_is_met_is_told(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    await log.close()
    with source.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for page in range(4, size // 4096):
            file.seek(4096 * page)
            file.write(b"\xff" * 4096)
    with pytest.raises(StorageError, match="is corrupt"):
        copy(source, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


async def test_a_disk_that_has_no_room_for_it_is_not_filled(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(tmp_path)
    size = source.stat().st_size + Path(f"{source}-wal").stat().st_size
    for free, fits in ((4096, False), (size, True)):

        class Disk:
            f_frsize, f_blocks, f_bavail = real.f_frsize, real.f_blocks, free // real.f_frsize

        monkeypatch.setattr(module.os, "statvfs", lambda folder, disk=Disk: disk)
        if fits:
            copy(source, tmp_path / "b.db")
        else:
            with pytest.raises(StorageFullError, match=r"no space left for the backup .*b\.db: it takes about"):
                copy(source, tmp_path / "b.db")
            assert not list(tmp_path.glob("b.db*"))


async def test_it_tells_how_far_it_is(log: SQLiteEventLog, source: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    back_up(source, tmp_path / "b.db", MIGRATIONS, StillClock(), lambda *one: told.append(one))
    assert told[0] == ("copying", 0, 900)
    assert told[-1] == ("copying", 900, 900)


async def test_a_log_without_an_event_has_a_copy(source: Path, tmp_path: Path) -> None:
    log = await open_sqlite_log(source, ManualClock())
    assert copy(source, tmp_path / "b.db").events == 0
    await log.close()
    assert is_whole(tmp_path / "b.db")


async def test_topics_that_were_forgotten_meanwhile_leave_no_event_and_their_floor(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their events were copied, and their floors would have told that they went. No other topic has their numbers."""
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    log_clock = ManualClock()
    log = await open_sqlite_log(source, log_clock, forget_after=1)
    await log.append(drafts("kept", 30))
    for n in range(3):
        await log.append(drafts(f"gone/{n}", 20))
    await log.close()
    clock = StillClock()

    def between(pauses: int) -> None:
        """What the service does, all of it at once: as `Trimmer` and `Forgetter` write it."""
        if pauses == 7:
            change(
                source,
                "DELETE FROM events WHERE topic > 1",
                "UPDATE log SET folded = 90, last_topic = 4",
                "DELETE FROM topics WHERE id > 1",
                "INSERT INTO topics (id, name, floor, head) VALUES (5, 'twinwire/x', 0, 0)",
                "INSERT INTO events (offset, topic, prev, time, type, data) VALUES (91, 5, 0, 5, 'log', '1')",
            )

    monkeypatch.setattr(clock, "between", between)
    copied = copy(source, tmp_path / "b.db", clock)
    assert (copied.events, copied.head) == (31, 91)
    assert is_whole(tmp_path / "b.db")
    change(source, "DELETE FROM events", "DELETE FROM topics")
    assert copy(source, tmp_path / "c.db").head == 90, "whatever is kept: no offset is given out again"


async def test_what_is_replaced_and_cut_meanwhile_is_copied_as_it_is_then(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy would have two values of a subject: the one that was copied, and the one that has replaced it since."""
    await log.append([Draft("s", "log", '"x"', None, f"s/{n}", append=n % 2 == 0) for n in range(40)])
    await log.append(drafts("z", 300))
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    clock = StillClock()
    other = driver.connect(str(source), isolation_level=None)

    def between(pauses: int) -> None:
        """What the writer does: a value is replaced, and another loses its beginning."""
        (head,) = other.execute("SELECT max(offset) FROM events").fetchone()
        found = other.execute(
            "SELECT offset, subject FROM events WHERE gone IS NULL AND subject IS NOT NULL"
        ).fetchall()
        if len(found) < 10 or pauses < 100:  # by then they were copied
            return
        (replaced, subject), (cut, _) = found[pauses % 7], found[-1]
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE events SET gone = ? WHERE offset = ?", (head + 1, replaced))
        other.execute("UPDATE events SET gone = 0 WHERE offset = ?", (cut,))
        other.execute(
            "INSERT INTO events (offset, topic, prev, time, type, data, subject)"
            " SELECT ?, topic, offset, time, type, data, ? FROM events WHERE topic ="
            " (SELECT topic FROM events WHERE offset = ?) ORDER BY offset DESC LIMIT 1",
            (head + 1, subject, replaced),
        )
        other.execute("COMMIT")

    clock.between = between  # type: ignore[method-assign]
    await log.upkeep.close()
    copy(source, tmp_path / "b.db", clock)
    other.close()
    assert contents(tmp_path / "b.db")["events"] == contents(source)["events"]
    assert rows(tmp_path / "b.db", "SELECT count(*) FROM events WHERE gone = 0") != [(0,)]


async def test_single_events_that_went_meanwhile_are_not_in_it(
    log: SQLiteEventLog, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was replaced after it was copied, and then compacted: the copy would have two values of a subject."""
    await log.append([Draft("s", "log", '"x"', None, f"s/{n}") for n in range(40)])
    await log.append([Draft("kept", "log", '"x"', None, "s"), Draft("kept", "log", '"x"', None, "s")])
    await log.append(drafts("z", 300))
    await log.upkeep.close()
    monkeypatch.setattr(module, "LOOK_EVENTS", (10, 10, 10))
    clock = StillClock()
    other = driver.connect(str(source), isolation_level=None)
    other.execute("UPDATE topics SET removed = 1, compacted = head WHERE name = 's'")
    went: list[int] = []

    def between(pauses: int) -> None:
        """What compaction does: the tenth value goes, though one behind it went before the copy began."""
        if pauses == 110:
            (topic,) = other.execute("SELECT id FROM topics WHERE name = 's'").fetchone()
            (offset,) = other.execute("DELETE FROM events WHERE subject = 's/9' RETURNING offset").fetchone()
            other.execute("UPDATE topics SET removed = removed + 1 WHERE id = ?", (topic,))
            went.append(offset)

    clock.between = between  # type: ignore[method-assign]
    copy(source, tmp_path / "b.db", clock)
    other.close()
    assert went
    assert contents(tmp_path / "b.db")["events"] == contents(source)["events"]
    assert len(rows(tmp_path / "b.db", "SELECT 1 FROM events WHERE subject = 's'")) == 2


async def test_the_head_of_a_copy_is_the_logs_though_the_newest_went(
    log: SQLiteEventLog, source: Path, tmp_path: Path
) -> None:
    await log.append([Draft("s", "log", "null", None, "s")])
    compactor = log.compactor(lambda topic: topic == "s", -1.0)
    await compactor.run(2**50)
    assert await compactor.run(2**50) == 1
    assert copy(source, tmp_path / "b.db").head == 901
    assert is_whole(tmp_path / "b.db")
