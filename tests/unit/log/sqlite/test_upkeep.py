"""What the log does by itself: checkpoints, retention, probes of a full disk, a clean end."""

import asyncio
from typing import Any

import pytest

from service.core.errors import StorageError, StorageFullError
from service.log.base import Search
from service.log.sqlite import upkeep
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
    assert log.upkeep.wal_bytes == 0
    assert len(await read_all(log)) == log.head


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
    assert log.upkeep.wal_bytes < WAL_IDLE_BYTES


async def test_closing_leaves_one_file(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.append(drafts("a", 100))
    await sqlite_rig.log.close()
    assert sqlite_rig.log.upkeep.wal_bytes == 0
    assert {path.name for path in sqlite_rig.path.parent.iterdir()} == {"test.db"}


async def test_retention_runs_by_itself(open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_age=60)], retention_interval=0)
    await rig.log.append(drafts("a", 3))
    rig.clock.advance(61)
    await rig.log.append(drafts("a", 1))
    await warnings.until("events_trimmed")
    assert [event.offset for event in await read_all(rig.log)] == [4]


async def test_maintenance_survives_a_fault_and_says_it_once(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_count=1)], retention_interval=0)
    await rig.log.writer.run(lambda connection: connection.execute(KEEP_ALL))
    await rig.log.append(drafts("a", 3))
    await warnings.until("log_maintenance_failed")
    await rig.log.writer.run(lambda connection: connection.execute("DROP TRIGGER keep_all"))
    await warnings.until("events_trimmed")
    assert [event.offset for event in await read_all(rig.log)] == [3]
    assert [event for event, _ in warnings.said].count("log_maintenance_failed") == 1


async def test_a_reader_that_fails_does_not_end_maintenance(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_age=1)], retention_interval=0)
    await rig.log.append(drafts("a", 1))
    rig.log._reader.close()
    await warnings.until("log_maintenance_failed")
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
    await log.upkeep.probe()
    assert log.health().failure is None
    assert (log.head, log.health().commits) == (0, 1), "a probe is a commit without an event"


async def test_probing_tells_what_publishing_would(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.writer.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageError, match="read-only"):
        await sqlite_rig.log.upkeep.probe()
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
