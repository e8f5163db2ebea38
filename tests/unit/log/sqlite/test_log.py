"""The embedded log: what a crash leaves, and what it does by itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StorageError, StorageFullError
from service.core.topics import TopicFilter
from service.log.base import Search
from service.log.sqlite import log as sqlite
from service.log.sqlite.log import WAL_IDLE_BYTES
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
    monkeypatch.setattr(sqlite, "logger", warnings)
    return warnings


# What a crash leaves


async def test_counts_right_after_a_crash(sqlite_rig: SQLiteRig) -> None:
    rig = sqlite_rig
    await rig.log.append([*drafts("a", 5), *drafts("b", 7)])
    await rig.log.trim(TopicFilter(("a",)), 2)
    await rig.log.append([*drafts("a", 3), *drafts("new", 1)])
    await rig.log.append(drafts("b", 1))
    stats = await list_topics(rig.log)
    assert [(one.topic, one.count, one.head) for one in stats] == [("a", 5, 15), ("b", 8, 17), ("new", 1, 16)]
    for _ in range(2):
        await rig.kill()
        assert await list_topics(rig.log) == stats
    await rig.restart()
    assert await list_topics(rig.log) == stats


async def test_a_commit_under_way_is_not_there_after_a_crash(sqlite_rig: SQLiteRig) -> None:
    rig = sqlite_rig
    await rig.log.append(drafts("a", 2))

    def crash_before_commit(connection: Any) -> Path:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events VALUES (3, 1, 2, 0, 'log', '1', NULL)")
        copied = rig.copy()
        connection.execute("ROLLBACK")
        return copied

    copied = await rig.log.writer.run(crash_before_commit)
    await rig.log.close()
    rig.path = copied
    await rig.restart()
    assert [event.offset for event in await read_all(rig.log)] == [1, 2]
    assert (await rig.log.append(drafts("a", 1))).offsets == (3,)


async def test_a_write_ahead_log_that_was_cut_off_is_read_up_to_there(sqlite_rig: SQLiteRig) -> None:
    rig = sqlite_rig
    for _ in range(5):
        await rig.log.append(drafts("a", 1, data=f'"{"x" * 3_000}"'))
    copied = rig.copy()
    wal = copied.with_name(copied.name + "-wal")
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 100)
    await rig.log.close()
    rig.path = copied
    await rig.restart()
    assert [event.offset for event in await read_all(rig.log)] == [1, 2, 3, 4]


# What it does by itself


async def test_a_checkpoint_shrinks_the_wal(sqlite_rig: SQLiteRig) -> None:
    log = sqlite_rig.log
    before = log.wal_bytes
    await log._checkpoint()
    assert log.wal_bytes == before, "a small one is left alone"
    while log.wal_bytes < WAL_IDLE_BYTES:
        await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
    await log._checkpoint()
    assert log.wal_bytes == 0
    assert len(await read_all(log)) == log.head


async def test_a_busy_writer_is_not_held_up_by_a_checkpoint(
    sqlite_rig: SQLiteRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = sqlite_rig.log
    while log.wal_bytes < WAL_IDLE_BYTES:
        await log.append(drafts("a", 10, data=f'"{"x" * 20_000}"'))
    waiting = [asyncio.create_task(log.append(drafts("a", 1))) for _ in range(3)]
    await asyncio.sleep(0)
    assert not log.writer.is_idle
    await log._checkpoint()
    assert log.wal_bytes >= WAL_IDLE_BYTES
    monkeypatch.setattr(sqlite, "WAL_BUSY_BYTES", WAL_IDLE_BYTES)
    waiting += [asyncio.create_task(log.append(drafts("a", 1))) for _ in range(3)]
    await asyncio.sleep(0)
    await log._checkpoint()
    await asyncio.gather(*waiting)
    assert log.wal_bytes < WAL_IDLE_BYTES


async def test_closing_leaves_one_file(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.append(drafts("a", 100))
    await sqlite_rig.log.close()
    assert sqlite_rig.log.wal_bytes == 0
    assert {path.name for path in sqlite_rig.path.parent.iterdir()} == {"test.db"}


async def test_retention_runs_by_itself(open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MAINTENANCE_INTERVAL", 0)
    rig = await open_rig(policies=[Rule(max_age=60)], retention_interval=0)
    await rig.log.append(drafts("a", 3))
    rig.clock.advance(61)
    await rig.log.append(drafts("a", 1))
    await warnings.until("events_trimmed")
    assert [event.offset for event in await read_all(rig.log)] == [4]


async def test_maintenance_survives_a_fault_and_says_it_once(
    open_rig: OpenRig, warnings: Warnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MAINTENANCE_INTERVAL", 0)
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
    monkeypatch.setattr(sqlite, "MAINTENANCE_INTERVAL", 0)
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
    await log.probe()
    assert log.health().failure is None
    assert (log.head, log.health().commits) == (0, 1), "a probe is a commit without an event"


async def test_probing_tells_what_publishing_would(sqlite_rig: SQLiteRig) -> None:
    await sqlite_rig.log.writer.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageError, match="read-only"):
        await sqlite_rig.log.probe()
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


async def test_a_long_search_gives_way(sqlite_rig: SQLiteRig) -> None:
    """A rare type behind many windows of a scan must not stop the event loop until it is found."""
    log = sqlite_rig.log
    for n in range(20):
        await log.append([*drafts(f"t{n}", 1), *drafts("other", 999)])
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    page = await log.search(Search(TopicFilter(("t1", "t2", *(f"t{n}" for n in range(3, 20)))), type="unknown"))
    counting.cancel()
    assert (list(page.events), page.next) == ([], 20_000)
    assert turns >= 10
