"""The embedded log: what a crash leaves of it, and what is left when it was closed."""

from pathlib import Path
from typing import Any

from service.core.topics import TopicFilter
from tests.unit.log.rigs import SQLiteRig, drafts, list_topics, read_all


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
        connection.execute("INSERT INTO events (offset, topic, prev, time, type, data) VALUES (3, 1, 2, 0, 'log', '1')")
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
