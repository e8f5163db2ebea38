"""What the log does by itself: checkpoints, retention, probes of a full disk, a clean end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StorageDownError, StorageError, StorageFullError
from service.core.topics import TopicFilter
from service.log.base import Search
from service.log.sqlite import upkeep
from service.log.sqlite.drivers import driver
from service.log.sqlite.upkeep import WAL_IDLE_BYTES
from tests.unit.log.rigs import ALL, PLENTY, OpenRig, Rule, SQLiteRig, drafts, list_topics, read_all

DEADLINE = 10.0
"""Seconds after which a test gives up waiting; nothing here takes one."""


KEEP_ALL = "CREATE TRIGGER keep_all BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'kept by hand'); END"


class Warnings:
    """In place of the logger: remembers what it was told, and wakes who waits for it."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def warning(self, event: str, **fields: Any) -> None:
        self.said.append((event, fields.get("reason")))
        self._changed.set()

    def exception(self, event: str) -> None:
        self.warning(event)

    def info(self, event: str, **fields: Any) -> None:
        self.said.append((event, fields.get("removed")))
        self._changed.set()

    async def until(self, event: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while event not in [said for said, _ in self.said]:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> Warnings:
    warnings = Warnings()
    monkeypatch.setattr(upkeep, "logger", warnings)
    return warnings


async def test_a_checkpoint_shrinks_the_wal(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    before = log.upkeep.wal_bytes
    await log.upkeep.checkpoint()
    assert log.upkeep.wal_bytes == before, "a small one is left alone"
    while log.upkeep.wal_bytes < WAL_IDLE_BYTES:
        await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
    await log.upkeep.checkpoint()
    assert log.writer.journal_used == 0
    size = log.upkeep.wal_bytes
    assert size >= WAL_IDLE_BYTES, "to cut it others would have to wait"
    await log.append(drafts("a", 1))
    assert 0 < log.writer.journal_used < WAL_IDLE_BYTES
    assert log.upkeep.wal_bytes == size, "it is used again from its beginning"
    sqlite_rig.clock.advance(10)
    await log.upkeep.checkpoint()
    assert log.upkeep.wal_bytes == 0, "once nobody publishes"
    assert len(await read_all(log)) == log.head


async def test_a_journal_that_has_grown_too_long_is_cut_at_once(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "WAL_KEPT_BYTES", WAL_IDLE_BYTES)
    log = sqlite_rig.log
    while log.upkeep.wal_bytes <= WAL_IDLE_BYTES:
        await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
    await log.upkeep.checkpoint()
    assert log.upkeep.wal_bytes == 0


async def test_a_busy_writer_is_not_held_up_by_a_checkpoint(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = sqlite_rig.log
    while log.upkeep.wal_bytes < WAL_IDLE_BYTES:
        await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
    waiting = [asyncio.create_task(log.append(drafts("a", 1))) for _ in range(3)]
    await asyncio.sleep(0)
    assert not log.writer.is_idle
    await log.upkeep.checkpoint()
    assert log.upkeep.wal_bytes >= WAL_IDLE_BYTES
    monkeypatch.setattr(upkeep, "WAL_BUSY_BYTES", WAL_IDLE_BYTES)
    waiting += [asyncio.create_task(log.append(drafts("a", 1))) for _ in range(3)]
    await asyncio.sleep(0)
    await log.upkeep.checkpoint()
    await asyncio.gather(*waiting)
    assert log.writer.journal_used < WAL_IDLE_BYTES


async def test_closing_leaves_one_file(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.append(drafts("a", 100))
    await sqlite_rig.log.close()
    assert sqlite_rig.log.upkeep.wal_bytes == 0
    assert {path.name for path in sqlite_rig.path.parent.iterdir()} == {"test.db", "test.db.ballast"}


async def test_retention_runs_by_itself(open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_age=60)], retention_interval=0)
    await rig.log.append(drafts("a", 3))
    rig.clock.advance(61)
    await rig.log.append(drafts("a", 1))
    await warnings.until("events_trimmed")
    assert [event.offset for event in await read_all(rig.log)] == [4]


async def test_topics_are_forgotten_by_themselves(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After retention has emptied them; not those in which a pass has left something."""
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule("a/*", max_count=0)], retention_interval=0, forget_after=1_000)
    await rig.log.append(drafts("a/1", 3) + drafts("b", 1))
    await warnings.until("events_trimmed")
    rig.clock.advance(1_000)
    await warnings.until("topics_forgotten")
    assert [stats.topic for stats in await list_topics(rig.log)] == ["b"]


async def test_maintenance_survives_a_fault_and_says_it_once(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_count=1)], retention_interval=0)
    await rig.log.writer.run(lambda connection: connection.execute(KEEP_ALL))
    await rig.log.append(drafts("a", 3))
    await warnings.until("retention_failed")
    await rig.log.writer.run(lambda connection: connection.execute("DROP TRIGGER keep_all"))
    await warnings.until("events_trimmed")
    assert [event.offset for event in await read_all(rig.log)] == [3]
    assert [event for event, _ in warnings.said].count("retention_failed") == 1


async def test_topics_are_forgotten_while_retention_fails_which_is_said_once(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New topics would find no room for as long as one topic's events can't be removed."""
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule("a", max_count=1)], retention_interval=0, forget_after=1_000)
    await rig.log.append(drafts("b", 1))
    await rig.log.trim(TopicFilter(("b",)), 0)
    await rig.log.writer.run(lambda connection: connection.execute(KEEP_ALL))
    await rig.log.append(drafts("a", 3))
    await warnings.until("retention_failed")
    rig.clock.advance(1_000)
    await warnings.until("topics_forgotten")
    passes = rig.log.upkeep._retention.run
    tried = asyncio.Event()

    def again(*at: int) -> Awaitable[int]:
        tried.set()
        return passes(*at)

    monkeypatch.setattr(rig.log.upkeep._retention, "run", again)
    for _ in range(3):
        tried.clear()
        async with asyncio.timeout(DEADLINE):
            await tried.wait()
    assert [stats.topic for stats in await list_topics(rig.log)] == ["a"]
    assert [event for event, _ in warnings.said].count("retention_failed") == 1


async def test_a_fault_of_ours_ends_no_maintenance(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task would be gone without a word: nothing were removed any more, and no fault of the disk noticed."""
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_count=1)], retention_interval=0)

    def broken(*_: object) -> None:
        raise OverflowError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(rig.log.upkeep._retention, "run", broken)
        patch.setattr(rig.log.upkeep, "look", broken)
        await warnings.until("retention_failed")
        await warnings.until("upkeep_failed")
    await rig.log.append(drafts("a", 3))
    await warnings.until("events_trimmed")
    assert all(not task.done() for task in rig.log.upkeep._tasks)


async def test_a_reader_that_fails_does_not_end_maintenance(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_age=1)], retention_interval=0)
    await rig.log.append(drafts("a", 1))
    rig.log._reader.close()
    await warnings.until("retention_failed")
    for reading in (
        rig.log.read(ALL, 0, 1, PLENTY),
        rig.log.search(Search(ALL)),
        rig.log.search(Search(ALL, from_time=1)),
    ):
        with pytest.raises(StorageError):
            await reading
    await rig.log.close()


async def test_a_full_disk_is_probed_until_it_takes_writes(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = sqlite_rig.log
    (pages,) = await log.writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone())
    await log.writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(StorageFullError):
        await log.append(drafts("a", 1, data=f'"{"x" * 60_000}"'))
    assert "no space left" in (log.health().failure or "")
    assert log.head == 0
    await log.writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
    await log.upkeep.look()
    assert log.health().failure is None
    assert log.head == 0


async def test_probing_tells_what_publishing_would(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.writer.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageError, match="read-only"):
        await sqlite_rig.log.writer.probe()
    assert sqlite_rig.log.health().failure is not None


async def test_a_log_that_cannot_be_closed_cleanly_says_so_and_closes(
    sqlite_rig: SQLiteRig, warnings: Warnings
) -> None:
    await sqlite_rig.log.append(drafts("a", 2))
    await sqlite_rig.log.writer.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
    await sqlite_rig.log.close()
    assert [event for event, _ in warnings.said] == ["log_not_closed_cleanly"]
    await sqlite_rig.restart()
    assert [stats.count for stats in await list_topics(sqlite_rig.log)] == [2]


# The log is not alone


@contextlib.contextmanager
def foreign(path: Path, statement: str) -> Iterator[Any]:
    """Another program's connection, in the middle of something."""
    connection = driver.connect(str(path), isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(statement).fetchall()
        yield connection
    finally:
        connection.close()


async def test_a_checkpoint_waits_for_no_other_program_and_is_made_up_for(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    await log.append(drafts("a", 1))
    with foreign(sqlite_rig.path, "BEGIN") as other:
        other.execute("SELECT count(*) FROM events").fetchall()
        while log.upkeep.wal_bytes < WAL_IDLE_BYTES:
            await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
        for _ in range(3):
            await log.upkeep.checkpoint()
            sqlite_rig.clock.advance(60)
        assert log.upkeep.wal_bytes >= WAL_IDLE_BYTES, "what somebody reads stays"
        assert (await log.append(drafts("a", 1))).fresh
    sqlite_rig.clock.advance(60)
    await log.upkeep.checkpoint()
    assert log.upkeep.wal_bytes == 0


async def test_a_checkpoint_that_was_stopped_is_tried_later_and_later(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def undone(connection: Any, **_: object) -> bool:
        nonlocal tries
        tries += 1
        return False

    monkeypatch.setattr(upkeep, "checkpoint", undone)
    monkeypatch.setattr(upkeep, "WAL_IDLE_BYTES", 0)
    for _ in range(240):
        await sqlite_rig.log.upkeep.checkpoint()
        sqlite_rig.clock.advance(0.25)
    assert 5 <= tries <= 10


async def test_while_another_program_has_the_write_lock_everybody_is_told_at_once(sqlite_rig: SQLiteRig) -> None:
    """The first learns it when the time for locks is over, those in its commit with it, those after it at the door."""
    log = sqlite_rig.log
    await log.append(drafts("a", 1))
    with foreign(sqlite_rig.path, "BEGIN IMMEDIATE"):
        answers = await asyncio.gather(*(log.append(drafts("a", 1)) for _ in range(20)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [StorageDownError] * 20
        assert all(answer.retry_after for answer in answers if isinstance(answer, StorageDownError))
        assert "locked" in (log.health().failure or "")
        commit = asyncio.create_task(log.append(drafts("a", 1)))
        await asyncio.sleep(0)
        assert isinstance(commit.exception(), StorageDownError), "without waiting for the lock again"
    await log.upkeep.look()
    assert (await log.append(drafts("a", 1))).offsets == (2,)


async def test_events_of_another_program_are_found_before_an_offset_is_given_twice(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    await log.append(drafts("a", 1))
    await log.upkeep.look()
    note = "INSERT INTO notes VALUES ('other', 1)"
    with foreign(sqlite_rig.path, note):
        await log.upkeep.look()  # beside the events others may write
    event = "INSERT INTO events (offset, topic, prev, time, type, data) VALUES (2, 1, 1, 1, 'log', '1')"
    with foreign(sqlite_rig.path, event):
        pass
    with pytest.raises(StorageDownError, match="another program"):
        await log.upkeep.look()
    with pytest.raises(StorageDownError):
        await log.append(drafts("a", 1))
    with pytest.raises(StorageDownError):
        await log.upkeep.look()
    assert log.health().failure


async def test_an_offset_that_is_taken_is_a_fault_of_the_log(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    await log.append(drafts("a", 1))
    event = "INSERT INTO events (offset, topic, prev, time, type, data) VALUES (2, 1, 1, 1, 'log', '1')"
    with foreign(sqlite_rig.path, event):
        pass
    with pytest.raises(StorageDownError, match="another program"):
        await log.append(drafts("a", 1))
    assert log.health().failure


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_nothing_is_acknowledged_in_a_file_that_has_lost_its_name(sqlite_rig: SQLiteRig, suffix: str) -> None:
    log, file = sqlite_rig.log, Path(f"{sqlite_rig.path}{suffix}")
    await log.append(drafts("a", 3))
    away = file.with_name("away")
    file.rename(away)
    with pytest.raises(StorageDownError, match="moved or deleted"):
        await log.append(drafts("a", 1))
    assert [event.offset for event in await read_all(log)] == [1, 2, 3], "what is there is read"
    away.rename(file)
    await log.upkeep.look()
    assert (await log.append(drafts("a", 1))).offsets == (4,)


async def test_what_was_in_the_journal_follows_the_database_that_is_moved(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    await log.append(drafts("a", 3))
    away = sqlite_rig.path.with_name("away.db")
    sqlite_rig.path.rename(away)
    with pytest.raises(StorageDownError):
        await log.upkeep.look()
    with foreign(away, "SELECT 1") as other:
        assert other.execute("SELECT count(*) FROM events").fetchone() == (3,)


async def test_what_is_written_while_a_name_goes_is_told_as_in_doubt(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the log and its readers get it, so that no offset is given twice; but nobody is told that it is safe."""
    log, answers = sqlite_rig.log, iter([None, "the file was moved"])
    heard: list[Any] = []
    log.follow(heard.extend, lambda topic, floor: None)
    monkeypatch.setattr(type(log.writer._files), "changed", lambda self: next(answers, None))
    with pytest.raises(StorageDownError):
        await log.append(drafts("a", 1))
    assert [event.offset for event in heard] == [1]
    await log.upkeep.look()
    assert (await log.append(drafts("a", 1))).offsets == (2,)


async def test_failing_and_recovering_are_a_line_each(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    monkeypatch.setattr(upkeep, "LOOK_INTERVAL", 0)
    rig = await open_rig()
    away = rig.path.with_name("away")
    rig.path.rename(away)
    await warnings.until("log_failed")
    for _ in range(20):
        await asyncio.sleep(0)
    away.rename(rig.path)
    await warnings.until("log_recovered")
    assert [event for event, _ in warnings.said] == ["log_failed", "log_recovered"]
